"""The embedded samples: always the same, labelled rightly, different within a class."""

import numpy as np
import pytest

from jaxgan.data import letters, sample, scans, scenes
from jaxgan.errors import UserError

DRAWN = {"letters": letters.letters, "scans": scans.scans, "scenes": scenes.scenes}
NAMES = {"letters": letters.NAMES, "scans": scans.NAMES, "scenes": scenes.NAMES}


@pytest.mark.parametrize("name", DRAWN)
def test_drawings_are_always_the_same_and_no_two_alike(name):
    classes, channels = NAMES[name], 3 if name == "scenes" else 1
    pictures, values = DRAWN[name](24, 3)
    assert pictures.shape == (3 * len(classes), 24, 24, channels) and pictures.dtype == np.uint8
    np.testing.assert_array_equal(values, np.tile(np.arange(len(classes)), 3))
    again, _ = DRAWN[name](24, 3)
    np.testing.assert_array_equal(pictures, again)
    assert len(np.unique(pictures.reshape(len(pictures), -1), axis=0)) == len(pictures)
    # More of them begin with the same ones.
    if name != "letters":
        np.testing.assert_array_equal(DRAWN[name](24, 4)[0][: len(pictures)], pictures)


@pytest.mark.parametrize("side", [64, 128])
def test_drawings_at_other_sizes_show_the_same(side):
    for name in ("scans", "scenes"):
        large, _ = DRAWN[name](side, 1)
        small, _ = DRAWN[name](32, 1)
        assert large.shape[1:3] == (side, side)
        step = side // 32
        means = large.reshape(len(large), 32, step, 32, step, -1).mean(axis=(2, 4))
        correlation = np.corrcoef(means.ravel(), small.ravel())[0, 1]
        assert correlation > 0.7, (name, correlation)


def test_letters_are_white_on_black_within_the_frame():
    pictures, _ = letters.letters(28, 5)
    assert pictures.max(axis=(1, 2, 3)).min() == 255
    edge = np.concatenate([pictures[:, 0].ravel(), pictures[:, -1].ravel()])
    assert edge.max() == 0
    assert 0.05 < (pictures > 127).mean() < 0.25


def test_each_letter_can_be_told_from_the_others():
    # By the nearest mean of other drawings: most, though by no means all, come out right.
    pictures, values = letters.letters(28, 30)
    flat = pictures.reshape(len(pictures), -1).astype(float)
    learn, judge = np.arange(len(flat)) < 20 * 26, np.arange(len(flat)) >= 20 * 26
    means = np.stack([flat[learn & (values == letter)].mean(axis=0) for letter in range(26)])
    nearest = np.linalg.norm(flat[judge, None] - means[None], axis=2).argmin(axis=1)
    assert (nearest == values[judge]).mean() > 0.7


def test_lesions_are_bright_and_vessels_do_not_tell():
    pictures, values = scans.scans(64, 60)
    blurred = pictures[..., 0].reshape(-1, 16, 4, 16, 4).mean(axis=(2, 4))
    inside = blurred[:, 4:12, 5:11].max(axis=(1, 2))
    assert inside[values == 1].mean() > inside[values == 0].mean() + 15
    # Not by the brightest pixel: the skull's are in both.
    brightest = pictures.max(axis=(1, 2, 3))
    assert abs(brightest[values == 1].mean() - brightest[values == 0].mean()) < 8


def test_weather_shows():
    pictures, values = scenes.scenes(32, 12)
    bright = {name: pictures[values == i].mean() for i, name in enumerate(scenes.NAMES)}
    spread = {name: pictures[values == i].std() for i, name in enumerate(scenes.NAMES)}
    assert bright["night"] < 50 < bright["rain"] < bright["fog"]
    assert spread["fog"] < spread["day"]


def test_digits_have_their_labels():
    digits = sample.digits(28)
    assert digits.pictures.shape == (1797, 28, 28, 1)
    from sklearn.datasets import load_digits

    np.testing.assert_array_equal(digits.values, load_digits().target)


def test_faces_are_the_hundred_of_the_wheel():
    faces = sample.faces(25)
    from skimage.data import lfw_subset

    expected = np.rint(lfw_subset()[:100] * 255).astype(np.uint8)
    np.testing.assert_array_equal(faces.pictures[..., 0], expected)
    assert sample.faces(64).pictures.shape == (100, 64, 64, 1)


def test_crops_are_windows_of_the_photographs():
    train, held_out = sample.crops(32)
    again, _ = sample.crops(32)
    np.testing.assert_array_equal(train.pictures, again.pictures)
    assert train.pictures.shape == (1474, 32, 32, 3)
    assert held_out.pictures.shape == (402, 32, 32, 3)
    both = [picture.tobytes() for part in (train, held_out) for picture in part.pictures]
    assert len(set(both)) > 0.98 * len(both)


def test_embedded_samples_are_kept_and_cannot_be_spoilt():
    one = sample.embedded("digits", 28)
    assert sample.embedded("digits", 28) is one
    with pytest.raises(ValueError, match="read-only"):
        one.train.pictures[0] = 0
    with pytest.raises(UserError, match=r"no sample 'leters', .*did you mean 'letters'"):
        sample.embedded("leters", 28)
