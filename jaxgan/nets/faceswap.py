"""The networks of a face swap: one encoder that both people share, a decoder for each.

The autoencoders of the first model of the deepfakes/faceswap community, for which there is no
paper. What both faces have in common (pose, expression, light) goes through the encoder; the
decoder knows the person. The mask in the output is after the faceswap-GAN project: where the
picture of the decoder is to cover the frame.
"""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from jaxgan.ops.layers import Conv
from jaxgan.ops.pad import check_sides
from jaxgan.ops.resample import pixel_shuffle


class FaceEncoder(nn.Module):
    """Four strided 5x5 convolutions and a bottleneck of two dense layers.

    128-256-512-1024 channels from 64x64 to 4x4, a code of 1024 numbers, 4x4x1024 again, and 8x8x512
    by pixel shuffling; LeakyReLU 0.1.

    Attributes:
      channels: of the first convolution; they double with each.
      code: numbers in the bottleneck.
      dtype: what it computes in.
    """

    channels: int = 128
    code: int = 1024
    dtype: jnp.dtype = jnp.float32

    @property
    def multiple(self) -> int:
        """What both sides of a face must divide by."""
        return 16

    @nn.compact
    def __call__(self, faces: Array, train: bool) -> Array:
        """`[batch, height, width, 3]` in [-1, 1] to `[batch, height / 8, width / 8, 4 * channels]`.

        `train` makes no difference. The dense layers are made for one size. Raises ValueError for
        sides that do not divide by 16.
        """
        check_sides(faces, self.multiple)
        x = faces.astype(self.dtype)
        for place in range(4):
            x = Conv(self.channels * 2**place, 5, stride=2, dtype=self.dtype)(x)
            x = jax.nn.leaky_relu(x, 0.1)
        shape = x.shape
        x = nn.Dense(self.code, dtype=self.dtype)(x.reshape(shape[0], -1))
        x = nn.Dense(math.prod(shape[1:]), dtype=self.dtype)(x).reshape(shape)
        return Enlarge(4 * self.channels, self.dtype)(x)


class FaceDecoder(nn.Module):
    """Three doublings by pixel shuffling, 256-128-64 channels, and a 5x5 convolution to a face.

    Attributes:
      channels: of the last doubling; there are twice as many in each before it.
      dtype: what it computes in.
    """

    channels: int = 64
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, features: Array, train: bool) -> Array:
        """`[batch, height, width, in]` to `[batch, 8 height, 8 width, 4]`.

        The first three channels are the face, RGB in [-1, 1]; the last is its mask, in [0, 1]: the
        share of the face in a pixel of the finished frame. `train` makes no difference.
        """
        x = features.astype(self.dtype)
        for share in (4, 2, 1):
            x = Enlarge(share * self.channels, self.dtype)(x)
        x = Conv(4, 5, dtype=self.dtype)(x)
        return jnp.concatenate([jnp.tanh(x[..., :3]), jax.nn.sigmoid(x[..., 3:])], axis=-1)


class Enlarge(nn.Module):
    """A 3x3 convolution to four times the channels, LeakyReLU 0.1, and pixel shuffling.

    Attributes:
      features: of the result.
      dtype: what it computes in.
    """

    features: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[batch, height, width, in]` to `[batch, 2 height, 2 width, features]`."""
        x = jax.nn.leaky_relu(Conv(4 * self.features, 3, dtype=self.dtype)(x), 0.1)
        return pixel_shuffle(x, 2)
