"""Convolutions whose derivatives of every order are again fast convolutions.

A convolution y = conv(x, w) defines the trilinear form T(x, w, g) = <g, conv(x, w)>. Its
gradients with respect to g, x and w are the three operations `conv`, `conv_input_grad` and
`conv_weight_grad`, and the derivative of each of the three is made of the other two.
Differentiating `lax.conv_general_dilated` leaves this family instead: XLA then meets convolutions
with image-sized kernels and unusual layouts, which on a CPU cost up to 40 times more inside
`lax.scan` and 10 times more for a transposed convolution.

Everything is channels last, for one, two or three spatial axes, told by the kernel's rank: images
`[batch, *spatial, channels]`, kernels `[*taps, in / groups, out]`. Image and kernel share one
float dtype, which is also the result's; sums of 16-bit numbers are accumulated in float32. The
operations work under `jit`, `vmap`, `lax.scan` and `jax.checkpoint`, and on meshes with Auto
axes. Like every `jax.custom_vjp` they have no forward-mode derivative (`jax.jvp`).
"""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import Array

from jaxgan.ops import lowering
from jaxgan.ops.geometry import Geometry

Padding = str | int | Sequence[tuple[int, int]]


def conv(
    x: Array,
    kernel: Array,
    *,
    stride: int | Sequence[int] = 1,
    padding: Padding = "SAME",
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Array:
    """Cross-correlates `x [batch, *spatial, in]` with `kernel [*taps, in / groups, out]`.

    `padding` is 'SAME' (size / stride, rounded up), 'VALID', a number of zeros for every side, or
    a pair (before, after) per spatial axis. `groups == in` is a depthwise convolution.

    Returns `[batch, *spatial / stride, out]`. Raises ValueError when the shapes do not fit
    together.
    """
    _check(x, kernel, groups)
    rank = kernel.ndim - 2
    strides, dilations = _per_axis(stride, rank), _per_axis(dilation, rank)
    extents = Geometry(strides, (), dilations).extents(kernel.shape[:-2])
    pads = _resolve_padding(padding, x.shape[1:-1], extents, strides)
    for size, extent, (low, high) in zip(x.shape[1:-1], extents, pads, strict=True):
        if size + low + high < extent:
            raise ValueError(
                f"the kernel spans {extent} positions, the padded image has {size + low + high}: "
                f"image {x.shape}, kernel {kernel.shape}, dilation {dilations}, padding {padding!r}"
            )
    return _conv(x, kernel, Geometry(strides, pads, dilations, groups))


def conv_transpose(
    x: Array,
    kernel: Array,
    *,
    stride: int | Sequence[int] = 1,
    padding: Padding = "SAME",
    output_padding: int | Sequence[int] = 0,
) -> Array:
    """Adds, for every pixel of `x [batch, *spatial, in]`, its copy of `kernel [*taps, in, out]`.

    Pixel m adds `x[m] @ kernel[k]` at position `m * stride + k - before`. This is the
    input-gradient of `conv`, and the kernel lies as PyTorch's does (`lax.conv_transpose` flips
    it). The full result has `(size - 1) * stride + taps` positions, and `padding` says what is
    removed from it:

    - 'SAME': exactly `size * stride` remain.
    - 'VALID': nothing; where `taps < stride`, zeros complete `size * stride`, as in lax and Keras.
    - an int p: p on either side, as PyTorch's `ConvTranspose(padding=p)`.
    - pairs: (before, after) per spatial axis.

    With an int or pairs, `output_padding` (less than the stride) keeps that many positions more
    at the end. Returns `[batch, *spatial, out]`. Raises ValueError when the shapes do not fit
    together.
    """
    _check(x, kernel, groups=1)
    rank = kernel.ndim - 2
    strides, extra = _per_axis(stride, rank), _per_axis(output_padding, rank)
    taps = kernel.shape[:-2]
    if isinstance(padding, str):
        if any(extra):
            raise ValueError(f"output_padding goes with an int or pairs, not with {padding!r}")
        grown = 0 if padding == "SAME" else 1
        size = tuple(
            m * s + grown * max(k - s, 0)
            for m, k, s in zip(x.shape[1:-1], taps, strides, strict=True)
        )
        pads = _resolve_padding(padding, size, taps, strides)
    else:
        if any(e >= s for e, s in zip(extra, strides, strict=True)):
            raise ValueError(f"output_padding {extra} must be less than the stride {strides}")
        pads = _resolve_padding(padding, x.shape[1:-1], taps, strides)
        size = tuple(
            (m - 1) * s + k + e - low - high
            for m, k, s, e, (low, high) in zip(
                x.shape[1:-1], taps, strides, extra, pads, strict=True
            )
        )
    if min(size) < 1:
        raise ValueError(
            f"nothing remains of the result: image {x.shape}, kernel {kernel.shape}, "
            f"stride {strides}, padding {padding!r}"
        )
    geometry = Geometry(strides, pads, (1,) * rank, swapped=True)
    return conv_input_grad(x, jnp.swapaxes(kernel, -1, -2), geometry, size)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _conv(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """`conv` with everything resolved: the first of the family."""
    return lowering.forward(x, kernel, geometry)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def conv_input_grad(g: Array, kernel: Array, geometry: Geometry, size: tuple[int, ...]) -> Array:
    """The gradient of <g, conv(x, kernel)> with respect to x, whose spatial shape is `size`.

    `g [batch, *spatial / stride, out]`, `kernel [*taps, in / groups, out]` -> `[batch, *size,
    in]`.
    """
    return lowering.input_grad(g, kernel, geometry, size)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def conv_weight_grad(x: Array, g: Array, geometry: Geometry, taps: tuple[int, ...]) -> Array:
    """The gradient of <g, conv(x, kernel)> with respect to the kernel, whose spatial shape is
    `taps`.

    `x [batch, *spatial, in]`, `g [batch, *spatial / stride, out]` -> `[*taps, in / groups, out]`.
    """
    return lowering.weight_grad(x, g, geometry, taps)


def _conv_forward(x, kernel, geometry):
    return _conv(x, kernel, geometry), (x, kernel)


def _conv_backward(geometry, saved, g):
    x, kernel = saved
    return (
        conv_input_grad(g, kernel, geometry, x.shape[1:-1]),
        conv_weight_grad(x, g, geometry, kernel.shape[:-2]),
    )


def _input_grad_forward(g, kernel, geometry, size):
    return conv_input_grad(g, kernel, geometry, size), (g, kernel)


def _input_grad_backward(geometry, size, saved, x):
    g, kernel = saved
    return _conv(x, kernel, geometry), conv_weight_grad(x, g, geometry, kernel.shape[:-2])


def _weight_grad_forward(x, g, geometry, taps):
    return conv_weight_grad(x, g, geometry, taps), (x, g)


def _weight_grad_backward(geometry, taps, saved, kernel):
    x, g = saved
    return conv_input_grad(g, kernel, geometry, x.shape[1:-1]), _conv(x, kernel, geometry)


_conv.defvjp(_conv_forward, _conv_backward)
conv_input_grad.defvjp(_input_grad_forward, _input_grad_backward)
conv_weight_grad.defvjp(_weight_grad_forward, _weight_grad_backward)


def _check(x, kernel, groups):
    if not 3 <= kernel.ndim <= 5 or x.ndim != kernel.ndim:
        raise ValueError(
            f"image {x.shape} and kernel {kernel.shape}: wanted are [batch, *spatial, in] and "
            "[*taps, in / groups, out] with the same 1 to 3 spatial axes"
        )
    if x.dtype != kernel.dtype or not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(f"image and kernel need one float dtype, not {x.dtype} and {kernel.dtype}")
    if x.shape[-1] != kernel.shape[-2] * groups or kernel.shape[-1] % groups:
        raise ValueError(
            f"the channels do not fit: image {x.shape}, kernel {kernel.shape}, groups {groups}"
        )


def _per_axis(value, rank):
    values = (value,) * rank if isinstance(value, int) else tuple(value)
    if len(values) != rank:
        raise ValueError(f"{values} should have one entry for each of {rank} spatial axes")
    return values


def _resolve_padding(padding, size, extents, stride):
    """Zeros (before, after) on each axis of the image of a forward convolution."""
    if padding == "VALID":
        return ((0, 0),) * len(size)
    if padding == "SAME":
        totals = [
            max((-(-n // s) - 1) * s + extent - n, 0)
            for n, extent, s in zip(size, extents, stride, strict=True)
        ]
        return tuple((total // 2, total - total // 2) for total in totals)
    if isinstance(padding, str):
        raise ValueError(f"padding is 'SAME', 'VALID', an int or pairs of ints, not {padding!r}")
    if isinstance(padding, int):
        return ((padding, padding),) * len(size)
    pairs = tuple((low, high) for low, high in padding)
    if len(pairs) != len(size):
        raise ValueError(f"padding {pairs} should have a pair for each of {len(size)} axes")
    return pairs
