"""What each member of the convolution family becomes for XLA: the one place where that is chosen.

`conv.py` holds the interface and the derivative rules and does not care how its three operations
are computed. The choice here rests on static facts alone (backend, shapes, geometry), at trace
time, so a cheaper form for some shape is one more function and one more line in `_choose`. Array
shapes are those of conv.py.
"""

import itertools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxgan.ops.geometry import Geometry
from jaxgan.ops.products import (
    forward_by_products,
    forward_by_strides,
    forward_of_few,
    input_grad_by_products,
    weight_grad_by_products,
    weight_grad_by_strides,
    weight_grad_by_taps,
)
from jaxgan.ops.resample import pixel_shuffle, pixel_unshuffle

# The side of the blocks of `_forward_by_blocks`: with 3 outputs they fill three vectors of 16.
_BLOCK = 4
# Below so many rows of a matrix product, laying a kernel out anew costs more than the product: a
# row for every so many of its numbers. Measured from 1 to 1024 rows, 0.5 to 8 million numbers.
_NUMBERS_PER_ROW = 8192
# Up to so many rows a weight gradient is one product of all taps.
_FEW_ROWS = 64
# Up to so many channels of a volume, strided convolutions are products.
_FEW_INPUTS = 16
# From so many input channels on, the groups of a convolution are worked on one after another.
_WIDE_GROUP = 4
# Pictures that a strided weight gradient wants, and below how many it cuts them into strips.
_STRIPS, _FEW_PICTURES = 8, 4


