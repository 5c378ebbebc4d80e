"""The area under the curve, against counting all pairs."""

import numpy as np
import pytest

from jaxgan.metrics.ranking import area_under_curve


def test_it_is_the_share_of_pairs_in_order():
    random = np.random.default_rng(0)
    positive, negative = random.integers(0, 9, 31) + 2.0, random.integers(0, 9, 17) * 1.0
    apart = positive[:, None] - negative[None]
    expected = ((apart > 0) + 0.5 * (apart == 0)).mean()
    assert area_under_curve(positive, negative) == pytest.approx(expected)
    assert area_under_curve(np.array([1.0]), np.array([0.0])) == 1.0
    assert area_under_curve(np.array([0.5]), np.array([0.5])) == 0.5
