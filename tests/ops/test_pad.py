"""Reflection against numpy.pad, and its derivatives against the matrix that it is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxgan.ops.pad import check_sides, reflect_pad


def image(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(
    ("shape", "amount"),
    [
        ((2, 5, 4, 3), 0),
        ((2, 5, 4, 3), 1),
        ((2, 5, 4, 3), 3),
        ((2, 5, 4, 3), (2, 0)),
        # Wider than the picture: mirrored again and again.
        ((1, 2, 3, 2), 7),
        ((1, 2, 2, 1), (1, 9)),
        ((2, 6, 2), 4),
        ((1, 3, 2, 4, 2), (2, 1, 5)),
    ],
)
def test_reflection_is_numpys(shape, amount):
    x = image(*shape)
    amounts = (amount,) * (len(shape) - 2) if isinstance(amount, int) else amount
    widths = [(0, 0), *((n, n) for n in amounts), (0, 0)]
    np.testing.assert_array_equal(reflect_pad(x, amount), np.pad(x, widths, mode="reflect"))


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.int32, jnp.uint8])
def test_the_dtype_stays(dtype):
    x = jnp.arange(12).reshape(1, 3, 4, 1).astype(dtype)
    padded = reflect_pad(x, 1)
    assert padded.dtype == dtype
    assert padded[0, 0, 0, 0] == x[0, 1, 1, 0]


def loss(x, weights):
    return jnp.sum(weights * reflect_pad(x, 3) ** 3)


def penalty(x, weights):
    return jnp.sum(jnp.square(jax.grad(loss)(x, weights))) / 2


@pytest.fixture
def matrix():
    """Reflection of 4x3 pictures by 3 as a matrix, made of NumPy's."""
    places = np.pad(np.arange(12).reshape(4, 3), 3, mode="reflect").reshape(-1)
    return np.eye(12)[places]


def test_two_derivatives_within_a_scan(matrix):
    x = image(5, 1, 4, 3, 1)
    weights = image(1, 10, 9, 1)

    def both(carry, x):
        return carry, (jax.grad(loss)(x, weights), jax.grad(penalty)(x, weights))

    _, (first, second) = jax.jit(lambda x: lax.scan(both, None, x))(x)
    flat, w = x.reshape(5, 12).astype(np.float64), weights.reshape(-1).astype(np.float64)
    for row in range(5):
        padded = matrix @ flat[row]
        gradient = matrix.T @ (3 * w * padded**2)
        hessian = matrix.T @ np.diag(6 * w * padded) @ matrix
        np.testing.assert_allclose(first[row].reshape(-1), gradient, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(
            second[row].reshape(-1), hessian @ gradient, rtol=1e-4, atol=1e-3
        )


def test_no_derivative_gathers_or_scatters():
    text = jax.jit(jax.grad(penalty)).lower(image(1, 4, 3, 1), image(1, 10, 9, 1)).as_text()
    assert "gather" not in text
    assert "scatter" not in text


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: reflect_pad(jnp.ones((1, 1, 4, 1)), 1), "nothing to reflect on axis 1"),
        (lambda: reflect_pad(jnp.ones((1, 4, 4, 1)), -1), "does not fit"),
        (lambda: reflect_pad(jnp.ones((1, 4, 4, 1)), (1,)), "does not fit 2 spatial axes"),
        (lambda: check_sides(jnp.ones((1, 8, 6, 3)), 4), "multiples of 4, not 8 x 6"),
        (lambda: check_sides(jnp.ones((1, 0, 4, 3)), 4), "multiples of 4, not 0 x 4"),
    ],
)
def test_shapes_that_do_not_fit(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_an_axis_of_one_pixel_may_stay_as_it_is():
    x = image(1, 1, 4, 1)
    padded = reflect_pad(x, (0, 2))
    np.testing.assert_array_equal(padded, np.pad(x, [(0, 0), (0, 0), (2, 2), (0, 0)], "reflect"))
    check_sides(jnp.ones((1, 8, 4, 3)), 4)
