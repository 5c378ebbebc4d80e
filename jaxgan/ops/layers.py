"""Layers on the closed convolution family: float32 parameters, computed in `dtype`.

Like everything in ops they are rank-generic: an int for a kernel size, stride or dilation holds
for every spatial axis of the input `[batch, *spatial, channels]`.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from jax.nn.initializers import Initializer, lecun_normal
from jax.typing import DTypeLike

from jaxgan.ops.conv import Padding, conv, conv_transpose
from jaxgan.ops.resample import pixel_shuffle


class Conv(nn.Module):
    """Convolution and bias; see `jaxgan.ops.conv.conv` for the arguments and errors.

    Parameters: `kernel [*taps, in / groups, features]`, `bias [features]`.
    """

    features: int
    kernel_size: int | Sequence[int]
    stride: int | Sequence[int] = 1
    padding: Padding = "SAME"
    dilation: int | Sequence[int] = 1
    groups: int = 1
    use_bias: bool = True
    dtype: DTypeLike = jnp.float32
    kernel_init: Initializer = lecun_normal()

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`x [batch, *spatial, in]` -> `[batch, *spatial / stride, features]` in `dtype`."""
        taps = _taps(self.kernel_size, x)
        shape = (*taps, x.shape[-1] // self.groups, self.features)
        kernel = self.param("kernel", self.kernel_init, shape, jnp.float32)
        y = conv(
            x.astype(self.dtype),
            kernel.astype(self.dtype),
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
        )
        return _with_bias(self, y)


class ConvTranspose(nn.Module):
    """Transposed convolution and bias; see `jaxgan.ops.conv.conv_transpose`.

    Parameters: `kernel [*taps, in, features]`, `bias [features]`.
    """

    features: int
    kernel_size: int | Sequence[int]
    stride: int | Sequence[int] = 1
    padding: Padding = "SAME"
    output_padding: int | Sequence[int] = 0
    use_bias: bool = True
    dtype: DTypeLike = jnp.float32
    kernel_init: Initializer = lecun_normal()

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`x [batch, *spatial, in]` -> `[batch, *spatial * stride, features]` in `dtype`."""
        shape = (*_taps(self.kernel_size, x), x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape, jnp.float32)
        y = conv_transpose(
            x.astype(self.dtype),
            kernel.astype(self.dtype),
            stride=self.stride,
            padding=self.padding,
            output_padding=self.output_padding,
        )
        return _with_bias(self, y)


class PReLU(nn.Module):
    """max(x, 0) + slope * min(x, 0) with a learned slope, of each channel or of all (He et al.
    2015, eq. 1).

    Parameter: `slope [channels]`, or a scalar with `per_channel=False`; it starts at
    `initial_slope`.
    """

    per_channel: bool = True
    initial_slope: float = 0.25

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Any `x [..., channels]`; keeps shape and dtype."""
        shape = (x.shape[-1],) if self.per_channel else ()
        slope = self.param(
            "slope", nn.initializers.constant(self.initial_slope), shape, jnp.float32
        )
        return jnp.where(x >= 0, x, x * jnp.broadcast_to(slope.astype(x.dtype), x.shape))


class PixelShuffle(nn.Module):
    """`jaxgan.ops.resample.pixel_shuffle` as a layer."""

    factor: int | Sequence[int]

    def __call__(self, x: Array) -> Array:
        """`[batch, h, w, factor * factor * c]` -> `[batch, h * factor, w * factor, c]`."""
        return pixel_shuffle(x, self.factor)


def _taps(kernel_size, x):
    if isinstance(kernel_size, int):
        return (kernel_size,) * (x.ndim - 2)
    return tuple(kernel_size)


def _with_bias(layer, y):
    if not layer.use_bias:
        return y
    bias = layer.param("bias", nn.initializers.zeros, (layer.features,), jnp.float32)
    return _add(y, bias.astype(y.dtype))


@jax.custom_vjp
def _add(y, bias):
    return y + jnp.broadcast_to(bias, y.shape)


def _add_forward(y, bias):
    return _add(y, bias), None


def _add_backward(_, g):
    # A sum over several axes XLA takes to where the pixels of a shuffle have more axes yet, and is
    # slow there.
    return g, g.reshape(-1, g.shape[-1]).sum(axis=0)


_add.defvjp(_add_forward, _add_backward)
