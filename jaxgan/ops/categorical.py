"""Drawing from many categories at once, with one random number a draw."""

import math

import jax.numpy as jnp
from jax import Array

# Below 1 by two units in the last place of float32: what is looked for stays below what there is.
_BELOW_ONE = 1.0 - 2.0**-22


def draw_categories(numbers: Array, logits: Array) -> Array:
    """Draws from `softmax(logits)`, by inverting the distribution function.

    Gumbel's trick, `jax.random.categorical`, takes a random number for every category, which costs
    more than the LSTM that made the logits once there are thousands of words. Here a draw takes one
    number, and the running sums are made in two stages: over blocks, then inside the block it falls
    into. A category of probability 0 is never drawn.

    Args:
      numbers: float32 `[...]`, drawn evenly from [0, 1).
      logits: float `[..., categories]`.

    Returns:
      int32 `[...]`.
    """
    categories = logits.shape[-1]
    lead = logits.shape[:-1]
    size = math.ceil(math.sqrt(categories))
    blocks = math.ceil(categories / size)
    weights = jnp.exp((logits - logits.max(axis=-1, keepdims=True)).astype(jnp.float32))
    unused = [(0, 0)] * len(lead) + [(0, blocks * size - categories)]
    weights = jnp.pad(weights, unused).reshape(*lead, blocks, size)
    sums = jnp.cumsum(weights.sum(axis=-1), axis=-1)
    wanted = numbers[..., None] * _BELOW_ONE * sums[..., -1:]
    block = (sums <= wanted).sum(axis=-1, keepdims=True)
    before = jnp.where(block > 0, jnp.take_along_axis(sums, jnp.maximum(block - 1, 0), -1), 0.0)
    inside = jnp.cumsum(jnp.take_along_axis(weights, block[..., None], -2)[..., 0, :], axis=-1)
    # The two stages are rounded differently: the rest must stay within its block.
    rest = jnp.minimum(wanted - before, _BELOW_ONE * inside[..., -1:])
    place = (inside <= rest).sum(axis=-1, keepdims=True)
    return (block * size + place)[..., 0].astype(jnp.int32)
