"""What tests of networks have in common."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxgan.state import count_parameters

DIMENSIONS = ("NHWC", "HWIO", "NHWC")


@pytest.fixture(scope="session")
def shapes():
    """A function of a module and its inputs' shapes: its parameter count and its outputs' shapes.

    Nothing is computed.
    """

    def of(module, *inputs):
        given = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in inputs]
        key = jax.eval_shape(lambda: jax.random.key(0))
        variables = jax.eval_shape(lambda k, *x: module.init(k, *x, train=True), key, *given)
        out = jax.eval_shape(lambda v, *x: module.apply(v, *x, train=False), variables, *given)
        return count_parameters(variables["params"]), jax.tree.map(lambda leaf: leaf.shape, out)

    return of


@pytest.fixture(scope="session")
def drawn():
    """A function of a module and its inputs: variables drawn in NumPy, as nothing compiles it.

    Kernels keep the variance of what they are given and biases are small; statistics are those of
    white noise. Not for spectral vectors.
    """

    def of(module, *inputs, seed=0, **options):
        key = jax.eval_shape(lambda: jax.random.key(0))
        tree = jax.eval_shape(lambda k, *x: module.init(k, *x, **options), key, *inputs)
        random = np.random.default_rng(seed)

        def draw(path, leaf):
            if path[-1].key in ("scale", "var"):
                return np.ones(leaf.shape, np.float32)
            if path[-1].key == "kernel":
                spread = 1 / np.sqrt(np.prod(leaf.shape[:-1]))
                return random.normal(0, spread, leaf.shape).astype(np.float32)
            return random.normal(0, 0.1, leaf.shape).astype(np.float32)

        return jax.tree_util.tree_map_with_path(draw, tree)

    return of


@pytest.fixture(scope="session")
def call():
    """A function of a module, its variables and inputs, and options: what it gives, compiled."""

    def of(module, variables, *inputs, **options):
        return jax.jit(lambda v, *x: module.apply(v, *x, **options))(variables, *inputs)

    return of


@pytest.fixture(scope="session")
def plain():
    """lax's own convolutions and NumPy's normalisation, to write a paper's network down again."""

    class Plain:
        @staticmethod
        def conv(x, layer, stride, pad):
            y = lax.conv_general_dilated(
                x, layer["kernel"], (stride,) * 2, [(pad, pad)] * 2, dimension_numbers=DIMENSIONS
            )
            return np.asarray(y) + np.asarray(layer.get("bias", np.float32(0)))

        @staticmethod
        def conv_transpose(x, layer, pads):
            """Of stride 2; `pads` as lax has them, around the picture spread out by the stride."""
            y = lax.conv_general_dilated(
                x,
                jnp.flip(layer["kernel"], (0, 1)),
                (1, 1),
                [pads] * 2,
                lhs_dilation=(2, 2),
                dimension_numbers=DIMENSIONS,
            )
            return np.asarray(y) + np.asarray(layer.get("bias", np.float32(0)))

        @staticmethod
        def instance_norm(x):
            return (x - x.mean((1, 2), keepdims=True)) / np.sqrt(
                x.var((1, 2), keepdims=True) + 1e-5
            )

        @staticmethod
        def relu(x, slope=0.0):
            return np.where(x > 0, x, np.float32(slope) * x)

    return Plain
