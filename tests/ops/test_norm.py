import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.ops.layers import Conv, ConvTranspose
from jaxgan.ops.norm import (
    BatchNorm,
    InstanceNorm,
    LayerNorm,
    PixelNorm,
    SpectrallyNormalised,
    SpectralNorm,
    normalise,
)

KEY = jax.random.key(0)


def image(*shape):
    return (3 + 2 * np.random.default_rng(0).normal(size=shape)).astype(np.float32)


@pytest.mark.parametrize(
    ("layer", "axes", "epsilon"),
    [
        (BatchNorm(), (0, 1, 2), 1e-5),
        (InstanceNorm(epsilon=1e-3), (1, 2), 1e-3),
        (LayerNorm(), (3,), 1e-5),
    ],
)
def test_statistics_scale_and_bias(layer, axes, epsilon):
    x = image(4, 5, 6, 3)
    variables = layer.init(KEY, x, train=True)
    affine = {"scale": np.array([1.0, 2, 3], np.float32), "bias": np.array([0.0, 1, 2], np.float32)}
    variables = {**variables, "params": {"norm": affine}}
    y, _ = layer.apply(variables, x, train=True, mutable=["batch_stats"])
    wide = x.astype(np.float64)
    centred = wide - wide.mean(axes, keepdims=True)
    expected = centred / np.sqrt(wide.var(axes, keepdims=True) + epsilon)
    expected = expected * affine["scale"] + affine["bias"]
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)


class Named(nn.Module):
    norm: str

    @nn.compact
    def __call__(self, x, *, train):
        return normalise(x, self.norm, train=train)


def test_a_normalisation_by_name():
    x = image(4, 5, 6, 3)
    y, variables = Named("instance").init_with_output(KEY, x, train=True)
    assert not variables
    expected = (x - x.mean((1, 2), keepdims=True)) / x.std((1, 2), keepdims=True)
    np.testing.assert_allclose(y, expected, rtol=1e-3, atol=1e-3)
    y, variables = Named("batch").init_with_output(KEY, x, train=True)
    assert set(variables) == {"params", "batch_stats"}
    expected = (x - x.mean((0, 1, 2))) / x.std((0, 1, 2))
    np.testing.assert_allclose(y, expected, rtol=1e-3, atol=1e-3)
    y, variables = Named("none").init_with_output(KEY, x, train=True)
    assert not variables
    np.testing.assert_array_equal(y, x)
    with pytest.raises(ValueError, match="not 'layer'"):
        Named("layer").init(KEY, x, train=True)


def test_batch_norm_averages_when_training_and_uses_them_otherwise():
    layer = BatchNorm(momentum=0.75, use_scale=False, use_bias=False)
    x = image(8, 2, 2, 3)
    variables = layer.init(KEY, x, train=True)
    assert "params" not in variables
    _, updated = layer.apply(variables, x, train=True, mutable=["batch_stats"])
    mean = 0.25 * x.mean((0, 1, 2))
    variance = 0.75 + 0.25 * x.var((0, 1, 2))
    np.testing.assert_allclose(updated["batch_stats"]["norm"]["mean"], mean, rtol=1e-5)
    np.testing.assert_allclose(updated["batch_stats"]["norm"]["var"], variance, rtol=1e-4)
    y = layer.apply(updated, x, train=False)
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(variance + 1e-5), rtol=1e-4, atol=1e-5)


def test_batch_norm_is_flaxs_to_second_order():
    settings = {"momentum": 0.75, "epsilon": 1e-3, "scale_init": nn.initializers.normal(1.0)}
    x = jnp.asarray(image(5, 4, 3, 2))
    weights = jnp.asarray(np.random.default_rng(1).normal(size=x.shape), jnp.float32)

    class Flax(nn.Module):
        @nn.compact
        def __call__(self, x, *, train):
            return nn.BatchNorm(not train, **settings, name="norm")(x)

    def results(layer):
        variables = layer.init(KEY, x, train=True)

        def loss(params, x):
            y, _ = layer.apply({**variables, "params": params}, x, train=True, mutable=True)
            return jnp.sum(weights * jnp.sin(y))

        def steepness(params, x):
            return sum(jnp.sum(g**2) for g in jax.tree.leaves(jax.grad(loss, (0, 1))(params, x)))

        y, after = layer.apply(variables, x, train=True, mutable=["batch_stats"])
        slopes = [jax.grad(f, (0, 1))(variables["params"], x) for f in (loss, steepness)]
        return variables, y, after, layer.apply({**variables, **after}, x, train=False), slopes

    found, expected = (
        jax.jit(functools.partial(results, layer))() for layer in (BatchNorm(**settings), Flax())
    )
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for mine, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-4 * np.abs(other).max())


def test_pixel_norm():
    x = image(2, 3, 3, 8)
    expected = x / np.sqrt(np.mean(x.astype(np.float64) ** 2, -1, keepdims=True) + 1e-8)
    np.testing.assert_allclose(PixelNorm().apply({}, x), expected, rtol=1e-5)


@pytest.mark.parametrize("layer", [BatchNorm(), InstanceNorm(), LayerNorm(), PixelNorm()])
def test_statistics_of_bfloat16_are_float32(layer):
    """4096 numbers of mean 3 sum to 12288; bfloat16 would stop at 1024."""
    x = jnp.asarray(image(1, 64, 64, 2), jnp.bfloat16)
    y, variables = layer.init_with_output(KEY, x, train=True)
    wide, _ = layer.init_with_output(KEY, x.astype(jnp.float32), train=True)
    assert y.dtype == jnp.bfloat16
    np.testing.assert_array_equal(y, wide.astype(jnp.bfloat16))
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(variables))


