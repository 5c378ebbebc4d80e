"""Frechet and kernel distances and the Inception Score against closed forms and plain loops."""

import numpy as np
import pytest
import scipy.linalg

from jaxgan.errors import UserError
from jaxgan.metrics.frechet import frechet_distance, gaussian_distance
from jaxgan.metrics.inception_score import inception_score
from jaxgan.metrics.kernel import discrepancy, kernel_distance
from jaxgan.metrics.moments import Moments


def covariance(random, size, rank=None):
    factor = random.standard_normal((size, rank or 2 * size))
    return factor @ factor.T


def test_equal_covariances_leave_the_means_distance():
    random = np.random.default_rng(0)
    c = covariance(random, 6)
    a, b = random.standard_normal((2, 6))
    assert gaussian_distance(a, c, b, c) == pytest.approx(np.square(a - b).sum(), rel=1e-10)
    assert gaussian_distance(a, c, a, c) == pytest.approx(0, abs=1e-12 * np.trace(c))


def test_diagonal_covariances_compare_standard_deviations():
    random = np.random.default_rng(1)
    s, t = random.uniform(0, 3, (2, 5))
    s[0] = t[1] = 0
    zero = np.zeros(5)
    got = gaussian_distance(zero, np.diag(s**2), zero, np.diag(t**2))
    assert got == pytest.approx(np.square(s - t).sum(), rel=1e-12)


@pytest.mark.parametrize("size", [1, 3, 40])
def test_equals_the_matrix_square_root(size):
    random = np.random.default_rng(size)
    c, d = covariance(random, size), covariance(random, size)
    a, b = random.standard_normal((2, size))
    root = scipy.linalg.sqrtm(c @ d)
    want = np.square(a - b).sum() + np.trace(c + d - 2 * root.real)
    assert gaussian_distance(a, c, b, d) == pytest.approx(want, rel=1e-9)
    assert gaussian_distance(b, d, a, c) == pytest.approx(want, rel=1e-9)


def test_fewer_samples_than_features():
    # All lies in a plane of a space of 50 dimensions: there the distance is that of 2 dimensions,
    # where the covariances are regular and SciPy's root can be trusted.
    random = np.random.default_rng(2)
    basis, _ = np.linalg.qr(random.standard_normal((50, 2)))
    real, fake = random.standard_normal((20, 2)), 2 * random.standard_normal((30, 2)) + 1
    got = frechet_distance(Moments.of(real @ basis.T), Moments.of(fake @ basis.T))
    c, d = np.cov(real.T), np.cov(fake.T)
    apart = np.square(real.mean(0) - fake.mean(0)).sum()
    want = apart + np.trace(c + d - 2 * scipy.linalg.sqrtm(c @ d).real)
    assert got == pytest.approx(want, rel=1e-9)


def test_a_generator_that_makes_one_sample():
    random = np.random.default_rng(3)
    real = random.standard_normal((40, 5))
    got = frechet_distance(Moments.of(real), Moments.of(np.ones((40, 5))))
    want = np.square(real.mean(0) - 1).sum() + np.trace(np.cov(real.T))
    assert got == pytest.approx(want, rel=1e-12)
    assert frechet_distance(Moments.of(np.ones((4, 5))), Moments.of(np.ones((9, 5)))) == 0.0


def test_frechet_distance_refuses():
    one, two = Moments.of(np.zeros((1, 3))), Moments.of(np.zeros((2, 3)))
    with pytest.raises(UserError, match=r"at least 2 fake samples and was given 1"):
        frechet_distance(two, one)
    with pytest.raises(UserError, match="at least 2 real samples"):
        frechet_distance(one, two)
    with pytest.raises(ValueError, match="do not go with"):
        frechet_distance(two, Moments.of(np.zeros((2, 4))))


def kernel(a, b):
    return (sum(float(p) * float(q) for p, q in zip(a, b, strict=True)) / len(a) + 1) ** 3


