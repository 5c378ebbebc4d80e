"""Convolutions with fewer multiplications: Toom and Cook's products of polynomials.

Along one axis, with stride `s`, a kernel is `s` kernels of every s-th tap, each over every s-th
pixel. Their results are coefficients of products of polynomials, and products are known from their
values at as many points as they have coefficients: `n + taps - 1` multiplications for a tile of `n`
results, not `n * taps` (the form of Lavin and Gray, arXiv 1509.09308, and `winograd.matrices`).
Here that is done along all spatial axes at once: taking tiles to their values and back are products
with constant matrices, and between them stands one product of channels for every point.

Image, kernel and result are taken to their values by three linear maps, and a convolution is the
trilinear form sum(image * kernel * result) of these values. So each of its three derivatives
multiplies the values of the other two, and goes back by its own map transposed; XLA computes the
values that two of them share once. Array shapes are those of conv.py; dilation and groups are 1.
"""

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxgan.ops import winograd
from jaxgan.ops.geometry import Geometry

# `onednn.multiply`, or another with its signature.
Product = Callable[..., Array]

# On two axes they leave five digits where a plain float32 convolution leaves six, and a GPU's TF32
# three. More points would leave fewer.
_MOST_POINTS = 8
# Up to so many tiles XLA is faster at cutting an image into one after another, and beyond at once:
# it makes as many passes over the image, or a single one that asks of each pixel where it goes.
_FEW_TILES = 4
# The maps' matrices are small, and their products slow: a multiplication there costs as much as
# this, divided by the points, of the channels'. Measured for 25 to 64 points.
_MAPS_COST = 96


