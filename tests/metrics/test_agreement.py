"""Whether samples show what was asked for, as a whole and aspect by aspect."""

import numpy as np
import pytest

from jaxgan.metrics.agreement import aspect_agreement
from jaxgan.metrics.stamp import Stamp


class Told:
    """Takes a picture for the class that its first pixel is."""

    name, scored = "told", True

    def __call__(self, pictures):
        return np.zeros((len(pictures), 1)), np.eye(4)[pictures[:, 0, 0, 0]]

    def stamp(self, metric, real, fake, data, warning=""):
        return Stamp(metric, real, fake, data, self.name)


def test_red_squares_agree_with_red_circles_in_colour():
    # 0: red circle, 1: red square, 2: blue circle, 3: blue square.
    aspects = {"colour": np.array([0, 0, 1, 1]), "shape": np.array([0, 1, 0, 1])}
    asked = np.array([0, 1, 2, 3, 0])
    drawn = np.array([0, 0, 2, 1, 3], np.uint8)
    samples = np.broadcast_to(drawn[:, None, None, None], (5, 2, 2, 1))
    found = aspect_agreement(samples, asked, Told(), {"where": "here"}, aspects)
    assert found.figures == pytest.approx(
        {"class_agreement": 2 / 5, "colour_agreement": 3 / 5, "shape_agreement": 3 / 5}
    )
    assert found.stamps["colour_agreement"].metric.endswith("the colour asked for")
    assert set(found.stamps) == set(found.figures)
