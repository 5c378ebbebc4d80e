"""The embedded photographs: always there, always the same, held-out ones apart."""

import importlib.resources
import json

import numpy as np

from jaxgan.data.sample import HELD_OUT, TRAIN, photographs
from jaxgan.data.sources import open_source, open_train_and_held_out


def names(source):
    return [source.name(i) for i in range(len(source))]


def test_every_photograph_is_rgb_and_large_enough():
    for source in photographs():
        for i in range(len(source)):
            assert source[i].dtype == np.uint8 and source[i].shape[2] == 3
            assert min(source.size(i)) >= 300
        assert json.loads(json.dumps(source.description))["names"] == names(source)


def test_held_out_photographs_are_in_colour_and_nowhere_in_training():
    train, held_out = photographs()
    assert names(held_out) == ["chelsea", "china", "coffee"]
    assert not set(HELD_OUT) & set(TRAIN)
    for i in range(len(held_out)):
        spread = np.ptp(held_out[i].astype(int), axis=2)
        assert spread.mean() > 10
        for j in range(len(train)):
            assert held_out[i].shape != train[j].shape or (held_out[i] != train[j]).mean() > 0.9


def test_no_scene_is_in_the_sample_twice():
    # scikit-image has the motorcycle from two places.
    assert "motorcycle_left.png" in TRAIN
    assert "motorcycle_right.png" not in (*TRAIN, *HELD_OUT)


def test_the_files_are_those_of_the_wheels():
    from skimage.io import imread

    train, _ = photographs()
    path = importlib.resources.files("skimage") / "data" / "astronaut.png"
    np.testing.assert_array_equal(train[names(train).index("astronaut")], imread(path))


def test_sample_by_name():
    train, held_out = open_train_and_held_out("sample")
    assert names(train) == names(open_source("sample")) == [n.split(".")[0] for n in TRAIN]
    assert names(held_out) == names(open_source("sample", split="validation"))
