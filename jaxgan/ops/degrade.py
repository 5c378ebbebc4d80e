"""What is taken from pictures so that a network learns to give it back: colour, or clear pixels.

Pictures are `[batch, height, width, channels]`, floats in [-1, 1].
"""

import jax
from jax import Array

from jaxgan.state import fold

# ITU-R BT.601, as `data.squares.grey` weighs bytes.
_LUMA = (0.299, 0.587, 0.114)


def add_noise(pictures: Array, key: Array, low: float, high: float) -> Array:
    """Adds white Gaussian noise of another strength to each picture (Zhang et al., 1608.03981).

    Args:
      pictures: in [-1, 1]; noisy ones leave that range, as the noise is not clipped.
      key: decides strengths and noise.
      low, high: least and greatest standard deviation on the scale of 0 to 255, as denoising
        states it; each picture's is uniform between them.

    Raises:
      ValueError: not 0 <= low <= high.
    """
    if not 0 <= low <= high:
        raise ValueError(f"noise from {low} to {high} is no range")
    shape, dtype = (len(pictures), 1, 1, 1), pictures.dtype
    sigma = jax.random.uniform(fold(key, "sigma"), shape, dtype, low, high) / 127.5
    return pictures + sigma * jax.random.normal(fold(key, "noise"), pictures.shape, dtype)


def to_grey(pictures: Array) -> Array:
    """The luma of colour pictures: `[batch, height, width, 3]` to `[batch, height, width, 1]`.

    Raises ValueError for another number of channels.
    """
    if pictures.shape[-1] != 3:
        raise ValueError(f"grey is made of 3 channels, not of {pictures.shape[-1]}")
    # Weighted one by one: a matrix product would be rounded to bfloat16 on some devices.
    red, green, blue = (
        weight * pictures[..., channel, None] for channel, weight in enumerate(_LUMA)
    )
    return red + green + blue
