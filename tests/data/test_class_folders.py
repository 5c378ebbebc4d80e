"""Parts and classes, from the names of pictures alone."""

import pytest

from jaxgan.data.class_folders import class_names, divide


@pytest.mark.parametrize("above", ["", "set/", "archive/set/"])
@pytest.mark.parametrize("held_out", ["validation", "valid", "val", "test", "Val"])
def test_train_and_a_held_out_part(above, held_out):
    inside = ["train/a/1.png", f"{held_out}/a/2.png", "train/b/3.png", f"{held_out}/b/4.png"]
    names = [above + name for name in inside]
    assert divide(names) == ([0, 2], [1, 3])
    assert class_names(names) == ["a", "a", "b", "b"]


def test_label_maps_beside_them_are_no_pictures_to_train_on():
    names = ["train/1.jpg", "trainannot/1.png", "val/2.jpg", "valannot/2.png"]
    assert divide(names) == ([0], [2])
    assert class_names([names[0], names[2]]) is None


def test_train_alone_is_a_class_like_any_other():
    names = ["car/1.png", "train/2.png"]
    assert divide(names) == ([0, 1], [])
    assert class_names(names) == ["car", "train"]


def test_the_first_folder_that_differs_is_the_class():
    assert class_names(["x/cat/1.png", "x/dog/deep/2.png"]) == ["cat", "dog"]
    for names in (["1.png", "2.png"], ["cat/1.png", "2.png"], ["cat/1.png", "cat/2.png"], []):
        assert class_names(names) is None
        assert divide(names) == (list(range(len(names))), [])
