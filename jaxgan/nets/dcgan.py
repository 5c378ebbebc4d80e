"""Convolutional generator and critic after DCGAN (Radford et al. 2016, arXiv 1511.06434)."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from jaxgan.ops.layers import Conv, ConvTranspose
from jaxgan.ops.norm import BatchNorm

NORMAL = nn.initializers.normal(0.02)


class Generator28(nn.Module):
    """The generator of the tutorials for 28x28 grey pictures, as MNIST's.

    Dense 7x7x256, then transposed convolutions of kernel 4 to 128 (stride 2), 64 (stride 2) and 1
    channel, batch normalisation and LeakyReLU 0.2 between them, tanh at the end.
    """

    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, latent: Array, train: bool) -> Array:
        """`[batch, latent size]` to `[batch, 28, 28, 1]` in [-1, 1]."""
        x = nn.Dense(7 * 7 * 256, use_bias=False, dtype=self.dtype)(latent.astype(self.dtype))
        x = x.reshape(-1, 7, 7, 256)
        for channels in (128, 64):
            x = jax.nn.leaky_relu(BatchNorm()(x, train=train), 0.2)
            x = ConvTranspose(channels, 4, stride=2, use_bias=False, dtype=self.dtype)(x)
        x = jax.nn.leaky_relu(BatchNorm()(x, train=train), 0.2)
        return jnp.tanh(ConvTranspose(1, 4, dtype=self.dtype)(x))


class Critic28(nn.Module):
    """The critic of the tutorials for 28x28 grey pictures.

    Convolutions of kernel 4 and stride 2 to 64 and 128 channels, LeakyReLU 0.2, a dense layer.
    """

    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: Array, train: bool) -> Array:
        """Logits `[batch]` of `[batch, 28, 28, 1]`."""
        x = images.astype(self.dtype)
        for channels in (64, 128):
            x = jax.nn.leaky_relu(Conv(channels, 4, stride=2, dtype=self.dtype)(x), 0.2)
        return nn.Dense(1, dtype=self.dtype)(x.reshape(x.shape[0], -1))[:, 0]


class Growing(nn.Module):
    """A small square that doubles stage by stage: what the paper's generators have in common.

    A dense layer, then transposed convolutions of stride 2, a normalisation and ReLU between them,
    tanh at the end; weights begin from N(0, 0.02^2). As it stands: 4x4x1024, 8x8x512, 16x16x256,
    32x32x128, 64x64x3, the paper's. With `side=28, width=64, kernel=5` it is the 2x2x512 to 28x28x3
    of the stacked digits (PacGAN, arXiv 1712.04086, after VEEGAN, arXiv 1705.07761); with
    `side=128, width=32` it grows from 8x8x256.

    Attributes:
      side: of the pictures; sides that are no multiple of 2^stages are rounded up on the way.
      channels: of the pictures.
      width: channels of the last stage but the picture; they double with each one before it.
      stages: transposed convolutions.
      kernel: 4, a multiple of the stride, as public implementations have it; the paper's figure 1
        shows 5.
      dtype: what it computes in.
    """

    side: int = 64
    channels: int = 3
    width: int = 128
    stages: int = 4
    kernel: int = 4
    dtype: jnp.dtype = jnp.float32

    def grow(self, latent: Array, normalise: Callable[[Array], Array]) -> Array:
        """`[batch, latent size]` to `[batch, side, side, channels]`; for compact callers."""
        *sides, first = halved(self.side, self.stages)
        features = self.width * 2 ** (self.stages - 1)
        units = first * first * features
        x = nn.Dense(units, use_bias=False, dtype=self.dtype, kernel_init=NORMAL)(latent)
        x = x.reshape(-1, first, first, features)
        for side in reversed(sides):
            x = jax.nn.relu(normalise(x))
            features = features // 2 if side != self.side else self.channels
            x = ConvTranspose(
                features,
                self.kernel,
                stride=2,
                padding=doubling(x.shape[1], side, self.kernel),
                use_bias=side == self.side,
                dtype=self.dtype,
                kernel_init=NORMAL,
            )(x)
        return jnp.tanh(x)


class Generator(Growing):
    """The generator of the paper for square pictures, with batch normalisation."""

    @nn.compact
    def __call__(self, latent: Array, train: bool) -> Array:
        """`[batch, latent size]` to `[batch, side, side, channels]` in [-1, 1]."""
        return self.grow(latent, lambda x: BatchNorm()(x, train=train))


class Shrinking(nn.Module):
    """Convolutions of stride 2: what the paper's critics have in common.

    As it stands: 32x32x128, 16x16x256, 8x8x512 and 4x4x1024 of 64x64, LeakyReLU 0.2, batch
    normalisation after all but the first: the mirror image of `Growing`.

    Attributes:
      width: channels of the first convolution; they double with each.
      stages: convolutions.
      kernel: as in `Growing`.
      batch_norm: whether there is batch normalisation. It ties the samples of a batch together, so
        a penalty on each sample's gradient wants none (WGAN-GP, arXiv 1704.00028, section 4); the
        weights then begin at a size that keeps the signal's.
      dtype: what it computes in.
    """

    width: int = 128
    stages: int = 4
    kernel: int = 4
    batch_norm: bool = True
    dtype: jnp.dtype = jnp.float32

    def shrink(self, images: Array, train: bool) -> Array:
        """`[batch, side, side, channels]` to `[batch, side / 2^stages, side / 2^stages, features]`.

        For compact callers.
        """
        x = images.astype(self.dtype)
        for stage in range(self.stages):
            normalised = self.batch_norm and stage > 0
            x = Conv(
                self.width * 2**stage,
                self.kernel,
                stride=2,
                use_bias=not normalised,
                dtype=self.dtype,
                kernel_init=NORMAL if self.batch_norm else nn.initializers.lecun_normal(),
            )(x)
            x = BatchNorm()(x, train=train) if normalised else x
            x = jax.nn.leaky_relu(x, 0.2)
        return x


class Critic(Shrinking):
    """The critic of the paper for square pictures: a dense layer after the convolutions."""

    @nn.compact
    def __call__(self, images: Array, train: bool) -> Array:
        """Logits `[batch]` of `[batch, side, side, channels]`."""
        x = self.shrink(images, train)
        return nn.Dense(1, dtype=self.dtype)(x.reshape(x.shape[0], -1))[:, 0]


def halved(side: int, times: int) -> list[int]:
    """`side` and what is left of it after each of so many halvings, rounded up."""
    sides = [side]
    for _ in range(times):
        sides.append(-(-sides[-1] // 2))
    return sides


def doubling(small: int, large: int, kernel: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """What a transposed convolution of stride 2 must cut off to come from `small` to `large`."""
    cut = 2 * (small - 1) + kernel - large
    return ((cut // 2, cut - cut // 2),) * 2
