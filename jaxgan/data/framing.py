"""Pictures and label maps of any shape made to fit: resized, cut in the middle, padded.

All functions take a picture, uint8 [height, width, channels], or a label map, uint8
[height, width], whose numbers are never mixed.
"""

import numpy as np

from jaxgan.data.resize import imresize


def resize(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resamples to a size: pictures bicubic and antialiased, label maps by the nearest pixel."""
    if picture.shape[:2] == (height, width):
        return picture
    if picture.ndim == 3:
        return imresize(picture, size=(height, width))
    # The pixel under each new pixel's centre.
    rows, columns = (
        ((2 * np.arange(new) + 1) * old // (2 * new))
        for old, new in zip(picture.shape, (height, width), strict=True)
    )
    return picture[rows[:, None], columns]


def shorter_side(picture: np.ndarray, side: int) -> np.ndarray:
    """Resamples so that the shorter side has `side` pixels and the aspect stays."""
    height, width = picture.shape[:2]
    scale = side / min(height, width)
    return resize(picture, max(round(height * scale), side), max(round(width * scale), side))


def middle(picture: np.ndarray, side: int) -> np.ndarray:
    """The square of `side` pixels in the middle of a picture that is no smaller."""
    top, left = ((size - side) // 2 for size in picture.shape[:2])
    return picture[top : top + side, left : left + side]


def pad_to_multiple(picture: np.ndarray, multiple: int) -> np.ndarray:
    """Mirrors the picture at its bottom and right edges until `multiple` divides both sides.

    What a network makes of it is cut back by `[:height, :width]`.
    """
    below, right = (-size % multiple for size in picture.shape[:2])
    if not below and not right:
        return picture
    around = ((0, below), (0, right), (0, 0))[: picture.ndim]
    return np.pad(picture, around, mode="reflect")
