"""The embedded samples of image-to-image: always the same, aligned, and nothing in both parts."""

import json

import numpy as np
import pytest
from scipy.ndimage import sobel

from jaxgan.data import facades, sample, sample_domains, sample_pairs, scenes
from jaxgan.data.paired import open_pairs
from jaxgan.data.squares import grey
from jaxgan.data.strokes import line_drawing, painting
from jaxgan.data.unpaired import open_domains


def test_facades_are_always_the_same_and_no_two_alike():
    pictures, labels = facades.facades(48, 12)
    assert pictures.shape == (12, 48, 48, 3) and pictures.dtype == np.uint8
    assert labels.shape == (12, 48, 48) and labels.dtype == np.uint8
    again, plans = facades.facades(48, 3, first=9)
    np.testing.assert_array_equal(again, pictures[9:])
    np.testing.assert_array_equal(plans, labels[9:])
    assert len(np.unique(labels.reshape(12, -1), axis=0)) == 12


@pytest.mark.parametrize("side", [32, 128])
def test_facades_show_every_class_in_colours_of_its_own(side):
    pictures, labels = facades.facades(side, 60)
    assert set(np.unique(labels)) == set(range(len(facades.NAMES)))
    # A wall is the larger part, and where a window is, something else is seen than beside it.
    shares = np.bincount(labels.ravel(), minlength=9) / labels.size
    assert shares[facades.WALL] > 0.25 and shares.min() > 0.0005
    differences = []
    for picture, plan in zip(pictures, labels, strict=True):
        means = [picture[plan == label].mean(axis=0) for label in (facades.WALL, facades.WINDOW)]
        differences.append(np.abs(means[0] - means[1]).max())
    assert np.median(differences) > 30
    # One map does not tell the picture: paint differs from house to house.
    paint = np.stack([p[m == facades.WALL].mean(axis=0) for p, m in zip(pictures, labels)])  # noqa: B905
    assert paint.std(axis=0).min() > 15


def test_lines_are_drawn_where_edges_are():
    picture = np.full((40, 40, 3), 180, np.uint8)
    picture[10:30, 10:30] = 90
    drawing = line_drawing(picture)
    assert drawing.shape == (40, 40, 3) and drawing.dtype == np.uint8
    ink = drawing[..., 0] < 128
    assert ink[10, 12:28].all() and ink[12:28, 29].all()
    # Nothing but the square's rim, and neither the dark nor the light ground.
    distance = np.maximum(np.abs(np.arange(40) - 19.5)[:, None], np.abs(np.arange(40) - 19.5)[None])
    assert not ink[np.abs(distance - 9.5) > 2].any()
    plain = line_drawing(np.full((20, 20, 1), 60, np.uint8))
    assert plain.min() > 240


def test_paintings_are_flat_and_warm_but_show_the_same():
    train, _ = sample.crops(64)
    picture = train.pictures[3]
    painted = painting(picture)
    assert painted.shape == picture.shape and painted.dtype == np.uint8
    luma = [grey(p)[..., 0].astype(float) for p in (picture, painted)]
    assert np.corrcoef(luma[0].ravel(), luma[1].ravel())[0, 1] > 0.8
    # Less texture: half of the pixels change much less than they did.
    change = [np.median(np.hypot(sobel(x, 0), sobel(x, 1))) for x in luma]
    assert change[1] < 0.8 * change[0]
    warmth = [np.subtract(p[..., 0], p[..., 2], dtype=float).mean() for p in (picture, painted)]
    assert warmth[1] > warmth[0] + 20


@pytest.mark.parametrize("name", sample_pairs.PAIRS)
@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_every_sample_of_pairs_opens(name, direction):
    train, held_out = open_pairs("sample", sample=name, side=32, direction=direction)
    assert len(train) >= 90 and len(held_out) >= 10
    for part in (train, held_out):
        about = json.loads(json.dumps(part.description))
        assert about["kind"] == "sample" and about["count"] == len(part)
        given, target = part[len(part) - 1]
        assert target.shape == (32, 32, 3)
        assert given.shape == ((32, 32) if part.labels else (32, 32, 3))
    assert (train.labels is not None) == (name == "facades" and direction == "BtoA")
    apart = [{part[i][0].tobytes() for i in range(len(part))} for part in (train, held_out)]
    assert not apart[0] & apart[1]
    assert len(apart[0]) > 0.98 * len(train)


def test_facades_are_many_and_aligned():
    train, held_out = open_pairs("sample", sample="facades", side=32, direction="BtoA")
    assert len(train) == 240 and len(held_out) == 40
    assert train.labels.count == len(facades.NAMES)
    pictures, labels = facades.facades(32, 1, first=240)
    np.testing.assert_array_equal(held_out[0][0], labels[0])
    np.testing.assert_array_equal(held_out[0][1], pictures[0])


@pytest.mark.parametrize("name", sample_domains.DOMAINS)
def test_every_sample_of_domains_opens(name):
    train, held_out = open_domains("sample", sample=name, side=32)
    for part in (train, held_out):
        for domain in part:
            assert domain[0].shape == (32, 32, 3) and len(domain) >= 20
            about = json.loads(json.dumps(domain.description))
            assert about["kind"] == "sample" and about["count"] == len(domain)
    seen = [
        domain[i].tobytes()
        for part in (train, held_out)
        for domain in part
        for i in range(len(domain))
    ]
    assert len(set(seen)) > 0.98 * len(seen)


def test_domains_can_be_told_apart_by_colour():
    train, _ = open_domains("sample", sample="domains", side=32)
    warmth = [
        np.array(
            [np.subtract(d[i][..., 0], d[i][..., 2], dtype=float).mean() for i in range(len(d))]
        )
        for d in train
    ]
    assert np.median(warmth[1]) > np.median(warmth[0]) + 25
    streets, _ = open_domains("sample", sample="streets", side=32)
    assert len(streets.a) == len(streets.b) == scenes.EACH * 9 // 10
    assert streets.a[0].mean() > 2 * streets.b[0].mean()
