"""Differentiable augmentation of pictures (Zhao et al., arXiv 2006.10738, section 4.1).

What the critic is shown, real and fake alike, is changed at random; the gradient goes back through
the change to the generator. Every function is pure: the same pictures and key give the same result,
and each picture of a batch has random numbers of its own. Ranges are those of the authors' code.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxgan.errors import UserError, did_you_mean

# The largest shift, and the side of the square that is cut out, as shares of a picture's side.
SHIFT = 0.125
HOLE = 0.5


def augment(pictures: Array, key: Array, names: Sequence[str]) -> Array:
    """The pictures after each augmentation that is named, in this order.

    Args:
      pictures: `[batch, height, width, channels]`, floats in [-1, 1]; colours may leave the range.
      key: decides what is drawn.
      names: of `AUGMENTATIONS`.
    """
    counts = [AUGMENTATIONS[name].draws for name in names]
    # One draw for all: XLA takes longer to compile a few of them than the rest of a small step.
    shares = jax.random.uniform(key, (sum(counts), len(pictures), 1, 1, 1))
    for name, count in zip(names, counts, strict=True):
        pictures = AUGMENTATIONS[name].change(pictures, shares[:count])
        shares = shares[count:]
    return pictures


def check_names(names: Sequence[str]) -> None:
    """Raises UserError for a name that is none of `AUGMENTATIONS`, or comes twice."""
    for name in names:
        if name not in AUGMENTATIONS:
            raise UserError(f"--augment={','.join(names)}: {did_you_mean(name, AUGMENTATIONS)}")
    if len(set(names)) < len(names):
        raise UserError(f"--augment={','.join(names)} names one augmentation twice")


class Augmentation(NamedTuple):
    """`change(pictures, shares)`, of `shares [draws, batch, 1, 1, 1]`, uniform in [0, 1)."""

    draws: int
    change: Callable[[Array, Array], Array]


def _colour(pictures: Array, shares: Array) -> Array:
    """Brightness, then saturation, then contrast.

    Added to every value: uniform in [-0.5, 0.5]. Distance from the pixel's grey multiplied by:
    uniform in [0, 2]. Distance from the picture's mean multiplied by: uniform in [0.5, 1.5].
    """
    brightness, saturation, contrast = shares.astype(pictures.dtype)
    pictures = pictures + (brightness - 0.5)
    grey = pictures.mean(axis=3, keepdims=True)
    pictures = grey + (pictures - grey) * (2 * saturation)
    mean = pictures.mean(axis=(1, 2, 3), keepdims=True)
    return mean + (pictures - mean) * (contrast + 0.5)


def _translation(pictures: Array, shares: Array) -> Array:
    """Shifts by whole pixels, up to `SHIFT` of the side each way; what comes in is 0."""
    for axis, share in ((1, shares[0]), (2, shares[1])):
        side = pictures.shape[axis]
        most = int(side * SHIFT + 0.5)
        shift = _whole(share[..., 0], -most, most)
        # A product with a matrix of zeros and ones: exact, and its derivative is another such
        # product, where an index's would be a scatter, slow and on a GPU in no fixed order.
        rows, columns = jnp.arange(side)[:, None], jnp.arange(side)[None, :]
        moved = ((rows - columns)[None] == shift).astype(pictures.dtype)
        text = "bij,bjwc->biwc" if axis == 1 else "bij,bhjc->bhic"
        pictures = jnp.einsum(text, moved, pictures, precision=jax.lax.Precision.HIGHEST)
    return pictures


def _cutout(pictures: Array, shares: Array) -> Array:
    """Sets a rectangle of `HOLE` of each side to 0; part of it may lie outside the picture."""
    inside = jnp.ones((len(pictures), 1, 1, 1), bool)
    for axis, share in ((1, shares[0]), (2, shares[1])):
        side = pictures.shape[axis]
        hole = int(side * HOLE + 0.5)
        start = _whole(share, 0, side - hole % 2) - hole // 2
        shape = [1, 1, 1, 1]
        shape[axis] = side
        place = jnp.arange(side).reshape(shape)
        inside = inside & (place >= start) & (place < start + hole)
    return jnp.where(inside, jnp.zeros((), pictures.dtype), pictures)


def _whole(share: Array, low: int, high: int) -> Array:
    """Uniform in [0, 1) to whole numbers in [low, high], all but equally likely."""
    return jnp.floor(share * (high - low + 1)).astype(jnp.int32) + low


AUGMENTATIONS = {
    "colour": Augmentation(3, _colour),
    "translation": Augmentation(2, _translation),
    "cutout": Augmentation(2, _cutout),
}
