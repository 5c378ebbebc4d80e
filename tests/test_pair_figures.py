"""FID of the quarters of pictures: nothing for the targets themselves, more the further away."""

import numpy as np
import pytest

from jaxgan.data.pairs import Pairs
from jaxgan.pair_figures import patch_distances, quarters
from jaxgan.systems.translating import Example

SIDE = 16


def stripes(count, seed):
    """Squares of horizontal stripes of random colours, uint8 [count, SIDE, SIDE, 3]."""
    colours = np.random.default_rng(seed).integers(0, 256, (count, SIDE, 1, 3), np.uint8)
    return np.repeat(colours, SIDE, axis=2)


def pairs_of(pictures):
    names = [str(index) for index in range(len(pictures))]
    return Pairs(names, lambda index: (pictures[index], pictures[index]), {"kind": "stripes"})


@pytest.fixture
def measure(tmp_path):
    """Measures what `through` makes of some held-out pictures."""

    def measured(held_out, through, seen=20):
        examples = [Example("", (), np.zeros_like(p), p) for p in stripes(held_out, 1)]
        train = pairs_of(stripes(seen, 0))
        conclude = patch_distances(
            lambda: train, lambda: examples, through, side=SIDE, data_dir=str(tmp_path)
        )
        return conclude({})

    return measured


def test_quarters_are_the_four_corners():
    squares = stripes(2, 0)
    upper, lower = squares[1][:8], squares[1][8:]
    expected = [upper[:, :8], upper[:, 8:], lower[:, :8], lower[:, 8:]]
    np.testing.assert_array_equal(quarters(list(squares))[4:], expected)


@pytest.mark.usefixtures("hasty_measures")
def test_the_targets_themselves_are_nearest(measure):
    def noisy(networks, example):
        return np.random.default_rng(0).integers(0, 256, example.target.shape, np.uint8)

    same = measure(12, lambda networks, example: example.target)
    other = measure(12, noisy)
    assert same.figures.keys() == same.stamps.keys() == {"fid", "kid"}
    assert same.figures["fid"] == pytest.approx(0.0, abs=1e-3)
    assert other.figures["fid"] > 1 and other.figures["kid"] > same.figures["kid"]
    assert same.stamps["fid"].real == same.stamps["fid"].fake == 48


@pytest.mark.parametrize(("counts", "said"), [((2, 20), "2 held out"), ((12, 4), "4 to train on")])
def test_too_few_pictures_are_said_and_cost_nothing(counts, said, measure, capsys):
    held_out, seen = counts
    found = measure(held_out, lambda networks, example: example.target, seen)
    assert not found.figures and f"left out: there are {said}" in capsys.readouterr().out
