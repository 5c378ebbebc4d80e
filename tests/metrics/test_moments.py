"""Mean and covariance from batches of any cut, against NumPy's and against exact fractions."""

from fractions import Fraction

import numpy as np
import pytest

from jaxgan.metrics.moments import Moments


def samples(count=301, size=7):
    random = np.random.default_rng(0)
    mixed = random.standard_normal((count, size)) @ random.standard_normal((size, size))
    # A mean far from zero is where sums of squares would lose their digits.
    return (mixed + 1e4 * random.standard_normal(size)).astype(np.float32)


def cuts(x):
    return {
        "one": [x],
        "rows": list(x[:, None]),
        "uneven": np.split(x, [1, 2, 50, 50, 300]),
        "halves": np.split(x, [150]),
    }


@pytest.mark.parametrize("cut", ["one", "rows", "uneven", "halves"])
def test_any_cut_gives_the_same(cut):
    x = samples()
    moments = Moments.empty(7)
    for batch in cuts(x)[cut]:
        moments = moments.add(batch)
    wide = x.astype(np.float64)
    assert moments.count == 301
    np.testing.assert_allclose(moments.mean, wide.mean(0), rtol=1e-13)
    want = np.cov(wide.T)
    scale = np.sqrt(np.outer(np.diag(want), np.diag(want)))
    assert np.abs((moments.covariance - want) / scale).max() < 1e-10


def test_merging_equals_adding_in_any_order():
    x = samples()
    parts = [Moments.of(part) for part in np.split(x, [3, 120])]
    a, b, c = parts
    left, right = a.merge(b).merge(c), c.merge(Moments.empty(7)).merge(a.merge(b))
    whole = Moments.of(x)
    for merged in (left, right):
        assert merged.count == whole.count
        np.testing.assert_allclose(merged.mean, whole.mean, rtol=1e-13)
        scale = np.abs(whole.scatter).max()
        np.testing.assert_allclose(merged.scatter / scale, whole.scatter / scale, atol=1e-10)


def test_equals_exact_fractions():
    x = samples(9, 2)
    exact = [[Fraction(float(value)) for value in row] for row in x]
    mean = [sum(column) / 9 for column in zip(*exact, strict=True)]
    product = sum((row[0] - mean[0]) * (row[1] - mean[1]) for row in exact) / 8
    moments = Moments.empty(2)
    for batch in np.split(x, [4, 5]):
        moments = moments.add(batch)
    assert moments.covariance[0, 1] == pytest.approx(float(product), rel=1e-10)


def test_too_few_and_other_sizes():
    with pytest.raises(ValueError, match="two samples, not 1"):
        _ = Moments.of(np.zeros((1, 3))).covariance
    with pytest.raises(ValueError, match=r"expected features \[n, 3\]"):
        Moments.empty(3).add(np.zeros((2, 4)))
    assert Moments.empty(3).merge(Moments.empty(3)).count == 0
    assert Moments.empty(3).add(np.zeros((0, 3))).count == 0
