"""Labelled pictures in memory: every way in, the classes, the division, batches of them."""

import json
import struct
import zipfile

import numpy as np
import pytest
from PIL import Image

from jaxgan.data import sample
from jaxgan.data.examples import Labelled
from jaxgan.data.images import write_image
from jaxgan.data.labelled import (
    class_list,
    gather,
    open_labelled,
    open_labelled_train_and_held_out,
)
from jaxgan.data.squares import grey, square, squared
from jaxgan.data.stacked import stacked
from jaxgan.errors import UserError


def colours(count, side=8, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), np.uint8)


def write_folder(root, **classes):
    """A folder of folders; gives the pictures of each."""
    written = {}
    for seed, (name, count) in enumerate(classes.items()):
        folder = root / name.replace("__", "/")
        folder.mkdir(parents=True)
        written[name] = colours(count, seed=seed)
        for i, picture in enumerate(written[name]):
            write_image(folder / f"{i:02}.png", picture)
    return written


def ramp(count, classes, channels=1):
    """Pictures whose every pixel is their number, with labels in turn."""
    pictures = np.broadcast_to(
        np.arange(count, dtype=np.uint8)[:, None, None, None], (count, 2, 2, channels)
    )
    names = tuple(f"c{i}" for i in range(classes))
    labels = np.arange(count, dtype=np.int32) % classes
    return Labelled(pictures.copy(), labels, names, {"where": "here", "count": count})


@pytest.fixture
def npz(tmp_path):
    path = tmp_path / "set.npz"
    np.savez(path, x=colours(40)[..., 0], y=np.arange(40) % 10)
    return path


