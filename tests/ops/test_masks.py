"""Holes: their area, their shape, and that each key gives its own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from scipy.ndimage import distance_transform_edt, label

from jaxgan.ops.masks import free_form_holes, square_holes

KINDS = {"square": square_holes, "free form": free_form_holes}


def holes(kind, share, batch=24, height=20, width=32, seed=0):
    draw = jax.jit(KINDS[kind], static_argnums=(1, 2, 3, 4))
    return np.asarray(draw(jax.random.key(seed), batch, height, width, share))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.02, 0.25, 0.6, 0.99])
def test_the_share_of_the_area(kind, share):
    masks = holes(kind, share)
    assert masks.shape == (24, 20, 32, 1) and masks.dtype == np.float32
    assert set(np.unique(masks)) == {0.0, 1.0}
    area = masks.sum(axis=(1, 2, 3))
    assert area.min() >= 1 and area.max() <= 20 * 32 - 1
    if kind == "square":
        side = np.array([20, 32]) * share**0.5
        exact = np.minimum(np.rint(side), [19, 31]).prod()
        assert (area == exact).all()
    else:
        assert (area <= share * 640).all() and area.mean() > share * 640 - 6


@pytest.mark.parametrize("kind", KINDS)
def test_every_mask_is_another_and_a_key_decides(kind):
    masks = holes(kind, 0.25)
    assert len(np.unique(masks.reshape(24, -1), axis=0)) > 20
    np.testing.assert_array_equal(masks, holes(kind, 0.25))
    assert (masks != holes(kind, 0.25, seed=1)).any(axis=(1, 2, 3)).mean() > 0.9


def test_squares_are_rectangles_that_come_everywhere():
    masks = holes("square", 0.25, batch=300)[..., 0]
    for mask in masks[:20]:
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        assert (len(rows), len(columns)) == (10, 16) and mask.sum() == 160
    tops, lefts = masks.any(axis=2).argmax(axis=1), masks.any(axis=1).argmax(axis=1)
    assert set(tops) == set(range(11)) and set(lefts) == set(range(17))
    assert holes("square", 0.25, height=16, width=16)[0].sum() == 64


def test_strokes_are_long_and_connected():
    masks = holes("free form", 0.2, batch=40, height=48, width=48)[..., 0]
    pieces = [label(mask, np.ones((3, 3)))[1] for mask in masks]
    assert max(pieces) == 1
    # A square of that area has pixels ten away from its rim; a stroke is thinner.
    depth = np.array([distance_transform_edt(np.pad(mask, 1)).max() for mask in masks])
    assert np.median(depth) < 0.75 * np.sqrt(0.2) * 24
    # They cross the picture, and their pixels come everywhere.
    reach = [np.ptp(np.argwhere(mask), axis=0).max() for mask in masks]
    assert np.median(reach) > 24
    assert (masks.mean(axis=0) > 0).mean() > 0.98


def test_they_are_drawn_within_a_scan_and_of_a_traced_share():
    @jax.jit
    def draw(key, shares):
        def body(carry, inputs):
            step, share = inputs
            own = jax.random.fold_in(key, step)
            return carry, (
                free_form_holes(own, 2, 16, 16, share),
                square_holes(own, 2, 16, 16, 0.25),
            )

        return lax.scan(body, 0, (jnp.arange(3), shares))[1]

    free, square = draw(jax.random.key(0), jnp.array([0.1, 0.3, 0.5]))
    area = np.asarray(free).mean(axis=(2, 3, 4))
    np.testing.assert_allclose(area, [[0.1] * 2, [0.3] * 2, [0.5] * 2], atol=0.03)
    expected = square_holes(jax.random.fold_in(jax.random.key(0), 1), 2, 16, 16, 0.25)
    np.testing.assert_array_equal(square[1], expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 1e-4, 0.999])
def test_nothing_and_everything_are_refused(kind, share):
    with pytest.raises(ValueError, match="is empty or covers everything"):
        KINDS[kind](jax.random.key(0), 2, 20, 32, share)
