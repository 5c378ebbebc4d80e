"""What synthetic pictures are worth, and whether they are of the class that was asked for."""

import numpy as np
import pytest

from jaxgan.data.examples import Labelled
from jaxgan.errors import UserError
from jaxgan.metrics.agreement import class_agreement
from jaxgan.metrics.augmentation import accuracies

ABOUT = {"kind": "npz", "where": "halves.npz"}


def halves(labels, seed):
    """Noise whose left (0) or right (1) half is brighter."""
    random = np.random.default_rng(seed)
    pictures = random.integers(0, 120, (len(labels), 8, 8, 1), np.uint8)
    for picture, label in zip(pictures, labels, strict=True):
        picture[:, 4 * label : 4 * label + 4] += 100
    return pictures


def examples(count, seed):
    labels = (np.arange(count) % 2).astype(np.int32)
    return Labelled(halves(labels, seed), labels, ("left", "right"), ABOUT)


def test_good_synthetic_pictures_teach_and_wrong_ones_mislead():
    good = accuracies(examples(64, 0), examples(40, 1), halves, seeds=2, steps=30)
    assert good.figures["accuracy_real"] > 0.9 and good.figures["accuracy_synthetic"] > 0.9

    def swapped(labels, seed):
        return halves(1 - labels, seed)

    bad = accuracies(examples(64, 0), examples(40, 1), swapped, seeds=2, steps=30)
    assert bad.figures["accuracy_real"] == good.figures["accuracy_real"]
    assert bad.figures["accuracy_synthetic"] < 0.1
    assert bad.figures["accuracy_synthetic"] < bad.figures["accuracy_both"] < 0.9


def test_the_spread_is_that_of_the_seeds_and_the_stamp_says_what_was_done():
    train, held_out = examples(64, 0), examples(40, 1)
    drawn = []

    def draw(labels, seed):
        drawn.append((seed, labels.copy()))
        return halves(labels, seed)

    def of(seeds):
        return accuracies(train, held_out, draw, seeds=seeds, steps=3).figures["accuracy_both"]

    one, two, three = of(1), of(2), of(3)
    each = np.array([one, 2 * two - one, 3 * three - 2 * two])
    drawn.clear()
    all_three = accuracies(train, held_out, draw, seeds=3, steps=3)
    assert all_three.figures["accuracy_both_spread"] == pytest.approx(each.std(ddof=1), abs=1e-6)
    assert [seed for seed, _ in drawn] == [0, 1, 2]
    assert all((labels == train.labels).all() for _, labels in drawn)
    stamp = str(all_three.stamps["accuracy_both"])
    assert "after 3 steps" in stamp and "3 seeds, on 40 held-out" in stamp and "halves.npz" in stamp


def test_an_accuracy_needs_held_out_pictures():
    few = examples(2, 0).take(np.array([0]))
    with pytest.raises(UserError, match="at least 2 held-out samples"):
        accuracies(examples(8, 0), few, halves, seeds=1, steps=1)


class Brighter:
    """Tells halves apart by their brightness."""

    name, sha256, resize, scored = "brighter half", "ab" * 32, "none", True

    def stamp(self, metric, real, fake, data):
        return metric, real, fake, data

    def __call__(self, pictures):
        right = pictures[:, :, 4:].mean((1, 2, 3)) > pictures[:, :, :4].mean((1, 2, 3))
        return None, np.stack([~right, right], 1).astype(np.float32)


def test_agreement_is_the_share_of_samples_of_the_class_asked_for():
    asked = (np.arange(40) % 2).astype(np.int32)
    wrong = asked.copy()
    wrong[:10] = 1 - wrong[:10]

    found = class_agreement(halves(wrong, 0), asked, Brighter(), ABOUT)
    assert found.figures == {"class_agreement": 0.75}
    assert found.stamps["class_agreement"][1:] == (0, 40, ABOUT)
