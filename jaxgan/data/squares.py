"""Pictures as squares of one size, for networks that make pictures out of nothing."""

import functools
from collections.abc import Callable
from typing import Literal

import numpy as np

from jaxgan.data.pictures import Kept, Source, default_memory_limit
from jaxgan.data.resize import imresize

Channels = Literal[1, 3]
# Pixels that are resampled at a time.
_CHUNK = 1 << 20


def square(picture: np.ndarray, side: int) -> np.ndarray:
    """The largest square in the middle of a picture, resampled to `side` pixels a side.

    uint8 [height, width, channels] to uint8 [side, side, channels], bicubic, antialiased when it
    shrinks (`resize.imresize`): what is left of fine texture decides what a FID says.
    """
    shorter = min(picture.shape[:2])
    top, left = ((size - shorter) // 2 for size in picture.shape[:2])
    middle = picture[top : top + shorter, left : left + shorter]
    return middle if shorter == side else imresize(middle, size=(side, side))


def grey(picture: np.ndarray) -> np.ndarray:
    """The luma of ITU-R BT.601 (a grey picture's own values): uint8 [..., 1 or 3] to [..., 1]."""
    if picture.shape[-1] == 1:
        return picture
    weights = np.array([19595, 38470, 7471], np.uint32)  # they sum to 65536
    luma = (picture @ weights + 0x8000) >> 16
    return luma.astype(np.uint8)[..., None]


def square_of(picture: np.ndarray, side: int, channels: Channels) -> np.ndarray:
    """[height, width, 1 or 3] to [side, side, channels]; grey before it is resampled."""
    if channels == 1:
        return square(grey(picture), side)
    return square(picture, side)


def squared(pictures: np.ndarray, side: int, channels: Channels) -> np.ndarray:
    """Pictures of one size as `squares.square` makes each, many at a time.

    Args:
      pictures: uint8 [n, height, width, 1 or 3].
      side: of the squares, in pixels.
      channels: 1 for grey, 3 for RGB.

    Returns:
      uint8 [n, side, side, channels]; the array itself where it is that already.
    """
    count, height, width, _ = pictures.shape
    if pictures.shape[1:] == (side, side, channels):
        return pictures
    made = np.empty((count, side, side, channels), np.uint8)
    step = max(_CHUNK // (height * width), 1)
    for start in range(0, count, step):
        some = pictures[start : start + step]
        some = grey(some) if channels == 1 else some
        # One picture of many channels: each of them is resampled alone.
        wide = some.transpose(1, 2, 0, 3).reshape(height, width, -1)
        small = square(wide, side).reshape(side, side, len(some), -1)
        made[start : start + step] = small.transpose(2, 0, 1, 3)
    return made


def squares(
    source: Source, side: int, *, mirror: bool = True
) -> Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]]:
    """Every picture as a square, as the `load` of `pipeline.make_batches`.

    Args:
      source: pictures of any size; small ones are enlarged.
      side: of the squares, in pixels.
      mirror: turn half of them left to right, as the row's seed says.

    Returns:
      load(indices [b], seeds uint64 [b]) -> {'real': uint8 [b, side, side, 3]}.
    """
    kept = Kept(default_memory_limit())

    def square_of(index: int) -> np.ndarray:
        return square(source[index], side)

    def load(indices: np.ndarray, seeds: np.ndarray) -> dict[str, np.ndarray]:
        real = np.empty((len(indices), side, side, 3), np.uint8)
        for row, (index, seed) in enumerate(zip(indices, seeds, strict=True)):
            picture = kept.get(int(index), functools.partial(square_of, int(index)))
            real[row] = picture[:, ::-1] if mirror and int(seed) & 1 else picture
        return {"real": real}

    return load
