"""Figures of films and of shapes against their definitions."""

import numpy as np
import pytest

from jaxgan.errors import UserError
from jaxgan.metrics.motion import motion, motion_figures
from jaxgan.metrics.occupancy import connected_share, shape_figures


def test_motion_is_the_mean_difference_of_neighbours():
    films = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 5, 3), np.uint8)
    values = films.astype(np.float64) / 255
    expected = [np.mean([abs(f[i + 1] - f[i]) for i in range(3)]) for f in values]
    np.testing.assert_allclose(motion(films), expected)
    still = np.repeat(films[:, :1], 4, axis=1)
    found = motion_figures(films, still, {}).figures
    assert found["motion"] == 0.0
    # All of one distribution at 0: the distance is the other one's mean.
    assert found["motion_distance"] == pytest.approx(found["motion_real"])
    assert motion_figures(films, films, {}).figures["motion_distance"] == 0.0


def test_motion_needs_films():
    films = np.zeros((1, 1, 4, 4, 3), np.uint8)
    with pytest.raises(ValueError, match="motion is of uint8"):
        motion(films)
    with pytest.raises(UserError, match="fake"):
        motion_figures(np.zeros((1, 2, 4, 4, 3), np.uint8), np.zeros((0, 2, 4, 4, 3), np.uint8), {})


def test_the_largest_part_counts():
    volume = np.zeros((4, 4, 4), bool)
    assert connected_share(volume) == 0.0
    volume[0, 0, :3] = True
    assert connected_share(volume) == 1.0
    volume[2, 2, 2] = True
    assert connected_share(volume) == 0.75
    volume[1, 1, 3] = True  # by its corner it hangs on to nothing
    assert connected_share(volume) == 0.6


def test_shapes_like_the_real_ones_have_their_figures():
    random = np.random.default_rng(0)
    often = random.random((8, 8, 8))
    real, fake = (random.random((40, 8, 8, 8)) < often for _ in range(2))
    same = shape_figures(real, fake, {}).figures
    assert same["correlation"] > 0.9
    assert same["occupancy"] == pytest.approx(fake.mean())
    assert same["coverage"] > 0.8
    noise = shape_figures(real, random.random((40, 8, 8, 8)) < 0.5, {}).figures
    assert abs(noise["correlation"]) < 0.2 and noise["coverage"] < 0.2
    empty = shape_figures(real, np.zeros_like(real), {}).figures
    assert (empty["correlation"], empty["connected"]) == (0.0, 0.0)
    with pytest.raises(UserError, match="fake"):
        shape_figures(real, fake[:2], {})
