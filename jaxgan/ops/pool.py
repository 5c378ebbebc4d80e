"""The image pool: fakes of earlier steps, shown to a critic beside new ones.

Shrivastava et al. (arXiv 1612.07828, section 2.3) and CycleGAN (arXiv 1703.10593, section 4): a
critic that sees the generator's past does not forget what it has learned of it.
"""

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array


class Pool(struct.PyTreeNode):
    """Fakes that were kept.

    Attributes:
      pictures: `[size, ...]`; what has not been filled yet is 0.
      filled: how many there are, int32.
    """

    pictures: Array
    filled: Array


def empty_pool(size: int, batch_size: int, shape: tuple[int, ...]) -> Pool:
    """A pool without pictures, of float32 `shape`.

    Args:
      size: how many it holds at least; rounded up to whole batches, so that the batch that fills it
        is not cut in two.
      batch_size: how many come at a time.
      shape: of one picture.
    """
    whole = -(-size // batch_size) * batch_size
    return Pool(jnp.zeros((whole, *shape)), jnp.zeros((), jnp.int32))


def exchange(pool: Pool, fake: Array, key: Array) -> tuple[Array, Pool]:
    """New fakes into the pool, and what the critic is shown instead.

    Until the pool is full, every fake is kept and shown. From then on each is, with chance one
    half, kept in the place of an older one that is shown instead of it; otherwise it is shown and
    not kept. The places of one batch are different ones.

    Args:
      pool: as `empty_pool` makes it; one without places (size 0) leaves the fakes alone.
      fake: `[batch, ...]` of the batch size that the pool was made for. No gradient flows through.
      key: a random key.

    Returns:
      `[batch, ...]`, and the pool afterwards.
    """
    size, count = len(pool.pictures), len(fake)
    if not size:
        return fake, pool
    fake = jax.lax.stop_gradient(fake)
    which, places = jax.random.split(key)
    full = pool.filled >= size
    place = jnp.where(
        full,
        jax.random.permutation(places, size)[:count],
        jnp.minimum(pool.filled, size - count) + jnp.arange(count, dtype=jnp.int32),
    )
    old = pool.pictures[place]
    swap = jax.random.bernoulli(which, 0.5, (count,) + (1,) * (fake.ndim - 1)) & full
    shown = jnp.where(swap, old, fake)
    kept = jnp.where(swap | ~full, fake, old)
    filled = jnp.minimum(pool.filled + jnp.int32(count), jnp.int32(size))
    return shown, Pool(pool.pictures.at[place].set(kept), filled)
