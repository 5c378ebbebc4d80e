"""Pairs: every layout that is read, crops that stay together, and what is refused."""

import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from jaxgan.data.framing import resize
from jaxgan.data.label_maps import VOID, default_palette
from jaxgan.data.paired import held_out_pairs, open_pairs, pair_crops
from jaxgan.data.pairs import Pairs
from jaxgan.errors import UserError

CLASSES = 6


def photo(number, height=12, width=16):
    return np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)


def numbers(number, height=12, width=16):
    random = np.random.default_rng(number)
    return random.integers(0, CLASSES, (height, width), np.uint8)


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def as_data(root, kind):
    if kind == "folder":
        return f"folder:{root}"
    with zipfile.ZipFile(root.parent / "set.zip", "w") as archive:
        for file in sorted(root.rglob("*.*")):
            archive.write(file, file.relative_to(root.parent))
        archive.writestr("META/SOURCE.txt", "from here")
    return f"zip:{root.parent / 'set.zip'}"


def two_folders(root, a="A", b="B", count=4, first=0):
    for i in range(first, first + count):
        write(root / a / f"{i:02}.png", photo(i))
        write(root / b / f"{i:02}.png", photo(100 + i))
    return root


def label_folders(root, **counts):
    first = 0
    for part, count in counts.items():
        for i in range(first, first + count):
            write(root / part / f"{i}.png", photo(i))
            write(root / f"{part}annot" / f"{i}.png", numbers(i))
        first += count
    return root


def numbers_of(pairs):
    """Which pairs these are, by the names of their files."""
    return [int(pairs.name(i).rpartition("/")[2].partition(".")[0]) for i in range(len(pairs))]


@pytest.mark.parametrize("kind", ["folder", "zip"])
@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_two_folders_with_matching_names(tmp_path, kind, direction):
    data = as_data(two_folders(tmp_path / "set", count=11), kind)
    train, held_out = open_pairs(data, direction=direction)
    # A tenth of 11, in the middle.
    assert (numbers_of(train), numbers_of(held_out)) == ([*range(5), *range(6, 11)], [5])
    for part in (train, held_out):
        for row, number in enumerate(numbers_of(part)):
            expected = photo(number), photo(100 + number)
            given, target = expected if direction == "AtoB" else expected[::-1]
            np.testing.assert_array_equal(part[row][0], given)
            np.testing.assert_array_equal(part[row][1], target)
    about = json.loads(json.dumps(train.description))
    assert about["kind"] == kind and about["count"] == 10 and about["direction"] == direction
    assert train.labels is None and "labels" not in about


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_side_by_side(tmp_path, kind):
    for i in range(6):
        part = "train" if i < 4 else "val"
        both = np.concatenate([photo(i), photo(100 + i)], axis=1)
        write(tmp_path / "set" / part / f"{i}.png", both)
    train, held_out = open_pairs(as_data(tmp_path / "set", kind), direction="BtoA")
    assert (numbers_of(train), numbers_of(held_out)) == ([0, 1, 2, 3], [4, 5])
    np.testing.assert_array_equal(held_out[1][0], photo(105))
    np.testing.assert_array_equal(held_out[1][1], photo(5))


def test_label_maps_beside_photographs(tmp_path):
    data = as_data(label_folders(tmp_path / "set", train=3, val=2), "zip")
    train, held_out = open_pairs(data, direction="BtoA")
    assert (numbers_of(train), numbers_of(held_out)) == ([0, 1, 2], [3, 4])
    assert train.labels.count == held_out.labels.count == CLASSES
    assert train.description["labels"]["count"] == CLASSES
    np.testing.assert_array_equal(held_out[0][0], numbers(3))
    np.testing.assert_array_equal(held_out[0][1], photo(3))
    # The other way round numbers are painted: a network makes pictures.
    train, _ = open_pairs(data, direction="AtoB")
    assert train.labels is None
    np.testing.assert_array_equal(train[1][0], photo(1))
    np.testing.assert_array_equal(train[1][1], default_palette(CLASSES)[numbers(1)])
    # Told so, they are pictures like any other.
    train, _ = open_pairs(data, direction="BtoA", label_count=0)
    assert train.labels is None
    np.testing.assert_array_equal(train[0][0], numbers(0)[..., None].repeat(3, 2))


