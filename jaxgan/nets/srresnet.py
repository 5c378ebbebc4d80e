"""SRResNet and the critic of SRGAN (Ledig et al. 2017, arXiv 1609.04802, figure 4)."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from jaxgan.data.resize import resize_matrix
from jaxgan.ops.layers import Conv, PReLU
from jaxgan.ops.norm import BatchNorm
from jaxgan.ops.resample import downsample_average, pixel_shuffle, resize


class ResidualBlock(nn.Module):
    """conv - BN - PReLU - conv - BN, added to its input.

    Attributes:
      channels: of the input and the output.
      normalise: whether the batch normalisations are there.
      dtype: what it computes in.
    """

    channels: int
    normalise: bool
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        y = Conv(self.channels, 3, use_bias=not self.normalise, dtype=self.dtype)(x)
        y = BatchNorm()(y, train=train) if self.normalise else y
        y = PReLU()(y)
        y = Conv(self.channels, 3, use_bias=not self.normalise, dtype=self.dtype)(y)
        y = BatchNorm()(y, train=train) if self.normalise else y
        return x + y


class SRResNet(nn.Module):
    """The generator: residual blocks at low resolution, then sub-pixel convolutions.

    Attributes:
      factor: enlargement, a power of 2.
      blocks: residual blocks; 16 in the paper.
      channels: 64 in the paper.
      normalise: batch normalisation in the blocks, as in the paper.
      bicubic_skip: adds the bicubically enlarged input to the output, so that training starts from
        bicubic interpolation instead of from nothing. Not in the paper.
      dtype: what it computes in.
    """

    factor: int = 4
    blocks: int = 16
    channels: int = 64
    normalise: bool = True
    bicubic_skip: bool = False
    dtype: jnp.dtype = jnp.float32

    @property
    def reach(self) -> int:
        """How many low-resolution pixels around a pixel can change what is made of it."""
        at_high = 4 / self.factor + sum(2.0**-up for up in range(int(math.log2(self.factor))))
        return 4 + 2 * self.blocks + 1 + math.ceil(at_high)

    @nn.compact
    def __call__(self, low: Array, train: bool) -> Array:
        """`[batch, height, width, 3]` in [-1, 1] to `[batch, factor h, factor w, 3]`, unbounded."""
        x = low.astype(self.dtype)
        x = skip = PReLU()(Conv(self.channels, 9, dtype=self.dtype)(x))
        for _ in range(self.blocks):
            x = ResidualBlock(self.channels, self.normalise, self.dtype)(x, train)
        x = Conv(self.channels, 3, use_bias=not self.normalise, dtype=self.dtype)(x)
        x = BatchNorm()(x, train=train) if self.normalise else x
        x = x + skip
        for _ in range(int(math.log2(self.factor))):
            x = PReLU()(pixel_shuffle(Conv(4 * self.channels, 3, dtype=self.dtype)(x), 2))
        last = nn.initializers.zeros if self.bicubic_skip else nn.initializers.lecun_normal()
        high = Conv(3, 9, dtype=self.dtype, kernel_init=last)(x)
        if self.bicubic_skip:
            high = high + enlarge(low, self.factor).astype(self.dtype)
        return high


def enlarge(images: Array, factor: int) -> Array:
    """Bicubic enlargement on the device, the same as `data.resize.imresize` but not rounded."""
    rows, columns = (resize_matrix(size, size * factor) for size in images.shape[1:3])
    return resize(images, rows, columns)


class SRCritic(nn.Module):
    """The critic: eight convolutions, strided every second time, and two dense layers.

    Attributes:
      channels: of the first convolution; 64 in the paper. They double three times.
      dense: units of the first dense layer; 1024 in the paper. 0 replaces both layers by the mean
        of a last convolution's logits, so that the critic judges texture wherever it is.
      smooth: averages 2x2 pixels instead of striding. A strided convolution's gradient has a
        checkerboard in it, which a generator that is trained for minutes only takes over.
      normalise: batch normalisation, as in the paper.
      dtype: what it computes in.
    """

    channels: int = 64
    dense: int = 1024
    smooth: bool = False
    normalise: bool = True
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: Array, train: bool) -> Array:
        """Logits `[batch]` of `[batch, height, width, 3]` in [-1, 1]."""
        x = images.astype(self.dtype)
        for index in range(8):
            normalised = self.normalise and index > 0
            x = Conv(
                self.channels * 2 ** (index // 2),
                3,
                stride=2 if index % 2 and not self.smooth else 1,
                use_bias=not normalised,
                dtype=self.dtype,
            )(x)
            x = BatchNorm()(x, train=train) if normalised else x
            x = jax.nn.leaky_relu(x, 0.2)
            x = downsample_average(x, 2) if index % 2 and self.smooth else x
        if not self.dense:
            return Conv(1, 3, dtype=self.dtype)(x).mean(axis=(1, 2, 3))
        x = x.reshape(x.shape[0], -1)
        x = jax.nn.leaky_relu(nn.Dense(self.dense, dtype=self.dtype)(x), 0.2)
        return nn.Dense(1, dtype=self.dtype)(x)[:, 0]
