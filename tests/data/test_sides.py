"""Sides, parts and partners, from the names of pictures alone."""

import pytest

from jaxgan.data.sides import match, parts, places
from jaxgan.errors import UserError


def pairs(names):
    found = places(names, "set.zip")
    matched = match(names, found, "set.zip")
    train, held_out = parts([found[a] for a, _ in matched])
    return [(names[a], names[b]) for a, b in matched], train, held_out


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("A", "B"),
        ("a", "b"),
        ("set/A/deep", "set/B/deep"),
        ("trainA", "trainB"),
        ("images", "labels"),
        ("img", "Annotations"),
        ("train", "trainannot"),
        ("photos", "masks"),
        ("set/train/images", "set/train/labels"),
    ],
)
def test_two_folders(a, b):
    names = [f"{a}/1.jpg", f"{a}/x/2.jpg", f"{b}/1.png", f"{b}/x/2.png"]
    expected = [(names[0], names[2]), (names[1], names[3])]
    assert pairs(names) == (expected, [0, 1], [])


@pytest.mark.parametrize(
    "folders",
    [
        ["train", "trainannot", "val", "valannot", "test", "testannot"],
        ["A/train", "B/train", "A/val", "B/val", "A/test", "B/test"],
        ["train/A", "train/B", "val/A", "val/B", "test/A", "test/B"],
        ["trainA", "trainB", "valA", "valB", "testA", "testB"],
    ],
)
def test_parts(folders):
    names = [f"{folder}/{number}.png" for folder in folders for number in (1, 2)]
    matched, train, held_out = pairs(names)
    assert [matched[i] for i in train] == [(names[0], names[2]), (names[1], names[3])]
    # The first of validation, valid, val and test.
    assert [matched[i] for i in held_out] == [(names[4], names[6]), (names[5], names[7])]


@pytest.mark.parametrize(
    "names",
    [["1.jpg", "2.jpg"], ["train/1.jpg", "val/1.jpg"], ["images/1.jpg"], ["barn/1.jpg"]],
)
def test_no_sides(names):
    assert places(names, "set.zip") is None


def complaint(names):
    with pytest.raises(UserError) as caught:
        pairs(names)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_each_mistake_has_its_line():
    assert "has pictures of A and none of B" in complaint(["trainA/1.png", "trainA/2.png"])
    assert "has pictures of B and none of A" in complaint(["labels/1.png"])
    assert "c/3.png lies in neither" in complaint(["A/1.png", "B/1.png", "c/3.png"])
    text = complaint(["A/1.png", "A/2.png", "A/4.png", "B/1.png", "B/3.png"])
    assert "the 3 pictures of A and the 2 of B in set.zip are no pairs" in text
    assert "2 of A without a partner (A/2.png, A/4.png), and 1 of B" in text and "B/3.png" in text
    text = complaint(["A/1.png", "A/1.jpg", "B/1.png"])
    assert "A/1.png and A/1.jpg for one picture of side A" in text
