"""Which files are label maps, how they are read, and what is none of their classes."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from jaxgan.data.images import read_stored
from jaxgan.data.label_maps import VOID, LabelCode, Look, default_palette, find_code
from jaxgan.errors import UserError

RANDOM = np.random.default_rng(0)
NUMBERS = [RANDOM.integers(0, 5, (12, 16), np.uint8) for _ in range(3)]
COLOURS = np.array([[0, 0, 255], [0, 170, 255], [255, 0, 0], [170, 255, 85], [0, 0, 170]], np.uint8)


def stored(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(buffer, kind, **options)
    return read_stored(buffer.getvalue())


def code_of(files, label_count=None):
    return find_code([Look(each, label_count) for each in files], label_count)


def with_palette(numbers, palette):
    image = Image.fromarray(numbers, mode="P")
    image.putpalette(palette.tobytes())
    return stored(image)


def test_class_numbers_in_one_channel():
    files = [stored(each) for each in NUMBERS]
    code = code_of(files)
    assert (code.count, code.by_colour) == (5, False)
    for each, numbers in zip(files, NUMBERS, strict=True):
        np.testing.assert_array_equal(code.read(each, "x"), numbers)
    # A number that stands for none is no class.
    void = NUMBERS[0].copy()
    void[:3] = VOID
    assert code_of([stored(void), *files]).count == 5
    np.testing.assert_array_equal(code.read(stored(void), "x"), void)
    assert code_of(files, 9).count == 9


def test_numbers_of_other_depths():
    deep = [stored(Image.fromarray(each.astype(np.uint16))) for each in NUMBERS]
    code = code_of(deep)
    assert code.count == 5
    np.testing.assert_array_equal(code.read(deep[0], "x"), NUMBERS[0])
    # What is no number of a class is a colour.
    assert code_of([stored(Image.fromarray(NUMBERS[0].astype(np.uint16) * 257))]).by_colour
    bits = NUMBERS[0] > 2
    one = stored(Image.fromarray(bits))
    assert code_of([one]).count == 2
    np.testing.assert_array_equal(code_of([one]).read(one, "x"), bits)


def test_indices_of_one_palette_keep_its_colours():
    files = [with_palette(each, COLOURS) for each in NUMBERS]
    code = code_of(files)
    assert (code.count, code.by_colour) == (5, False)
    np.testing.assert_array_equal(code.palette, COLOURS)
    np.testing.assert_array_equal(code.read(files[1], "x"), NUMBERS[1])
    np.testing.assert_array_equal(code.paint(NUMBERS[1]), COLOURS[NUMBERS[1]])


def test_palettes_that_differ_are_read_by_colour():
    turned = COLOURS[::-1].copy()
    files = [with_palette(NUMBERS[0], COLOURS), with_palette(4 - NUMBERS[1], turned)]
    code = code_of(files)
    assert code.by_colour and code.count == 5
    for each, numbers in zip(files, NUMBERS, strict=False):
        np.testing.assert_array_equal(code.paint(code.read(each, "x")), COLOURS[numbers])


def test_few_colours_are_classes_in_ascending_order():
    files = [stored(COLOURS[each]) for each in NUMBERS]
    code = code_of(files)
    assert (code.count, code.by_colour) == (5, True)
    np.testing.assert_array_equal(code.palette, sorted(COLOURS.tolist()))
    for each, numbers in zip(files, NUMBERS, strict=True):
        np.testing.assert_array_equal(code.palette[code.read(each, "x")], COLOURS[numbers])
    assert code_of(files, 0) is None


def test_photographs_drawings_and_compressed_maps_are_pictures():
    noise = RANDOM.integers(0, 256, (12, 16, 3), np.uint8)
    assert code_of([stored(noise)]) is None
    assert code_of([stored(COLOURS[each]) for each in NUMBERS] + [stored(noise)]) is None
    assert code_of([stored(noise[..., 0])]) is None
    # A drawing in black and white has no two classes.
    assert code_of([stored((NUMBERS[0] > 2).astype(np.uint8) * 255)]) is None
    assert code_of([stored(COLOURS[NUMBERS[0]], "JPEG")]) is None
    assert code_of([stored(NUMBERS[0], "JPEG")]) is None
    assert code_of([stored(np.full((8, 8), 3, np.uint8))]).count == 4
    assert code_of([stored(np.zeros((8, 8), np.uint8))]) is None


def test_compressed_colours_are_read_by_the_nearest():
    coarse = [each.repeat(16, 0).repeat(16, 1) for each in NUMBERS]
    files = [stored(COLOURS[each], "JPEG", quality=85) for each in coarse]
    code = code_of(files, 5)
    assert code.by_colour and code.count == 5
    assert np.abs(code.palette.astype(int) - sorted(COLOURS.tolist())).max() < 12
    order = np.argsort([r << 16 | g << 8 | b for r, g, b in COLOURS.tolist()])
    for each, numbers in zip(files, coarse, strict=True):
        assert (order[code.read(each, "x")] == numbers).mean() > 0.9
    noise = stored(RANDOM.integers(0, 256, (48, 48, 3), np.uint8), "JPEG")
    with pytest.raises(UserError, match=r"^n\.jpg: \d+% of it is far from all 5 colours"):
        code.read(noise, "n.jpg")


def test_blurred_edges_between_two_classes_are_no_third():
    # Red on blue: half of each is the dark violet of the stripes below.
    plan = np.zeros((64, 64), np.uint8)
    plan[8:40, 10:31] = plan[8:40, 37:50] = 1
    plan[48:, ::] = 2
    palette = np.array([[0, 0, 255], [255, 0, 0], [128, 0, 128]], np.uint8)
    # Rare beside the shades into which compression turns the others.
    plan[52:60, 4:12] = 3
    palette = np.concatenate([palette, [[255, 255, 0]]]).astype(np.uint8)
    smaller = Image.fromarray(palette[plan]).resize((96, 96), Image.Resampling.BICUBIC)
    file = stored(smaller, "JPEG", quality=80, subsampling=2)
    code = code_of([file] * 3, 4)
    expected = np.asarray(Image.fromarray(plan).resize((96, 96), Image.Resampling.NEAREST))
    # Compression may change the order of colours, and so the numbers.
    apart = np.abs(code.palette[:, None].astype(int) - palette).max(axis=2)
    assert apart.min(axis=0).max() < 12
    found = apart.argmin(axis=1)[code.read(file, "x")]
    assert (found == expected).mean() > 0.97
    # None of the stripes' class is left in the upper part.
    assert (found[:60] == 2).mean() < 0.002


def test_labels_outside_the_palette_name_their_file():
    code = code_of([stored(each) for each in NUMBERS], 4)
    text = r"^bad\.png holds the label 4, and there are 4 classes, 0 to 3; "
    with pytest.raises(UserError, match=text):
        code.read(stored(NUMBERS[0]), "bad.png")
    with pytest.raises(UserError, match=r"^p\.png is a picture in colour, where class numbers"):
        code.read(stored(COLOURS[NUMBERS[0]]), "p.png")
    rare = COLOURS[NUMBERS[0]]
    rare[3, 4] = [1, 2, 3]
    files = [stored(COLOURS[each]) for each in NUMBERS[1:]]
    code = code_of([*files, stored(rare)], 5)
    np.testing.assert_array_equal(code.palette, sorted(COLOURS.tolist()))
    with pytest.raises(UserError, match=r"^bad\.png holds the colour #010203, which is none of"):
        code.read(stored(rare), "bad.png")
    with pytest.raises(UserError, match=r"^n\.png holds class numbers, where colours"):
        code.read(stored(NUMBERS[0]), "n.png")


def test_counts_that_cannot_be():
    files = [stored(COLOURS[each]) for each in NUMBERS]
    with pytest.raises(UserError, match="hold 5 colours, and the label count is 7"):
        code_of(files, 7)
    for count in (1, 256):
        with pytest.raises(UserError, match="out of range"):
            code_of(files, count)
    with pytest.raises(UserError, match="some label maps hold class numbers and others colours"):
        code_of([*files, stored(NUMBERS[0])], 5)
    assert code_of([*files, stored(NUMBERS[0])]) is None


def test_a_code_survives_json():
    code = code_of([stored(COLOURS[each]) for each in NUMBERS])
    again = LabelCode.from_json(json.loads(json.dumps(code.to_json())))
    np.testing.assert_array_equal(again.palette, code.palette)
    assert (again.count, again.by_colour) == (code.count, code.by_colour)


def test_void_is_black_and_the_palette_is_that_of_pascal_voc():
    code = LabelCode(3, default_palette(3), by_colour=False)
    painted = code.paint(np.array([[0, 1, 2, VOID]], np.uint8))
    np.testing.assert_array_equal(painted, [[[0, 0, 0], [128, 0, 0], [0, 128, 0], [0, 0, 0]]])
    # As the development kit lists them: cow is 10, the last class, a monitor, 20.
    np.testing.assert_array_equal(default_palette(21)[[10, 20]], [[64, 128, 0], [0, 64, 128]])
    assert len(np.unique(default_palette(255), axis=0)) == 255
