import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.ops.layers import Conv, ConvTranspose
from jaxgan.ops.weight_norm import WeightNorm

KEY = jax.random.key(0)


@pytest.mark.parametrize(
    ("layer", "axis", "others"),
    [(Conv(4, 3), -1, (0, 1)), (ConvTranspose(4, 6, stride=3), -2, (0, 2))],
)
def test_a_kernel_is_its_gain_times_its_direction(layer, axis, others):
    """Equation 2, on kernels and gains that are not those of the start."""
    x = np.random.default_rng(0).normal(size=(2, 9, 5)).astype(np.float32)
    module = WeightNorm(layer, axis=axis)
    first, variables = jax.jit(module.init_with_output)(KEY, x)
    params = variables["params"]
    bare = params["layer"]
    assert params["gain"].shape == (4 if axis == -1 else 5,)
    np.testing.assert_allclose(first, layer.apply({"params": bare}, x), rtol=1e-5, atol=1e-6)

    random = np.random.default_rng(1)
    direction = random.normal(size=bare["kernel"].shape).astype(np.float32)
    gain = random.normal(size=params["gain"].shape).astype(np.float32)
    kernel = direction / np.sqrt(np.square(direction).sum(others, keepdims=True))
    kernel = kernel * np.expand_dims(gain, others)
    expected = layer.apply({"params": {**bare, "kernel": kernel}}, x)
    given = {"params": {"gain": gain, "layer": {**bare, "kernel": direction}}}
    np.testing.assert_allclose(module.apply(given, x), expected, rtol=1e-4, atol=1e-5)


def test_gradients_leave_the_length_of_the_direction_alone():
    """Equation 3: the gradient of v is orthogonal to v; that of the gain is along it."""
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 9, 5)), jnp.float32)
    layer, module = Conv(4, 3), WeightNorm(Conv(4, 3))
    params = jax.jit(module.init)(KEY, x)["params"]
    params = {**params, "gain": 2 * params["gain"]}

    def lost(params):
        return jnp.sum(jnp.sin(module.apply({"params": params}, x)))

    grads = jax.jit(jax.grad(lost))(params)
    v, by_v = params["layer"]["kernel"], grads["layer"]["kernel"]
    across = jnp.sum(v * by_v, (0, 1)) / jnp.linalg.norm(v) / jnp.linalg.norm(by_v)
    np.testing.assert_allclose(across, 0, atol=1e-6)
    length = jnp.sqrt(jnp.sum(v * v, (0, 1)))
    kernel = v * (params["gain"] / length)[None, None]
    plain = {"kernel": kernel, "bias": params["layer"]["bias"]}
    by_kernel = jax.grad(lambda p: jnp.sum(jnp.sin(layer.apply({"params": p}, x))))(plain)
    expected = jnp.sum(by_kernel["kernel"] * v, (0, 1)) / length
    np.testing.assert_allclose(grads["gain"], expected, rtol=1e-4)


def test_a_kernel_of_zeros_stays_one():
    x = jnp.ones((1, 4, 2))
    module = WeightNorm(Conv(3, 3))
    params = jax.tree.map(jnp.zeros_like, jax.jit(module.init)(KEY, x)["params"])
    value, grads = jax.value_and_grad(lambda p: module.apply({"params": p}, x).sum())(params)
    assert value == 0
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(grads))
