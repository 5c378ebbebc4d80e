"""Differentiable augmentation, against the same changes made by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.errors import UserError
from jaxgan.ops.augment import augment, check_names

SHAPE = (40, 16, 8, 3)


@pytest.fixture
def pictures():
    return np.random.default_rng(0).uniform(0.1, 1.0, SHAPE).astype(np.float32)


def changed(name, pictures, seed=0):
    change = jax.jit(augment, static_argnums=2)
    return np.asarray(change(jnp.asarray(pictures), jax.random.key(seed), (name,)))


def test_translation_shifts_whole_pictures(pictures):
    found = set()
    padded = np.pad(pictures, ((0, 0), (2, 2), (1, 1), (0, 0)))
    for before, after in zip(padded, changed("translation", pictures), strict=True):
        fits = [
            (down, right)
            for down in range(-2, 3)
            for right in range(-1, 2)
            if np.array_equal(after, before[2 - down : 18 - down, 1 - right : 9 - right])
        ]
        assert len(fits) == 1
        found |= set(fits)
    # An eighth of either side each way, and most of the 15 shifts among 40 pictures.
    assert {down for down, _ in found} == {-2, -1, 0, 1, 2}
    assert {right for _, right in found} == {-1, 0, 1}


def test_cutout_makes_one_hole_of_half_the_side(pictures):
    whole = 0
    for before, after in zip(pictures, changed("cutout", pictures), strict=True):
        hole = np.all(after == 0, axis=2)
        rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
        assert hole[np.ix_(rows, columns)].all() and hole.sum() == len(rows) * len(columns)
        assert len(rows) <= 8 and len(columns) <= 4
        np.testing.assert_array_equal(after[~hole], before[~hole])
        whole += len(rows) == 8 and len(columns) == 4
    assert 0 < whole < len(pictures)


def test_colour_is_brightness_then_saturation_then_contrast(pictures):
    after = changed("colour", pictures).astype(np.float64)
    before = pictures.astype(np.float64)
    brightness = after.mean(axis=(1, 2, 3)) - before.mean(axis=(1, 2, 3))
    assert np.abs(brightness).max() <= 0.5 and np.ptp(brightness) > 0.5
    # What is left of a pixel's grey around the picture's mean is the contrast alone.
    grey = [x.mean(axis=3) - x.mean(axis=(1, 2, 3))[:, None, None] for x in (before, after)]
    contrast = (grey[0] * grey[1]).sum(axis=(1, 2)) / (grey[0] ** 2).sum(axis=(1, 2))
    np.testing.assert_allclose(grey[1], contrast[:, None, None] * grey[0], atol=1e-5)
    assert contrast.min() >= 0.5 and contrast.max() <= 1.5 and np.ptp(contrast) > 0.5
    own = [x - x.mean(axis=3, keepdims=True) for x in (before, after)]
    factor = (own[0] * own[1]).sum(axis=(1, 2, 3)) / (own[0] ** 2).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(own[1], factor[:, None, None, None] * own[0], atol=1e-5)
    saturation = factor / contrast
    assert saturation.min() >= 0 and saturation.max() <= 2.001 and np.ptp(saturation) > 1


def test_the_gradient_goes_through_and_the_key_decides(pictures):
    names = ("colour", "translation", "cutout")
    small = jnp.asarray(pictures[:2])
    key = jax.random.key(3)
    weight = jnp.asarray(np.random.default_rng(1).normal(size=small.shape), jnp.float32)

    @jax.jit
    def total(x):
        return jnp.sum(augment(x, key, names) * weight)

    change = jax.jit(augment, static_argnums=2)

    gradient = jax.grad(total)(small)
    direction = jnp.asarray(np.random.default_rng(2).normal(size=small.shape), jnp.float32)
    # Linear in the pictures, up to rounding, but for the key.
    difference = total(small + direction) - total(small)
    assert float(jnp.sum(gradient * direction)) == pytest.approx(float(difference), rel=1e-3)
    once, again = (change(small, jax.random.key(k), names) for k in (3, 3))
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(once, change(small, jax.random.key(4), names))
    assert augment(small, key, ()) is small


@pytest.mark.parametrize(
    ("names", "message"), [(["color"], "did you mean 'colour'"), (["cutout"] * 2, "twice")]
)
def test_unknown_and_repeated_names_are_refused(names, message):
    with pytest.raises(UserError, match=message):
        check_names(names)
