"""Smooth random warps of pictures, drawn inside the compiled step."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.ndimage import map_coordinates

from jaxgan.ops.resample import bilinear_matrix, resize

# Points along each side whose displacement is drawn; between them it is interpolated.
POINTS = 5


def random_warp(pictures: Array, key: Array, strength: float) -> Array:
    """Each picture displaced by a smooth field of its own.

    Args:
      pictures: `[batch, height, width, channels]` float32.
      key: decides the fields.
      strength: standard deviation of the displacement at each of `POINTS` x `POINTS` points, as a
        share of the side; 0 changes nothing.

    Returns:
      The same shape; a pixel from beyond the edge is the nearest one of the edge.
    """
    batch, height, width, _ = pictures.shape
    coarse = strength * jax.random.normal(key, (batch, POINTS, POINTS, 2))
    rows, columns = (bilinear_matrix(POINTS, side) for side in (height, width))
    field = resize(coarse, rows, columns)
    down = jnp.arange(height, dtype=jnp.float32).reshape(1, -1, 1) + field[..., 0] * height
    right = jnp.arange(width, dtype=jnp.float32).reshape(1, 1, -1) + field[..., 1] * width

    def moved(plane: Array, down: Array, right: Array) -> Array:
        return map_coordinates(plane, [down, right], order=1, mode="nearest")

    over_channels = jax.vmap(moved, in_axes=(2, None, None), out_axes=2)
    return jax.vmap(over_channels)(pictures, down, right)
