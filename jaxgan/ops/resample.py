"""Changes of resolution of `[batch, *spatial, channels]`, with one, two or three spatial axes."""

import math
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jax import Array, lax


def pixel_shuffle(x: Array, factor: int | Sequence[int]) -> Array:
    """Unfolds channels into space: `[b, h, w, f * f * c]` -> `[b, h * f, w * f, c]`.

    Sub-pixel convolution's periodic shuffling (Shi et al. 2016, eq. 4). The channels are read as
    `[rows, columns, c]`, as `tf.nn.depth_to_space` does; PyTorch's `PixelShuffle` reads `[c,
    rows, columns]`. Raises ValueError when the factors do not divide the channels.
    """
    factors = _factors(factor, x)
    rank = len(factors)
    batch, *size, channels = x.shape
    inner = channels // math.prod(factors)
    if inner * math.prod(factors) != channels:
        raise ValueError(f"{channels} channels cannot be unfolded by {factors}")
    x = x.reshape(batch, *size, *factors, inner)
    pairs = [axis for i in range(rank) for axis in (1 + i, 1 + rank + i)]
    x = x.transpose(0, *pairs, 1 + 2 * rank)
    return x.reshape(batch, *(n * f for n, f in zip(size, factors, strict=True)), inner)


def pixel_unshuffle(x: Array, factor: int | Sequence[int]) -> Array:
    """The inverse of `pixel_shuffle`: `[b, h * f, w * f, c]` -> `[b, h, w, f * f * c]`.

    Raises ValueError when the factors do not divide the size.
    """
    factors = _factors(factor, x)
    rank = len(factors)
    x = _split(x, factors)
    x = x.transpose(0, *range(1, 2 * rank, 2), *range(2, 2 * rank + 1, 2), 1 + 2 * rank)
    return x.reshape(*x.shape[: 1 + rank], -1)


def upsample_nearest(x: Array, factor: int | Sequence[int]) -> Array:
    """Repeats every pixel `factor` times along each spatial axis."""
    factors = _factors(factor, x)
    batch, *size, channels = x.shape
    ones = [n for s in size for n in (s, 1)]
    blocks = [n for s, f in zip(size, factors, strict=True) for n in (s, f)]
    x = jnp.broadcast_to(x.reshape(batch, *ones, channels), (batch, *blocks, channels))
    return x.reshape(batch, *(s * f for s, f in zip(size, factors, strict=True)), channels)


def downsample_average(x: Array, factor: int | Sequence[int]) -> Array:
    """Means over blocks of `factor` pixels along each spatial axis, summed in float32 or better.

    Raises ValueError when the factors do not divide the size.
    """
    factors = _factors(factor, x)
    blocks = _split(x, factors)
    return blocks.mean(tuple(range(2, blocks.ndim, 2)))


def resize(x: Array, rows: np.ndarray, columns: np.ndarray) -> Array:
    """Resamples images `[b, h, w, c]` with one matrix per axis, to `[b, new h, new w, c]`.

    `rows [new h, h]` and `columns [new w, w]` come from `jaxgan.data.resize.resize_matrix`, for
    instance. The result has the dtype of `x` and is neither rounded nor clipped. Raises
    ValueError when the matrices do not fit `x`.
    """
    if x.ndim != 4 or (rows.shape[1], columns.shape[1]) != x.shape[1:3]:
        raise ValueError(
            f"matrices {rows.shape} and {columns.shape} do not fit images of shape {x.shape}"
        )
    precise = lax.Precision.HIGHEST
    x = jnp.einsum("nh,bhwc->bnwc", jnp.asarray(rows, x.dtype), x, precision=precise)
    return jnp.einsum("nw,bhwc->bhnc", jnp.asarray(columns, x.dtype), x, precision=precise)


def bilinear_matrix(size_in: int, size_out: int) -> np.ndarray:
    """Bilinear interpolation along one axis, float64 `[size_out, size_in]`; rows sum to 1.

    Pixel centres lie at half-integers, the border is repeated, and nothing is smoothed before it
    shrinks: PyTorch's `interpolate(mode="bilinear", align_corners=False)`, which pytorch-fid calls.
    """
    centres = (np.arange(size_out) + 0.5) * (size_in / size_out) - 0.5
    centres = np.clip(centres, 0.0, size_in - 1.0)
    first = np.minimum(centres.astype(int), max(size_in - 2, 0))
    share = centres - first
    matrix = np.zeros((size_out, size_in))
    rows = np.arange(size_out)
    matrix[rows, first] += 1.0 - share
    matrix[rows, np.minimum(first + 1, size_in - 1)] += share
    return matrix


def _factors(factor, x):
    rank = x.ndim - 2
    factors = (factor,) * rank if isinstance(factor, int) else tuple(factor)
    if len(factors) != rank or min(factors) < 1:
        raise ValueError(f"factor {factor} does not fit {rank} spatial axes of shape {x.shape}")
    return factors


def _split(x, factors):
    batch, *size, channels = x.shape
    if any(n % f for n, f in zip(size, factors, strict=True)):
        raise ValueError(f"an image of {tuple(size)} does not divide into blocks of {factors}")
    blocks = [n for s, f in zip(size, factors, strict=True) for n in (s // f, f)]
    return x.reshape(batch, *blocks, channels)
