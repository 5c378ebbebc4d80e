import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.ops.layers import Conv, ConvTranspose, PixelShuffle, PReLU


def image(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(
    ("ours", "flax", "shape"),
    [
        (Conv(4, 3), nn.Conv(4, (3, 3)), (2, 6, 5, 2)),
        (
            Conv(4, (4, 2), stride=2, padding=1, use_bias=False),
            nn.Conv(4, (4, 2), strides=2, padding=1, use_bias=False),
            (2, 6, 5, 2),
        ),
        (
            Conv(4, 3, dilation=2, groups=2, padding="VALID"),
            nn.Conv(4, (3, 3), kernel_dilation=2, feature_group_count=2, padding="VALID"),
            (2, 6, 5, 2),
        ),
        (Conv(4, 5, stride=4), nn.Conv(4, (5,), strides=4), (2, 9, 2)),
        (
            ConvTranspose(4, 4, stride=2),
            nn.ConvTranspose(4, (4, 4), (2, 2), transpose_kernel=False),
            (2, 3, 5, 2),
        ),
    ],
)
def test_convolutions_hold_and_do_what_flax_layers_do(ours, flax, shape):
    x = image(*shape)
    variables = ours.init(jax.random.key(0), x)
    expected = flax.init(jax.random.key(0), x)
    assert jax.tree.map(jnp.shape, variables) == jax.tree.map(jnp.shape, expected)
    np.testing.assert_array_equal(variables["params"]["kernel"], expected["params"]["kernel"])
    params = jax.tree.map(lambda leaf: leaf + 0.5, variables["params"])
    mirrored = dict(params)
    if isinstance(ours, ConvTranspose):
        mirrored["kernel"] = jnp.flip(params["kernel"], (0, 1))

    def loss_and_results(params, network):
        y = network.apply({"params": params}, x)
        return jnp.sum(jnp.square(y)), y

    (gradients, y), (flax_gradients, flax_y) = (
        jax.grad(loss_and_results, has_aux=True)(p, network)
        for p, network in ((params, ours), (mirrored, flax))
    )
    np.testing.assert_allclose(y, flax_y, rtol=1e-5, atol=1e-5)
    if ours.use_bias:
        np.testing.assert_allclose(gradients["bias"], flax_gradients["bias"], rtol=1e-5)


def test_parameters_stay_float32_and_results_have_the_compute_dtype():
    network = nn.Sequential(
        [
            Conv(8, 3, dtype=jnp.bfloat16),
            PReLU(),
            PixelShuffle(2),
            ConvTranspose(3, 4, stride=2, dtype=jnp.bfloat16),
        ]
    )
    y, variables = network.init_with_output(jax.random.key(0), jnp.ones((2, 3, 3, 2)))
    assert y.shape == (2, 12, 12, 3)
    assert y.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype(jnp.float32)}


def test_kernel_initialiser_is_the_given_one():
    layer = Conv(64, 5, kernel_init=nn.initializers.normal(0.02))
    kernel = layer.init(jax.random.key(0), image(1, 5, 5, 16))["params"]["kernel"]
    assert abs(float(kernel.std()) - 0.02) < 1e-3


def test_prelu_has_a_slope_per_channel_or_one():
    x = image(2, 3, 4)
    variables = PReLU().init(jax.random.key(0), x)
    np.testing.assert_array_equal(variables["params"]["slope"], np.full(4, 0.25))
    slope = np.array([0.5, -1.0, 0.0, 2.0], np.float32)
    np.testing.assert_allclose(
        PReLU().apply({"params": {"slope": slope}}, x), np.maximum(x, 0) + slope * np.minimum(x, 0)
    )
    shared = PReLU(per_channel=False, initial_slope=0.1)
    y, variables = shared.init_with_output(jax.random.key(0), x)
    assert variables["params"]["slope"].shape == ()
    np.testing.assert_allclose(y, np.where(x < 0, 0.1 * x, x), rtol=1e-6)
