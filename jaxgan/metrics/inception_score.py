"""The Inception Score."""

from typing import NamedTuple

import numpy as np
from scipy.special import rel_entr

from jaxgan.errors import UserError
from jaxgan.metrics.stamp import enough


class Score(NamedTuple):
    """The mean over splits, and their standard deviation (0 for one split)."""

    value: float
    spread: float


def inception_score(probabilities: np.ndarray, *, splits: int = 10) -> Score:
    """`exp` of the mean divergence of a sample's classes from all samples'; 1 to the classes.

    Salimans et al. 2016, arXiv 1606.03498, section 4. It knows nothing of the real pictures.

    Args:
      probabilities: of the classes, `[n, classes]`, rows that sum to 1, in the order in which the
        samples were drawn; computed in float64.
      splits: equal parts, each scored by itself, as in the paper; what is left over is left out.

    Raises:
      UserError: for fewer samples than splits, or no split.
    """
    if splits < 1:
        raise UserError(f"the Inception Score needs at least one split, not {splits}")
    enough(f"the Inception Score in {splits} splits", splits, fake=len(probabilities))
    size = len(probabilities) // splits
    scores = []
    for part in np.split(probabilities[: size * splits].astype(np.float64), splits):
        divergences = rel_entr(part, part.mean(0, keepdims=True)).sum(1)
        scores.append(np.exp(divergences.mean()))
    return Score(float(np.mean(scores)), float(np.std(scores)))
