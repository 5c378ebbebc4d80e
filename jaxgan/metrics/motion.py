"""How much films move, and whether generated ones move as real ones do."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.stats import wasserstein_distance

from jaxgan.metrics.stamp import Measured, Stamp, enough


def motion(films: np.ndarray) -> np.ndarray:
    """The mean absolute difference of neighbouring frames of each film, of values in [0, 1].

    Args:
      films: uint8 [n, frames, height, width, channels], at least two frames.

    Returns:
      float64 [n].
    """
    if films.ndim != 5 or films.dtype != np.uint8 or films.shape[1] < 2:
        raise ValueError(f"motion is of uint8 [n, 2.., h, w, c], not {films.dtype} {films.shape}")
    steps = [np.abs(np.diff(film.astype(np.int16), axis=0)).mean() for film in films]
    return np.asarray(steps, np.float64) / 255


def motion_figures(real: np.ndarray, fake: np.ndarray, about: Mapping[str, Any]) -> Measured:
    """The motion of generated films beside that of real ones.

    Args:
      real, fake: as `motion` takes them.
      about: the real ones, as a data set describes itself.

    Returns:
      `motion` and `motion_real`, means over films; `motion_distance`, the Wasserstein-1 distance
      of the two distributions over films.

    Raises:
      UserError: there is no real or no fake film.
    """
    enough("measuring motion", 1, real=len(real), fake=len(fake))
    made, wanted = motion(fake), motion(real)
    figures = {
        "motion": float(made.mean()),
        "motion_real": float(wanted.mean()),
        "motion_distance": float(wasserstein_distance(made, wanted)),
    }
    metric = "mean difference of neighbouring frames, values in [0, 1]; distance: Wasserstein-1"
    return Measured(figures, {"motion": Stamp(metric, len(real), len(fake), about)})
