"""Normalisation. Statistics are float32 whatever the input's dtype, which is the result's.

`BatchNorm` keeps its averages in the collection `batch_stats`, `SpectralNorm` and
`SpectrallyNormalised` their vectors in `spectral`. All layers take `train`, so that a network can
be given any of them; only these heed it.
"""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict
from jax import Array, lax
from jax.nn.initializers import Initializer


class BatchNorm(nn.Module):
    """Batch normalisation over all axes but the last (Ioffe and Szegedy 2015).

    On a mesh the batch is the global one. `momentum` is the share of the old running average that
    is kept: 0.9 is PyTorch's 0.1.
    """

    momentum: float = 0.9
    epsilon: float = 1e-5
    use_scale: bool = True
    use_bias: bool = True
    scale_init: Initializer = nn.initializers.ones

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        """`x [batch, ..., channels]`; by the batch's statistics when `train`, else by the
        averages.

        With `train`, `batch_stats` must be mutable.
        """
        y = _ScaledAndShifted(
            momentum=self.momentum,
            epsilon=self.epsilon,
            use_scale=self.use_scale,
            use_bias=self.use_bias,
            scale_init=self.scale_init,
            name="norm",
        )(x.astype(jnp.float32), train=train)
        return y.astype(x.dtype)


class _ScaledAndShifted(nn.Module):
    """`flax.linen.BatchNorm`'s parameters, averages and results, as `x * factor + shift`.

    Its gradient has two sums over images and one pass for values. That of flax's
    `(x - mean) * factor + bias` has more of both, and XLA writes `x - mean` down.
    Rounding grows with `|mean| / deviation`, in the variance (as in flax's) with its square.
    """

    momentum: float
    epsilon: float
    use_scale: bool
    use_bias: bool
    scale_init: Initializer

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        size = x.shape[-1:]
        average_mean = self.variable("batch_stats", "mean", jnp.zeros, size)
        average_var = self.variable("batch_stats", "var", jnp.ones, size)
        if train:
            axes = tuple(range(x.ndim - 1))
            # In this order: the gradient ends in a sum of two images then, which XLA makes only
            # once however many read it. Were it to end in the mean's constant, each would.
            mean_square = jnp.mean(lax.square(x), axes)
            mean = jnp.mean(x, axes)
            var = jnp.maximum(mean_square - lax.square(mean), 0.0)
            if not self.is_initializing():
                for average, new in ((average_mean, mean), (average_var, var)):
                    average.value = self.momentum * average.value + (1 - self.momentum) * new
        else:
            mean, var = average_mean.value, average_var.value
        factor = lax.rsqrt(var + self.epsilon)
        if self.use_scale:
            factor = factor * self.param("scale", self.scale_init, size)
        shift = -mean * factor
        if self.use_bias:
            shift = shift + self.param("bias", nn.initializers.zeros, size)
        last = (1,) * (x.ndim - 1) + size
        return x * factor.reshape(last) + shift.reshape(last)


class InstanceNorm(nn.Module):
    """Normalises each channel of each image over space (Ulyanov et al. 2016)."""

    epsilon: float = 1e-5
    use_scale: bool = True
    use_bias: bool = True

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False) -> Array:
        """`x [batch, *spatial, channels]`."""
        y = nn.InstanceNorm(
            epsilon=self.epsilon,
            use_scale=self.use_scale,
            use_bias=self.use_bias,
            use_fast_variance=False,
            name="norm",
        )(x.astype(jnp.float32))
        return y.astype(x.dtype)


class LayerNorm(nn.Module):
    """Normalises the channels at each position (Ba et al. 2016)."""

    epsilon: float = 1e-5
    use_scale: bool = True
    use_bias: bool = True

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False) -> Array:
        """`x [..., channels]`."""
        y = nn.LayerNorm(
            epsilon=self.epsilon,
            use_scale=self.use_scale,
            use_bias=self.use_bias,
            use_fast_variance=False,
            name="norm",
        )(x.astype(jnp.float32))
        return y.astype(x.dtype)


class PixelNorm(nn.Module):
    """Scales the channels at each position to a mean square of one (Karras et al. 2018, section
    4.2)."""

    epsilon: float = 1e-8

    def __call__(self, x: Array, *, train: bool = False) -> Array:
        """`x [..., channels]`."""
        wide = x.astype(jnp.float32)
        mean_square = jnp.mean(wide * wide, axis=-1, keepdims=True)
        return (wide * lax.rsqrt(mean_square + self.epsilon)).astype(x.dtype)


def normalise(x: Array, norm: str, *, train: bool) -> Array:
    """`x [batch, *spatial, channels]` through a normalisation that is known by name.

    For networks that leave the choice to whoever builds them; called inline, in a compact method.

    Args:
      x: what is normalised.
      norm: 'batch'; 'instance', without scale and shift, as image-to-image networks have it
        (CycleGAN, arXiv 1703.10593); or 'none'.
      train: as the layers take it.

    Raises:
      ValueError: for another name.
    """
    if norm == "batch":
        return BatchNorm()(x, train=train)
    if norm == "instance":
        return InstanceNorm(use_scale=False, use_bias=False)(x, train=train)
    if norm == "none":
        return x
    raise ValueError(f"norm is 'batch', 'instance' or 'none', not {norm!r}")


