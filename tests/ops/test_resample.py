import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.ops.resample import (
    downsample_average,
    pixel_shuffle,
    pixel_unshuffle,
    resize,
    upsample_nearest,
)


def image(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_pixel_shuffle_places_every_channel():
    x = image(2, 3, 4, 2 * 3 * 5)
    expected = np.zeros((2, 6, 12, 5), np.float32)
    for row, column in itertools.product(range(2), range(3)):
        first = (row * 3 + column) * 5
        expected[:, row::2, column::3] = x[..., first : first + 5]
    np.testing.assert_array_equal(pixel_shuffle(x, (2, 3)), expected)


@pytest.mark.parametrize("shape", [(2, 6, 8), (2, 4, 6, 8), (2, 4, 2, 6, 8)])
def test_pixel_unshuffle_undoes_pixel_shuffle(shape):
    x = image(*shape)
    folded = pixel_unshuffle(x, 2)
    rank = len(shape) - 2
    assert folded.shape == (2, *(n // 2 for n in shape[1:-1]), 8 * 2**rank)
    np.testing.assert_array_equal(pixel_shuffle(folded, 2), x)


@pytest.mark.parametrize("shape", [(2, 3, 2), (2, 3, 4, 2), (2, 3, 4, 2, 2)])
def test_upsample_nearest_repeats_and_average_undoes_it(shape):
    x = image(*shape)
    factors = (3, 2, 4)[: len(shape) - 2]
    expected = x
    for axis, factor in enumerate(factors, start=1):
        expected = np.repeat(expected, factor, axis)
    large = upsample_nearest(x, factors)
    np.testing.assert_array_equal(large, expected)
    np.testing.assert_allclose(downsample_average(large, factors), x, rtol=1e-6)


def test_downsample_average_is_the_mean_of_blocks():
    x = image(2, 4, 6, 3)
    expected = [
        [x[:, r : r + 2, c : c + 3].mean((1, 2)) for c in range(0, 6, 3)] for r in range(0, 4, 2)
    ]
    expected = np.transpose(expected, (2, 0, 1, 3))
    np.testing.assert_allclose(downsample_average(x, (2, 3)), expected, rtol=1e-5, atol=1e-6)


def test_downsample_average_sums_in_float32():
    x = jnp.ones((1, 64, 64, 1), jnp.bfloat16)
    assert downsample_average(x, 64).item() == 1
    assert downsample_average(x, 64).dtype == jnp.bfloat16


def test_resize_applies_one_matrix_per_axis():
    x = image(2, 5, 4, 3)
    rows, columns = np.float64(image(3, 5)), np.float64(image(7, 4))
    expected = np.stack(
        [np.stack([rows @ x[b, :, :, c] @ columns.T for c in range(3)], -1) for b in range(2)]
    )
    np.testing.assert_allclose(resize(x, rows, columns), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pixel_shuffle(jnp.ones((1, 2, 2, 6)), 2), "6 channels"),
        (lambda: pixel_unshuffle(jnp.ones((1, 3, 2, 1)), 2), "does not divide"),
        (lambda: downsample_average(jnp.ones((1, 3, 2, 1)), 2), "does not divide"),
        (lambda: upsample_nearest(jnp.ones((1, 3, 2, 1)), (2,)), "does not fit 2 spatial axes"),
        (lambda: resize(jnp.ones((1, 3, 2, 1)), np.ones((4, 2)), np.ones((4, 2))), "do not fit"),
    ],
)
def test_shapes_that_do_not_fit(call, message):
    with pytest.raises(ValueError, match=message):
        call()
