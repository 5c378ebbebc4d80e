"""Structural similarity."""

import numpy as np
from scipy import ndimage

from jaxgan.metrics.colour import pair_of_planes

WINDOW = 11
SIGMA = 1.5
K1 = 0.01
K2 = 0.03
PEAK = 255.0


def ssim(real: np.ndarray, fake: np.ndarray, *, channel: str = "y", border: int = 0) -> float:
    """Mean structural similarity, at most 1 (Wang et al., IEEE TIP 13(4), 2004, equation 13).

    Gaussian window of 11 x 11 pixels, sigma 1.5; K1 0.01, K2 0.03; peak 255; the mean is over the
    positions where the window lies wholly inside what `border` leaves (five pixels less on each
    side), as in the authors' own program.

    Args:
      real, fake: `[height, width, 3] uint8`, RGB.
      channel: 'y', the luma of `rgb_to_y`, or 'rgb', the mean of the three channels' similarities.
      border: pixels left out on each side before anything is computed.

    Raises:
      ValueError: for shapes that differ, another dtype or channel, or less than 11 x 11 pixels
        within the border.
    """
    a, b = pair_of_planes(real, fake, channel=channel, border=border)
    if min(a.shape[:2]) < WINDOW:
        raise ValueError(
            f"similarity needs {WINDOW} x {WINDOW} pixels within the border, "
            f"not {a.shape[0]} x {a.shape[1]}"
        )
    mean_a, mean_b = _blur(a), _blur(b)
    variance_a = _blur(a * a) - mean_a * mean_a
    variance_b = _blur(b * b) - mean_b * mean_b
    covariance = _blur(a * b) - mean_a * mean_b
    c1, c2 = (K1 * PEAK) ** 2, (K2 * PEAK) ** 2
    luminance = (2.0 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    structure = (2.0 * covariance + c2) / (variance_a + variance_b + c2)
    return float(np.mean(luminance * structure))


def _blur(x: np.ndarray) -> np.ndarray:
    """The window's weighted mean where it lies inside `[height, width, channels]`."""
    radius = WINDOW // 2
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / SIGMA) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        x = ndimage.correlate1d(x, weights, axis=axis)
    return x[radius:-radius, radius:-radius]
