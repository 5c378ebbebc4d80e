"""Fidelity and diversity from neighbourhoods: precision, recall, density, coverage.

Each sample has a ball as far as its k-th nearest neighbour among its own kind; the four figures
count which balls hold samples of the other kind.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from jaxgan.errors import UserError
from jaxgan.metrics.stamp import enough

# Rows of a distance matrix at a time: 10000 columns of float64 are then 40 MiB.
_ROWS = 512


class PrecisionRecall(NamedTuple):
    """Shares in [0, 1]: of the fakes that could be real, of the reals that could be generated."""

    precision: float
    recall: float


class DensityCoverage(NamedTuple):
    """`density` is at least 0 and about 1 for equal distributions; `coverage` is in [0, 1]."""

    density: float
    coverage: float


def precision_recall(real: np.ndarray, fake: np.ndarray, *, nearest: int = 3) -> PrecisionRecall:
    """Improved precision and recall (Kynkaanniemi et al. 2019, arXiv 1904.06991, equations 1-2).

    Args:
      real, fake: features `[n, size]`, any float dtype; the paper takes equally many of both.
      nearest: k, of the balls; 3 in the paper.

    Raises:
      UserError: for `nearest` samples or fewer of either, or `nearest` below 1.
    """
    real, fake = _checked("precision and recall", nearest, real=real, fake=fake)
    around_real, around_fake = _squared_radii(real, nearest), _squared_radii(fake, nearest)
    found = np.zeros(len(real), bool)
    good = 0
    for rows, squares in _squared_distances(fake, real):
        good += int((squares <= around_real).any(1).sum())
        found |= (squares <= around_fake[rows, None]).any(0)
    return PrecisionRecall(good / len(fake), float(found.mean()))


def density_coverage(real: np.ndarray, fake: np.ndarray, *, nearest: int = 5) -> DensityCoverage:
    """Density and coverage (Naeem et al. 2020, arXiv 2002.09797, equations 3-4).

    Only the balls of real samples count, so a single odd fake cannot raise either.

    Args:
      real, fake: features `[n, size]`, any float dtype.
      nearest: k, of the balls; 5 in the paper.

    Raises:
      UserError: for `nearest` real samples or fewer, no fake one, or `nearest` below 1.
    """
    (real,) = _checked("density and coverage", nearest, real=real)
    enough("density and coverage", 1, fake=len(fake))
    radii = _squared_radii(real, nearest)
    covered = np.zeros(len(real), bool)
    inside = 0
    for _, squares in _squared_distances(fake.astype(np.float64), real):
        within = squares <= radii
        inside += int(within.sum())
        covered |= within.any(0)
    return DensityCoverage(inside / (nearest * len(fake)), float(covered.mean()))


def _checked(metric: str, nearest: int, **samples: np.ndarray) -> tuple[np.ndarray, ...]:
    if nearest < 1:
        raise UserError(f"{metric} need at least one neighbour, not {nearest}")
    counts = {name: len(features) for name, features in samples.items()}
    enough(f"{metric} with {nearest} neighbours", nearest + 1, **counts)
    return tuple(features.astype(np.float64) for features in samples.values())


def _squared_radii(samples: np.ndarray, nearest: int) -> np.ndarray:
    """The squared distance of each sample to its `nearest`-th neighbour, itself not counted."""
    radii = np.empty(len(samples))
    for rows, squares in _squared_distances(samples, samples):
        squares[np.arange(len(squares)), np.arange(rows.start, rows.stop)] = np.inf
        radii[rows] = np.partition(squares, nearest - 1, 1)[:, nearest - 1]
    return radii


def _squared_distances(x: np.ndarray, y: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Blocks of rows of the matrix of squared distances of `x [m, size]` and `y [n, size]`."""
    square_x, square_y = np.square(x).sum(1), np.square(y).sum(1)
    for start in range(0, len(x), _ROWS):
        rows = slice(start, min(start + _ROWS, len(x)))
        squares = square_x[rows, None] + square_y - 2.0 * (x[rows] @ y.T)
        yield rows, np.maximum(squares, 0.0, out=squares)
