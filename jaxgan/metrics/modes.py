"""Which modes of a known mixture a generator covers."""

import numpy as np


def mode_coverage(
    points: np.ndarray, centres: np.ndarray, sigma: float, *, within: float = 3.0
) -> tuple[int, float]:
    """Counts the modes that samples cover, and the samples that are good.

    A sample is good if it lies within three standard deviations of a centre, and a mode is covered
    if it has at least one good sample (Lin et al. 2018, PacGAN, arXiv 1712.04086, section 4.1).

    Args:
      points: samples, [count, 2].
      centres: of the mixture's components, [modes, 2].
      sigma: the standard deviation of each component.
      within: how many standard deviations a good sample may be away.

    Returns:
      How many modes are covered, and the share of good samples in [0, 1].
    """
    distances = np.linalg.norm(points[:, None, :] - centres[None, :, :], axis=-1)
    nearest = distances.argmin(axis=1)
    good = distances.min(axis=1) <= within * sigma
    return len(np.unique(nearest[good])), float(good.mean())
