"""Convolutional generator and critic after DCGAN (Radford et al. 2016, arXiv 1511.06434)."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from jaxgan.ops.layers import Conv, ConvTranspose
from jaxgan.ops.norm import BatchNorm


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
