"""The generator of CycleGAN: residual blocks at a quarter of the picture's size."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from jaxgan.nets.dcgan import NORMAL
from jaxgan.ops.layers import Conv, ConvTranspose
from jaxgan.ops.norm import normalise
from jaxgan.ops.pad import check_sides, reflect_pad


class ReflectBlock(nn.Module):
    """Two 3x3 convolutions with instance normalisation, added to their input.

    Padded by reflection, ReLU between them and none after the sum (arXiv 1703.10593, section 7.2).

    Attributes:
      channels: of the input and the output.
      dtype: what it computes in.
    """

    channels: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        """`[batch, height, width, channels]`, at least 2 pixels a side, to the same shape."""
        y = x
        for place in range(2):
            y = Conv(
                self.channels,
                3,
                padding="VALID",
                use_bias=False,
                dtype=self.dtype,
                kernel_init=NORMAL,
            )(reflect_pad(y, 1))
            y = normalise(y, "instance", train=train)
            y = jax.nn.relu(y) if place == 0 else y
        return x + y


class ResNetGenerator(nn.Module):
    """The generator of CycleGAN (Zhu et al. 2017, arXiv 1703.10593, section 7.2).

    After Johnson et al. (arXiv 1603.08155): c7s1-64, d128, d256, R256 times `blocks`, u128, u64,
    c7s1-3, in the paper's letters; ReLU and instance normalisation without scale and shift after
    all but the last, tanh at the end, reflection padding but where the size changes. What is
    normalised has no bias: the normalisation would take it out again.

    Attributes:
      out_channels: of the result.
      blocks: residual blocks; the paper's are 9 from 256x256 on and 6 for 128x128.
      channels: of the first convolution.
      dtype: what it computes in.
    """

    out_channels: int = 3
    blocks: int = 9
    channels: int = 64
    dtype: jnp.dtype = jnp.float32

    @property
    def multiple(self) -> int:
        """What both sides of a picture must divide by."""
        return 4

    @nn.compact
    def __call__(self, pictures: Array, train: bool) -> Array:
        """`[batch, height, width, in]` to `[batch, height, width, out_channels]` in [-1, 1].

        Raises ValueError for sides that do not divide by 4, or are less than 8.
        """
        check_sides(pictures, self.multiple)

        def settled(x: Array) -> Array:
            return jax.nn.relu(normalise(x, "instance", train=train))

        def same(x: Array, features: int, *, bias: bool) -> Array:
            return Conv(
                features,
                7,
                padding="VALID",
                use_bias=bias,
                dtype=self.dtype,
                kernel_init=NORMAL,
            )(reflect_pad(x, 3))

        x = settled(same(pictures.astype(self.dtype), self.channels, bias=False))
        for doubled in (2, 4):
            x = settled(
                Conv(
                    doubled * self.channels,
                    3,
                    stride=2,
                    padding=1,
                    use_bias=False,
                    dtype=self.dtype,
                    kernel_init=NORMAL,
                )(x)
            )
        for _ in range(self.blocks):
            x = ReflectBlock(4 * self.channels, self.dtype)(x, train)
        for halved in (2, 1):
            x = settled(
                ConvTranspose(
                    halved * self.channels,
                    3,
                    stride=2,
                    padding=1,
                    output_padding=1,
                    use_bias=False,
                    dtype=self.dtype,
                    kernel_init=NORMAL,
                )(x)
            )
        return jnp.tanh(same(x, self.out_channels, bias=True))
