"""Convolutions with fewer multiplications: Winograd's minimal filtering.

A correlation with `r` taps that gives `m` results takes `n = m + r - 1` products, not `m * r`, of
combinations of the image's pixels with combinations of the taps (Lavin and Gray, arXiv 1509.09308).
Here that is done along the first spatial axis, with rows for pixels: the image becomes `n` images
of fewer rows, each meets a kernel of a single row, and `m` rows of the result are combinations of
the `n` results. Two axes would save more products, round more, and leave XLA so many combinations
that only many channels would pay for them.

The operation with a single row is handed in, so this module knows of no library. Array shapes are
those of conv.py; stride and dilation are 1 on the first axis.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxgan.ops.geometry import Geometry

Forward = Callable[[Array, Array, Geometry], Array]
WeightGrad = Callable[[Array, Array, Geometry, tuple[int, ...]], Array]

# Where the polynomials that are multiplied are evaluated, beside infinity: among the points with
# the least error for up to eight products (Barabasz et al., arXiv 1803.10986).
_POINTS = tuple(map(Fraction, ("0", "-1", "1", "1/2", "-2", "-1/2", "2")))
# Here rows are combined by as many additions as there are points, and rounded as often.
_MOST_PRODUCTS = 6
# What lies between two combinations should stay in the cache that the cores share.
_CHUNK_BYTES = 20 * 2**20


@functools.cache
def matrices(results: int, taps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The matrices `pixels [n, n]`, `taps [n, taps]` and `results [n, results]`, of Fractions.

    `results.T @ ((taps @ kernel) * (pixels @ image))` are the first `results` numbers of the
    correlation of `image` (n numbers) with `kernel`; from Toom and Cook's algorithm, transposed.
    The three are those of a trilinear form, so exchanging them gives its other derivatives.

    Raises:
      ValueError: there are too few points for as many products.
    """
    products = results + taps - 1
    points = _POINTS[: products - 1]
    if len(points) < products - 1:
        raise ValueError(f"{results} results of {taps} taps need more than {len(points)} points")
    others = [[q for q in points if q != p] for p in points]
    lagrange = [*(_from_roots(rest) for rest in others), _from_roots(points)]
    scales = [
        math.prod((p - q for q in rest), start=Fraction(1))
        for p, rest in zip(points, others, strict=True)
    ]

    def powers(count: int) -> list[list[Fraction]]:
        at_infinity = [Fraction(k == count - 1) for k in range(count)]
        return [*([p**k for k in range(count)] for p in points), at_infinity]

    pixels = [row + [Fraction(0)] * (products - len(row)) for row in lagrange]
    scaled = [
        [value / scale for value in row]
        for row, scale in zip(powers(taps), [*scales, Fraction(1)], strict=True)
    ]
    return np.array(pixels, object), np.array(scaled, object), np.array(powers(results), object)


def _from_roots(roots: Sequence[Fraction]) -> list[Fraction]:
    """The coefficients of prod(x - root), the lowest power's first."""
    found = [Fraction(1)]
    for root in roots:
        shifted = [Fraction(0), *found]
        found = [a - root * b for a, b in zip(shifted, [*found, Fraction(0)], strict=True)]
    return found


@dataclasses.dataclass(frozen=True)
class _Plan:
    """Tiles of `results` rows each, and the matrices that belong to them."""

    results: int
    tiles: int
    from_pixels: np.ndarray
    from_taps: np.ndarray
    to_results: np.ndarray

    @property
    def products(self) -> int:
        """Of a tile."""
        return len(self.from_pixels)


def _plan(rows: int, taps: int) -> _Plan:
    """The tiles with the fewest products in all."""
    sizes = range(1, _MOST_PRODUCTS + 2 - taps)
    results = min(sizes, key=lambda m: (m + taps - 1) * -(-rows // m))
    return _Plan(results, -(-rows // results), *matrices(results, taps))


def gain(rows: int, taps: int) -> float:
    """How many times as many multiplications a plain convolution takes, for so many rows of results
    and taps on the first axis; 1 where there are too many taps."""
    if taps >= _MOST_PRODUCTS:
        return 1.0
    plan = _plan(rows, taps)
    return rows * taps / (plan.products * plan.tiles)


def forward(x: Array, kernel: Array, geometry: Geometry, single: Forward) -> Array:
    """The cross-correlation of `x` with `kernel`, a few pictures after others."""
    taps, (low, high) = len(kernel), geometry.padding[0]
    rows = x.shape[1] + low + high - taps + 1
    plan = _plan(rows, taps)
    kernels = _combine(plan.from_taps, [kernel[k : k + 1] for k in range(taps)])

    def some(x: Array) -> Array:
        images = _combine(plan.from_pixels, _rows(x, low, plan.products, plan))
        parts = [single(a, b, _inner(geometry)) for a, b in zip(images, kernels, strict=True)]
        y = jnp.stack(_combine(plan.to_results.T, parts), 2)
        return y.reshape(len(y), -1, *y.shape[3:])[:, :rows]

    numbers = plan.products * plan.tiles * math.prod(x.shape[2:-1]) * sum(kernel.shape[-2:])
    chunks = -(-len(x) * numbers * x.dtype.itemsize // _CHUNK_BYTES)
    return jnp.concatenate([some(part) for part in jnp.array_split(x, min(chunks, len(x)))])


def weight_grad(
    x: Array, g: Array, geometry: Geometry, taps: tuple[int, ...], single: WeightGrad
) -> Array:
    """The gradient with respect to a kernel of spatial shape `taps`."""
    plan = _plan(g.shape[1], taps[0])
    images = _combine(plan.from_pixels, _rows(x, geometry.padding[0][0], plan.products, plan))
    gradients = _combine(plan.to_results, _rows(g, 0, plan.results, plan))
    shape = (1, *taps[1:])
    parts = [single(a, b, _inner(geometry), shape) for a, b in zip(images, gradients, strict=True)]
    return jnp.concatenate(_combine(plan.from_taps.T, parts))


def _inner(geometry):
    """The geometry of an operation with a single row, whose zeros `_rows` has put there."""
    return geometry._replace(padding=((0, 0), *geometry.padding[1:]))


def _rows(x, before, count, plan):
    """The rows `0 ... count - 1` of every tile of `x`, each an image with as many rows as tiles.

    `x` has `before` rows of zeros more, and as many behind as it takes; negative ones are cut off.
    """
    reach = plan.results * (plan.tiles - 1)
    behind = reach + count - before - x.shape[1]
    none = ((0, 0, 0),) * (x.ndim - 2)
    # Of an `x` that nothing is put around XLA would compute every number anew for each slice.
    around = ((0, 0, 0), (before, behind if before or behind else 1, 0), *none)
    x = lax.pad(x, jnp.zeros((), x.dtype), around)
    return [lax.slice_in_dim(x, k, k + reach + 1, plan.results, axis=1) for k in range(count)]


def _combine(matrix, parts):
    """`matrix @ parts`, without its zeros."""
    return [
        functools.reduce(
            jnp.add,
            (
                part if weight == 1 else float(weight) * part
                for weight, part in zip(row, parts, strict=True)
                if weight
            ),
        )
        for row in matrix
    ]
