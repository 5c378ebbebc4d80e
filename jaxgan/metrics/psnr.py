"""Peak signal-to-noise ratio."""

import math

import numpy as np

from jaxgan.metrics.colour import pair_of_planes


def psnr(real: np.ndarray, fake: np.ndarray, *, channel: str = "y", border: int = 0) -> float:
    """`10 log10(255^2 / mean squared error)` in dB; infinite for equal pictures.

    On Y the peak is 255 too, not 219: the custom of super-resolution papers, whose figures it must
      compare with.

    Args:
      real, fake: `[height, width, 3] uint8`, RGB.
      channel: 'y', the luma of `rgb_to_y`, or 'rgb', one mean over the three channels.
      border: pixels left out on each side.

    Raises:
      ValueError: for shapes that differ, another dtype or channel, or a border that leaves nothing.
    """
    a, b = pair_of_planes(real, fake, channel=channel, border=border)
    error = float(np.mean(np.square(a - b)))
    return math.inf if error == 0.0 else 10.0 * math.log10(255.0**2 / error)
