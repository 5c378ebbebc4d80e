"""Multilayer perceptrons, for points and for the first GANs."""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array


class MLP(nn.Module):
    """Dense layers with one activation between them.

    Attributes:
      features: units of each layer, the output's last.
      activation: between the layers.
      dtype: what it computes in.
      kernel_init: how the weights begin.
      output: applied to the last layer, which is linear without it.
      shape: of one output; `features[-1]` numbers in a row where it is empty.
    """

    features: Sequence[int]
    activation: Callable[[Array], Array] = jax.nn.relu
    dtype: jnp.dtype = jnp.float32
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
    output: Callable[[Array], Array] | None = None
    shape: Sequence[int] = ()

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        """`[batch, ...]` to `[batch, features[-1]]` or `[batch, *shape]`."""
        x = x.reshape(x.shape[0], -1).astype(self.dtype)
        for index, features in enumerate(self.features):
            x = self.activation(x) if index else x
            x = nn.Dense(features, dtype=self.dtype, kernel_init=self.kernel_init)(x)
        x = x if self.output is None else self.output(x)
        return x.reshape(-1, *self.shape) if self.shape else x
