"""What keeps a critic smooth: penalties on its input gradient, clipping, lazy regularisation.

Each penalty takes `critic`, a function from a batch to its logits, batch axis first, closed over
its parameters, and returns one float32 value per sample, `[batch]`; the caller takes the mean and
the weight. Where a critic gives several logits per sample (a PatchGAN) the gradient is that of
their sum. A critic that mixes samples (batch normalisation, minibatch statistics) has no gradient
per sample: what comes back then is the gradient of the batch's sum. Inputs whose shapes differ
raise ValueError.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array

from jaxgan.errors import UserError
from jaxgan.losses import at_least_float32

Critic = Callable[[Array], Array]


def gradient_penalty(
    critic: Critic, real: Array, fake: Array, key: Array, target: float = 1.0
) -> Array:
    """WGAN-GP: `(|grad D(x)| - target)^2` between real and fake.

    Gulrajani et al., arXiv 1704.00028, equation 3.

    Args:
      critic: batch -> logits.
      real, fake: `[batch, ...]`, paired by row.
      key: draws where on its row's line each x lies, uniformly.
      target: the norm that costs nothing.

    Returns:
      `[batch]`; the paper's weight is 10.
    """
    real, fake = at_least_float32(real), at_least_float32(fake)
    if real.shape != fake.shape:
        raise ValueError(f"real and fake must have one shape, not {real.shape} and {fake.shape}")
    share = _uniform_per_sample(key, real)
    return _norm_penalty(critic, share * real + (1.0 - share) * fake, target)


def dragan(
    critic: Critic, real: Array, key: Array, target: float = 1.0, spread: float = 0.5
) -> Array:
    """DRAGAN: `(|grad D(x)| - target)^2` near the real samples.

    Kodali et al., arXiv 1705.07215. x is `real + share * noise`, with a share uniform in [0, 1] per
    sample and noise uniform in `[0, spread * standard deviation of the batch]` per element, as in
    the authors' experiments; the paper's text has Gaussian noise, of a size that fits one range of
    values only.

    Returns:
      `[batch]`; the paper's weight is 10.
    """
    real = at_least_float32(real)
    key_share, key_noise = jax.random.split(key)
    noise = spread * jnp.std(real) * jax.random.uniform(key_noise, real.shape, real.dtype)
    return _norm_penalty(critic, real + _uniform_per_sample(key_share, real) * noise, target)


def r1(critic: Critic, real: Array) -> Array:
    """R1: `|grad D(x)|^2` on real samples, `[batch]`.

    Mescheder et al., arXiv 1801.04406, equation 9, without its weight gamma / 2.
    """
    return _squared_norm(critic, at_least_float32(real))


def r2(critic: Critic, fake: Array) -> Array:
    """R2: `|grad D(x)|^2` on fake samples, `[batch]`.

    Mescheder et al., arXiv 1801.04406, equation 10, without its weight gamma / 2.
    """
    return _squared_norm(critic, at_least_float32(fake))


def clip_weights(limit: float) -> Callable[[Any], Any]:
    """A function `params -> params` that clips every parameter to `[-limit, limit]`.

    WGAN: Arjovsky et al., arXiv 1701.07875, algorithm 1. The paper's limit is 0.01. UserError
    unless it is above 0.
    """
    if not limit > 0:
        raise UserError(f"the limit for weight clipping is {limit}, but must be above 0")
    return lambda params: jax.tree.map(lambda p: jnp.clip(p, -limit, limit), params)


def lazy_adam(
    learning_rate: float | optax.Schedule,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    *,
    every: int,
    eps_root: float = 0.0,
) -> optax.GradientTransformation:
    """Adam for a player that makes one update on its regulariser after `every` on its loss.

    That makes `every + 1` updates where there would be `every`, so learning rate and memory are
    rescaled by `c = every / (every + 1)`: `c * learning_rate, b1^c, b2^c` (StyleGAN2: Karras et
    al., arXiv 1912.04958, appendix B). The regulariser's own weight is to be multiplied by `every`.
    A schedule is asked for the number of the loss's updates, the regulariser's not counted.

    Raises:
      ValueError: if `every` is below 1.
    """
    if every < 1:
        raise ValueError(f"a lazy regulariser runs every 1 or more updates, not every {every}")
    share = every / (every + 1)
    b1, b2 = b1**share, b2**share
    if not callable(learning_rate):
        return optax.adam(share * learning_rate, b1=b1, b2=b2, eps=eps, eps_root=eps_root)
    schedule = learning_rate

    def rate(count: Array) -> Any:
        return share * schedule(count - count // (every + 1))

    return optax.adam(rate, b1=b1, b2=b2, eps=eps, eps_root=eps_root)


def _uniform_per_sample(key: Array, x: Array) -> Array:
    return jax.random.uniform(key, (x.shape[0],) + (1,) * (x.ndim - 1), x.dtype)


def _squared_norm(critic: Critic, x: Array) -> Array:
    def total(x: Array) -> Array:
        logits = critic(x)
        if logits.ndim == 0 or logits.shape[0] != x.shape[0]:
            raise ValueError(
                f"a critic gives logits per sample, but this one gives {logits.shape} for {x.shape}"
            )
        return jnp.sum(at_least_float32(logits))

    gradient = jax.grad(total)(x)
    return jnp.sum(jnp.square(gradient).reshape(x.shape[0], -1), axis=1)


def _norm_penalty(critic: Critic, x: Array, target: float) -> Array:
    squared = _squared_norm(critic, x)
    # The square root's derivative at 0 is infinite, and 0 * inf in the outer gradient would be NaN:
    # a flat critic gets 0.
    flat = squared <= 0.0
    norm = jnp.where(flat, 0.0, jnp.sqrt(jnp.where(flat, 1.0, squared)))
    return jnp.square(norm - target)
