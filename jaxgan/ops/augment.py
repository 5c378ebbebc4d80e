"""Differentiable augmentation of pictures (Zhao et al., arXiv 2006.10738, section 4.1).

What the critic is shown, real and fake alike, is changed at random; the gradient goes back through
the change to the generator. Every function is pure: the same pictures and key give the same result,
and each picture of a batch has random numbers of its own. Ranges are those of the authors' code.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax import Array

from jaxgan.errors import UserError, did_you_mean
from jaxgan.state import fold

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
    for name in names:
        pictures = AUGMENTATIONS[name](pictures, fold(key, name))
    return pictures


def check_names(names: Sequence[str]) -> None:
    """Raises UserError for a name that is none of `AUGMENTATIONS`, or comes twice."""
    for name in names:
        if name not in AUGMENTATIONS:
            raise UserError(f"--augment={','.join(names)}: {did_you_mean(name, AUGMENTATIONS)}")
    if len(set(names)) < len(names):
        raise UserError(f"--augment={','.join(names)} names one augmentation twice")


def colour(pictures: Array, key: Array) -> Array:
    """Brightness, then saturation, then contrast.

    Added to every value: uniform in [-0.5, 0.5]. Distance from the pixel's grey multiplied by:
    uniform in [0, 2]. Distance from the picture's mean multiplied by: uniform in [0.5, 1.5].
    """
    share = jax.random.uniform(key, (3, pictures.shape[0], 1, 1, 1), pictures.dtype)
    pictures = pictures + (share[0] - 0.5)
    grey = pictures.mean(axis=3, keepdims=True)
    pictures = grey + (pictures - grey) * (2 * share[1])
    mean = pictures.mean(axis=(1, 2, 3), keepdims=True)
    return mean + (pictures - mean) * (share[2] + 0.5)


def translation(pictures: Array, key: Array) -> Array:
    """Shifts by whole pixels, up to `SHIFT` of the side each way; what comes in is 0."""
    for axis, name in ((1, "down"), (2, "right")):
        side = pictures.shape[axis]
        most = int(side * SHIFT + 0.5)
        shift = jax.random.randint(fold(key, name), (len(pictures), 1, 1), -most, most + 1)
        # A product with a matrix of zeros and ones: exact, and its derivative is another such
        # product, where an index's would be a scatter, slow and on a GPU in no fixed order.
        rows, columns = jnp.arange(side)[:, None], jnp.arange(side)[None, :]
        moved = ((rows - columns)[None] == shift).astype(pictures.dtype)
        text = "bij,bjwc->biwc" if axis == 1 else "bij,bhjc->bhic"
        pictures = jnp.einsum(text, moved, pictures, precision=jax.lax.Precision.HIGHEST)
    return pictures


def cutout(pictures: Array, key: Array) -> Array:
    """Sets a rectangle of `HOLE` of each side to 0; part of it may lie outside the picture."""
    inside = jnp.ones((len(pictures), 1, 1, 1), bool)
    for axis, name in ((1, "down"), (2, "right")):
        side = pictures.shape[axis]
        hole = int(side * HOLE + 0.5)
        middle = jax.random.randint(
            fold(key, name), (len(pictures), 1, 1, 1), 0, side + 1 - hole % 2
        )
        start = middle - hole // 2
        shape = [1, 1, 1, 1]
        shape[axis] = side
        place = jnp.arange(side).reshape(shape)
        inside = inside & (place >= start) & (place < start + hole)
    return jnp.where(inside, jnp.zeros((), pictures.dtype), pictures)


AUGMENTATIONS: dict[str, Callable[[Array, Array], Array]] = {
    "colour": colour,
    "translation": translation,
    "cutout": cutout,
}
