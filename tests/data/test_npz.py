"""Pictures and labels in .npz files."""

import numpy as np
import pytest

from jaxgan.data.npz import read_npz
from jaxgan.errors import UserError

DIGITS = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "set.npz"


@pytest.mark.parametrize(
    ("pictures", "labels"),
    [("x", "y"), ("x_train", "y_train"), ("images", "labels"), ("train_images", "train_labels")],
)
def test_pictures_and_labels_go_by_several_names(path, pictures, labels):
    np.savez(path, **{pictures: DIGITS, labels: np.array([5, 0, 4], np.uint8)})
    train, held_out = read_npz(path)
    np.testing.assert_array_equal(train.pictures, DIGITS[..., None])
    np.testing.assert_array_equal(train.values, [5, 0, 4])
    assert held_out is None


def test_labels_may_be_missing_floats_or_columns(path):
    np.savez(path, x=DIGITS)
    assert read_npz(path)[0].values is None
    for y in (np.zeros(3), np.zeros((3, 1), np.int32)):
        np.savez(path, x=DIGITS, y=y)
        np.testing.assert_array_equal(read_npz(path)[0].values, [0, 0, 0])


@pytest.mark.parametrize("names", [("x_train", "x_test"), ("train_images", "test_images")])
def test_a_test_part_stays_apart(path, names):
    np.savez(path, **dict(zip(names, (DIGITS[:2], DIGITS[2:]), strict=True)))
    train, held_out = read_npz(path)
    np.testing.assert_array_equal(train.pictures[..., 0], DIGITS[:2])
    np.testing.assert_array_equal(held_out.pictures[..., 0], DIGITS[2:])


def test_what_cannot_be_used_is_one_line(path):
    with pytest.raises(UserError, match="cannot be read"):
        read_npz(path)
    path.write_bytes(b"not a zip")
    with pytest.raises(UserError, match="cannot be read"):
        read_npz(path)
    np.savez(path, labels=np.zeros(3))
    with pytest.raises(UserError, match="holds labels"):
        read_npz(path)
    for wrong in (
        np.zeros((2, 4, 4)),
        np.zeros((2, 4, 4, 2), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((0, 4, 4), np.uint8),
    ):
        np.savez(path, x=wrong)
        with pytest.raises(UserError, match="must be uint8"):
            read_npz(path)
    for wrong in (np.zeros(2), np.zeros((3, 10)), np.full(3, 0.5), np.array(["a", "b", "c"])):
        np.savez(path, x=DIGITS, y=wrong)
        with pytest.raises(UserError, match="y must be 3 whole numbers, one for each picture"):
            read_npz(path)
