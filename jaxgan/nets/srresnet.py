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
      smooth: averages 2x2 pixels after each sub-pixel convolution, so that a flat area can only
        become a flat area: a critic otherwise first teaches it the grid of period 2 that sub-pixel
        convolutions make so easily (Aitken et al. 2017, arXiv 1707.02937). Not in the paper.
      dtype: what it computes in.
    """

    factor: int = 4
    blocks: int = 16
    channels: int = 64
    normalise: bool = True
    bicubic_skip: bool = False
    smooth: bool = False
    dtype: jnp.dtype = jnp.float32

    @property
    def reach(self) -> int:
        """How many low-resolution pixels around a pixel can change what is made of it."""
        ups = range(int(math.log2(self.factor)))
        at_high = 4 / self.factor + sum(2.0**-up for up in ups)
        at_high += sum(2.0 ** -(up + 1) for up in ups) if self.smooth else 0
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
            x = average_neighbours(x) if self.smooth else x
        last = nn.initializers.zeros if self.bicubic_skip else nn.initializers.lecun_normal()
        high = Conv(3, 9, dtype=self.dtype, kernel_init=last)(x)
        if self.bicubic_skip:
            high = high + enlarge(low, self.factor).astype(self.dtype)
        return high


def average_neighbours(x: Array) -> Array:
    """The mean of every pixel and those above it, left of it, and both; the same size."""
    x = jnp.pad(x, ((0, 0), (1, 0), (1, 0), (0, 0)), mode="edge")
    return (x[:, 1:, 1:] + x[:, :-1, 1:] + x[:, 1:, :-1] + x[:, :-1, :-1]) / 4


def enlarge(images: Array, factor: int) -> Array:
    """Bicubic enlargement on the device, the same as `data.resize.imresize` but not rounded."""
    rows, columns = (resize_matrix(size, size * factor) for size in images.shape[1:3])
    return resize(images, rows, columns)


class SRCritic(nn.Module):
    """The critic: eight convolutions, strided every second time, and two dense layers.

    Attributes:
      channels: of the first convolution; 64 in the paper. They double three times.
      dense: units of the first dense layer; 1024 in the paper.
      dtype: what it computes in.
    """

    channels: int = 64
    dense: int = 1024
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: Array, train: bool) -> Array:
        """Logits `[batch]` of `[batch, height, width, 3]` in [-1, 1]."""
        x = images.astype(self.dtype)
        for index in range(8):
            x = Conv(
                self.channels * 2 ** (index // 2),
                3,
                stride=1 + index % 2,
                use_bias=index == 0,
                dtype=self.dtype,
            )(x)
            x = BatchNorm()(x, train=train) if index else x
            x = jax.nn.leaky_relu(x, 0.2)
        x = x.reshape(x.shape[0], -1)
        x = jax.nn.leaky_relu(nn.Dense(self.dense, dtype=self.dtype)(x), 0.2)
        return nn.Dense(1, dtype=self.dtype)(x)[:, 0]


class TextureCritic(nn.Module):
    """A critic for runs of minutes: it judges texture wherever it is, not the picture.

    Every stage has two convolutions and averages 2x2 pixels. A strided convolution's gradient has
    a checkerboard in it, which a generator that is trained for minutes only takes over; one answer
    for the whole picture teaches the critic too little in that time. Not in the paper.

    Attributes:
      channels: of the first stage; they double with each.
      stages: how many.
      dtype: what it computes in.
    """

    channels: int = 32
    stages: int = 2
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: Array, train: bool) -> Array:
        """`[batch, h, w, 3]` in [-1, 1] to logits `[batch, h / 2^stages, w / 2^stages]`."""
        x = images.astype(self.dtype)
        for stage in range(self.stages):
            for _ in range(2):
                x = Conv(self.channels * 2**stage, 3, dtype=self.dtype)(x)
                x = jax.nn.leaky_relu(x, 0.2)
            x = downsample_average(x, 2)
        return Conv(1, 3, dtype=self.dtype)(x)[..., 0]
