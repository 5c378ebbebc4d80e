"""Whole sets of small pictures in memory."""

import numpy as np
import pytest
from PIL import Image

from jaxgan.data.arrays import gather, open_grey_squares, read_npz
from jaxgan.data.squares import grey, square
from jaxgan.errors import UserError


def test_a_batch_is_new_and_holds_the_rows_that_were_asked_for():
    pictures = np.arange(5 * 4, dtype=np.uint8).reshape(5, 2, 2, 1)
    real = gather(pictures)(np.array([4, 0, 4]), np.zeros(3, np.uint64))["real"]
    np.testing.assert_array_equal(real, pictures[[4, 0, 4]])
    assert not np.shares_memory(real, pictures)


def test_the_sample_is_digits():
    pictures, about = open_grey_squares("sample", 28)
    assert pictures.shape == (1797, 28, 28, 1) and pictures.dtype == np.uint8
    assert about["count"] == 1797
    # MNIST's frame; and ink in every picture.
    assert not pictures[:, :4].any() and not pictures[:, :, -4:].any()
    assert pictures.max(axis=(1, 2, 3)).min() > 200


def test_a_folder_becomes_grey_squares(photos):
    pictures, about = open_grey_squares(f"folder:{photos}", 8)
    assert pictures.shape == (6, 8, 8, 1) and about["count"] == 6
    with Image.open(photos / "photo3.png") as picture:
        expected = square(np.asarray(picture.convert("L"))[..., None], 8)
    np.testing.assert_array_equal(pictures[3], expected)


def test_an_npz_is_read_by_either_name(tmp_path):
    random = np.random.default_rng(0)
    digits = random.integers(0, 256, (3, 28, 28), np.uint8)
    for name in ("x", "x_train"):
        np.savez(tmp_path / "set.npz", **{name: digits, "y": np.zeros(3)})
        pictures, about = open_grey_squares(f"npz:{tmp_path / 'set.npz'}", 28)
        np.testing.assert_array_equal(pictures[..., 0], digits)
        assert about["kind"] == "npz"
    colour = random.integers(0, 256, (2, 9, 9, 3), np.uint8)
    np.savez(tmp_path / "set.npz", images=colour)
    pictures, _ = open_grey_squares(str(tmp_path / "set.npz"), 9)
    np.testing.assert_array_equal(pictures, grey(colour))


def test_an_npz_that_cannot_be_used_is_one_line(tmp_path):
    path = tmp_path / "set.npz"
    with pytest.raises(UserError, match="cannot be read"):
        read_npz(path)
    path.write_bytes(b"not a zip")
    with pytest.raises(UserError, match="cannot be read"):
        read_npz(path)
    np.savez(path, labels=np.zeros(3))
    with pytest.raises(UserError, match="holds labels"):
        read_npz(path)
    for wrong in (np.zeros((2, 4, 4)), np.zeros((2, 4, 4, 2), np.uint8), np.zeros(4, np.uint8)):
        np.savez(path, x=wrong)
        with pytest.raises(UserError, match="must be uint8"):
            read_npz(path)