def test_discrepancy_equals_the_double_loop():
    random = np.random.default_rng(4)
    x = random.standard_normal((7, 3)).astype(np.float32)
    y = (random.standard_normal((5, 3)) + 0.5).astype(np.float32)
    xx = [kernel(x[i], x[j]) for i in range(7) for j in range(7) if i != j]
    yy = [kernel(y[i], y[j]) for i in range(5) for j in range(5) if i != j]
    xy = [kernel(a, b) for a in x for b in y]
    want = np.mean(xx) + np.mean(yy) - 2 * np.mean(xy)
    assert discrepancy(x, y) == pytest.approx(want, rel=1e-10)
    # Without subsets to draw, the distance is that of everything.
    whole = kernel_distance(x[:5], y, subsets=3, subset_size=5)
    assert whole.value == pytest.approx(discrepancy(x[:5], y), rel=1e-10)
    assert whole.spread == pytest.approx(0, abs=1e-12)


def test_kernel_distance_is_without_bias():
    # E k(x, y) of N(0, 1) and N(m, 1) in one dimension, from the moments of Gaussians:
    # E (xy + 1)^3 = E x^3 E y^3 + 3 E x^2 E y^2 + 3 E x E y + 1.
    m = 0.7
    within = 0 + 3 + 0 + 1
    x3, x2 = m**3 + 3 * m, m**2 + 1
    within_moved = x3**2 + 3 * x2**2 + 3 * m**2 + 1
    across = 0 + 3 * x2 + 0 + 1
    want = within + within_moved - 2 * across
    random = np.random.default_rng(5)
    real, fake = random.standard_normal((2, 20_000, 1))
    got = kernel_distance(real, fake + m, subsets=200, subset_size=100)
    assert got.value == pytest.approx(want, abs=5 * got.spread / np.sqrt(200))
    nothing = kernel_distance(real, fake, subsets=200, subset_size=100)
    assert abs(nothing.value) < 5 * nothing.spread / np.sqrt(200)


def test_kernel_distance_draws_the_same_for_a_seed():
    random = np.random.default_rng(6)
    x, y = random.standard_normal((2, 30, 4))
    options = {"subsets": 4, "subset_size": 8}
    assert kernel_distance(x, y, **options) == kernel_distance(x, y, **options)
    assert kernel_distance(x, y, **options) != kernel_distance(x, y, seed=1, **options)


def test_kernel_distance_refuses():
    x = np.zeros((10, 2))
    with pytest.raises(UserError, match="at least 11 fake samples and was given 10: measure"):
        kernel_distance(np.zeros((20, 2)), x, subset_size=11)
    with pytest.raises(UserError, match="at least 2, not 3 of 1"):
        kernel_distance(x, x, subsets=3, subset_size=1)
    with pytest.raises(ValueError, match="two sizes"):
        kernel_distance(x, np.zeros((10, 3)), subset_size=5)


def test_inception_score_of_known_cases():
    certain = np.eye(5)[np.arange(50) % 5]
    assert inception_score(certain).value == pytest.approx(5)
    assert inception_score(certain).spread == pytest.approx(0)
    assert inception_score(np.full((50, 5), 0.2)).value == pytest.approx(1)
    assert inception_score(np.eye(5)[np.zeros(50, int)]).value == pytest.approx(1)
    # Two halves, one of five classes and one of a single one.
    halves = np.concatenate([certain[:25], np.eye(5)[np.zeros(25, int)]])
    score = inception_score(halves, splits=2)
    assert score.value == pytest.approx(3) and score.spread == pytest.approx(2)


def test_inception_score_equals_the_sum():
    p = np.random.default_rng(7).dirichlet(np.ones(4), 23).astype(np.float32)
    scores = []
    for part in (p[:7], p[7:14], p[14:21]):
        rows = part.astype(np.float64)
        q = rows.mean(0)
        divergence = [
            sum(v * (np.log(v) - np.log(w)) for v, w in zip(r, q, strict=True)) for r in rows
        ]
        scores.append(np.exp(np.mean(divergence)))
    got = inception_score(p, splits=3)
    assert got == pytest.approx((np.mean(scores), np.std(scores)), rel=1e-10)


def test_inception_score_refuses():
    with pytest.raises(UserError, match="at least 10 fake samples and was given 9"):
        inception_score(np.ones((9, 1)))
    with pytest.raises(UserError, match="at least one split, not 0"):
        inception_score(np.ones((9, 1)), splits=0)
