"""Holes to fill in: masks drawn inside the compiled step from its key.

float32 `[batch, height, width, 1]`, 1 in the hole. Every function is pure: the same key gives the
same masks, and each mask of a batch is another. No mask covers everything, and none is empty.
"""

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxgan.state import fold

# Corners of the strokes' path in a mask, and how much wider than the thinnest the widest part is.
_CORNERS = 8
_WIDEST = 3.0
# Halvings of the range of widths: to a 65536th of it.
_HALVINGS = 16


def check_share(share: float, height: int, width: int) -> None:
    """Raises ValueError where a hole of that share of a picture is empty or leaves nothing."""
    if not 0 < share < 1 or not 1 <= share * height * width <= height * width - 1:
        raise ValueError(
            f"a hole of {share:g} of a picture of {height}x{width} is empty or covers everything"
        )


def square_holes(key: Array, batch: int, height: int, width: int, share: float) -> Array:
    """One rectangle in each mask, with the picture's proportions, anywhere inside it.

    Args:
      key: decides where.
      batch, height, width: of the masks; sides of at least 2.
      share: of the area, in (0, 1); exact but for whole pixels.

    Raises:
      ValueError: the share is out of range.
    """
    check_share(share, height, width)
    inside = jnp.ones((batch, 1, 1), bool)
    for axis, (side, name) in enumerate(((height, "down"), (width, "right")), start=1):
        hole = min(max(round(side * share**0.5), 1), side - 1)
        start = jax.random.randint(fold(key, name), (batch, 1, 1), 0, side - hole + 1)
        place = jnp.arange(side).reshape([-1 if a == axis else 1 for a in range(3)])
        inside = inside & (place >= start) & (place < start + hole)
    return inside[..., None].astype(jnp.float32)


def free_form_holes(key: Array, batch: int, height: int, width: int, share: float | Array) -> Array:
    """The path of a brush in each mask, as of a person who paints over something.

    A path of straight strokes turns back and forth and changes its width, in the manner of Yu et
    al. 2019 (arXiv 1806.03589, section 3.5); where theirs draws the width at random, here it is
    made such that the whole covers the share of the area that was asked for.

    Args:
      key: decides the path.
      batch, height, width: of the masks; sides of at least 2.
      share: of the area, in (0, 1), a number or a scalar array; a mask has hardly less, never more,
        and never less than a pixel.

    Raises:
      ValueError: the share is a number out of range.
    """
    if not isinstance(share, Array):
        check_share(share, height, width)
    corners, radii = _paths(key, batch, height, width)
    down = (jnp.arange(height, dtype=jnp.float32) + 0.5)[None, :, None]
    right = (jnp.arange(width, dtype=jnp.float32) + 0.5)[None, None, :]

    def stroke(nearest: Array, number: Array) -> tuple[Array, None]:
        """The smaller of what it was and the distance to one stroke, in its widths."""
        (y0, x0), (y1, x1) = (corners[:, number + end].T[..., None, None] for end in (0, 1))
        dy, dx = y1 - y0, x1 - x0
        length = jnp.maximum(dy * dy + dx * dx, 1e-6)
        along = jnp.clip(((down - y0) * dy + (right - x0) * dx) / length, 0.0, 1.0)
        away = jnp.square(down - y0 - along * dy) + jnp.square(right - x0 - along * dx)
        return jnp.minimum(nearest, jnp.sqrt(away) / radii[:, number, None, None]), None

    # One stroke after the other: all at once would hold them all.
    far = jnp.full((batch, height, width), jnp.inf, jnp.float32)
    distance, _ = lax.scan(stroke, far, jnp.arange(_CORNERS - 1))

    def halve(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        covered = (distance <= middle).mean(axis=(1, 2), keepdims=True, dtype=jnp.float32)
        fits = covered <= share
        return jnp.where(fits, middle, low), jnp.where(fits, high, middle)

    # The nearest pixel alone is the least; more than the farthest would be everything.
    ends = (distance.min(axis=(1, 2), keepdims=True), distance.max(axis=(1, 2), keepdims=True))
    reach, _ = lax.fori_loop(0, _HALVINGS, halve, ends)
    return (distance <= reach)[..., None].astype(jnp.float32)


def _paths(key: Array, batch: int, height: int, width: int) -> tuple[Array, Array]:
    """Corners `[batch, corners, 2]` inside the picture, and widths `[batch, corners - 1]`."""
    start = jax.random.uniform(fold(key, "start"), (batch, 1, 2))
    heading = jax.random.uniform(fold(key, "heading"), (batch, 1)) * (2 * jnp.pi)
    # To and fro: each turn is sharp, to the left and to the right by turns.
    turns = jax.random.uniform(fold(key, "turns"), (batch, _CORNERS - 1), minval=0.5, maxval=0.85)
    sides = jnp.where(jnp.arange(_CORNERS - 1) % 2 == 0, 1.0, -1.0)[None]
    angle = heading + jnp.cumsum(jnp.pi * turns * sides, axis=1)
    length = jax.random.uniform(fold(key, "length"), (batch, _CORNERS - 1), minval=0.3, maxval=0.7)
    steps = jnp.stack([jnp.sin(angle) * length, jnp.cos(angle) * length], axis=-1)
    path = jnp.concatenate([start, start + jnp.cumsum(steps, axis=1)], axis=1)
    # What leads outside is mirrored back, which keeps strokes long.
    path = 1 - jnp.abs(1 - jnp.abs(path) % 2.0)
    corners = path * jnp.array([[[height, width]]], jnp.float32)
    radii = jax.random.uniform(
        fold(key, "radii"), (batch, _CORNERS - 1), minval=1.0, maxval=_WIDEST
    )
    return corners, radii
