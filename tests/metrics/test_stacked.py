"""Modes and divergence of stacked digits, counted by hand and by SciPy."""

import numpy as np
import pytest
from scipy import stats

from jaxgan.errors import UserError
from jaxgan.metrics.own import own_features
from jaxgan.metrics.stacked import classify_channels, stacked_modes


def test_all_modes_evenly():
    digits = np.stack(np.unravel_index(np.arange(3000) % 1000, (10, 10, 10)), 1)
    modes, kl = stacked_modes(digits)
    assert modes == 1000 and kl == pytest.approx(0, abs=1e-12)


def test_one_mode_and_half_of_them():
    assert stacked_modes(np.full((1000, 3), 7)) == (1, pytest.approx(np.log(1000)))
    # The first digit is even only.
    digits = np.stack(np.unravel_index(np.arange(1000), (10, 10, 10)), 1)
    digits[:, 0] -= digits[:, 0] % 2
    assert stacked_modes(digits) == (500, pytest.approx(np.log(2)))


def test_kl_equals_scipys():
    digits = np.random.default_rng(0).binomial(9, 0.4, (5000, 3))
    shares = np.zeros((10, 10, 10))
    for a, b, c in digits:
        shares[a, b, c] += 1 / 5000
    want = stats.entropy(shares.ravel(), np.full(1000, 1e-3))
    modes, kl = stacked_modes(digits)
    assert modes == (shares > 0).sum() and kl == pytest.approx(want, rel=1e-10)


def test_a_perfect_generator_has_the_divergence_that_is_stated():
    digits = np.random.default_rng(1).integers(10, size=(26_000, 3))
    modes, kl = stacked_modes(digits)
    assert modes == 1000 and kl == pytest.approx(999 / 52_000, rel=0.15)


def test_what_is_refused():
    with pytest.raises(UserError, match="1000 modes needs at least 1000 fake samples"):
        stacked_modes(np.zeros((999, 3), int))
    with pytest.raises(ValueError, match="below 10"):
        stacked_modes(np.full((1000, 3), 10))
    with pytest.raises(ValueError, match="below 10"):
        stacked_modes(np.zeros(1000, int))
    assert stacked_modes(np.zeros((8, 3), int), classes=2).modes == 1


def test_channels_are_classified_by_themselves(tmp_path):
    random = np.random.default_rng(0)
    labels = random.integers(3, size=240)
    grey = random.integers(0, 50, (240, 9, 9, 1), np.uint8)
    for picture, label in zip(grey, labels, strict=True):
        picture[3 * label : 3 * label + 3] = 230
    network = own_features(grey, labels, tmp_path, steps=60)
    stacked = np.concatenate([grey[:80], grey[80:160], grey[160:]], -1)
    got = classify_channels(stacked, network)
    assert got.shape == (80, 3)
    assert (got == labels.reshape(3, 80).T).mean() > 0.95
    blind = own_features(grey, None, tmp_path, steps=1)
    with pytest.raises(ValueError, match="no classes"):
        classify_channels(stacked, blind)