class SpectralNorm(nn.Module):
    """Divides a layer's kernel by an estimate of its largest singular value (Miyato et al. 2018,
    alg. 1).

    Wraps any layer with a parameter `kernel [..., out]`, taken as a matrix with `out` columns:
    `SpectralNorm(Conv(64, 4, stride=2))(x, train=train)`. Made inline like this, the layer's
    parameters lie where they would without the wrapper. `spectral` holds the estimates `u [out]`
    and `v [...]` of the singular vectors; gradients do not pass through them (eq. 12).
    """

    layer: nn.Module
    epsilon: float = 1e-12

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        """The layer's result on `x`.

        One power iteration when `train` and the collection `spectral` is mutable; otherwise the
        vectors are used as they are.
        """
        if self.is_initializing():
            self.layer(x)
        kernel = self.layer.variables["params"]["kernel"]
        frozen = lax.stop_gradient(_matrix(kernel))
        u = self.variable("spectral", "u", self._first_vector, kernel.shape[-1])
        v = self.variable("spectral", "v", lambda: _unit(_dot(frozen, u.value), self.epsilon))
        if train and self.is_mutable_collection("spectral") and not self.is_initializing():
            u.value, v.value = _power_iteration(kernel, u.value, self.epsilon)
        scaled = _divided(kernel, u.value, v.value)

        def with_scaled_kernel(variables):
            return {**variables, "params": {**variables["params"], "kernel": scaled}}

        return nn.map_variables(lambda layer: layer(x), "params", with_scaled_kernel)(self.layer)

    def _first_vector(self, size):
        return _random_unit(self.make_rng("params"), size, self.epsilon)


class SpectrallyNormalised(nn.Module):
    """A whole network with `SpectralNorm` on every parameter that is called `kernel`.

    For networks that were written without it: `SpectrallyNormalised(Critic28())`. `spectral` holds
    the vectors of all kernels, in the tree of the parameters; the kernels of a loop that stacks
    them (`nn.scan`, `nn.vmap`) would be taken as one.
    """

    network: nn.Module
    epsilon: float = 1e-12

    @nn.compact
    def __call__(self, *inputs: Any, train: bool) -> Any:
        """The network's result; when the vectors move, and gradients, are as in `SpectralNorm`."""
        if self.is_initializing():
            self.network(*inputs, train=train)
        kernels = {
            path: leaf
            for path, leaf in flatten_dict(self.network.variables["params"]).items()
            if path[-1] == "kernel"
        }

        def first() -> Any:
            u = {
                path: _random_unit(self.make_rng("params"), kernel.shape[-1], self.epsilon)
                for path, kernel in kernels.items()
            }
            v = {
                path: _unit(_dot(lax.stop_gradient(_matrix(kernel)), u[path]), self.epsilon)
                for path, kernel in kernels.items()
            }
            return {"u": unflatten_dict(u), "v": unflatten_dict(v)}

        vectors = self.variable("spectral", "vectors", first)
        u, v = (flatten_dict(vectors.value[name]) for name in ("u", "v"))
        if train and self.is_mutable_collection("spectral") and not self.is_initializing():
            for path, kernel in kernels.items():
                u[path], v[path] = _power_iteration(kernel, u[path], self.epsilon)
            vectors.value = {"u": unflatten_dict(u), "v": unflatten_dict(v)}
        scaled = {path: _divided(kernel, u[path], v[path]) for path, kernel in kernels.items()}

        def with_scaled_kernels(variables: Any) -> Any:
            params = flatten_dict(variables["params"])
            return {**variables, "params": unflatten_dict({**params, **scaled})}

        return nn.map_variables(
            lambda network: network(*inputs, train=train), "params", with_scaled_kernels
        )(self.network)


def _matrix(kernel):
    return kernel.reshape(-1, kernel.shape[-1])


def _power_iteration(kernel, u, epsilon):
    frozen = lax.stop_gradient(_matrix(kernel))
    v = _unit(_dot(frozen, u), epsilon)
    return _unit(_dot(v, frozen), epsilon), v


def _divided(kernel, u, v):
    sigma = _dot(lax.stop_gradient(v), _dot(_matrix(kernel), lax.stop_gradient(u)))
    # A kernel of zeros stays one.
    return kernel / jnp.where(sigma == 0, 1.0, sigma)


def _random_unit(key, size, epsilon):
    return _unit(nn.initializers.normal(1.0)(key, (size,), jnp.float32), epsilon)


def _unit(vector, epsilon):
    return vector / jnp.maximum(jnp.linalg.norm(vector), epsilon)


def _dot(left, right):
    return jnp.dot(left, right, precision=lax.Precision.HIGHEST)
