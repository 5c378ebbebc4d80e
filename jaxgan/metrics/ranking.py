"""How well scores tell two kinds of samples apart."""

import numpy as np
from scipy.stats import rankdata


def area_under_curve(positive: np.ndarray, negative: np.ndarray) -> float:
    """The chance that a positive sample has a higher score than a negative one; ties count half.

    The area under the receiver operating characteristic, by its ranks (Hanley and McNeil 1982).

    Args:
      positive, negative: scores `[n]` and `[m]`, at least one each.
    """
    ranks = rankdata(np.concatenate([positive, negative]))[: len(positive)]
    least = len(positive) * (len(positive) + 1) / 2
    return float((ranks.sum() - least) / (len(positive) * len(negative)))