class Critic(nn.Module):
    """Each layer that SpectralNorm can wrap, made inline."""

    @nn.compact
    def __call__(self, x, *, train):
        x = SpectralNorm(Conv(6, 4, stride=2))(x, train=train)
        x = SpectralNorm(ConvTranspose(5, 4, stride=2))(x, train=train)
        return SpectralNorm(nn.Dense(1))(x.reshape(x.shape[0], -1), train=train)


class Plain(nn.Module):
    @nn.compact
    def __call__(self, x, *, train):
        x = ConvTranspose(5, 4, stride=2)(Conv(6, 4, stride=2)(x))
        return nn.Dense(1)(x.reshape(x.shape[0], -1))


def largest_singular_value(kernel):
    return np.linalg.svd(np.asarray(kernel).reshape(-1, kernel.shape[-1]), compute_uv=False)[0]


def test_spectral_norm_divides_every_kernel_by_its_largest_singular_value():
    critic, x = Critic(), image(2, 8, 8, 3)
    variables = critic.init(KEY, x, train=True)
    params = variables["params"]
    assert set(params) == {"Conv_0", "ConvTranspose_0", "Dense_0"}
    assert jax.tree.map(jnp.shape, params) == jax.tree.map(
        jnp.shape, Plain().init(KEY, x, train=True)["params"]
    )

    @jax.jit
    def iterate(variables):
        _, updated = critic.apply(variables, x, train=True, mutable=["spectral"])
        return {**variables, **updated}

    for _ in range(100):
        variables = iterate(variables)
    scaled = {
        name: {**layer, "kernel": layer["kernel"] / largest_singular_value(layer["kernel"])}
        for name, layer in params.items()
    }
    expected = Plain().apply({"params": scaled}, x, train=False)
    np.testing.assert_allclose(critic.apply(variables, x, train=False), expected, rtol=1e-3)


def test_spectral_norm_takes_one_power_iteration_per_training_call():
    layer, x = SpectralNorm(nn.Dense(4)), image(2, 5)
    variables = layer.init(KEY, x, train=True)
    (params,) = variables["params"].values()
    kernel = np.float64(params["kernel"])
    u, v = (np.float64(variables["spectral"][name]) for name in "uv")
    assert abs(np.linalg.norm(u) - 1) < 1e-6

    def expected(u, v):
        return x @ kernel / (v @ kernel @ u)

    still = {"spectral": variables["spectral"]}
    for train, mutable in ((False, ["spectral"]), (True, ["batch_stats"])):
        y, updated = layer.apply(variables, x, train=train, mutable=mutable)
        np.testing.assert_allclose(y, expected(u, v), rtol=1e-5)
        if mutable == ["spectral"]:
            jax.tree.map(np.testing.assert_array_equal, updated, still)

    y, updated = layer.apply(variables, x, train=True, mutable=["spectral"])
    v = kernel @ u / np.linalg.norm(kernel @ u)
    u = kernel.T @ v / np.linalg.norm(kernel.T @ v)
    np.testing.assert_allclose(updated["spectral"]["u"], u, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(updated["spectral"]["v"], v, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(y, expected(u, v), rtol=1e-5)


def test_gradient_of_spectral_norm_treats_the_vectors_as_constants():
    """Miyato et al. 2018, eq. 12: dL/dW = (G - <G, W> / sigma * v u^T) / sigma."""
    layer, x = SpectralNorm(nn.Dense(4, use_bias=False)), image(3, 5)
    variables = layer.init(KEY, x, train=True)
    weights = image(3, 4)

    def loss(params):
        return jnp.sum(weights * layer.apply({**variables, "params": params}, x, train=False))

    (got,) = jax.tree.leaves(jax.grad(loss)(variables["params"]))
    (kernel,) = (np.float64(leaf) for leaf in jax.tree.leaves(variables["params"]))
    u, v = (np.float64(variables["spectral"][name]) for name in "uv")
    sigma = v @ kernel @ u
    plain = x.T.astype(np.float64) @ weights
    expected = (plain - np.sum(plain * kernel) / sigma * np.outer(v, u)) / sigma
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


def test_spectral_norm_leaves_a_kernel_of_zeros_alone():
    layer, x = SpectralNorm(nn.Dense(4, kernel_init=nn.initializers.zeros)), image(2, 5)
    y, _ = layer.init_with_output(KEY, x, train=True)
    np.testing.assert_array_equal(y, np.zeros((2, 4)))


def test_a_whole_network_is_normalised_kernel_by_kernel():
    network, x = SpectrallyNormalised(Plain()), image(2, 4, 4, 3)
    variables = network.init(jax.random.key(0), x, train=True)
    for _ in range(60):
        _, moved = network.apply(variables, x, train=True, mutable=["spectral"])
        variables = {**variables, **moved}
    found, kept = network.apply(variables, x, train=False, mutable=["spectral"])
    jax.tree.map(np.testing.assert_array_equal, kept["spectral"], variables["spectral"])

    def divided(path, leaf):
        if path[-1].key != "kernel":
            return leaf
        matrix = np.asarray(leaf, np.float64).reshape(-1, leaf.shape[-1])
        return leaf / np.linalg.svd(matrix, compute_uv=False)[0].astype(np.float32)

    params = jax.tree_util.tree_map_with_path(divided, variables["params"]["network"])
    np.testing.assert_allclose(
        found, Plain().apply({"params": params}, x, train=False), rtol=1e-3, atol=1e-5
    )
