"""Covered modes and good samples, counted by hand."""

import numpy as np

from jaxgan.metrics.modes import mode_coverage


def test_modes_are_covered_by_good_samples_only():
    centres = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    points = np.array([[0.29, 0.0], [0.0, -0.29], [10.0, 0.31], [5.0, 5.0]])
    assert mode_coverage(points, centres, 0.1) == (1, 0.5)
    assert mode_coverage(points, centres, 0.11) == (2, 0.75)
