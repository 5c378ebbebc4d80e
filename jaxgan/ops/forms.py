"""Convolutions as other convolutions, for what XLA is slow at.

`lowering` chooses. Array shapes are those of conv.py.
"""

import itertools
import math
from collections.abc import Callable

import jax.numpy as jnp
from jax import Array, lax

from jaxgan.ops.geometry import Geometry
from jaxgan.ops.resample import pixel_shuffle, pixel_unshuffle

# Pictures that a strided weight gradient wants.
_STRIPS = 8


def forward_plain(x: Array, kernel: Array, geometry: Geometry) -> Array:
    return _convolve(
        x,
        kernel,
        geometry.padding,
        stride=geometry.stride,
        kernel_dilation=geometry.dilation,
        groups=geometry.groups,
    )


def forward_by_blocks(
    x: Array,
    kernel: Array,
    geometry: Geometry,
    side: int = 4,
    convolve: Callable[..., Array] | None = None,
) -> Array:
    """Every block of `side` pixels a side is one pixel, with more channels and a smaller kernel.

    For stride 1, few outputs and many taps: it multiplies by some zeros, but fills whole vectors.
    With 3 outputs blocks of 4 fill three vectors of 16. `convolve` is what computes it, XLA by
    default.
    """
    *taps, inputs, outputs = kernel.shape
    rank = len(taps)
    size = geometry.results(x.shape[1:-1], taps)
    blocks = [-(-m // side) for m in size]
    spans = [-(-(k + side - 1) // side) * side for k in taps]
    moved = [
        jnp.pad(
            kernel,
            [*((r, s - k - r) for r, s, k in zip(start, spans, taps, strict=True)), (0, 0), (0, 0)],
        )
        for start in itertools.product(range(side), repeat=rank)
    ]
    wide = jnp.stack(moved, axis=-2).reshape(1, *spans, -1)
    wide = pixel_unshuffle(wide, side)[0].reshape(
        *(s // side for s in spans), side**rank * inputs, side**rank * outputs
    )
    pads = [
        (low, (b - 1) * side + s - n - low, 0)
        for n, (low, _), b, s in zip(x.shape[1:-1], geometry.padding, blocks, spans, strict=True)
    ]
    padded = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *pads, (0, 0, 0)])
    y = (convolve or _convolve)(pixel_unshuffle(padded, side), wide, ((0, 0),) * rank)
    whole = pixel_shuffle(y, side)
    return lax.slice(whole, (0,) * (rank + 2), (x.shape[0], *size, outputs))


def input_grad_dilated(g: Array, kernel: Array, geometry: Geometry, size: tuple[int, ...]) -> Array:
    """Stride-1 convolution of `g`, spread out by the stride, with the kernel turned around."""
    *taps, inputs, outputs = kernel.shape
    groups, stride = geometry.groups, geometry.stride
    kernel = kernel.reshape(*taps, inputs, groups, outputs // groups)
    kernel = jnp.swapaxes(kernel, -3, -1).reshape(*taps, outputs // groups, groups * inputs)
    pads = []
    for n, m, s, extent, (low, _) in zip(
        size, g.shape[1:-1], stride, geometry.extents(taps), geometry.padding, strict=True
    ):
        before = extent - 1 - low
        pads.append((before, n + extent - 1 - before - ((m - 1) * s + 1)))
    return _convolve(
        g,
        jnp.flip(kernel, range(len(taps))),
        pads,
        image_dilation=stride,
        kernel_dilation=geometry.dilation,
        groups=groups,
    )


def input_grad_by_phases(
    g: Array,
    kernel: Array,
    geometry: Geometry,
    size: tuple[int, ...],
    convolve: Callable[..., Array] | None = None,
) -> Array:
    """One dense stride-1 convolution that makes the prod(stride) phases of the result as channels.

    Counted from the start of the padding, position q * stride + r of the result sees the taps r,
    r + stride, r + 2 stride ... at the pixels q, q - 1, q - 2 ... of `g`. Every phase r thus has
    the same alignment, and a kernel cut into blocks of `stride` taps is a stride-1 kernel with
    prod(stride) times the channels. `convolve` is what computes it, XLA by default.
    """
    *taps, inputs, outputs = kernel.shape
    stride = geometry.stride
    rank = len(stride)
    blocks = [-(-k // s) for k, s in zip(taps, stride, strict=True)]
    missing = [(0, b * s - k) for b, s, k in zip(blocks, stride, taps, strict=True)]
    kernel = jnp.pad(kernel, [*missing, (0, 0), (0, 0)])
    kernel = kernel.reshape(*itertools.chain(*zip(blocks, stride, strict=True)), inputs, outputs)
    kernel = kernel.transpose(
        *range(0, 2 * rank, 2), 2 * rank + 1, *range(1, 2 * rank, 2), 2 * rank
    ).reshape(*blocks, outputs, math.prod(stride) * inputs)

    lows = [low for low, _ in geometry.padding]
    first = [low // s for low, s in zip(lows, stride, strict=True)]
    last = [(low + n - 1) // s for low, n, s in zip(lows, size, stride, strict=True)]
    pads = [
        (b - 1 - f, e + 1 - m)
        for b, f, e, m in zip(blocks, first, last, g.shape[1:-1], strict=True)
    ]
    phases = (convolve or _convolve)(g, jnp.flip(kernel, range(rank)), pads)
    start = [low - f * s for low, f, s in zip(lows, first, stride, strict=True)]
    stop = [a + n for a, n in zip(start, size, strict=True)]
    whole = pixel_shuffle(phases, stride)
    return lax.slice(whole, (0, *start, 0), (g.shape[0], *stop, inputs))


def weight_grad_native(x: Array, g: Array, geometry: Geometry, taps: tuple[int, ...]) -> Array:
    """The form that lax's own derivative has, in which cuDNN and TPUs know a weight gradient."""
    spatial = _spatial_letters(len(taps))
    return lax.conv_general_dilated(
        x,
        g,
        geometry.dilation,
        weight_grad_padding(x, g, geometry, taps),
        rhs_dilation=geometry.stride,
        dimension_numbers=(f"C{spatial}N", f"I{spatial}O", f"{spatial}NC"),
        batch_group_count=geometry.groups,
    )


def weight_grad_canonical(x: Array, g: Array, geometry: Geometry, taps: tuple[int, ...]) -> Array:
    """Channels as batch, batch as channels, transposed by hand.

    XLA's CPU backend brings convolutions into its fast layout in the entry computation only: the
    native form is 40 times slower in the body of a scan or a branch of a cond.
    """
    spatial = range(1, len(taps) + 1)
    y = _convolve(
        x.transpose(x.ndim - 1, *spatial, 0),
        g.transpose(*spatial, 0, g.ndim - 1),
        weight_grad_padding(x, g, geometry, taps),
        stride=geometry.dilation,
        kernel_dilation=geometry.stride,
    )
    return y.transpose(*spatial, 0, y.ndim - 1)


def weight_grad_by_strips(x: Array, g: Array, geometry: Geometry, taps: tuple[int, ...]) -> Array:
    """Every picture in strips of rows, which are pictures of their own.

    In the canonical form the pictures of a batch are the channels of a convolution, and a few of
    these leave most lanes of its vectors idle.
    """
    count = min(-(-_STRIPS // g.shape[0]), g.shape[1])
    rows = -(-g.shape[1] // count)
    (low, _), *others = geometry.padding
    stride, extent = geometry.stride[0], geometry.extents(taps)[0]
    span, step = (rows - 1) * stride + extent, rows * stride
    high = (count - 1) * step + span - low - x.shape[1]
    beside = [(0, 0, 0)] * (x.ndim - 2)
    zero = jnp.zeros((), x.dtype)
    x = lax.pad(x, zero, [(0, 0, 0), (low, high, 0), *beside])
    g = lax.pad(g, zero, [(0, 0, 0), (0, count * rows - g.shape[1], 0), *beside])
    # Strips come after their picture, so that a batch which lies on several devices stays there.
    x = jnp.stack([x[:, i * step : i * step + span] for i in range(count)], axis=1)
    g = g.reshape(-1, rows, *g.shape[2:])
    geometry = geometry._replace(padding=((0, 0), *others))
    return weight_grad_canonical(x.reshape(-1, *x.shape[2:]), g, geometry, taps)


def weight_grad_exchanged(x: Array, g: Array, geometry: Geometry, taps: tuple[int, ...]) -> Array:
    """`weight_grad_canonical` with `x` sliding over `g`, which visits the taps backwards.

    The zeros around `g` are put there by hand: XLA's CPU backend takes a kernel that is larger than
    its image for a loop over single numbers.
    """
    pads = [(low, high, 0) for low, high in exchanged_padding(x, g, geometry, taps)]
    g = lax.pad(g, jnp.zeros((), g.dtype), [(0, 0, 0), *pads, (0, 0, 0)])
    y = weight_grad_canonical(g, x, geometry._replace(padding=((0, 0),) * len(taps)), taps)
    return jnp.swapaxes(jnp.flip(y, range(len(taps))), -1, -2)


def exchanged_padding(
    x: Array, g: Array, geometry: Geometry, taps: tuple[int, ...]
) -> list[tuple[int, int]]:
    """Padding that makes `x` slide over `g` exactly `taps` times, at stride 1."""
    pads = []
    for n, m, extent, (low, _) in zip(
        x.shape[1:-1], g.shape[1:-1], geometry.extents(taps), geometry.padding, strict=True
    ):
        before = extent - 1 - low
        pads.append((before, n + extent - 1 - m - before))
    return pads


def weight_grad_padding(
    x: Array, g: Array, geometry: Geometry, taps: tuple[int, ...]
) -> list[tuple[int, int]]:
    """Padding that makes `g`, spread out by the stride, slide over `x` exactly `taps` times."""
    pads = []
    for n, m, s, extent, (low, _) in zip(
        x.shape[1:-1],
        g.shape[1:-1],
        geometry.stride,
        geometry.extents(taps),
        geometry.padding,
        strict=True,
    ):
        pads.append((low, extent - 1 + (m - 1) * s + 1 - n - low))
    return pads


def _convolve(
    x, kernel, padding, *, stride=None, image_dilation=None, kernel_dilation=None, groups=1
):
    spatial = _spatial_letters(x.ndim - 2)
    return lax.conv_general_dilated(
        x,
        kernel,
        stride or (1,) * len(spatial),
        padding,
        lhs_dilation=image_dilation,
        rhs_dilation=kernel_dilation,
        dimension_numbers=(f"N{spatial}C", f"{spatial}IO", f"N{spatial}C"),
        feature_group_count=groups,
    )


def _spatial_letters(rank):
    return "DHW"[3 - rank :]
