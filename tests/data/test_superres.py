"""Crops that belong together, whatever their place and orientation, and whole held-out pairs."""

import numpy as np
import pytest

from jaxgan.data.resize import imresize
from jaxgan.data.sources import ArraySource
from jaxgan.data.superres import crop_pairs, degrade, held_out_pairs
from jaxgan.errors import UserError


def smooth_picture(seed, height, width):
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return imresize(imresize(noise, 0.25), size=(height, width))


PICTURES = [smooth_picture(seed, 50 + seed, 61) for seed in range(3)]
SOURCE = ArraySource(PICTURES, ["a", "b", "c"])
INDICES = np.array([0, 1, 2, 2, 1, 0, 0, 1] * 8)
SEEDS = np.random.default_rng(5).integers(0, 2**64, 64, dtype=np.uint64)
ORIENTATIONS = [
    lambda a, turns=turns, mirror=mirror: np.rot90(a[:, ::-1] if mirror else a, turns)
    for turns in range(4)
    for mirror in (False, True)
]


def test_low_is_imresize_of_the_cut_picture():
    low, high = degrade(PICTURES[1], 4)
    assert low.shape == (12, 15, 3) and high.shape == (48, 60, 3)
    np.testing.assert_array_equal(high, PICTURES[1][:48, :60])
    np.testing.assert_array_equal(low, imresize(PICTURES[1][:48, :60], 0.25))


@pytest.mark.parametrize(("factor", "crop"), [(4, 24), (2, 20), (4, 48)])
def test_every_row_is_an_aligned_crop_of_its_picture(factor, crop):
    load = crop_pairs(SOURCE, factor=factor, crop=crop)
    batch = load(INDICES, SEEDS)
    side = crop // factor
    assert batch["low"].shape == (64, side, side, 3) and batch["low"].dtype == np.uint8
    assert batch["high"].shape == (64, crop, crop, 3) and batch["high"].dtype == np.uint8
    seen = set()
    for row, index in enumerate(INDICES):
        small, large = degrade(PICTURES[index], factor)
        places = []
        for number, orient in enumerate(ORIENTATIONS):
            low, high = orient(batch["low"][row]), orient(batch["high"][row])
            windows = np.lib.stride_tricks.sliding_window_view(large, (crop, crop), axis=(0, 1))
            match = (windows[..., :2, :2] == high[:2, :2].transpose(2, 0, 1)).all((2, 3, 4))
            for top, left in np.argwhere(match):
                same = np.array_equal(large[top : top + crop, left : left + crop], high)
                on_grid = top % factor == 0 and left % factor == 0
                y, x = top // factor, left // factor
                if same and on_grid:
                    np.testing.assert_array_equal(small[y : y + side, x : x + side], low)
                    places.append((number, y, x))
        assert len(places) == 1
        seen.add((index, *places[0]))
    assert {place[1] for place in seen} == set(range(8))
    assert len(seen) > (20 if crop == 48 else 60)


def test_a_row_depends_on_its_index_and_seed_alone():
    load = crop_pairs(SOURCE, factor=4, crop=24)
    whole = load(INDICES, SEEDS)
    order = np.random.default_rng(0).permutation(64)
    part = load(INDICES[order][:10], SEEDS[order][:10])
    for name in ("low", "high"):
        np.testing.assert_array_equal(part[name], whole[name][order][:10])
        assert not np.shares_memory(part[name], load(INDICES[:10], SEEDS[:10])[name])
    other = load(INDICES, SEEDS + np.uint64(1))
    assert (other["high"] != whole["high"]).any(axis=(1, 2, 3)).mean() > 0.9


def test_pictures_smaller_than_the_crop_are_named():
    narrow = smooth_picture(0, 30, 80)
    large = ArraySource([narrow, *PICTURES, smooth_picture(2, 96, 99)])
    with pytest.raises(UserError, match=r"^4 of 5 pictures are smaller .* 96x96: 0 \(80x30\), 1"):
        crop_pairs(large, factor=4, crop=96)
    small = ArraySource([narrow, *PICTURES, smooth_picture(1, 96, 95)])
    with pytest.raises(UserError, match=r"^1 of 5 pictures .* 48x48: 0 \(80x30\); remove"):
        crop_pairs(small, factor=4, crop=48)
    # 95 wide is 92 after the cut to a multiple of 4.
    with pytest.raises(UserError, match=r"4 \(95x96\)"):
        crop_pairs(small, factor=4, crop=96)


@pytest.mark.parametrize(("factor", "crop"), [(4, 26), (0, 24), (8, 4)])
def test_crops_that_no_low_picture_fits_are_refused(factor, crop):
    with pytest.raises(UserError, match="not a multiple"):
        crop_pairs(SOURCE, factor=factor, crop=crop)


def test_held_out_pairs_are_whole_pictures():
    pairs = held_out_pairs(SOURCE, 4)
    assert [name for name, _, _ in pairs] == ["a", "b", "c"]
    for (_, low, high), picture in zip(pairs, PICTURES, strict=True):
        np.testing.assert_array_equal(low, degrade(picture, 4)[0])
        np.testing.assert_array_equal(high, degrade(picture, 4)[1])
    with pytest.raises(UserError, match="smaller"):
        held_out_pairs(ArraySource([np.zeros((3, 9, 3), np.uint8)]), 4)
