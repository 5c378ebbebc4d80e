"""Padding by reflection, and what networks that halve their pictures ask of a picture's sides."""

from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array


def reflect_pad(x: Array, amount: int | Sequence[int]) -> Array:
    """Continues `x [batch, *spatial, channels]` on every side by its mirror image.

    The outermost pixel is the mirror and is not repeated, as in `numpy.pad(mode="reflect")`; what
    is wider than the picture is mirrored again. JAX makes it of slices, which are turned around and
    put together: no derivative of it gathers or scatters.

    Args:
      x: any dtype, which is also the result's.
      amount: pixels on either side, of every spatial axis or one number for each.

    Returns:
      `[batch, *(spatial + 2 * amount), channels]`.

    Raises:
      ValueError: for a negative amount, as many amounts as there are no axes, or an axis of one
        pixel, which has nothing to reflect.
    """
    rank = x.ndim - 2
    amounts = (amount,) * rank if isinstance(amount, int) else tuple(amount)
    if len(amounts) != rank or min(amounts) < 0:
        raise ValueError(f"amount {amount} does not fit {rank} spatial axes of shape {x.shape}")
    for axis, wanted in enumerate(amounts, start=1):
        if wanted and x.shape[axis] < 2:
            raise ValueError(f"there is nothing to reflect on axis {axis} of shape {x.shape}")
    return jnp.pad(x, [(0, 0), *((n, n) for n in amounts), (0, 0)], mode="reflect")


def check_sides(x: Array, multiple: int) -> None:
    """Raises ValueError unless every spatial side of `x [batch, *spatial, channels]` divides."""
    sides = x.shape[1:-1]
    if any(side % multiple or not side for side in sides):
        shown = " x ".join(map(str, sides))
        raise ValueError(
            f"this network takes pictures whose sides are multiples of {multiple}, not {shown}"
        )
