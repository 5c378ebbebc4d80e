"""Squares from pictures of any shape."""

import numpy as np
from PIL import Image

from jaxgan.data.pictures import ArraySource
from jaxgan.data.resize import imresize
from jaxgan.data.squares import grey, square, squares


def pictures():
    random = np.random.default_rng(0)
    sizes = ((12, 20), (9, 8), (16, 16))
    return [random.integers(0, 256, (*size, 3), np.uint8) for size in sizes]


def test_the_middle_is_taken_and_resampled():
    wide, tall, exact = pictures()
    np.testing.assert_array_equal(square(wide, 6), imresize(wide[:, 4:16], size=(6, 6)))
    np.testing.assert_array_equal(square(tall, 8), tall[:8])
    np.testing.assert_array_equal(square(exact, 16), exact)


def test_seeds_mirror_half_of_them_and_nothing_else():
    load = squares(ArraySource(pictures()), 8)
    indices, seeds = np.array([0, 1, 1, 2]), np.array([2, 4, 5, 7], np.uint64)
    batch = load(indices, seeds)["real"]
    assert batch.shape == (4, 8, 8, 3) and batch.dtype == np.uint8
    np.testing.assert_array_equal(batch[1], batch[2][:, ::-1])
    plain = squares(ArraySource(pictures()), 8, mirror=False)(indices, seeds)["real"]
    np.testing.assert_array_equal(plain[1], plain[2])


def test_grey_is_pillows_and_leaves_grey_pictures_alone():
    (wide, *_) = pictures()
    np.testing.assert_array_equal(
        grey(wide)[..., 0], np.asarray(Image.fromarray(wide).convert("L"))
    )
    alike = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=2)
    np.testing.assert_array_equal(grey(alike), alike[..., :1])
    np.testing.assert_array_equal(grey(alike[..., :1]), alike[..., :1])
