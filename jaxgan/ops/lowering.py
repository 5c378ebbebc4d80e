"""What each member of the convolution family becomes for XLA: the one place where that is chosen.

`conv.py` holds the interface and the derivative rules and does not care how its three operations
are computed. The choice here rests on static facts alone (backend, shapes, geometry), at trace
time, so a cheaper form for some shape is one more function and one more line in `_choose`. Array
shapes are those of conv.py.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxgan.ops import onednn, toom, winograd
from jaxgan.ops.forms import (
    forward_by_blocks,
    forward_plain,
    input_grad_by_phases,
    input_grad_dilated,
    weight_grad_by_strips,
    weight_grad_canonical,
    weight_grad_exchanged,
    weight_grad_native,
)
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

# Below so many rows of a matrix product, laying a kernel out anew costs more than the product: a
# row for every so many of its numbers. Measured from 1 to 1024 rows, 0.5 to 8 million numbers.
_NUMBERS_PER_ROW = 8192
# Up to so many rows a weight gradient is one product of all taps, and oneDNN is not worth a call.
_FEW_ROWS = 64
# Up to so many channels of a volume, strided convolutions are products.
_FEW_INPUTS = 16
# From so many input channels on, the groups of a convolution are worked on one after another.
_WIDE_GROUP = 4
# Below so many pictures a strided weight gradient cuts them into strips.
_FEW_PICTURES = 4
# The phases of fewer rows than this are better made by one of its convolutions than by several.
_MANY_ROWS = 1024
# Vectors run over the output channels. So few of them, of so many input channels, are one product
# and shifted sums, or, where these would be more than so many, pixels in blocks become channels.
_FEW_OUTPUTS = 4
_WIDE_FOR_FEW = 16
_MOST_SUMS = 32
# Of so many outputs oneDNN is better at blocks of 2 than XLA is at blocks of 4. Measured for 1 to 3
# outputs of 16 to 64 channels, 7x7 and 9x9 taps: with 3 it takes half to two thirds of the time.
_FILL_BLOCKS = 3
# Winograd's algorithm is used where it takes so many times fewer multiplications, of so many
# channels that combining rows is a small part of the work; with kernels of no more than so many
# times the numbers of the images, and for weight gradients of images that stay in a cache.
_LEAST_GAIN = 1.5
_WIDE_FOR_WINOGRAD = 64
_KERNEL_TO_IMAGES = 2
_MOST_NUMBERS = 12_000_000
# Toom and Cook's, which rounds more, wants as much gain, as many channels, more than a few rows,
# and so many multiplications at each point.
_LEAST_WORK = 2_000_000
# With stride 1 it competes with Winograd's, which lags behind its gain at weight gradients.
_GAIN_TO_WINOGRAD = {"forward": 1.1, "input_grad": 1.1, "weight_grad": 0.9}
# Winograd's algorithm writes whole rows of results: a weight gradient's should not be shorter.
_SHORTEST_ROW = 8


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
    if on_cpu:
        by_onednn = _choose_onednn(operation, kernel_shape, geometry, slid)
        if by_onednn is not None:
            return by_onednn
    # Sums of several products need the exponent and the digits of float32.
    products = on_cpu and plain and slid.dtype == jnp.float32
    heavy = products and rows * _NUMBERS_PER_ROW <= math.prod(kernel_shape)
    if operation == "forward":
        # XLA reads a kernel as it lies, too, unless it is larger than its image.
        if heavy and (geometry.swapped or math.prod(slid.shape[1:-1]) < math.prod(taps)):
            return forward_of_few
        if products and strided and len(taps) == 3 and inputs <= _FEW_INPUTS:
            return forward_by_strides
        if products and _few_outputs(kernel_shape, geometry):
            few_sums = outputs * math.prod(taps) <= _MOST_SUMS
            return forward_by_products if few_sums else forward_by_blocks
        return forward_plain
    if operation == "input_grad":
        if heavy:
            return input_grad_by_products
        if not strided and plain:
            return _input_grad_turned
        # XLA's CPU backend is good at small strided kernels of many channels; elsewhere it
        # multiplies by zeros.
        large = len(taps) > 2 or max(taps) > 3 or inputs <= 128
        phases = on_cpu and strided and plain and large
        return input_grad_by_phases if phases else input_grad_dilated
    if not on_cpu:
        return weight_grad_native
    if geometry.groups > 1:
        return weight_grad_by_taps
    if plain and rows <= _FEW_ROWS:
        return weight_grad_by_products
    if products and strided and len(taps) == 3:
        return weight_grad_by_strides
    if plain and strided and slid.shape[0] < _FEW_PICTURES:
        return weight_grad_by_strips
    # The output channels are the columns of a matrix product, which is slow for a few columns.
    if not strided and outputs <= 16 and outputs < inputs:
        return weight_grad_exchanged
    return weight_grad_canonical


def _choose_onednn(
    operation: str, kernel_shape: tuple[int, ...], geometry: Geometry, slid: Array
) -> Callable[..., Array] | None:
    """The form for oneDNN, or None where it may not be used or XLA has a better one."""
    *taps, inputs, outputs = kernel_shape
    rows, numbers = math.prod(slid.shape[:-1]), math.prod(kernel_shape)
    strided = max(geometry.stride) > 1
    results = rows // math.prod(geometry.stride) if operation == "forward" else rows
    if geometry.groups > 1 or not onednn.chosen(slid, 2 * results * numbers):
        return None
    if _toom_pays(operation, kernel_shape, geometry, slid):
        return _BY_TOOM[operation]
    if operation == "forward":
        # oneDNN lays every kernel out anew, which costs more than the products of few results.
        if results <= _FEW_ROWS:
            return None
        if _few_outputs(kernel_shape, geometry):
            flat, many = len(taps) == 2, outputs * math.prod(taps) > _MOST_SUMS
            fills = outputs >= _FILL_BLOCKS and max(geometry.dilation) == 1
            return _forward_by_onednn_blocks if flat and many and fills else None
        size, *_ = geometry.results(slid.shape[1:-1], taps)
        pays = _winograd_pays(size, kernel_shape, geometry, results * (inputs + outputs))
        return _forward_by_winograd if pays else onednn.forward
    if max(geometry.dilation) > 1:
        return None
    if operation == "input_grad":
        if not strided or rows * _NUMBERS_PER_ROW <= numbers:
            return None
        uneven = any(k % s for k, s in zip(taps, geometry.stride, strict=True))
        if inputs >= 16 and (uneven or rows >= _MANY_ROWS):
            return onednn.input_grad_by_single_phases
        return _input_grad_by_onednn_phases
    if not strided and outputs <= 16 and outputs < inputs:
        return onednn.weight_grad_exchanged
    if taps[-1] * inputs < _SHORTEST_ROW or rows <= _FEW_ROWS:
        return None
    images = rows * (inputs + outputs)
    pays = _winograd_pays(slid.shape[1], kernel_shape, geometry, images)
    if pays and images <= _MOST_NUMBERS:
        return _weight_grad_by_winograd
    return onednn.weight_grad_by_rows


def _few_outputs(kernel_shape: tuple[int, ...], geometry: Geometry) -> bool:
    *_, inputs, outputs = kernel_shape
    return max(geometry.stride) == 1 and outputs <= _FEW_OUTPUTS and inputs >= _WIDE_FOR_FEW


def _winograd_pays(
    size: int, kernel_shape: tuple[int, ...], geometry: Geometry, images: int
) -> bool:
    """Whether combining rows costs less than the multiplications that it saves oneDNN.

    Args:
      size: rows of the result of `forward`, of `g`.
      kernel_shape: `[*taps, in, out]`.
      geometry: how it slides.
      images: numbers in the image and in the result, or in `g`.
    """
    plain = max(geometry.stride) == 1 and max(geometry.dilation) == 1
    # Of a signal's kernel a single tap would be left: a product that is short of work for its data.
    plain = plain and len(kernel_shape) > 3
    wide = min(kernel_shape[-2:]) >= _WIDE_FOR_WINOGRAD
    small = math.prod(kernel_shape) <= _KERNEL_TO_IMAGES * images
    return plain and wide and small and winograd.gain(size, kernel_shape[0]) >= _LEAST_GAIN


def _toom_pays(
    operation: str, kernel_shape: tuple[int, ...], geometry: Geometry, slid: Array
) -> bool:
    """Whether two axes' worth of multiplications saved pay for what it takes to save them.

    It holds for the three operations of a convolution, which share their values, or for none; but
    of stride 1 some weight gradients alone gain by it.
    """
    *taps, inputs, outputs = kernel_shape
    plain = len(taps) == 2 and max(geometry.dilation) == 1
    # It keeps five digits. Who asks for all gets them.
    if getattr(jax.config, "jax_default_matmul_precision", None) in ("highest", "float32"):
        return False
    if not plain or min(inputs, outputs) < _WIDE_FOR_WINOGRAD:
        return False
    size = slid.shape[1:-1]
    if operation == "forward":
        size = geometry.results(size, taps)
    least = _LEAST_GAIN
    if max(geometry.stride) == 1:
        least = max(least, _GAIN_TO_WINOGRAD[operation] * winograd.gain(size[0], taps[0]))
    if toom.gain(size, kernel_shape, geometry.stride) < least:
        return False
    rows = slid.shape[0] * toom.tiles(size, taps, geometry.stride)
    work = rows * math.prod(geometry.stride) * inputs * outputs
    return rows >= _FEW_ROWS and work >= _LEAST_WORK


def _forward_by_toom(x, kernel, geometry):
    return toom.forward(x, kernel, geometry, onednn.multiply)


def _input_grad_by_toom(g, kernel, geometry, size):
    return toom.input_grad(g, kernel, geometry, size, onednn.multiply)


def _weight_grad_by_toom(x, g, geometry, taps):
    return toom.weight_grad(x, g, geometry, taps, onednn.multiply)


_BY_TOOM: dict[str, Callable[..., Array]] = {
    "forward": _forward_by_toom,
    "input_grad": _input_grad_by_toom,
    "weight_grad": _weight_grad_by_toom,
}


def _forward_by_onednn_blocks(x, kernel, geometry):
    return forward_by_blocks(x, kernel, geometry, 2, onednn.convolve)


def _forward_by_winograd(x, kernel, geometry):
    return winograd.forward(x, kernel, geometry, onednn.forward)


def _weight_grad_by_winograd(x, g, geometry, taps):
    return winograd.weight_grad(x, g, geometry, taps, onednn.weight_grad_by_rows)


def _input_grad_by_onednn_phases(g, kernel, geometry, size):
    return input_grad_by_phases(g, kernel, geometry, size, onednn.convolve)


def _forward_by_groups(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """One group after another, each a convolution of its own, in a loop that is compiled once.

    For few wide groups, as in HiFi-GAN's critics (1-D, 41 taps, 8 to 64 channels to a group).
    """
    groups, one = geometry.groups, geometry._replace(groups=1)
    parts = (_groups_first(x, groups), _groups_first(kernel, groups))
    return _groups_last(lax.map(lambda part: forward(part[0], part[1], one), parts))


def _input_grad_by_groups(g, kernel, geometry, size):
    groups, one = geometry.groups, geometry._replace(groups=1)
    parts = (_groups_first(g, groups), _groups_first(kernel, groups))
    return _groups_last(lax.map(lambda part: input_grad(part[0], part[1], one, size), parts))


def _weight_grad_by_groups(x, g, geometry, taps):
    groups, one = geometry.groups, geometry._replace(groups=1)
    parts = (_groups_first(x, groups), _groups_first(g, groups))
    return _groups_last(lax.map(lambda part: weight_grad(part[0], part[1], one, taps), parts))


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


def _input_grad_turned(g, kernel, geometry, size):
    """With stride 1 it is a convolution with the kernel turned around, lowered like any other."""
    taps = kernel.shape[:-2]
    pads = tuple(
        (k - 1 - low, n + low - m)
        for n, m, k, (low, _) in zip(size, g.shape[1:-1], taps, geometry.padding, strict=True)
    )
    turned = jnp.swapaxes(jnp.flip(kernel, range(len(taps))), -1, -2)
    return forward(g, turned, geometry._replace(padding=pads))