def test_other_data_is_judged_by_with_the_same_classes(tmp_path):
    data = as_data(label_folders(tmp_path / "set", train=3, val=2), "folder")
    write(tmp_path / "other" / "images" / "7.png", photo(7))
    write(tmp_path / "other" / "labels" / "7.png", numbers(7) // 3)
    held_out = f"folder:{tmp_path / 'other'}"
    train, other = open_pairs(data, direction="BtoA", held_out=held_out)
    # What the data holds out itself is not trained on either.
    assert (numbers_of(train), numbers_of(other)) == ([0, 1, 2], [7])
    assert other.labels.count == CLASSES
    np.testing.assert_array_equal(other[0][0], numbers(7) // 3)
    write(tmp_path / "other" / "labels" / "7.png", numbers(7) + 1)
    with pytest.raises(UserError, match=r"labels/7\.png holds the label 6, and there are 6 classe"):
        open_pairs(data, direction="BtoA", held_out=held_out)
    train, other = open_pairs(data, direction="AtoB", held_out=data)
    assert numbers_of(other) == [3, 4]
    _, sample = open_pairs(data, direction="AtoB", held_out="sample", sample="facades", side=32)
    assert sample.description["kind"] == "sample"


def complaint(data, **options):
    with pytest.raises(UserError) as caught:
        open_pairs(str(data), **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_each_mistake_has_its_line(tmp_path):
    assert "--direction=AB: give AtoB or BtoA" in complaint("sample", direction="AB")
    assert "no sample of pairs 'facade'" in complaint("sample", sample="facade")
    root = two_folders(tmp_path / "names")
    (root / "B" / "02.png").rename(root / "B" / "2.png")
    assert "1 of A without a partner (A/02.png), and 1 of B" in complaint(root)
    (root / "B" / "2.png").unlink()
    assert "the 4 pictures of A and the 3 of B" in complaint(root)
    root = two_folders(tmp_path / "sizes")
    write(root / "B" / "01.png", photo(0, 12, 18))
    text = complaint(root)
    assert "two pictures of 1 of 4 pairs" in text and "A/01.png (16x12 and 18x12)" in text
    write(tmp_path / "odd" / "0.png", photo(0, 12, 17))
    write(tmp_path / "odd" / "1.png", photo(0, 12, 18))
    assert "0.png cannot be halved: it is 17 pixels wide" in complaint(tmp_path / "odd")
    root = label_folders(tmp_path / "labels", train=3, val=1)
    text = complaint(root, direction="BtoA", label_count=5)
    assert "trainannot/0.png holds the label 5, and there are 5 classes, 0 to 4" in text
    write(tmp_path / "one" / "0.png", photo(0))
    assert "holds one pair: at least 2 are needed" in complaint(tmp_path / "one")


def test_broken_pairs_are_named_or_left_out(tmp_path):
    root = two_folders(tmp_path / "set", count=5)
    (root / "B" / "03.png").write_bytes(b"nothing")
    text = complaint(root)
    assert text.startswith("1 of 5 pictures in") and "A/03.png (B/03.png cannot be read" in text
    train, held_out = open_pairs(str(root), skip_broken=True)
    assert sorted(numbers_of(train) + numbers_of(held_out)) == [0, 1, 2, 4]
    assert train.description["skipped"] == ["A/03.png"]
    for row, number in enumerate(numbers_of(train)):
        np.testing.assert_array_equal(train[row][1], photo(100 + number))


def of_arrays(pairs, labels=None):
    return Pairs([str(i) for i in range(len(pairs))], lambda i: pairs[i], {"kind": "test"}, labels)


def ramps(height, width):
    """A picture whose pixels say where they were, in red down and in green to the right."""
    down, right = np.mgrid[:height, :width]
    return np.stack([down, right, 0 * down], axis=2).astype(np.uint8)


INDICES = np.arange(48) % 2
SEEDS = np.random.default_rng(5).integers(0, 2**64, 48, dtype=np.uint64)


@pytest.mark.parametrize("mirror", [True, False])
def test_crops_are_of_one_place_in_both_pictures(mirror):
    # Without a change of size, pixels are those of the pictures.
    sizes = [(20, 31), (26, 20)]
    pairs = of_arrays([(255 - ramps(*size), ramps(*size)) for size in sizes])
    batch = pair_crops(pairs, side=16, jitter=1.25, mirror=mirror)(INDICES, SEEDS)
    assert batch["input"].shape == batch["target"].shape == (48, 16, 16, 3)
    np.testing.assert_array_equal(255 - batch["input"], batch["target"])
    places = set()
    for row, index in enumerate(INDICES):
        crop = batch["target"][row]
        turned = crop[0, 0, 1] > crop[0, -1, 1]
        crop = crop[:, ::-1] if turned else crop
        top, left = crop[0, 0, :2]
        places.add((index, turned, top, left))
        np.testing.assert_array_equal(crop, ramps(*sizes[index])[top : top + 16, left : left + 16])
    assert {turned for _, turned, _, _ in places} == ({True, False} if mirror else {False})
    assert {top for index, _, top, _ in places if index == 0} == set(range(5))
    assert max(left for index, _, _, left in places if index == 0) > 8
    assert len(places) > 25


def test_label_maps_keep_their_numbers(tmp_path):
    root = label_folders(tmp_path / "set", train=2, val=1)
    write(root / "trainannot" / "1.png", np.full((12, 16), VOID, np.uint8))
    train, _ = open_pairs(str(root), direction="BtoA")
    batch = pair_crops(train, side=24)(INDICES, SEEDS)
    assert batch["input"].shape == (48, 24, 24) and batch["input"].dtype == np.uint8
    assert batch["target"].shape == (48, 24, 24, 3)
    assert set(np.unique(batch["input"][INDICES == 0])) == set(range(CLASSES))
    assert set(np.unique(batch["input"][INDICES == 1])) == {VOID}


def test_pictures_are_resized_alike_and_read_once():
    smooth = [resize(photo(i, 4, 6), 40, 60) for i in range(2)]
    reads = []

    def read(index):
        reads.append(index)
        return smooth[index], smooth[index]

    load = pair_crops(Pairs(["0", "1"], read, {}), side=16)
    for _ in range(2):
        batch = load(INDICES, SEEDS)
        np.testing.assert_array_equal(batch["input"], batch["target"])
    assert sorted(reads) == [0, 1]
    # 16 times 1.117 is 18: two more pixels down, and 27 across.
    windows = np.lib.stride_tricks.sliding_window_view(resize(smooth[0], 18, 27), (16, 16), (0, 1))
    for crop in batch["input"][INDICES == 0]:
        found = [
            (windows.transpose(0, 1, 3, 4, 2) == turned).all((2, 3, 4)).any()
            for turned in (crop, crop[:, ::-1])
        ]
        assert any(found)


def test_a_row_depends_on_its_index_and_seed_alone():
    pairs = of_arrays([(photo(i, 20, 30), photo(9 - i, 20, 30)) for i in range(2)])
    load = pair_crops(pairs, side=12)
    whole = load(INDICES, SEEDS)
    order = np.random.default_rng(0).permutation(48)[:10]
    part = load(INDICES[order], SEEDS[order])
    for name in ("input", "target"):
        np.testing.assert_array_equal(part[name], whole[name][order])
    other = load(INDICES, SEEDS + np.uint64(1))
    assert (other["target"] != whole["target"]).any(axis=(1, 2, 3)).mean() > 0.9
    for side, jitter in ((0, 1.0), (8, 0.9)):
        with pytest.raises(UserError, match="at least 1"):
            pair_crops(pairs, side=side, jitter=jitter)


def test_held_out_pairs_are_whole_or_the_middle():
    pairs = of_arrays([(ramps(10, 17), 255 - ramps(10, 17))])
    ((name, given, target),) = held_out_pairs(pairs, multiple=8)
    assert name == "0" and given.shape == (16, 24, 3)
    np.testing.assert_array_equal(given[:10, :17], ramps(10, 17))
    np.testing.assert_array_equal(given[10], given[8])
    np.testing.assert_array_equal(target, 255 - ramps(10, 17))
    ((_, given, target),) = held_out_pairs(pairs, side=10)
    np.testing.assert_array_equal(given, ramps(10, 17)[:, 3:13])
    np.testing.assert_array_equal(target, 255 - given)
    ((_, given, target),) = held_out_pairs(pairs, side=16, multiple=8)
    assert given.shape == target.shape == (16, 16, 3)
    with pytest.raises(UserError, match="12 pixels are no multiple of 8"):
        held_out_pairs(pairs, side=12, multiple=8)
