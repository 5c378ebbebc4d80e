"""The luma that super-resolution figures are stated in."""

import numpy as np


def rgb_to_y(image: np.ndarray) -> np.ndarray:
    """Luma Y of ITU-R BT.601 in studio range, as MATLAB's `rgb2ycbcr` but not rounded.

    Args:
      image: `[..., 3] uint8`, RGB.

    Returns:
      `[...] float64` in [16, 235]: black is 16, white is 235.

    Raises:
      ValueError: if it is not uint8 with three channels last.
    """
    if image.dtype != np.uint8 or image.ndim < 1 or image.shape[-1] != 3:
        raise ValueError(
            f"Y is computed from uint8 RGB [..., 3], not from {image.dtype} {image.shape}"
        )
    return 16.0 + image.astype(np.float64) @ np.array([65.481, 128.553, 24.966]) / 255.0


def planes(image: np.ndarray, *, channel: str, border: int) -> np.ndarray:
    """What a metric compares: `[height, width, 1 or 3] float64` on the scale 0-255, no border.

    Args:
      image: `[height, width, 3] uint8`, RGB.
      channel: 'y' for the luma, 'rgb' for the three channels.
      border: pixels to leave out on each side; 4 for x4 super-resolution, by custom.

    Raises:
      ValueError: for another shape, dtype or channel, and for a border that leaves nothing.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3:
        raise ValueError(
            f"a metric compares uint8 RGB [height, width, 3], not {image.dtype} {image.shape}"
        )
    if channel not in ("y", "rgb"):
        raise ValueError(f"the channel of a metric is 'y' or 'rgb', not {channel!r}")
    height, width = image.shape[:2]
    if border < 0 or 2 * border >= min(height, width):
        raise ValueError(f"a border of {border} leaves nothing of a picture of {height} x {width}")
    inner = image[border : height - border, border : width - border]
    return rgb_to_y(inner)[..., None] if channel == "y" else inner.astype(np.float64)


def pair_of_planes(
    real: np.ndarray, fake: np.ndarray, *, channel: str, border: int
) -> tuple[np.ndarray, np.ndarray]:
    """`planes` of two pictures of one shape; ValueError if the shapes differ."""
    if real.shape != fake.shape:
        raise ValueError(f"a metric compares one shape, not {real.shape} and {fake.shape}")
    return (
        planes(real, channel=channel, border=border),
        planes(fake, channel=channel, border=border),
    )