@dataclasses.dataclass(frozen=True)
class _Axis:
    """How an axis is cut: `tiles` of `results` each, for kernels of every `stride`-th tap."""

    stride: int
    taps: int
    results: int
    tiles: int

    @property
    def points(self) -> int:
        return self.results + self.taps - 1

    @property
    def reach(self) -> int:
        """Over the results of how many tiles the points of one lie."""
        return -(-self.points // self.results)


@functools.cache
def _axis(size: int, taps: int, stride: int) -> _Axis | None:
    """The tiles with the fewest multiplications for `size` results, and of these the smallest.

    None where there are too many taps.
    """
    taps = -(-taps // stride)
    ways = [
        _Axis(stride, taps, results, -(-size // results))
        for results in range(1, _MOST_POINTS + 2 - taps)
    ]
    return min(ways, key=lambda axis: axis.tiles * axis.points, default=None)


def gain(size: tuple[int, ...], kernel_shape: tuple[int, ...], stride: tuple[int, ...]) -> float:
    """How many times as long a plain convolution takes at the speed of the channels' product.

    Args:
      size: the result's, on each axis.
      kernel_shape: `[*taps, in, out]`.
      stride: on each axis.

    Returns:
      An estimate from the multiplications; 0 where there are too many taps.
    """
    *taps, inputs, outputs = kernel_shape
    axes = [a for a in map(_axis, size, taps, stride) if a is not None]
    if len(axes) < len(taps):
        return 0.0
    points, results = math.prod(a.points for a in axes), math.prod(a.results for a in axes)
    wide = math.prod(stride) * inputs
    maps = _MAPS_COST / points * (wide * points + outputs * results)
    ours = tiles(size, taps, stride) * points * (maps + wide * outputs)
    return math.prod((*size, *taps)) * inputs * outputs / ours


def tiles(size: Sequence[int], taps: Sequence[int], stride: Sequence[int]) -> int:
    """Into how many parts the result of a picture is cut."""
    axes = map(_axis, size, taps, stride)
    return math.prod(a.tiles for a in axes if a is not None)


def forward(x: Array, kernel: Array, geometry: Geometry, product: Product) -> Array:
    """The cross-correlation of `x` with `kernel`."""
    size = geometry.results(x.shape[1:-1], kernel.shape[:-2])
    plan = _Plan.of(size, kernel.shape, geometry, product)
    image, kernels = plan.of_image(x), plan.of_kernel(kernel)
    return plan.to_result(product(image, kernels, middle=(True, False)), size)


def input_grad(
    g: Array, kernel: Array, geometry: Geometry, size: tuple[int, ...], product: Product
) -> Array:
    """The gradient with respect to an image of spatial shape `size`."""
    plan = _Plan.of(g.shape[1:-1], kernel.shape, geometry, product)
    result, kernels = plan.of_result(g), plan.of_kernel(kernel)
    values = product(result, kernels, turn_b=True, middle=(True, False))
    return plan.to_image(values, size)


def weight_grad(
    x: Array, g: Array, geometry: Geometry, taps: tuple[int, ...], product: Product
) -> Array:
    """The gradient with respect to a kernel of spatial shape `taps`."""
    shape = (*taps, x.shape[-1], g.shape[-1])
    plan = _Plan.of(g.shape[1:-1], shape, geometry, product)
    image, result = plan.of_image(x), plan.of_result(g)
    return plan.to_kernel(product(image, result, turn_a=True, middle=(True, True)), shape)


@dataclasses.dataclass(frozen=True)
class _Plan:
    """The three linear maps to values at points, `of_...`, and these transposed, `to_...`.

    Values of images and results are `[batch * tiles, points, channels]`, with the phases of an
    image among its channels: whatever is moved to get there stays within a picture.

    Attributes:
      axes: how each spatial axis is cut.
      before: zeros before the image on each axis.
      product: what multiplies.
    """

    axes: tuple[_Axis, ...]
    before: tuple[int, ...]
    product: Product

    @classmethod
    def of(
        cls,
        size: tuple[int, ...],
        kernel_shape: tuple[int, ...],
        geometry: Geometry,
        product: Product,
    ) -> "_Plan":
        axes = map(_axis, size, kernel_shape[:-2], geometry.stride)
        return cls(
            tuple(a for a in axes if a is not None),
            tuple(low for low, _ in geometry.padding),
            product,
        )

    @property
    def _tiles(self) -> int:
        """Of a picture."""
        return math.prod(a.tiles for a in self.axes)

    def of_image(self, x: Array) -> Array:
        return self._values(0, self._tiles_of_image(x))

    def to_image(self, values: Array, size: tuple[int, ...]) -> Array:
        tiles = self._back(0, values)
        if self._tiles > _FEW_TILES:
            return self._add_tiles(tiles, size)
        channels = tiles.shape[-1] // math.prod(a.stride for a in self.axes)
        return self._untiled(self._cut_tiles, tiles, (*size, channels))

    def of_kernel(self, kernel: Array) -> Array:
        """`[*taps, in, out]` to `[points, phases * in, out]`."""
        kernel = self._parts_of_kernel(kernel)
        values = self._matrix(1, kernel.dtype) @ kernel.reshape(len(kernel), -1)
        return values.reshape(-1, *kernel.shape[1:])

    def to_kernel(self, values: Array, shape: tuple[int, ...]) -> Array:
        parts = self._matrix(1, values.dtype).T @ values.reshape(len(values), -1)
        whole = jax.ShapeDtypeStruct(shape, values.dtype)
        transpose = jax.linear_transpose(self._parts_of_kernel, whole)
        return transpose(parts.reshape(-1, *values.shape[1:]))[0]

    def of_result(self, g: Array) -> Array:
        return self._values(2, self._tiles_of_result(g))

    def to_result(self, values: Array, size: tuple[int, ...]) -> Array:
        tiles = self._back(2, values)
        return self._untiled(self._tiles_of_result, tiles, (*size, tiles.shape[-1]))

    def _tiles_of_image(self, x):
        """`[batch, *spatial, in]` to `[batch * tiles, points, phases * in]`, before the map."""
        if self._tiles <= _FEW_TILES:
            return self._cut_tiles(x)
        points = math.prod(a.points for a in self.axes)
        wide = math.prod(a.stride for a in self.axes) * x.shape[-1]
        tiles = jax.ShapeDtypeStruct((len(x) * self._tiles, points, wide), x.dtype)
        add = functools.partial(self._add_tiles, size=x.shape[1:-1])
        return jax.linear_transpose(add, tiles)(x)[0]

    def _cut_tiles(self, x):
        """`_tiles_of_image`, one tile after another."""
        tiles = []
        for place in itertools.product(*(range(a.tiles) for a in self.axes)):
            starts = [
                k * a.results * a.stride - low
                for k, a, low in zip(place, self.axes, self.before, strict=True)
            ]
            seen = [
                (-start, start + a.points * a.stride - n, 0)
                for start, a, n in zip(starts, self.axes, x.shape[1:-1], strict=True)
            ]
            tile = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *seen, (0, 0, 0)])
            tiles.append(_split(tile, 1, [(a.points, a.stride) for a in self.axes]))
        wide = math.prod(a.stride for a in self.axes) * x.shape[-1]
        return jnp.stack(tiles, 1).reshape(len(x) * self._tiles, -1, wide)

    def _add_tiles(self, tiles, size):
        """`_tiles_of_image` transposed: the image of which each pixel is the sum of the tiles'.

        Tiles begin `results` points after each other, and are cut there: into a beginning, and what
        lies over the beginnings of the tiles behind. XLA adds these in one pass.
        """
        axes, rank = self.axes, len(self.axes)
        parts = [(a.tiles, a.points, a.stride) for a in axes]
        batch = len(tiles) // self._tiles
        tiles = tiles.reshape(batch, *itertools.chain(*zip(*parts, strict=True)), -1)
        # An axis is three now: its tiles, their points, the phases of these.
        around = [range(1 + axis, 1 + 3 * rank, rank) for axis in range(rank)]
        tiles = tiles.transpose(0, *itertools.chain(*around), 1 + 3 * rank)
        zero = whole = jnp.zeros((), tiles.dtype)
        for place in itertools.product(*(range(a.reach) for a in axes)):
            cuts, moves = [slice(None)], [(0, 0, 0)]
            for k, a in zip(place, axes, strict=True):
                cut = slice(k * a.results, min((k + 1) * a.results, a.points))
                missing = a.results - (cut.stop - cut.start)
                cuts += [slice(None), cut, slice(None)]
                moves += [(k, a.reach - 1 - k, 0), (0, missing, 0), (0, 0, 0)]
            whole += lax.pad(tiles[tuple(cuts)], zero, [*moves, (0, 0, 0)])
        spans = [(a.tiles + a.reach - 1) * a.results * a.stride for a in axes]
        whole = whole.reshape(batch, *spans, -1)
        seen = [
            (-low, low + n - span, 0) for low, n, span in zip(self.before, size, spans, strict=True)
        ]
        return lax.pad(whole, zero, [(0, 0, 0), *seen, (0, 0, 0)])

    def _tiles_of_result(self, g):
        """`[batch, *spatial, out]` to `[batch * tiles, results of a tile, out]`."""
        missing = [
            (0, a.tiles * a.results - n, 0) for a, n in zip(self.axes, g.shape[1:-1], strict=True)
        ]
        g = lax.pad(g, jnp.zeros((), g.dtype), [(0, 0, 0), *missing, (0, 0, 0)])
        g = _split(g, 1, [(a.tiles, a.results) for a in self.axes])
        return g.reshape(-1, math.prod(a.results for a in self.axes), g.shape[-1])

    def _untiled(self, tiles_of, tiles, shape):
        """`tiles_of` transposed: pictures `shape`, each pixel the sum of what tiles have there."""
        whole = jax.ShapeDtypeStruct((len(tiles) // self._tiles, *shape), tiles.dtype)
        return jax.linear_transpose(tiles_of, whole)(tiles)[0]

    def _parts_of_kernel(self, kernel):
        """`[*taps, in, out]` to `[taps of a phase, phases * in, out]`."""
        missing = [
            (0, a.taps * a.stride - k, 0) for a, k in zip(self.axes, kernel.shape[:-2], strict=True)
        ]
        kernel = lax.pad(kernel, jnp.zeros((), kernel.dtype), [*missing, (0, 0, 0), (0, 0, 0)])
        kernel = _split(kernel, 0, [(a.taps, a.stride) for a in self.axes])
        return kernel.reshape(math.prod(a.taps for a in self.axes), -1, kernel.shape[-1])

    def _values(self, which, x):
        """The map's matrix times each of `x [rows, coefficients, channels]`."""
        return self.product(self._matrix(which, x.dtype)[None], x)

    def _back(self, which, values):
        """The map's transpose times each of `values [points, rows, channels]`, rows first."""
        matrix = self._matrix(which, values.dtype).T
        return self.product(matrix[None], values, middle=(False, True))

    def _matrix(self, which, dtype):
        each = [winograd.matrices(a.results, a.taps)[which] for a in self.axes]
        return jnp.asarray(functools.reduce(np.kron, each).astype(dtype))


def _split(x, first, parts):
    """Splits the axes from `first` on, each into a pair, and puts all second parts behind."""
    rank = len(parts)
    x = x.reshape(*x.shape[:first], *itertools.chain(*parts), *x.shape[first + rank :])
    each, rest = range(first, first + 2 * rank), range(first + 2 * rank, x.ndim)
    return x.transpose(*range(first), *each[::2], *each[1::2], *rest)
