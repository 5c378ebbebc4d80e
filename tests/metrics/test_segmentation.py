"""The FCN-score: its arithmetic, and that it tells right pictures from wrong ones."""

import numpy as np
import pytest

from jaxgan.metrics.segmentation import from_confusion, scores, train

COLOURS = np.array([[200, 30, 30], [30, 200, 30], [30, 30, 200]], np.uint8)


def pairs(count, seed):
    """Two bands of colours of three, and which class each pixel is."""
    random = np.random.default_rng(seed)
    labels = np.zeros((count, 16, 16), np.uint8)
    for label in labels:
        first, second = random.choice(3, 2, replace=False)
        edge = random.integers(4, 12)
        label[:edge], label[edge:] = first, second
    noise = random.integers(-20, 20, (count, 16, 16, 3))
    return np.clip(COLOURS[labels].astype(int) + noise, 0, 255).astype(np.uint8), labels


def test_scores_are_those_of_the_confusion():
    confusion = np.array([[6, 2, 0], [1, 3, 0], [4, 4, 4]])
    got = from_confusion(confusion, void=(2,))
    assert got.pixel_accuracy == pytest.approx(9 / 12)
    assert got.class_accuracy == pytest.approx((6 / 8 + 3 / 4) / 2)
    assert got.class_iou == pytest.approx((6 / 9 + 3 / 6) / 2)
    # A class that nobody asked for is not counted, though it was found.
    got = from_confusion(np.array([[3, 1], [0, 0]]))
    assert got == pytest.approx((3 / 4, 3 / 4, 3 / 4))


def test_real_pictures_are_understood_and_swapped_ones_are_not():
    params = train(*pairs(40, 0), 3, steps=60)
    pictures, labels = pairs(10, 1)
    right = scores(params, pictures, labels, 3)
    assert right.pixel_accuracy > 0.95 and right.class_iou > 0.9
    wrong = scores(params, COLOURS[(labels + 1) % 3], labels, 3)
    assert wrong.pixel_accuracy < 0.2
    # Void pixels count nowhere, in training as in scores.
    alone = scores(params, pictures, labels, 3, void=(0,))
    kept = labels != 0
    assert 0.9 < alone.pixel_accuracy <= 1 and kept.any()


def test_void_classes_are_not_learned():
    pictures, labels = pairs(40, 0)
    params = train(pictures, labels, 3, void=(1,), steps=40)
    got = scores(params, *pairs(10, 1), 3)
    assert got.class_accuracy < 0.75  # of three classes one is never found
    with pytest.raises(ValueError, match="no pairs"):
        train(pictures[:, :12], labels, 3, steps=1)
