"""Photographs as a hand would draw or paint them: the other side of embedded samples."""

import numpy as np
from scipy.ndimage import gaussian_filter, uniform_filter

from jaxgan.data.squares import grey


def line_drawing(picture: np.ndarray, width: float = 1.0) -> np.ndarray:
    """Dark lines on white where a picture has edges.

    The extended difference of Gaussians of Winnemoeller et al. 2012 ("XDoG", equations 5 to 7):
    what is darker than its surroundings becomes a line, with a soft end.

    Args:
      picture: uint8 [height, width, 1 or 3].
      width: of the lines: the smaller Gaussian's deviation, in pixels.

    Returns:
      uint8 [height, width, 3], grey.
    """
    luma = grey(picture)[..., 0].astype(np.float64) / 255
    fine, coarse = (gaussian_filter(luma, width * scale) for scale in (1.0, 1.6))
    sharpened = fine + _SHARPNESS * (fine - coarse)
    ink = 1 + np.tanh(_STEEPNESS * np.minimum(sharpened - _THRESHOLD * fine, 0))
    return np.repeat(np.rint(255 * ink).astype(np.uint8)[..., None], 3, axis=2)


# How much stronger differences become, where a line begins (in shares of the brightness there, so
# that dark places are not all ink), and how fast it is black.
_SHARPNESS, _THRESHOLD, _STEEPNESS = 16.0, 0.8, 3.0


def painting(picture: np.ndarray, brush: int = 5) -> np.ndarray:
    """A picture in flat dabs of strong warm colours.

    The filter of Kuwahara (1976): a pixel becomes the mean of the calmest of the four squares whose
    corner it is, so that texture goes and edges stay. Then colours move away from grey and towards
    ochre, as in no photograph.

    Args:
      picture: uint8 [height, width, 3].
      brush: side of these squares, in pixels.

    Returns:
      uint8 [height, width, 3].
    """
    values = picture.astype(np.float64)
    mean = uniform_filter(values, (brush, brush, 1), mode="reflect")
    luma = values.mean(axis=2)
    spread = uniform_filter(luma**2, brush, mode="reflect")
    spread = spread - uniform_filter(luma, brush, mode="reflect") ** 2
    reach = brush // 2
    padded = np.pad(mean, ((reach, reach), (reach, reach), (0, 0)), mode="reflect")
    calm = np.pad(spread, reach, mode="reflect")
    height, width = luma.shape
    corners = [(top, left) for top in (0, 2 * reach) for left in (0, 2 * reach)]
    spreads = np.stack([calm[t : t + height, s : s + width] for t, s in corners])
    means = np.stack([padded[t : t + height, s : s + width] for t, s in corners])
    best = spreads.argmin(axis=0)[None, ..., None]
    dabs = np.take_along_axis(means, best, axis=0)[0]
    middle = dabs.mean(axis=2, keepdims=True)
    strong = middle + 1.6 * (dabs - middle)
    warm = strong * np.array([1.1, 0.95, 0.65]) + np.array([22.0, 10.0, 0.0])
    return np.rint(np.clip(warm, 0, 255)).astype(np.uint8)