def forward(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """Emits the cross-correlation of `x` with `kernel`."""
    return _choose("forward", kernel.shape, geometry, x)(x, kernel, geometry)


def input_grad(g: Array, kernel: Array, geometry: Geometry, size: tuple[int, ...]) -> Array:
    """Emits the gradient with respect to an image of spatial shape `size`."""
    return _choose("input_grad", kernel.shape, geometry, g)(g, kernel, geometry, size)


def weight_grad(x: Array, g: Array, geometry: Geometry, taps: tuple[int, ...]) -> Array:
    """Emits the gradient with respect to a kernel of spatial shape `taps`."""
    kernel_shape = (*taps, x.shape[-1] // geometry.groups, g.shape[-1])
    return _choose("weight_grad", kernel_shape, geometry, g)(x, g, geometry, taps)


def _choose(
    operation: str, kernel_shape: tuple[int, ...], geometry: Geometry, slid: Array
) -> Callable[..., Array]:
    """The form of an operation; `slid` is the image of `forward`, and `g` of the gradients."""
    *taps, inputs, outputs = kernel_shape
    rows = math.prod(slid.shape[:-1])
    strided = max(geometry.stride) > 1
    on_cpu = jax.default_backend() == "cpu"
    plain = geometry.groups == 1 and max(geometry.dilation) == 1
    # XLA's CPU backend computes grouped convolutions number by number.
    if on_cpu and geometry.groups > 1 and inputs >= _WIDE_GROUP:
        return _BY_GROUPS[operation]
    # Sums of several products need the exponent and the digits of float32.
    products = on_cpu and plain and slid.dtype == jnp.float32
    heavy = products and rows * _NUMBERS_PER_ROW <= math.prod(kernel_shape)
    if operation == "forward":
        # XLA reads a kernel as it lies, too, unless it is larger than its image.
        if heavy and (geometry.swapped or math.prod(slid.shape[1:-1]) < math.prod(taps)):
            return forward_of_few
        if products and strided and len(taps) == 3 and inputs <= _FEW_INPUTS:
            return forward_by_strides
        # Vectors run over the output channels: with a few of them most lanes would be idle.
        few = products and not strided and outputs <= 4
        if few and inputs >= 16 and outputs * math.prod(taps) <= 32:
            return forward_by_products
        if few and inputs >= 16:
            return _forward_by_blocks
        return _forward
    if operation == "input_grad":
        if heavy:
            return input_grad_by_products
        if not strided and plain:
            return _input_grad_turned
        # XLA's CPU backend is good at small strided kernels of many channels; elsewhere it
        # multiplies by zeros.
        large = len(taps) > 2 or max(taps) > 3 or inputs <= 128
        phases = on_cpu and strided and plain and large
        return _input_grad_by_phases if phases else _input_grad_dilated
    if not on_cpu:
        return _weight_grad_native
    if geometry.groups > 1:
        return weight_grad_by_taps
    if plain and rows <= _FEW_ROWS:
        return weight_grad_by_products
    if products and strided and len(taps) == 3:
        return weight_grad_by_strides
    if plain and strided and slid.shape[0] < _FEW_PICTURES:
        return _weight_grad_by_strips
    # The output channels are the columns of a matrix product, which is slow for a few columns.
    if not strided and outputs <= 16 and outputs < inputs:
        return _weight_grad_exchanged
    return _weight_grad_canonical


def _forward(x: Array, kernel: Array, geometry: Geometry) -> Array:
    return _convolve(
        x,
        kernel,
        geometry.padding,
        stride=geometry.stride,
        kernel_dilation=geometry.dilation,
        groups=geometry.groups,
    )


def _forward_by_groups(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """One group after another, each a convolution of its own, in a loop that is compiled once.

    HiFi-GAN's critics (1-D, 41 taps, 8 to 64 channels to a group) take a tenth of the time so.
    """
    groups, one = geometry.groups, geometry._replace(groups=1)
    parts = (_groups_first(x, groups), _groups_first(kernel, groups))
    return _groups_last(lax.map(lambda part: forward(*part, one), parts))


def _input_grad_by_groups(g, kernel, geometry, size):
    groups, one = geometry.groups, geometry._replace(groups=1)
    parts = (_groups_first(g, groups), _groups_first(kernel, groups))
    return _groups_last(lax.map(lambda part: input_grad(*part, one, size), parts))


def _weight_grad_by_groups(x, g, geometry, taps):
    groups, one = geometry.groups, geometry._replace(groups=1)
    parts = (_groups_first(x, groups), _groups_first(g, groups))
    return _groups_last(lax.map(lambda part: weight_grad(*part, one, taps), parts))


_BY_GROUPS: dict[str, Callable[..., Array]] = {
    "forward": _forward_by_groups,
    "input_grad": _input_grad_by_groups,
    "weight_grad": _weight_grad_by_groups,
}


def _groups_first(x, groups):
    """`[..., channels]` to `[groups, ..., channels / groups]`."""
    return jnp.moveaxis(x.reshape(*x.shape[:-1], groups, -1), -2, 0)


def _groups_last(parts):
    """The inverse of `_groups_first`."""
    x = jnp.moveaxis(parts, 0, -2)
    return x.reshape(*x.shape[:-2], -1)


def _forward_by_blocks(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """Every block of `_BLOCK` pixels a side is one pixel, with more channels and a smaller kernel.

    For stride 1, few outputs and many taps: it multiplies by some zeros, but fills whole vectors.
    """
    *taps, inputs, outputs = kernel.shape
    rank = len(taps)
    size = [
        n + low + high - k + 1
        for n, (low, high), k in zip(x.shape[1:-1], geometry.padding, taps, strict=True)
    ]
    blocks = [-(-m // _BLOCK) for m in size]
    spans = [-(-(k + _BLOCK - 1) // _BLOCK) * _BLOCK for k in taps]
    moved = [
        jnp.pad(
            kernel,
            [*((r, s - k - r) for r, s, k in zip(start, spans, taps, strict=True)), (0, 0), (0, 0)],
        )
        for start in itertools.product(range(_BLOCK), repeat=rank)
    ]
    wide = jnp.stack(moved, axis=-2).reshape(1, *spans, -1)
    wide = pixel_unshuffle(wide, _BLOCK)[0].reshape(
        *(s // _BLOCK for s in spans), _BLOCK**rank * inputs, _BLOCK**rank * outputs
    )
    pads = [
        (low, (b - 1) * _BLOCK + s - n - low, 0)
        for n, (low, _), b, s in zip(x.shape[1:-1], geometry.padding, blocks, spans, strict=True)
    ]
    padded = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *pads, (0, 0, 0)])
    whole = pixel_shuffle(
        _convolve(pixel_unshuffle(padded, _BLOCK), wide, ((0, 0),) * rank), _BLOCK
    )
    return lax.slice(whole, (0,) * (rank + 2), (x.shape[0], *size, outputs))


def _input_grad_turned(g, kernel, geometry, size):
    """With stride 1 it is a convolution with the kernel turned around, lowered like any other."""
    taps = kernel.shape[:-2]
    pads = tuple(
        (k - 1 - low, n + low - m)
        for n, m, k, (low, _) in zip(size, g.shape[1:-1], taps, geometry.padding, strict=True)
    )
    turned = jnp.swapaxes(jnp.flip(kernel, range(len(taps))), -1, -2)
    return forward(g, turned, geometry._replace(padding=pads))


def _input_grad_dilated(g, kernel, geometry, size):
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


def _input_grad_by_phases(g, kernel, geometry, size):
    """One dense stride-1 convolution that makes the prod(stride) phases of the result as channels.

    Counted from the start of the padding, position q * stride + r of the result sees the taps r,
    r + stride, r + 2 stride ... at the pixels q, q - 1, q - 2 ... of `g`. Every phase r thus has
    the same alignment, and a kernel cut into blocks of `stride` taps is a stride-1 kernel with
    prod(stride) times the channels.
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
    phases = _convolve(g, jnp.flip(kernel, range(rank)), pads)
    start = [low - f * s for low, f, s in zip(lows, first, stride, strict=True)]
    stop = [a + n for a, n in zip(start, size, strict=True)]
    whole = pixel_shuffle(phases, stride)
    return lax.slice(whole, (0, *start, 0), (g.shape[0], *stop, inputs))


def _weight_grad_native(x, g, geometry, taps):
    """The form that lax's own derivative has, in which cuDNN and TPUs know a weight gradient."""
    spatial = _spatial_letters(len(taps))
    return lax.conv_general_dilated(
        x,
        g,
        geometry.dilation,
        _weight_grad_padding(x, g, geometry, taps),
        rhs_dilation=geometry.stride,
        dimension_numbers=(f"C{spatial}N", f"I{spatial}O", f"{spatial}NC"),
        batch_group_count=geometry.groups,
    )


def _weight_grad_canonical(x, g, geometry, taps):
    """Channels as batch, batch as channels, transposed by hand.

    XLA's CPU backend brings convolutions into its fast layout in the entry computation only: the
    native form is 40 times slower in the body of a scan or a branch of a cond.
    """
    spatial = range(1, len(taps) + 1)
    y = _convolve(
        x.transpose(x.ndim - 1, *spatial, 0),
        g.transpose(*spatial, 0, g.ndim - 1),
        _weight_grad_padding(x, g, geometry, taps),
        stride=geometry.dilation,
        kernel_dilation=geometry.stride,
    )
    return y.transpose(*spatial, 0, y.ndim - 1)


def _weight_grad_by_strips(x, g, geometry, taps):
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
    return _weight_grad_canonical(x.reshape(-1, *x.shape[2:]), g, geometry, taps)


def _weight_grad_exchanged(x, g, geometry, taps):
    """`_weight_grad_canonical` with `x` sliding over `g`, which visits the taps backwards.

    The zeros around `g` are put there by hand: XLA's CPU backend takes a kernel that is larger than
    its image for a loop over single numbers.
    """
    pads = []
    for n, m, extent, (low, _) in zip(
        x.shape[1:-1], g.shape[1:-1], geometry.extents(taps), geometry.padding, strict=True
    ):
        before = extent - 1 - low
        pads.append((before, n + extent - 1 - m - before, 0))
    g = lax.pad(g, jnp.zeros((), g.dtype), [(0, 0, 0), *pads, (0, 0, 0)])
    y = _weight_grad_canonical(g, x, geometry._replace(padding=((0, 0),) * len(taps)), taps)
    return jnp.swapaxes(jnp.flip(y, range(len(taps))), -1, -2)


def _weight_grad_padding(x, g, geometry, taps):
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
