"""Generator and critic of volumes: DCGAN's in three dimensions, as 3D-GAN and VGAN have them.

Shapes: 3D-GAN (Wu et al. 2016, arXiv 1610.07584, section 3.1). Films, with time as the first axis:
VGAN (Vondrick et al. 2016, arXiv 1609.02612), in `vgan.py`.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from jaxgan.nets.dcgan import NORMAL
from jaxgan.ops.layers import Conv, ConvTranspose
from jaxgan.ops.norm import BatchNorm


class GrowingVolume(nn.Module):
    """A small block that doubles along every axis, stage by stage.

    A dense layer (a transposed convolution of a single position), then transposed convolutions of
    kernel 4 and stride 2, batch normalisation and ReLU after all but the last.

    Attributes:
      first: the sides of the first block; 4x4x4 in 3D-GAN.
      width: channels of the last stage but the result; they double with each one before it.
      stages: transposed convolutions, that of the result included.
      channels: of the result.
      dtype: what it computes in.
    """

    first: Sequence[int] = (4, 4, 4)
    width: int = 64
    stages: int = 4
    channels: int = 1
    dtype: jnp.dtype = jnp.float32

    def hidden(self, latent: Array, train: bool) -> Array:
        """`[batch, latent size]` to the last stage but the result, `[batch, ..., width]`.

        For compact callers.
        """
        features = self.width * 2 ** (self.stages - 1)
        units = features
        for side in self.first:
            units *= side
        x = nn.Dense(units, use_bias=False, dtype=self.dtype, kernel_init=NORMAL)(latent)
        x = x.reshape(-1, *self.first, features)
        for stage in range(self.stages):
            if stage:
                features //= 2
                x = ConvTranspose(
                    features, 4, stride=2, use_bias=False, dtype=self.dtype, kernel_init=NORMAL
                )(x)
            x = jax.nn.relu(BatchNorm()(x, train=train))
        return x

    def result(self, x: Array, channels: int) -> Array:
        """The last transposed convolution, `[batch, ..., channels]` without its nonlinearity."""
        return ConvTranspose(channels, 4, stride=2, dtype=self.dtype, kernel_init=NORMAL)(x)


class VoxelGenerator(GrowingVolume):
    """The generator of 3D-GAN: as it stands 4^3x512, 8^3x256, 16^3x128, 32^3x64, 64^3x1.

    The paper's sigmoid for voxels of 0 and 1 is, for voxels of -1 and 1, a hyperbolic tangent:
    `tanh(x) = 2 sigmoid(2 x) - 1`.
    """

    @nn.compact
    def __call__(self, latent: Array, train: bool) -> Array:
        """`[batch, latent size]` to `[batch, side, side, side, channels]` in [-1, 1]."""
        return jnp.tanh(self.result(self.hidden(latent, train), self.channels))


class VolumeCritic(nn.Module):
    """The mirror image of `GrowingVolume`: convolutions of kernel 4 and stride 2, a dense layer.

    LeakyReLU 0.2; batch normalisation after all convolutions but the first.

    Attributes:
      width: channels of the first convolution; they double with each.
      stages: convolutions.
      batch_norm: as in `nets.dcgan.Shrinking`.
      dtype: what it computes in.
    """

    width: int = 64
    stages: int = 4
    batch_norm: bool = True
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, volumes: Array, train: bool) -> Array:
        """Logits `[batch]` of `[batch, *sides, channels]`."""
        x = volumes.astype(self.dtype)
        for stage in range(self.stages):
            normalised = self.batch_norm and stage > 0
            x = Conv(
                self.width * 2**stage,
                4,
                stride=2,
                use_bias=not normalised,
                dtype=self.dtype,
                kernel_init=NORMAL if self.batch_norm else nn.initializers.lecun_normal(),
            )(x)
            x = BatchNorm()(x, train=train) if normalised else x
            x = jax.nn.leaky_relu(x, 0.2)
        return nn.Dense(1, dtype=self.dtype)(x.reshape(x.shape[0], -1))[:, 0]
