"""MATLAB's `imresize` with the bicubic kernel, in NumPy.

Super-resolution papers make their low-resolution pictures with it, so their figures are only
reproduced with the same kernel, the same antialiasing and the same borders. The kernel is Keys
(1981), "Cubic convolution interpolation for digital image processing", equation 15 (a = -0.5).
When a picture shrinks, the kernel is stretched by the same factor, which is what removes
frequencies that the small picture cannot hold.
"""

import math

import numpy as np


def keys_cubic(x: np.ndarray) -> np.ndarray:
    """Keys' cubic kernel with a = -0.5, for any shape of float64; zero where |x| >= 2."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return np.where(x <= 1.0, near, np.where(x < 2.0, far, 0.0))


def resize_taps(
    size_in: int, size_out: int, *, scale: float | None = None, antialias: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Which inputs each output reads, and with what weight.

    Args:
      size_in: samples along the axis, at least 1.
      size_out: samples wanted, at least 1.
      scale: outputs per input; `size_out / size_in` when None. It differs when the caller asked
        for a scale and the size was rounded up.
      antialias: stretch the kernel when shrinking.

    Returns:
      indices int64 [size_out, taps] in [0, size_in), borders mirrored with the edge repeated, and
      weights float64 [size_out, taps] whose rows sum to 1.
    """
    if size_in < 1 or size_out < 1:
        raise ValueError(f"sizes must be at least 1, got {size_in} and {size_out}")
    scale = size_out / size_in if scale is None else scale
    stretch = max(1.0, 1.0 / scale) if antialias else 1.0
    # Pixel centres lie at half-integers, so the first output's centre is not over the first
    # input's.
    centres = (np.arange(size_out) + 0.5) / scale - 0.5
    taps = math.ceil(4.0 * stretch) + 2
    first = np.floor(centres - 2.0 * stretch).astype(np.int64)
    positions = first[:, None] + np.arange(taps)
    weights = keys_cubic((centres[:, None] - positions) / stretch)
    weights /= weights.sum(axis=1, keepdims=True)
    folded = np.mod(positions, 2 * size_in)
    indices = np.where(folded < size_in, folded, 2 * size_in - 1 - folded)
    used = np.any(weights != 0.0, axis=0)
    return indices[:, used], weights[:, used]


def resize_matrix(
    size_in: int, size_out: int, *, scale: float | None = None, antialias: bool = True
) -> np.ndarray:
    """`resize_taps` as a matrix: float64 [size_out, size_in] with rows that sum to 1."""
    indices, weights = resize_taps(size_in, size_out, scale=scale, antialias=antialias)
    matrix = np.zeros((size_out, size_in))
    np.add.at(matrix, (np.arange(size_out)[:, None], indices), weights)
    return matrix


def imresize(
    image: np.ndarray,
    scale: float | None = None,
    size: tuple[int, int] | None = None,
    *,
    antialias: bool = True,
) -> np.ndarray:
    """Resizes a picture as MATLAB's `imresize(image, scale)` or `imresize(image, [height width])`.

    Args:
      image: [height, width] or [height, width, channels], uint8 or floating.
      scale: outputs per input along both axes; the size is rounded up as MATLAB does.
      size: (height, width) wanted. Exactly one of `scale` and `size` is given.
      antialias: stretch the kernel when shrinking (MATLAB's default).

    Returns:
      The picture in its own dtype. As in MATLAB a uint8 picture is rounded and clipped after each
      of the two passes; a float picture is neither (bicubic overshoots at edges).

    Raises:
      ValueError: another dtype or rank, or both or neither of `scale` and `size`.
    """
    if image.ndim not in (2, 3):
        raise ValueError(f"imresize takes [h, w] or [h, w, c], got shape {image.shape}")
    if image.dtype != np.uint8 and not np.issubdtype(image.dtype, np.floating):
        raise ValueError(f"imresize takes uint8 or floating pictures, got {image.dtype}")
    if (scale is None) == (size is None):
        raise ValueError("give either scale or size")
    height, width = image.shape[:2]
    if scale is not None:
        # The guard keeps 0.1 * 30 = 3.0000000000000004 from becoming 4.
        size = (math.ceil(scale * height - 1e-9), math.ceil(scale * width - 1e-9))
    assert size is not None
    scales = (scale or size[0] / height, scale or size[1] / width)
    out = image
    # MATLAB goes through the axis that shrinks most first; with equal scales, down the columns
    # first.
    for axis in sorted((0, 1), key=lambda a: scales[a]):
        out = _resize_axis(out, axis, size[axis], scales[axis], antialias)
    return out


def _resize_axis(
    image: np.ndarray, axis: int, size: int, scale: float, antialias: bool
) -> np.ndarray:
    indices, weights = resize_taps(image.shape[axis], size, scale=scale, antialias=antialias)
    broadcast = [1] * image.ndim
    broadcast[axis] = size
    shape = list(image.shape)
    shape[axis] = size
    total = np.zeros(shape)
    for tap in range(indices.shape[1]):
        total += np.take(image, indices[:, tap], axis=axis) * weights[:, tap].reshape(broadcast)
    if image.dtype != np.uint8:
        return total.astype(image.dtype)
    # MATLAB rounds halves up, NumPy's rint to even; the small term undoes the sum's own rounding
    # error at halves.
    return np.clip(np.floor(total + 0.5 + 1e-9), 0.0, 255.0).astype(np.uint8)
