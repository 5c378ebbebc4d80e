"""Counting operations, against counts made by hand and XLA's of single convolutions."""

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from jaxgan.flops import count_flops

NUMBERS = ("NHWC", "HWIO", "NHWC")


def shape(*sizes):
    return jax.ShapeDtypeStruct(sizes, jnp.float32)


def test_a_matrix_product_is_two_operations_a_pair():
    assert count_flops(jnp.matmul, shape(3, 4), shape(4, 5)) == 2 * 3 * 4 * 5
    assert count_flops(jnp.matmul, shape(7, 3, 4), shape(7, 4, 5)) == 7 * 2 * 3 * 4 * 5


def test_gradients_of_a_product_are_two_more_and_the_unread_value_is_none():
    def loss(x, w):
        return jnp.sum(x @ w)

    sizes = shape(3, 4), shape(4, 5)
    assert count_flops(jax.value_and_grad(loss, (0, 1)), *sizes) == 3 * 2 * 3 * 4 * 5
    # The loss is linear, so its gradients do not need its value.
    assert count_flops(jax.grad(loss, (0, 1)), *sizes) == 2 * 2 * 3 * 4 * 5


def test_loops_count_as_often_as_they_turn_and_branches_as_the_dearest():
    def loop(x):
        return lax.scan(lambda carry, _: (carry @ x, None), x, length=6)[0]

    def branch(flag, x):
        return lax.cond(flag, lambda x: x @ x @ x, lambda x: x @ x, x)

    product = 2 * 4**3
    assert count_flops(loop, shape(4, 4)) == 6 * product
    assert count_flops(jax.jit(loop), shape(4, 4)) == 6 * product
    assert count_flops(branch, jax.ShapeDtypeStruct((), bool), shape(4, 4)) == 2 * product


def test_custom_derivatives_are_counted_as_what_they_call():
    @jax.custom_vjp
    def square(x):
        return x @ x

    square.defvjp(lambda x: (square(x), x), lambda x, g: (g @ x,))
    product = 2 * 4**3
    assert count_flops(square, shape(4, 4)) == product
    assert count_flops(jax.grad(lambda x: jnp.sum(square(x))), shape(4, 4)) == product


def test_padding_and_inserted_zeros_are_not_multiplied():
    def valid(x, kernel):
        return lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=NUMBERS)

    assert count_flops(valid, shape(2, 6, 6, 3), shape(3, 3, 3, 5)) == 2 * (2 * 4 * 4 * 5) * 27

    def same(x, kernel):
        return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=NUMBERS)

    # On an axis of 6 with 3 taps, 4 results meet 3 pixels and the outer two meet 2.
    assert count_flops(same, shape(2, 6, 6, 3), shape(3, 3, 3, 5)) == 2 * 2 * 3 * 5 * 16**2

    def transposed(x, kernel):
        return lax.conv_transpose(x, kernel, (2, 2), "VALID", dimension_numbers=NUMBERS)

    # Every pixel is multiplied by every tap, once.
    assert count_flops(transposed, shape(2, 6, 6, 3), shape(4, 4, 3, 5)) == 2 * 2 * 36 * 16 * 3 * 5


@pytest.mark.parametrize(
    "options",
    [
        {"stride": 2},
        {"stride": 1, "padding": [(2, 1), (0, 3)]},
        {"stride": 3, "rhs_dilation": (2, 1)},
        {"stride": 1, "padding": [(2, 2), (3, 3)], "lhs_dilation": (2, 3)},
        {"stride": 2, "feature_group_count": 2},
    ],
)
def test_a_single_convolution_counts_as_in_xla(options):
    stride = options.pop("stride")
    groups = options.get("feature_group_count", 1)

    def convolve(x, kernel):
        return lax.conv_general_dilated(
            x,
            kernel,
            (stride, stride),
            **{"padding": "SAME", **options},
            dimension_numbers=NUMBERS,
        )

    sizes = shape(2, 9, 7, 4), shape(4, 3, 4 // groups, 6)
    counted_by_xla = jax.jit(convolve).lower(*sizes).cost_analysis()["flops"]
    assert count_flops(convolve, *sizes) == counted_by_xla


def test_a_convolution_and_its_gradients_need_the_same():
    def loss(x, kernel):
        y = lax.conv_general_dilated(x, kernel, (2, 2), "SAME", dimension_numbers=NUMBERS)
        return jnp.sum(jnp.square(y))

    def forward(x, kernel):
        return lax.conv_general_dilated(x, kernel, (2, 2), "SAME", dimension_numbers=NUMBERS)

    sizes = shape(4, 9, 9, 3), shape(5, 5, 3, 8)
    one = count_flops(forward, *sizes)
    assert count_flops(jax.value_and_grad(loss, (0, 1)), *sizes) == 3 * one
