"""Minibatch discrimination: a critic that sees how alike the samples of a batch are."""

import flax.linen as nn
import jax.numpy as jnp
from jax import Array, lax

from jaxgan.ops.hidden import last_hidden


class MinibatchDiscrimination(nn.Module):
    """How close each sample's features are to the batch's (Salimans et al., arXiv 1606.03498).

    Equations 6 to 8: `M_i = f(x_i) T`, `c_b(x_i, x_j) = exp(-|M_ib - M_jb|_1)`,
    `o(x_i)_b = sum_j c_b(x_i, x_j)`, the sum over the whole batch, the sample itself included.

    Attributes:
      kernels: B, how many numbers each sample gets.
      size: C, dimensions of the vectors that are compared.
    """

    kernels: int = 50
    size: int = 5

    @nn.compact
    def __call__(self, features: Array) -> Array:
        """`[batch, ...]` to `[batch, kernels]` float32, in [1, batch]."""
        flat = features.reshape(len(features), -1)
        flat = flat.astype(jnp.promote_types(flat.dtype, jnp.float32))
        tensor = self.param(
            "tensor",
            nn.initializers.lecun_normal(),
            (flat.shape[1], self.kernels * self.size),
            jnp.float32,
        )
        rows = jnp.dot(flat, tensor.astype(flat.dtype), precision=lax.Precision.HIGHEST)
        rows = rows.reshape(-1, self.kernels, self.size)
        distance = jnp.abs(rows[:, None] - rows[None]).sum(axis=-1)
        return jnp.exp(-distance).sum(axis=1)


class WithMinibatchDiscrimination(nn.Module):
    """Any critic, its last hidden layer joined by `MinibatchDiscrimination` of it.

    The paper concatenates the two before the next layer. That layer is linear where the logits come
    out, so its share of the new numbers can be added to the logits: the same function, whatever the
    critic looks like inside.
    """

    critic: nn.Module
    kernels: int = 50
    size: int = 5

    @nn.compact
    def __call__(self, samples: Array, *given: Array, train: bool) -> Array:
        """The critic's inputs to its logits `[batch, ...]`."""
        logits, hidden = last_hidden(lambda: self.critic(samples, *given, train=train))
        alike = MinibatchDiscrimination(self.kernels, self.size)(hidden)
        weight = self.param(
            "weight", nn.initializers.lecun_normal(), (self.kernels, 1), jnp.float32
        )
        share = (alike @ weight.astype(alike.dtype)).reshape(-1, *[1] * (logits.ndim - 1))
        return logits + jnp.broadcast_to(share, logits.shape).astype(logits.dtype)
