"""Convolutions as matrix products, for shapes that XLA's convolutions on a CPU are slow at.

`lowering` chooses. Array shapes are those of conv.py; except for `weight_grad_by_taps` there is one
group and no dilation.
"""

import itertools
import math
from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array, lax

from jaxgan.ops.geometry import Geometry
from jaxgan.ops.resample import pixel_unshuffle

# Channels of a block below which products of single blocks leave most of a processor idle.
_NARROW = 128


def forward_by_products(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """One matrix product makes what every pixel gives to its neighbours; then shifted sums.

    For stride 1 and a kernel of few taps and outputs: the intermediate result has
    prod(taps) * outputs channels.
    """
    *taps, inputs, outputs = kernel.shape
    rank = len(taps)
    columns = kernel.transpose(rank, *range(rank), rank + 1).reshape(inputs, -1)
    parts = (x.reshape(-1, inputs) @ columns).reshape(*x.shape[:-1], *taps, outputs)
    inside = [(0, 0, 0)] * (rank + 1)
    pads = [(0, 0, 0), *((low, high, 0) for low, high in geometry.padding), *inside]
    parts = lax.pad(parts, jnp.zeros((), x.dtype), pads)
    size = [n - k + 1 for n, k in zip(parts.shape[1:], taps, strict=False)]
    total = jnp.zeros((x.shape[0], *size, outputs), x.dtype)
    for tap in itertools.product(*map(range, taps)):
        window = tuple(slice(k, k + n) for k, n in zip(tap, size, strict=True))
        total = total + parts[(slice(None), *window, *tap)]
    return total


def forward_of_few(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """The sum of one product a tap, for images of few positions and kernels of many channels."""
    *taps, inputs, outputs = kernel.shape
    count = math.prod(taps)
    x = _padded(x, [(low, high, 0) for low, high in geometry.padding])
    positions = [
        (n - k) // s + 1 for n, k, s in zip(x.shape[1:-1], taps, geometry.stride, strict=True)
    ]
    seen = jnp.stack(_seen(x, positions, geometry.stride, taps))
    parts = _by_tap(seen.reshape(count, -1, inputs), kernel, geometry.swapped)
    return parts.sum(0).reshape(x.shape[0], *positions, outputs)


def input_grad_by_products(
    g: Array, kernel: Array, geometry: Geometry, size: tuple[int, ...]
) -> Array:
    """What every position of `g` gives to each tap, in one product a tap; then shifted sums.

    For images of few positions and kernels of many channels, as a U-Net has at 1x1 to 8x8 pixels:
    what a convolution costs there is to bring the kernel into another order, and a matrix product
    reads it as it lies.
    """
    *taps, inputs, outputs = kernel.shape
    count = math.prod(taps)
    rows = jnp.broadcast_to(g.reshape(1, -1, outputs), (count, g.size // outputs, outputs))
    parts = _by_tap(rows, jnp.swapaxes(kernel, -1, -2), not geometry.swapped)
    return _scattered(parts.reshape(*taps, *g.shape[:-1], inputs), geometry, size)


def weight_grad_by_products(x: Array, g: Array, geometry: Geometry, taps: tuple[int, ...]) -> Array:
    """One product of what all taps see with `g`; for a swapped kernel one for each tap.

    The latter lies as the kernel did before its axes were swapped, and needs no copy to go back.
    """
    x = _padded(x, [(low, high, 0) for low, high in geometry.padding])
    seen = _seen(x, g.shape[1:-1], geometry.stride, taps)
    rows, inputs, outputs = g.size // g.shape[-1], x.shape[-1], g.shape[-1]
    if geometry.swapped:
        columns = jnp.stack(seen).reshape(len(seen), rows, inputs)
        repeated = jnp.broadcast_to(g.reshape(1, rows, outputs), (len(seen), rows, outputs))
        product = lax.dot_general(repeated, columns, (((1,), (1,)), ((0,), (0,))))
        return jnp.swapaxes(product.reshape(*taps, outputs, inputs), -1, -2)
    columns = jnp.concatenate(seen, axis=-1).reshape(rows, len(seen) * inputs)
    product = lax.dot_general(columns, g.reshape(rows, outputs), (((0,), (0,)), ((), ())))
    return product.reshape(*taps, inputs, outputs)


def forward_by_strides(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """A product for every block of `stride` taps, of what all taps of the block see at once.

    For strided kernels over three axes. A block of `stride` pixels is one pixel with more channels,
    and a kernel of so many taps is one of a few blocks and of stride 1.
    """
    *taps, inputs, outputs = kernel.shape
    rank, stride = len(taps), geometry.stride
    positions = [
        (n + low + high - k) // s + 1
        for n, (low, high), k, s in zip(x.shape[1:-1], geometry.padding, taps, stride, strict=True)
    ]
    seen, blocks = _seen_by_blocks(x, geometry, taps, positions)
    whole = jnp.pad(
        kernel,
        [*((0, b * s - k) for b, s, k in zip(blocks, stride, taps, strict=True)), (0, 0), (0, 0)],
    )
    whole = whole.reshape(*itertools.chain(*zip(blocks, stride, strict=True)), inputs, outputs)
    order = (*range(0, 2 * rank, 2), *range(1, 2 * rank, 2), 2 * rank, 2 * rank + 1)
    columns = whole.transpose(order).reshape(len(seen), -1, outputs)
    total = seen[0] @ columns[0]
    for rows, block in zip(seen[1:], columns[1:], strict=True):
        total = total + rows @ block
    return total.reshape(x.shape[0], *positions, outputs)


def weight_grad_by_strides(x: Array, g: Array, geometry: Geometry, taps: tuple[int, ...]) -> Array:
    """The same for the gradient: a product for every block of `stride` taps.

    Blocks of a few channels are joined, so that there is one product.
    """
    rank, stride = len(taps), geometry.stride
    inputs, outputs = x.shape[-1], g.shape[-1]
    seen, blocks = _seen_by_blocks(x, geometry, taps, g.shape[1:-1])
    pixels = g.reshape(-1, outputs)
    if seen[0].shape[-1] < _NARROW:
        seen = [jnp.concatenate(seen, axis=-1)]
    products = [lax.dot_general(rows, pixels, (((0,), (0,)), ((), ()))) for rows in seen]
    whole = jnp.stack(products).reshape(*blocks, *stride, inputs, outputs)
    pairs = [axis for i in range(rank) for axis in (i, rank + i)]
    whole = whole.transpose(*pairs, 2 * rank, 2 * rank + 1)
    whole = whole.reshape(*(b * s for b, s in zip(blocks, stride, strict=True)), inputs, outputs)
    return lax.slice(whole, (0,) * (rank + 2), (*taps, inputs, outputs))


def weight_grad_by_taps(x: Array, g: Array, geometry: Geometry, taps: tuple[int, ...]) -> Array:
    """One batched product per tap: XLA's CPU backend has no fast grouped weight gradient."""
    groups = geometry.groups
    inputs, outputs = x.shape[-1] // groups, g.shape[-1] // groups
    x = _padded(x, [(low, high, 0) for low, high in geometry.padding])
    pixels = g.reshape(-1, groups, outputs)
    products = []
    for tap in itertools.product(*map(range, taps)):
        start = [k * d for k, d in zip(tap, geometry.dilation, strict=True)]
        stop = [
            a + (m - 1) * s + 1
            for a, m, s in zip(start, g.shape[1:-1], geometry.stride, strict=True)
        ]
        seen = lax.slice(
            x, (0, *start, 0), (x.shape[0], *stop, x.shape[-1]), (1, *geometry.stride, 1)
        )
        products.append(jnp.einsum("ngi,ngo->igo", seen.reshape(-1, groups, inputs), pixels))
    return jnp.stack(products).reshape(*taps, inputs, groups * outputs)


def _by_tap(rows: Array, kernel: Array, swapped: bool) -> Array:
    """`rows [taps, n, in]` times the kernel `[*taps, in, out]`: `[taps, n, out]`.

    A kernel whose axes were swapped is swapped back, which XLA takes for nothing done at all.
    """
    lies = jnp.swapaxes(kernel, -1, -2) if swapped else kernel
    lies = lies.reshape(len(rows), *lies.shape[-2:])
    return lax.dot_general(rows, lies, (((2,), (2 if swapped else 1,)), ((0,), (0,))))


def _seen(
    x: Array, positions: Sequence[int], stride: Sequence[int], taps: Sequence[int]
) -> list[Array]:
    """What each tap sees of a padded image: `[batch, *positions, in]` each."""
    found = []
    for tap in itertools.product(*map(range, taps)):
        stop = (x.shape[0], *_stops(tap, positions, stride), x.shape[-1])
        found.append(lax.slice(x, (0, *tap, 0), stop, (1, *stride, 1)))
    return found


def _seen_by_blocks(
    x: Array, geometry: Geometry, taps: Sequence[int], positions: Sequence[int]
) -> tuple[list[Array], list[int]]:
    """What each block of `stride` taps sees of an image, and how many blocks each axis has.

    The former are `[batch * prod(positions), prod(stride) * in]`, the taps of a block in order.
    """
    stride = geometry.stride
    blocks = [-(-k // s) for k, s in zip(taps, stride, strict=True)]
    pads = [
        (low, (m + b - 1) * s - n - low, 0)
        for n, (low, _), m, b, s in zip(
            x.shape[1:-1], geometry.padding, positions, blocks, stride, strict=True
        )
    ]
    wide = pixel_unshuffle(_padded(x, pads), stride)
    seen = _seen(wide, positions, (1,) * len(stride), blocks)
    return [rows.reshape(-1, wide.shape[-1]) for rows in seen], blocks


def _scattered(parts: Array, geometry: Geometry, size: tuple[int, ...]) -> Array:
    """`parts [*taps, batch, *positions, in]` added up where each tap lies: `[batch, *size, in]`."""
    taps = parts.shape[: len(size)]
    batch, *positions, inputs = parts.shape[len(size) :]
    last = tuple(k - 1 for k in taps)
    full = _stops(last, positions, geometry.stride)
    total = jnp.zeros((batch, *full, inputs), parts.dtype)
    for tap in itertools.product(*map(range, taps)):
        stops = _stops(tap, positions, geometry.stride)
        pads = [
            (k, n - stop, s - 1)
            for k, n, stop, s in zip(tap, full, stops, geometry.stride, strict=True)
        ]
        total = total + _padded(parts[tap], pads)
    cut = [
        (-low, n + low - m, 0) for (low, _), n, m in zip(geometry.padding, size, full, strict=True)
    ]
    return _padded(total, cut)


def _padded(x: Array, pads: Sequence[tuple[int, int, int]]) -> Array:
    return lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *pads, (0, 0, 0)])


def _stops(tap: Sequence[int], positions: Sequence[int], stride: Sequence[int]) -> tuple[int, ...]:
    """One past the last position that a tap sees, on each axis."""
    return tuple(k + (m - 1) * s + 1 for k, m, s in zip(tap, positions, stride, strict=True))
