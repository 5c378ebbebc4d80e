"""Pixel values on the device: bytes in, floats in [-1, 1] for networks."""

import jax.numpy as jnp
from jax import Array


def from_uint8(pictures: Array) -> Array:
    """uint8 of any shape to float32 in [-1, 1]; every other dtype (labels, floats) stays."""
    if pictures.dtype != jnp.uint8:
        return pictures
    return pictures.astype(jnp.float32) / 127.5 - 1
