"""Pictures of every mode and orientation, and damaged ones."""

import io

import numpy as np
import pytest
from PIL import Image

from jaxgan.data.images import image_size, read_image, write_image
from jaxgan.errors import UserError

RANDOM = np.random.default_rng(0)
RGB = RANDOM.integers(0, 256, (6, 9, 3), dtype=np.uint8)


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def grey(values):
    return np.repeat(np.asarray(values, np.uint8)[:, :, None], 3, axis=2)


def test_rgb_is_as_stored_and_writable():
    picture = read_image(encoded(Image.fromarray(RGB)))
    np.testing.assert_array_equal(picture, RGB)
    picture[:] = 0


def test_grey_and_one_bit():
    values = RANDOM.integers(0, 256, (5, 4), dtype=np.uint8)
    np.testing.assert_array_equal(read_image(encoded(Image.fromarray(values))), grey(values))
    bits = values > 128
    np.testing.assert_array_equal(read_image(encoded(Image.fromarray(bits))), grey(bits * 255))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_16_bit_grey_is_scaled(kind):
    values = RANDOM.integers(0, 65536, (5, 4)).astype(np.uint16)
    values[0, :3] = 0, 65535, 257
    data = encoded(Image.fromarray(values), kind)
    np.testing.assert_array_equal(read_image(data), grey(np.rint(values / 257.0)))


def test_floating_grey_is_scaled_or_refused():
    values = RANDOM.random((5, 4)).astype(np.float32)
    data = encoded(Image.fromarray(values), "TIFF")
    np.testing.assert_array_equal(read_image(data), grey(np.rint(values * 255)))
    with pytest.raises(UserError, match=r"must lie in \[0, 1\]"):
        read_image(encoded(Image.fromarray(values * 300), "TIFF"))


def test_wide_integers_are_refused():
    values = np.full((2, 2), 70000, np.int32)
    with pytest.raises(UserError, match=r"must lie in \[0, 65535\]"):
        read_image(encoded(Image.fromarray(values), "TIFF"))


@pytest.mark.parametrize("channels", [2, 4])
def test_transparency_lies_over_white(channels):
    values = RANDOM.integers(0, 256, (6, 9, channels), dtype=np.uint8)
    values[0, 0, -1], values[0, 1, -1] = 0, 255
    alpha = values[..., -1:] / 255.0
    expected = alpha * values[..., :-1] + (1 - alpha) * 255.0
    picture = read_image(encoded(Image.fromarray(values)))
    assert picture.shape == (6, 9, 3)
    np.testing.assert_allclose(picture, np.broadcast_to(expected, picture.shape), atol=1)
    np.testing.assert_array_equal(picture[0, 0], 255)


def test_palette_with_and_without_transparency():
    indices = RANDOM.integers(0, 3, (6, 9), dtype=np.uint8)
    colours = np.array([[200, 10, 30], [0, 255, 7], [90, 90, 250]], np.uint8)
    image = Image.fromarray(indices)
    image.putpalette(colours.tobytes())
    assert image.mode == "P"
    np.testing.assert_array_equal(read_image(encoded(image)), colours[indices])
    clear = colours.copy()
    clear[1] = 255
    np.testing.assert_array_equal(read_image(encoded(image, transparency=1)), clear[indices])


def test_cmyk():
    inks = np.array([[[0, 0, 0, 0], [255, 0, 0, 0], [0, 255, 0, 0], [0, 0, 0, 255]]], np.uint8)
    picture = read_image(encoded(Image.fromarray(inks, "CMYK"), "TIFF"))
    expected = [[[255, 255, 255], [0, 255, 255], [255, 0, 255], [0, 0, 0]]]
    np.testing.assert_array_equal(picture, expected)


def test_animation_gives_its_first_frame():
    frames = [Image.fromarray(np.full((4, 4), v, np.uint8)) for v in (10, 200)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(read_image(data), np.full((4, 4, 3), 10))


# What must be done to the stored rows and columns to see the picture upright (EXIF 2.32, 4.6.4).
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a[::-1].swapaxes(0, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a[:, ::-1].swapaxes(0, 1),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_is_applied(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(RGB), exif=exif)
    picture = read_image(data)
    np.testing.assert_array_equal(picture, UPRIGHT[orientation](RGB))
    assert image_size(data) == picture.shape[:2]


def test_damaged_and_missing_files_are_named_in_one_line(tmp_path):
    good = encoded(Image.fromarray(RANDOM.integers(0, 256, (64, 64, 3), dtype=np.uint8)), "JPEG")
    cases = {"cut.jpg": good[: len(good) // 2], "text.png": b"not a picture", "empty.png": b""}
    for name, data in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UserError, match=rf"{name} cannot be read: ") as caught:
            read_image(tmp_path / name)
        assert "\n" not in str(caught.value)
        with pytest.raises(UserError, match=r"^cannot be read: "):
            read_image(data)
    with pytest.raises(UserError, match=r"gone\.png cannot be read: no such file"):
        read_image(tmp_path / "gone.png")
    with pytest.raises(UserError, match=r"text\.png cannot be read: not a picture"):
        image_size(tmp_path / "text.png")


def test_written_pictures_read_back(tmp_path):
    np.testing.assert_array_equal(read_image(write_image(tmp_path / "a.png", RGB)), RGB)
    values = RGB[..., 0]
    np.testing.assert_array_equal(read_image(write_image(tmp_path / "b.PNG", values)), grey(values))
    assert write_image(tmp_path / "c.jpg", RGB).read_bytes()[:2] == b"\xff\xd8"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b.PNG", "c.jpg"]


def test_what_cannot_be_written_leaves_things_as_they_were(tmp_path):
    with pytest.raises(UserError, match=r"suffix '\.xyz'"):
        write_image(tmp_path / "a.xyz", RGB)
    with pytest.raises(UserError, match="cannot write"):
        write_image(tmp_path / "no" / "a.png", RGB)
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(UserError, match="cannot write"):
        write_image(tmp_path / "folder.png", RGB)
    assert [p.name for p in tmp_path.iterdir()] == ["folder.png"]
