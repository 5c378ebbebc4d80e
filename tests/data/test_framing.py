"""Resizing, cutting and padding of pictures and of label maps, whose numbers stay."""

import numpy as np
import pytest
from PIL import Image

from jaxgan.data.framing import middle, pad_to_multiple, resize, shorter_side


@pytest.mark.parametrize(("height", "width"), [(7, 5), (20, 9), (13, 21), (26, 42)])
def test_label_maps_take_the_nearest_pixel(height, width):
    numbers = np.random.default_rng(0).integers(0, 12, (13, 21), np.uint8)
    expected = Image.fromarray(numbers).resize((width, height), Image.Resampling.NEAREST)
    np.testing.assert_array_equal(resize(numbers, height, width), np.asarray(expected))


def test_pictures_are_averaged_when_they_shrink():
    fine = np.zeros((32, 48, 3), np.uint8)
    fine[:, ::2] = 200
    small = resize(fine, 8, 12)
    assert small.shape == (8, 12, 3) and abs(small[:, 2:-2].astype(int) - 100).max() <= 2


@pytest.mark.parametrize(
    ("shape", "expected"), [((30, 40), (12, 16)), ((40, 30), (16, 12)), ((5, 5), (12, 12))]
)
def test_the_shorter_side_is_given_and_the_aspect_stays(shape, expected):
    assert shorter_side(np.zeros((*shape, 3), np.uint8), 12).shape == (*expected, 3)
    assert shorter_side(np.zeros(shape, np.uint8), 12).shape == expected


def test_the_middle_is_the_middle():
    picture = np.arange(7 * 10, dtype=np.uint8).reshape(7, 10)
    np.testing.assert_array_equal(middle(picture, 4), picture[1:5, 3:7])


@pytest.mark.parametrize("shape", [(9, 16), (16, 9, 3), (3, 2, 3), (8, 8)])
def test_padding_mirrors_and_is_cut_back(shape):
    picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    padded = pad_to_multiple(picture, 8)
    assert padded.shape[0] % 8 == padded.shape[1] % 8 == 0
    assert padded.shape[0] - shape[0] < 8 and padded.shape[1] - shape[1] < 8
    np.testing.assert_array_equal(padded[: shape[0], : shape[1]], picture)
    for place in range(shape[0], padded.shape[0]):
        # A mirror at the last pixel, which is not repeated, to and fro.
        period = 2 * (shape[0] - 1)
        source = min(place % period, period - place % period)
        np.testing.assert_array_equal(padded[place, : shape[1]], picture[source])
