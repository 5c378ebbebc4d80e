"""How a critic is shown samples: augmented, and several at once."""

import dataclasses

from jax import Array
from jax import numpy as jnp

from jaxgan.ops.augment import augment
from jaxgan.state import fold


@dataclasses.dataclass(frozen=True)
class View:
    """What happens to samples, real and fake alike, between their maker and the critic.

    Attributes:
      augmentations: names of `ops.augment.AUGMENTATIONS`, applied in this order; pictures only.
      packing: how many samples the critic sees at once (PacGAN: Lin et al., arXiv 1712.04086,
        section 3): they are joined along the last axis, and one logit says whether all are real.
    """

    augmentations: tuple[str, ...] = ()
    packing: int = 1

    def __call__(self, samples: Array, key: Array, name: str) -> Array:
        """`[batch, ..., channels]` to `[batch / packing, ..., packing * channels]`.

        Args:
          samples: neighbouring rows are packed, so that every device keeps its own.
          key: of the turn.
          name: of the samples, so that real and fake are not augmented alike.
        """
        samples = augment(samples, fold(key, "augment", name), self.augmentations)
        if self.packing == 1:
            return samples
        packs = samples.reshape(-1, self.packing, *samples.shape[1:])
        packs = jnp.moveaxis(packs, 1, -2)
        return packs.reshape(*packs.shape[:-2], -1)

    def shape(self, sample: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of what the critic sees, from that of one sample."""
        return (*sample[:-1], sample[-1] * self.packing)

    def by_sample(self, values: Array) -> Array:
        """`[batch / packing]`, a number for each thing the critic saw, to `[batch]`."""
        return jnp.repeat(values, self.packing) if self.packing > 1 else values
