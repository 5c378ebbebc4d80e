"""Pixel values: bytes in, floats in [-1, 1] for networks."""

from typing import TypeVar

import jax.numpy as jnp
import numpy as np
from jax import Array

Pixels = TypeVar("Pixels", Array, np.ndarray)


def from_uint8(pictures: Pixels) -> Pixels:
    """uint8 of any shape to float32 in [-1, 1]; every other dtype (labels, floats) stays.

    On the device for an array of JAX's, on the host for one of NumPy's.
    """
    if pictures.dtype != jnp.uint8:
        return pictures
    return pictures.astype(jnp.float32) / 127.5 - 1
