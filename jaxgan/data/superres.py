"""Pairs of pictures for super-resolution: the original and what bicubic downscaling leaves."""

from collections.abc import Callable

import numpy as np

from jaxgan.data.pictures import Kept, Source, default_memory_limit
from jaxgan.data.resize import imresize
from jaxgan.errors import UserError

_NAMED_AT_MOST = 5


def degrade(picture: np.ndarray, factor: int) -> tuple[np.ndarray, np.ndarray]:
    """(low, high): MATLAB's imresize of the picture, and the picture cut to a multiple of `factor`.

    Args:
      picture: uint8 [height, width, channels].
      factor: how many times smaller, at least 1.

    Returns:
      uint8 [height // factor, width // factor, channels] and, cut at the bottom and right,
      uint8 [height // factor * factor, width // factor * factor, channels].
    """
    height, width = (side // factor for side in picture.shape[:2])
    high = picture[: height * factor, : width * factor]
    return imresize(high, size=(height, width)), high


def crop_pairs(
    source: Source, *, factor: int, crop: int
) -> Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]]:
    """Aligned random crops, flipped and turned, as the `load` of `pipeline.make_batches`.

    The whole picture is downscaled and then cropped, so that no crop has a border of its own. What
    was downscaled is kept in memory while that lasts.

    Args:
      source: the pictures.
      factor: how many times smaller the low-resolution crop is.
      crop: side of the high-resolution crop, a multiple of `factor`.

    Returns:
      load(indices [b], seeds uint64 [b]) -> {'low': uint8 [b, crop / factor, crop / factor, 3],
      'high': uint8 [b, crop, crop, 3]}; place and orientation (one of 8) of a row come from its
      seed alone.

    Raises:
      UserError: `crop` is no multiple of `factor`, or pictures are smaller than the crop.
    """
    if factor < 1 or crop < factor or crop % factor:
        raise UserError(f"a crop of {crop} pixels is not a multiple of the factor {factor}")
    _check_sizes(source, factor, crop)
    side = crop // factor
    # Together they are this much smaller than the pictures: where those fit, these do.
    kept = Kept(default_memory_limit() // factor**2)

    def low_of(index: int, picture: np.ndarray) -> np.ndarray:
        return kept.get(index, lambda: degrade(picture, factor)[0])

    def load(indices: np.ndarray, seeds: np.ndarray) -> dict[str, np.ndarray]:
        low = np.empty((len(indices), side, side, 3), np.uint8)
        high = np.empty((len(indices), crop, crop, 3), np.uint8)
        for row, (index, seed) in enumerate(zip(indices, seeds, strict=True)):
            picture = source[int(index)]
            small = low_of(int(index), picture)
            random = np.random.default_rng(int(seed))
            top = int(random.integers(small.shape[0] - side + 1))
            left = int(random.integers(small.shape[1] - side + 1))
            orientation = int(random.integers(8))
            low[row] = _turn(small[top : top + side, left : left + side], orientation)
            top, left = top * factor, left * factor
            high[row] = _turn(picture[top : top + crop, left : left + crop], orientation)
        return {"low": low, "high": high}

    return load


def held_out_pairs(
    source: Source, factor: int, *, smallest: int = 1
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Every picture whole: (name, low, high) as `degrade` makes them.

    Raises:
      UserError: a picture has fewer than `smallest` (or `factor`) pixels on a side.
    """
    _check_sizes(source, factor, max(factor, smallest), "what can be measured,")
    return [(source.name(i), *degrade(source[i], factor)) for i in range(len(source))]


def _turn(square: np.ndarray, orientation: int) -> np.ndarray:
    """One of a square's 8 orientations: quarter turns by two bits, mirrored by the third."""
    turned = np.rot90(square, orientation & 3)
    return turned[:, ::-1] if orientation & 4 else turned


def _check_sizes(source: Source, factor: int, crop: int, what: str = "the crop of") -> None:
    sizes = [source.size(i) for i in range(len(source))]
    small = [i for i, size in enumerate(sizes) if min(size) // factor * factor < crop]
    if small:
        listed = ", ".join(
            f"{source.name(i)} ({sizes[i][1]}x{sizes[i][0]})" for i in small[:_NAMED_AT_MOST]
        )
        more = ", ..." if len(small) > _NAMED_AT_MOST else ""
        raise UserError(
            f"{len(small)} of {len(source)} pictures are smaller than {what} {crop}x{crop}: "
            f"{listed}{more}; remove them or choose smaller sizes"
        )