def complaint(data, side=8, opens=open_labelled, **options):
    with pytest.raises(UserError) as caught:
        opens(str(data), side, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_batch_is_new_and_holds_the_rows_that_were_asked_for():
    data = ramp(5, 2)
    batch = gather(data)(np.array([4, 0, 4]), np.zeros(3, np.uint64))
    np.testing.assert_array_equal(batch["real"], data.pictures[[4, 0, 4]])
    np.testing.assert_array_equal(batch["label"], [0, 0, 0])
    assert batch["label"].dtype == np.int32
    assert not np.shares_memory(batch["real"], data.pictures)
    assert not np.shares_memory(batch["label"], data.labels)


def test_rows_are_mirrored_by_their_seeds():
    data = Labelled(colours(4), None, (), {})
    indices, seeds = np.arange(4), np.array([2, 7, 1, 2**64 - 2], np.uint64)
    batch = gather(data, mirror=True)(indices, seeds)
    assert set(batch) == {"real"}
    for i, mirrored in enumerate((False, True, True, False)):
        expected = data.pictures[i, :, ::-1] if mirrored else data.pictures[i]
        np.testing.assert_array_equal(batch["real"][i], expected)
    np.testing.assert_array_equal(data.pictures, colours(4))


def test_the_sample_is_digits():
    data = open_labelled("sample", 28)
    assert data.pictures.shape == (1797, 28, 28, 1) and data.pictures.dtype == np.uint8
    assert data.description["count"] == len(data) == 1797
    assert data.labels.dtype == np.int32 and data.classes == tuple("0123456789")
    # MNIST's frame; and ink in every picture.
    assert not data.pictures[:, :4].any() and not data.pictures[:, :, -4:].any()
    assert data.pictures.max(axis=(1, 2, 3)).min() > 200


@pytest.mark.parametrize("name", sample.EMBEDDED)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_embedded_sample_opens(name, channels):
    train, held_out = open_labelled_train_and_held_out("sample", 16, channels=channels, sample=name)
    for part in (train, held_out):
        assert part.pictures.shape[1:] == (16, 16, channels) and len(part) > 9
        assert json.loads(json.dumps(part.description))["kind"] == "sample"
        assert part.description["count"] == len(part)
        assert (part.labels is None) == (part.classes == ())
        if part.labels is not None:
            assert set(part.labels) == set(range(len(part.classes)))
    assert "no sample 'other'" in complaint("sample", sample="other")


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_class_folders(tmp_path, kind):
    root = tmp_path / "set"
    written = write_folder(root, dog=2, cat=3)
    data = f"folder:{root}"
    if kind == "zip":
        with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
            for file in sorted(root.rglob("*.png")):
                archive.write(file, file.relative_to(tmp_path))
        data = str(tmp_path / "set.zip")
    found = open_labelled(data, 8, channels=3)
    assert found.classes == ("cat", "dog")
    np.testing.assert_array_equal(found.labels, [0, 0, 0, 1, 1])
    expected = np.concatenate([written["cat"], written["dog"]])
    np.testing.assert_array_equal(found.pictures, expected)
    np.testing.assert_array_equal(open_labelled(data, 8).pictures, grey(expected))
    assert found.description["classes"] == ["cat", "dog"] and found.description["count"] == 5


def test_parts_of_folders_stay_apart_and_label_maps_outside(tmp_path):
    names = ("train__cat", "train__dog", "trainannot__cat", "val__cat", "val__dog")
    written = write_folder(tmp_path, **dict.fromkeys(names, 2))
    train, held_out = open_labelled_train_and_held_out(str(tmp_path), 8, channels=3)
    for part, name in ((train, "train"), (held_out, "val")):
        expected = np.concatenate([written[f"{name}__cat"], written[f"{name}__dog"]])
        np.testing.assert_array_equal(part.pictures, expected)
        assert part.classes == ("cat", "dog")
        np.testing.assert_array_equal(part.labels, [0, 0, 1, 1])
    assert train.description["part"] != held_out.description["part"]
    np.testing.assert_array_equal(
        open_labelled(str(tmp_path), 8, channels=3).pictures, train.pictures
    )


def test_a_class_that_only_the_held_out_part_has_keeps_its_number(tmp_path):
    write_folder(tmp_path, train__b=1, train__c=1, val__a=1, val__c=1)
    train, held_out = open_labelled_train_and_held_out(str(tmp_path), 8)
    assert train.classes == held_out.classes == open_labelled(str(tmp_path), 8).classes
    np.testing.assert_array_equal(train.labels, [1, 2])
    np.testing.assert_array_equal(held_out.labels, [0, 2])


def test_a_folder_without_classes_becomes_grey_squares(photos):
    found = open_labelled(f"folder:{photos}", 8)
    assert found.pictures.shape == (6, 8, 8, 1) and found.description["count"] == 6
    assert found.labels is None and found.classes == ()
    with Image.open(photos / "photo3.png") as picture:
        expected = square(np.asarray(picture.convert("L"))[..., None], 8)
    np.testing.assert_array_equal(found.pictures[3], expected)


def test_broken_pictures_are_named_or_skipped_with_their_labels(tmp_path):
    write_folder(tmp_path, cat=3, dog=2)
    (tmp_path / "cat" / "01.png").write_bytes(b"nothing")
    assert "1 of 5 pictures" in complaint(tmp_path) and "cat/01.png" in complaint(tmp_path)
    found = open_labelled(str(tmp_path), 8, skip_broken=True)
    np.testing.assert_array_equal(found.labels, [0, 0, 1, 1])
    assert found.description["skipped"] == ["cat/01.png"] and found.description["count"] == 4


def test_squares_of_many_at_once_are_those_of_each_alone():
    for shape in ((5, 9, 9, 1), (5, 12, 8, 3), (5, 4, 4, 3)):
        pictures = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        for channels in (1, 3):
            found = squared(pictures, 6, channels)
            for picture, small in zip(pictures, found, strict=True):
                alone = square(grey(picture) if channels == 1 else picture, 6)
                np.testing.assert_array_equal(small, np.broadcast_to(alone, (6, 6, channels)))
    same = colours(2, 6)
    assert squared(same, 6, 3) is same


def test_arrays_are_read_with_and_without_their_prefix(npz):
    for data in (str(npz), f"npz:{npz}"):
        found = open_labelled(data, 8)
        np.testing.assert_array_equal(found.pictures[..., 0], colours(40)[..., 0])
        np.testing.assert_array_equal(found.labels, np.arange(40) % 10)
        assert found.classes == tuple("0123456789") and found.description["kind"] == "npz"
    csv = npz.with_name("set.csv")
    csv.write_text("7," + ",".join(["9"] * 64) + "\n" + "3," + ",".join(["1"] * 64) + "\n")
    for data in (str(csv), f"csv:{csv}"):
        found = open_labelled(data, 8)
        assert found.pictures[:, 0, 0, 0].tolist() == [9, 1]
        assert found.classes == ("3", "7") and found.labels.tolist() == [1, 0]
    assert "names nothing: write csv:PATH" in complaint("csv:")


def test_a_folder_of_idx_files(tmp_path):
    pictures = colours(3)[..., 0]
    header = struct.pack(">4I", 0x0803, 3, 8, 8)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(header + pictures.tobytes())
    labels = struct.pack(">2I", 0x0801, 3) + bytes([9, 4, 9])
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(labels)
    for data in (str(tmp_path), f"folder:{tmp_path}", f"idx:{tmp_path}"):
        found = open_labelled(data, 8)
        np.testing.assert_array_equal(found.pictures[..., 0], pictures)
        assert found.classes == ("4", "9") and found.labels.tolist() == [1, 0, 1]


@pytest.mark.parametrize("first", [0, 1])
def test_twenty_six_classes_are_letters(tmp_path, first):
    np.savez(tmp_path / "az.npz", x=colours(52)[..., 0], y=np.arange(52) % 26 + first)
    found = open_labelled(str(tmp_path / "az.npz"), 8, classes=("B", "Y-Z"))
    assert found.classes == ("B", "Y", "Z")
    np.testing.assert_array_equal(found.labels, [0, 1, 2] * 2)
    expected = colours(52)[[1, 24, 25, 27, 50, 51], ..., :1]
    np.testing.assert_array_equal(found.pictures, expected)
    assert found.description["classes"] == ["B", "Y", "Z"] and found.description["count"] == 6


def test_a_test_part_of_an_npz_is_held_out(tmp_path):
    x, y = colours(6)[..., :1], np.array([5, 7, 5, 7, 8, 5])
    np.savez(tmp_path / "k.npz", x_train=x[:4], y_train=y[:4], x_test=x[4:], y_test=y[4:])
    train, held_out = open_labelled_train_and_held_out(str(tmp_path / "k.npz"), 8)
    np.testing.assert_array_equal(train.pictures, x[:4])
    np.testing.assert_array_equal(held_out.pictures, x[4:])
    assert train.classes == held_out.classes == ("5", "7", "8")
    assert held_out.labels.tolist() == [2, 0]


def test_a_tenth_of_each_class_is_held_out(tmp_path):
    y = np.repeat([0, 1, 2, 3], [50, 30, 9, 1])
    x = np.arange(90, dtype=np.uint8)[:, None, None] * np.ones((1, 4, 4), np.uint8)
    np.savez(tmp_path / "set.npz", x=x, y=y)
    train, held_out = open_labelled_train_and_held_out(str(tmp_path / "set.npz"), 4)
    assert np.bincount(held_out.labels, minlength=4).tolist() == [5, 3, 1, 0]
    numbers = [part.pictures[:, 0, 0, 0].tolist() for part in (train, held_out)]
    assert sorted([*numbers[0], *numbers[1]]) == list(range(90))
    np.testing.assert_array_equal(y[numbers[1]], held_out.labels)
    again = open_labelled_train_and_held_out(str(tmp_path / "set.npz"), 4)[1]
    np.testing.assert_array_equal(again.pictures, held_out.pictures)
    # A filter takes from the same division.
    some = open_labelled_train_and_held_out(str(tmp_path / "set.npz"), 4, classes=["1", "2"])
    np.testing.assert_array_equal(some[1].pictures, held_out.pictures[held_out.labels % 3 != 0])


def test_one_picture_cannot_be_divided(tmp_path):
    write_image(tmp_path / "a.png", colours(1)[0])
    text = complaint(tmp_path, opens=open_labelled_train_and_held_out)
    assert "at least 2 are needed" in text


def test_classes_are_chosen_by_name_and_by_range(npz):
    for words, expected in (
        (("3",), [3]),
        (("7-9", "0"), [0, 7, 8, 9]),
        (("2-4", "3", "4-5"), [2, 3, 4, 5]),
    ):
        found = open_labelled(str(npz), 8, classes=words)
        assert found.classes == tuple(map(str, expected))
        rows = np.flatnonzero(np.isin(np.arange(40) % 10, expected))
        np.testing.assert_array_equal(found.pictures, colours(40)[rows, ..., :1])
        np.testing.assert_array_equal(np.array(expected)[found.labels], rows % 10)
    assert class_list("A, C-E") == ("A", "C-E")
    assert class_list("") is class_list(None) is None


def test_names_with_a_hyphen_are_names_first(tmp_path):
    write_folder(tmp_path, **{"a": 1, "b": 1, "b-c": 1, "d": 1})
    assert open_labelled(str(tmp_path), 8, classes=("b-c",)).classes == ("b-c",)
    assert open_labelled(str(tmp_path), 8, classes=("a-b-c",)).classes == ("a", "b", "b-c")


def test_a_filter_that_leaves_nothing_is_one_line(npz, tmp_path):
    text = complaint(npz, classes=("9-2",))
    assert f"--classes=9-2 leaves nothing of {npz}" in text and "0, 1, 2" in text
    assert "there is no class 'x', which is not known" in complaint(npz, classes=("1", "x"))
    # A class that only the held-out part has.
    x = colours(3)
    np.savez(tmp_path / "k.npz", x_train=x[:2], y_train=[0, 1], x_test=x[2:], y_test=[2])
    assert "leaves nothing" in complaint(tmp_path / "k.npz", classes=("2",))


def test_missing_labels_are_one_line(npz, tmp_path, photos):
    np.savez(tmp_path / "bare.npz", x=colours(3))
    for data in (photos, tmp_path / "bare.npz"):
        text = complaint(data, require_labels=True)
        assert f"{data} has no labels, which this experiment needs; give class folders" in text
        assert "--classes=A chooses by" in complaint(data, classes=("A",))
    assert open_labelled(str(npz), 8, require_labels=True).labels is not None
    np.savez(npz, x_train=colours(2), y_train=[0, 1], x_test=colours(2))
    text = complaint(npz, opens=open_labelled_train_and_held_out, require_labels=True)
    assert "has no labels" in text


def test_other_sources_say_what_is_wrong(tmp_path):
    assert "there is no such folder" in complaint(tmp_path / "gone")
    assert "cannot be read" in complaint(tmp_path / "gone.npz")
    assert "cannot be read" in complaint(tmp_path / "gone.csv")
    assert "cannot be read" in complaint(f"idx:{tmp_path / 'gone'}")
    assert "did you mean csv?" in complaint("cvs:x", data_dir=tmp_path)
    assert "npz:, csv: or idx:PATH" in complaint("cvs:x", data_dir=tmp_path)


def test_stacked_digits_are_three_of_them():
    data = ramp(60, 10)
    load = stacked(data)
    seeds = np.arange(500, dtype=np.uint64)
    batch = load(np.zeros(500, np.int64), seeds)
    assert batch["real"].shape == (500, 2, 2, 3) and batch["real"].dtype == np.uint8
    assert batch["label"].dtype == np.int32
    # Every pixel of a channel is the number of its picture, and its digit is that modulo ten.
    numbers = batch["real"][:, 0, 0]
    assert (batch["real"] == numbers[:, None, None]).all()
    np.testing.assert_array_equal(batch["label"], numbers % 10 @ [100, 10, 1])
    # A row hangs on its seed alone, and all modes come.
    one = load(np.array([7]), seeds[3:4])
    np.testing.assert_array_equal(one["real"], batch["real"][3:4])
    many = load(np.zeros(8000, np.int64), np.arange(8000, dtype=np.uint64))["label"]
    assert len(np.unique(many)) > 990
    counts = np.bincount(many // 100, minlength=10)
    assert np.square(counts - 800).sum() / 800 < 27.9  # chi squared, 9 degrees, one in a thousand


def test_stacked_digits_need_ten_classes_in_grey():
    for wrong, words in (
        (ramp(10, 5), "5 classes"),
        (ramp(10, 10, channels=3), "in colour"),
        (Labelled(ramp(10, 10).pictures, None, (), {"where": "here"}), "no labels"),
    ):
        with pytest.raises(UserError, match=words):
            stacked(wrong)
