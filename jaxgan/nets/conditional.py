"""Networks that are told a class: the perceptrons of the first conditional GAN, and convolutions.

The perceptrons are after Mirza and Osindero (arXiv 1411.1784). The convolutions are DCGAN's; the
generator hears of the class in its batch normalisations (de Vries et al., arXiv 1707.00683), the
critic judges picture and class by a projection (Miyato and Koyama, arXiv 1802.05637).
"""

import math
from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from jaxgan.nets.dcgan import Growing, Shrinking
from jaxgan.ops.norm import BatchNorm

UNIT = nn.initializers.normal(1.0)


class PerceptronGenerator(nn.Module):
    """Dense 256-512-784 for 28x28 pictures, LeakyReLU 0.2 and then batch normalisation, tanh.

    The latent is multiplied with a learned embedding of the class.

    Attributes:
      classes: how many there are.
      units: of the hidden layers.
      shape: of a picture.
      dtype: what it computes in.
    """

    classes: int
    units: Sequence[int] = (256, 512)
    shape: Sequence[int] = (28, 28, 1)
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, latent: Array, label: Array, train: bool) -> Array:
        """`[batch, latent size]` and int32 `[batch]` to `[batch, *shape]` in [-1, 1]."""
        # Of size one, as the latent's numbers: the product then has the size of either.
        embedding = nn.Embed(self.classes, latent.shape[-1], dtype=self.dtype, embedding_init=UNIT)
        x = latent.astype(self.dtype) * embedding(label)
        for units in self.units:
            x = jax.nn.leaky_relu(nn.Dense(units, dtype=self.dtype)(x), 0.2)
            x = BatchNorm()(x, train=train)
        x = nn.Dense(math.prod(self.shape), dtype=self.dtype)(x)
        return jnp.tanh(x).reshape(-1, *self.shape)


class PerceptronCritic(nn.Module):
    """Dense 512-256-1 with LeakyReLU 0.2, on the picture and a learned embedding of the class.

    Attributes:
      classes: how many there are, and how many numbers an embedding has.
      units: of the hidden layers.
      dtype: what it computes in.
    """

    classes: int
    units: Sequence[int] = (512, 256)
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: Array, label: Array, train: bool) -> Array:
        """Logits `[batch]` of `[batch, ...]` and int32 `[batch]`."""
        # Of size one, as pixels are: beside so many of them a small embedding goes unheard.
        embedding = nn.Embed(self.classes, self.classes, dtype=self.dtype, embedding_init=UNIT)
        x = images.reshape(images.shape[0], -1).astype(self.dtype)
        x = jnp.concatenate([x, embedding(label)], axis=-1)
        for units in self.units:
            x = jax.nn.leaky_relu(nn.Dense(units, dtype=self.dtype)(x), 0.2)
        return nn.Dense(1, dtype=self.dtype)(x)[:, 0]


class ConditionalBatchNorm(nn.Module):
    """Batch normalisation with a scale and a shift of each class's own, which begin at 1 and 0.

    De Vries et al., arXiv 1707.00683, section 3; the averages are of all classes together.
    """

    classes: int

    @nn.compact
    def __call__(self, x: Array, label: Array, *, train: bool) -> Array:
        """`x [batch, ..., channels]`, `label` int32 `[batch]`; keeps shape and dtype."""
        features = x.shape[-1]
        scale = nn.Embed(self.classes, features, embedding_init=nn.initializers.ones, name="scale")
        shift = nn.Embed(self.classes, features, embedding_init=nn.initializers.zeros, name="shift")
        y = BatchNorm(use_scale=False, use_bias=False)(x, train=train)

        def everywhere(values: Array) -> Array:
            return values.reshape(-1, *(1,) * (x.ndim - 2), features).astype(x.dtype)

        return y * everywhere(scale(label)) + everywhere(shift(label))


class ConditionalGenerator(Growing):
    """The generator of DCGAN with conditional batch normalisation.

    Attributes, beside those of `Growing`:
      classes: how many there are.
    """

    classes: int = 2

    @nn.compact
    def __call__(self, latent: Array, label: Array, train: bool) -> Array:
        """`[batch, latent size]` and int32 `[batch]` to `[batch, side, side, channels]`."""
        return self.grow(
            latent, lambda x: ConditionalBatchNorm(self.classes)(x, label, train=train)
        )


class ProjectionCritic(Shrinking):
    """The critic of DCGAN that also projects its features on an embedding of the class.

    The logit is `psi(h) + <v_label, sum of h over space>` (arXiv 1802.05637, equation 3), `h` the
    last convolution's output and `psi` DCGAN's dense layer; without batch normalisation, as there.

    Attributes, beside those of `Shrinking`:
      classes: how many there are.
    """

    classes: int = 2
    batch_norm: bool = False

    @nn.compact
    def __call__(self, images: Array, label: Array, train: bool) -> Array:
        """Logits `[batch]` of `[batch, side, side, channels]` and int32 `[batch]`."""
        x = self.shrink(images, train)
        judged = nn.Dense(1, dtype=self.dtype)(x.reshape(x.shape[0], -1))[:, 0]
        embedding = nn.Embed(self.classes, x.shape[-1], dtype=self.dtype)
        return judged + jnp.sum(embedding(label) * jnp.sum(x, axis=(1, 2)), axis=-1)
