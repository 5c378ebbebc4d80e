"""Several generators as one player."""

import flax.linen as nn
import jax.numpy as jnp
from jax import Array


class Mixture(nn.Module):
    """`count` generators of one architecture against one critic; each makes every count-th sample.

    The generators of MGAN (Hoang et al., arXiv 1708.02556) with uniform mixture weights, of which
    two things are left out: the classifier that pushes the generators apart (the paper's diversity
    coefficient beta is 0 here) and the parameters that they share. So nothing but their initial
    weights keeps them on different modes.

    The parameters are the generator's, stacked along a new first axis. Row i of a batch is made by
    generator `i % count`. They work one after the other (one compiled loop). Where `count` does not
    divide the batch, rows are repeated and the surplus thrown away, which in training would count
    them twice in batch statistics.
    """

    generator: nn.Module
    count: int

    @nn.compact
    def __call__(self, latent: Array, *given: Array, train: bool) -> Array:
        """The generator's inputs, `[batch, ...]` each, to its samples `[batch, ...]`."""
        rows = len(latent)
        each = -(-rows // self.count)

        def split(values: Array) -> Array:
            if each * self.count > rows:
                values = values[jnp.arange(each * self.count) % rows]
            return values.reshape(each, self.count, *values.shape[1:]).swapaxes(0, 1)

        def one(generator: nn.Module, nothing: tuple, inputs: tuple) -> tuple[tuple, Array]:
            return nothing, generator(*inputs, train=train)

        loop = nn.scan(
            one,
            variable_axes={True: 0},
            split_rngs={True: True},
            length=self.count,
        )
        _, samples = loop(self.generator, (), tuple(split(values) for values in (latent, *given)))
        return samples.swapaxes(0, 1).reshape(-1, *samples.shape[2:])[:rows]
