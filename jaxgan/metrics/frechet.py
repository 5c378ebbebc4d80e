"""The Frechet distance between two sets of features, each taken for a Gaussian."""

import numpy as np
import scipy.linalg

from jaxgan.metrics.moments import Moments
from jaxgan.metrics.stamp import enough


def frechet_distance(real: Moments, fake: Moments) -> float:
    """`|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))`, at least 0, in float64.

    Heusel et al. 2017, arXiv 1706.08500, equation 6; on Inception-v3's features it is the FID.

    Raises:
      UserError: for fewer than two samples of either.
      ValueError: for different sizes.
    """
    enough("the Frechet distance", 2, real=real.count, fake=fake.count)
    return gaussian_distance(real.mean, real.covariance, fake.mean, fake.covariance)


def gaussian_distance(
    mean1: np.ndarray, covariance1: np.ndarray, mean2: np.ndarray, covariance2: np.ndarray
) -> float:
    """The squared Frechet distance of two Gaussians (Dowson and Landau 1982, equation 4).

    With `C1 = A A^T` and `C2 = B B^T`, `tr (C1 C2)^(1/2)` is the sum of the singular values of
    `B^T A`. Nothing complex can come out of that, whatever the rank, and covariances of fewer
    samples than features are cheaper instead of ill-conditioned.

    Args:
      mean1, mean2: `[size]`.
      covariance1, covariance2: `[size, size]`, symmetric and positive semi-definite.

    Raises:
      ValueError: if shapes differ, or a number is not finite.
    """
    size = len(mean1)
    if mean2.shape != (size,) or {covariance1.shape, covariance2.shape} != {(size, size)}:
        raise ValueError(
            f"means {mean1.shape} and {mean2.shape} do not go with covariances "
            f"{covariance1.shape} and {covariance2.shape}"
        )
    shared = scipy.linalg.svdvals(_factor(covariance2).T @ _factor(covariance1))
    apart = np.square(mean1 - mean2).sum()
    distance = apart + np.trace(covariance1) + np.trace(covariance2) - 2.0 * shared.sum()
    return max(float(distance), 0.0)


def _factor(covariance: np.ndarray) -> np.ndarray:
    """`A [size, rank]` with `A A^T` the covariance; one column of zeros where the rank is 0."""
    values, vectors = scipy.linalg.eigh(covariance)
    # Below this an eigenvalue is the rounding of zero, and its root would be 1e8 times larger.
    kept = values > len(values) * np.finfo(np.float64).eps * max(values[-1], 0.0)
    if not kept.any():
        return np.zeros((len(values), 1))
    return vectors[:, kept] * np.sqrt(values[kept])
