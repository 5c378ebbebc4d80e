"""The kernel inception distance."""

from typing import NamedTuple

import numpy as np

from jaxgan.errors import UserError
from jaxgan.metrics.stamp import enough


class KernelDistance(NamedTuple):
    """The mean over subsets, and their standard deviation (0 for one subset)."""

    value: float
    spread: float


def kernel_distance(
    real: np.ndarray,
    fake: np.ndarray,
    *,
    subsets: int = 100,
    subset_size: int = 1000,
    seed: int = 0,
) -> KernelDistance:
    """Squared maximum mean discrepancy with the kernel `(x.y / size + 1)^3`, without bias.

    Binkowski et al. 2018, arXiv 1801.01401, section 3 and equation 4: the mean of estimates over
    random subsets. Being without bias it can be negative, and does not depend on the number of
    samples on average, as the Frechet distance does.

    Args:
      real, fake: features `[n, size]`, any float dtype; computed in float64.
      subsets: how many.
      subset_size: samples of each kind in a subset, drawn without replacement.
      seed: decides which.

    Raises:
      UserError: for fewer samples than `subset_size`, or sizes below 2.
      ValueError: for features of two sizes.
    """
    if subsets < 1 or subset_size < 2:
        raise UserError(f"KID needs subsets of at least 2, not {subsets} of {subset_size}")
    enough(f"KID on subsets of {subset_size}", subset_size, real=len(real), fake=len(fake))
    if real.shape[1] != fake.shape[1]:
        raise ValueError(f"features of two sizes: {real.shape} and {fake.shape}")
    random = np.random.default_rng(seed)
    estimates = []
    for _ in range(subsets):
        chosen = real[random.choice(len(real), subset_size, replace=False)]
        against = fake[random.choice(len(fake), subset_size, replace=False)]
        estimates.append(discrepancy(chosen, against))
    return KernelDistance(float(np.mean(estimates)), float(np.std(estimates)))


def discrepancy(x: np.ndarray, y: np.ndarray) -> float:
    """The unbiased estimate of the squared discrepancy of `[m, size]` and `[n, size]`.

    Gretton et al. 2012, JMLR 13, equation 3, with the cubic kernel of `kernel_distance`.
    """
    x, y = x.astype(np.float64), y.astype(np.float64)
    m, n = len(x), len(y)
    xx, yy, xy = _kernel(x, x), _kernel(y, y), _kernel(x, y)
    within_x = (xx.sum() - np.trace(xx)) / (m * (m - 1))
    within_y = (yy.sum() - np.trace(yy)) / (n * (n - 1))
    return float(within_x + within_y - 2.0 * xy.mean())


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    inner = x @ y.T / x.shape[1] + 1.0
    return inner * inner * inner
