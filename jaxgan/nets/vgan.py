"""The two-stream generator of films: VGAN (Vondrick et al. 2016, arXiv 1609.02612)."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from jaxgan.nets.dcgan import Growing
from jaxgan.nets.volumes import GrowingVolume
from jaxgan.ops.activity import with_l1_cost
from jaxgan.ops.norm import BatchNorm


class Background(Growing):
    """The still picture behind: DCGAN's generator."""

    @nn.compact
    def __call__(self, latent: Array, train: bool) -> Array:
        """`[batch, latent size]` to `[batch, side, side, channels]` in [-1, 1]."""
        return self.grow(latent, lambda x: BatchNorm()(x, train=train))


class FilmGenerator(GrowingVolume):
    """What moves, in front of what does not: `m * f + (1 - m) * b` (equation 3).

    One stream of transposed convolutions over time and space (kernel 4, stride 2: as it stands
    2x4x4x512, 4x8x8x256, 8x16x16x128, 16x32x32x64, 32x64x64) makes the foreground `f` (tanh) and
    from the same features the mask `m` (sigmoid); one over space alone makes the background `b`,
    which all frames share.

    Attributes, beside those of `GrowingVolume`:
      first: frames and sides of the first block; the film has `2^stages` times as many.
      mask_cost: weight of the mean of the mask in the generator's loss, which keeps the background
        in use; 0.1 in the paper. See `ops.activity.with_l1_cost`.
    """

    first: tuple[int, int, int] = (2, 4, 4)
    channels: int = 3
    mask_cost: float = 0.1

    @nn.compact
    def __call__(self, latent: Array, train: bool) -> Array:
        """`[batch, latent size]` to `[batch, frames, side, side, channels]` in [-1, 1]."""
        hidden = self.hidden(latent, train)
        # One convolution makes both: a layer of one output costs nearly as much as one of four.
        both = self.result(hidden, self.channels + 1)
        foreground, mask = jnp.tanh(both[..., :-1]), jax.nn.sigmoid(both[..., -1:])
        mask = with_l1_cost(mask, self.mask_cost)
        background = Background(
            self.first[-1] * 2**self.stages,
            self.channels,
            self.width,
            self.stages,
            dtype=self.dtype,
            name="background",
        )(latent, train)
        return mask * foreground + (1.0 - mask) * background[:, None]
