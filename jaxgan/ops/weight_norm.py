"""Weight normalisation: a kernel's length and its direction are learned apart."""

import flax.linen as nn
import jax.numpy as jnp
from jax import Array, lax

# Under the square of the smallest length that a kernel is divided by.
_LEAST = 1e-24


class WeightNorm(nn.Module):
    """Makes a layer's kernel `gain * v / |v|` (Salimans and Kingma 2016, arXiv 1602.07868, eq. 2).

    Wraps any layer with a parameter `kernel`, which is the v of the paper: `WeightNorm(Conv(64,
    3))(x)`. Made inline like this, the layer's parameters lie where they would without the
    wrapper. Parameter: `gain [channels]`, which starts at the lengths that the kernel starts with,
    so that nothing changes until something is learned.

    Attributes:
      layer: what is wrapped.
      axis: of the kernel, whose every position has a length of its own: the output channels; -2,
        the input channels, is what PyTorch has for transposed convolutions.
    """

    layer: nn.Module
    axis: int = -1

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False) -> Array:
        """The layer's result on `x`; `train` changes nothing, as all of `ops.norm` take it."""
        if self.is_initializing():
            self.layer(x)
        kernel = self.layer.variables["params"]["kernel"]
        own = self.axis % kernel.ndim
        others = tuple(axis for axis in range(kernel.ndim) if axis != own)
        squares = jnp.maximum(jnp.sum(jnp.square(kernel), others), _LEAST)
        gain = self.param("gain", lambda key: jnp.sqrt(squares))
        scale = jnp.expand_dims(gain * lax.rsqrt(squares), others)
        scaled = kernel * jnp.broadcast_to(scale, kernel.shape)

        def with_scaled_kernel(variables):
            return {**variables, "params": {**variables["params"], "kernel": scaled}}

        return nn.map_variables(lambda layer: layer(x), "params", with_scaled_kernel)(self.layer)
