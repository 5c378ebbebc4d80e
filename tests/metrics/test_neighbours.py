"""Precision, recall, density and coverage against scikit-learn's neighbours and plain loops."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from jaxgan.errors import UserError
from jaxgan.metrics import neighbours
from jaxgan.metrics.neighbours import density_coverage, precision_recall


def sets(real=31, fake=23, size=3):
    random = np.random.default_rng(0)
    return random.standard_normal((real, size)), 0.7 * random.standard_normal((fake, size)) + 0.6


def radii(samples, nearest):
    # Without a query scikit-learn leaves each sample itself out.
    distances, _ = NearestNeighbors(n_neighbors=nearest).fit(samples).kneighbors()
    return distances[:, -1]


def brute_force(real, fake, nearest):
    around_real, around_fake = radii(real, nearest), radii(fake, nearest)
    inside = np.array(
        [[np.linalg.norm(f - r) <= d for r, d in zip(real, around_real, strict=True)] for f in fake]
    )
    found = np.array(
        [[np.linalg.norm(f - r) <= d for f, d in zip(fake, around_fake, strict=True)] for r in real]
    )
    return {
        "precision": inside.any(1).mean(),
        "recall": found.any(1).mean(),
        "density": inside.sum() / (nearest * len(fake)),
        "coverage": inside.any(0).mean(),
    }


@pytest.mark.parametrize("nearest", [1, 3, 5])
@pytest.mark.parametrize("rows", [4, 512])
def test_equal_brute_force(nearest, rows, monkeypatch):
    monkeypatch.setattr(neighbours, "_ROWS", rows)
    real, fake = sets()
    want = brute_force(real, fake, nearest)
    got = precision_recall(real, fake, nearest=nearest)._asdict()
    got |= density_coverage(real, fake, nearest=nearest)._asdict()
    assert got == pytest.approx(want, abs=1e-12)
    assert all(0 < value < 1.5 for value in want.values())


def test_the_same_samples_and_others_far_away():
    real, _ = sets()
    assert precision_recall(real, real) == (1, 1)
    # A ball holds its centre and k more.
    assert density_coverage(real, real, nearest=3) == (pytest.approx(4 / 3), 1)
    assert precision_recall(real, real + 100) == (0, 0)
    assert density_coverage(real, real + 100) == (0, 0)


def test_a_collapsed_generator_is_precise_and_finds_nothing():
    real, _ = sets(60)
    fake = np.repeat(real[:1], 40, 0)
    precision, recall = precision_recall(real, fake)
    assert precision == 1 and recall <= 1 / 60
    assert density_coverage(real, fake).coverage < 0.3


def test_one_odd_real_sample_does_not_raise_density():
    # The example of arXiv 2002.09797, figure 1: an outlier's ball swallows bad fakes.
    real, _ = sets(60)
    odd = np.concatenate([real, [[40.0, 0, 0]]])
    fake = np.random.default_rng(1).uniform(10, 12, (30, 3))
    assert precision_recall(odd, fake).precision == 1
    assert density_coverage(odd, fake).density == pytest.approx(1 / 5)


def test_integers_and_float32_give_the_same():
    random = np.random.default_rng(2)
    real, fake = random.integers(-3, 4, (2, 20, 2))
    # Integers have equal distances, which must count as inside on both ways of computing them.
    want = brute_force(real, fake, 2)
    for dtype in (np.float32, np.float64, np.int64):
        got = precision_recall(real.astype(dtype), fake.astype(dtype), nearest=2)._asdict()
        got |= density_coverage(real.astype(dtype), fake.astype(dtype), nearest=2)._asdict()
        assert got == pytest.approx(want, abs=1e-12)


def test_what_is_refused():
    real, fake = sets(6, 3)
    with pytest.raises(UserError, match="3 neighbours needs at least 4 fake samples"):
        precision_recall(real, fake)
    with pytest.raises(UserError, match="at least 7 real samples and was given 6"):
        density_coverage(real, fake, nearest=6)
    with pytest.raises(UserError, match="at least 1 fake samples and was given 0"):
        density_coverage(real, fake[:0])
    with pytest.raises(UserError, match="at least one neighbour, not 0"):
        precision_recall(real, real, nearest=0)
    assert np.isfinite(density_coverage(real, fake)).all()
