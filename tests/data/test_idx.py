"""MNIST's own files, written here as their page describes them."""

import gzip
import struct

import numpy as np
import pytest

from jaxgan.data.idx import is_idx, read_idx
from jaxgan.errors import UserError

PICTURES = np.random.default_rng(0).integers(0, 256, (6, 5, 5), np.uint8)
LABELS = np.array([3, 1, 4, 1, 5, 9], np.uint8)


def write(path, array, magic=None, pack=False):
    header = struct.pack(">I", magic or 0x0800 + array.ndim)
    header += struct.pack(f">{array.ndim}I", *array.shape)
    data = header + array.tobytes()
    path.write_bytes(gzip.compress(data) if pack else data)
    return path


@pytest.mark.parametrize(
    ("images", "labels", "pack"),
    [
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", False),
        ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", True),
        ("train-images.idx3-ubyte", "train-labels.idx1-ubyte", False),
        ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte", False),  # unpacked by a browser
    ],
)
def test_a_folder_and_a_file_are_the_same(tmp_path, images, labels, pack):
    write(tmp_path / images, PICTURES, pack=pack)
    write(tmp_path / labels, LABELS, pack=pack)
    for path in (tmp_path, tmp_path / images):
        assert is_idx(path)
        train, held_out = read_idx(path)
        np.testing.assert_array_equal(train.pictures[..., 0], PICTURES)
        np.testing.assert_array_equal(train.values, LABELS)
        assert held_out is None


def test_the_test_files_are_held_out(tmp_path):
    write(tmp_path / "train-images-idx3-ubyte", PICTURES)
    write(tmp_path / "t10k-images-idx3-ubyte.gz", PICTURES[:2], pack=True)
    write(tmp_path / "t10k-labels-idx1-ubyte", LABELS[:2])
    train, held_out = read_idx(tmp_path)
    assert train.values is None and len(train.pictures) == 6
    np.testing.assert_array_equal(held_out.pictures[..., 0], PICTURES[:2])
    np.testing.assert_array_equal(held_out.values, LABELS[:2])


def test_emnist_is_turned_upright(tmp_path):
    write(tmp_path / "emnist-letters-train-images-idx3-ubyte", PICTURES)
    train, _ = read_idx(tmp_path)
    np.testing.assert_array_equal(train.pictures[..., 0], PICTURES.transpose(0, 2, 1))
    write(tmp_path / "emnist-digits-train-images-idx3-ubyte", PICTURES)
    with pytest.raises(UserError, match=r"holds several sets: .*digits.*letters.*; give one"):
        read_idx(tmp_path)
    assert len(read_idx(tmp_path / "emnist-digits-train-images-idx3-ubyte")[0].pictures) == 6


def test_other_folders_are_not_taken_for_it(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    assert not is_idx(tmp_path) and not is_idx(tmp_path / "notes.txt")
    assert not is_idx(tmp_path / "train-images-idx3-ubyte")
    with pytest.raises(UserError, match="no train-images-idx3-ubyte or its like in"):
        read_idx(tmp_path)


def complaint(path):
    with pytest.raises(UserError) as caught:
        read_idx(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_each_mistake_has_its_line(tmp_path):
    path = tmp_path / "train-images-idx3-ubyte"
    assert "No such file" in complaint(path)
    write(path, LABELS)
    text = complaint(path)
    assert "no idx file of pictures: its magic number is 0x00000801, not 0x00000803" in text
    path.write_bytes(b"")
    assert "magic number is 0x00000000" in complaint(path)
    path.write_bytes(struct.pack(">II", 0x0803, 6))
    assert "cut off in its header" in complaint(path)
    write(path, PICTURES)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert "holds 149 bytes of pictures, but its header says 6 x 5 x 5" in complaint(path)
    path.write_bytes(gzip.compress(whole)[:-9])
    assert "cannot be read" in complaint(path)
    write(path, PICTURES[:0])
    assert "header says 0 x 5 x 5" in complaint(path)
    write(path, PICTURES)
    labels = write(tmp_path / "train-labels-idx1-ubyte", LABELS[:5])
    assert "holds 5 labels" in complaint(path) and "6 pictures" in complaint(path)
    write(labels, LABELS, magic=0x0803)
    assert "no idx file of labels" in complaint(path)
