"""Networks that fill holes: gated convolutions, and the critic that goes with them.

Yu et al. 2019, "Free-form image inpainting with gated convolution", arXiv 1806.03589 (DeepFill v2).
Masks are `[batch, height, width, 1]`, 1 in the hole and 0 around it.
"""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from jax.nn.initializers import variance_scaling

from jaxgan.nets.dcgan import NORMAL
from jaxgan.nets.patch import joined
from jaxgan.ops.layers import Conv
from jaxgan.ops.norm import SpectralNorm
from jaxgan.ops.pad import check_sides
from jaxgan.ops.resample import upsample_nearest


def fill(picture: Array, made: Array, mask: Array) -> Array:
    """What was made, in the hole, and the picture as it is around it.

    Args:
      picture, made: `[batch, height, width, channels]`.
      mask: `[batch, height, width, 1]`, 1 in the hole.
    """
    mask = jnp.broadcast_to(mask.astype(made.dtype), made.shape)
    return mask * made + (1 - mask) * picture.astype(made.dtype)


def _gated_kernel(
    key: Array, shape: Sequence[int], dtype: Any = jnp.float32, out_sharding: Any = None
) -> Array:
    """Kernels for features and gates that keep the mean square of what passes through them.

    With gates of unit variance, E[sigmoid(g)^2] = 0.293; features of variance 6.2 then make
    E[elu(f)^2] = 1 / 0.293. Begun alike, the seventeen layers of a stage would divide the signal
    by a million.
    """
    *inner, outputs = shape
    half = (*inner, outputs // 2)
    for_features, for_gates = jax.random.split(key)
    return jnp.concatenate(
        [
            variance_scaling(6.2, "fan_in", "normal")(for_features, half, dtype, out_sharding),
            variance_scaling(1.0, "fan_in", "normal")(for_gates, half, dtype, out_sharding),
        ],
        axis=-1,
    )


class GatedConv(nn.Module):
    """A convolution that learns where to look (arXiv 1806.03589, section 3.1, equation 2 and on).

    `elu(features) * sigmoid(gates)`, both linear in the same window; one convolution makes the two,
    the features first.

    Attributes:
      features: of the result.
      kernel_size: taps a side.
      stride: as a convolution's.
      dilation: as a convolution's.
      dtype: what it computes in.
    """

    features: int
    kernel_size: int = 3
    stride: int = 1
    dilation: int = 1
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[batch, height, width, in]` to `[batch, height / stride, width / stride, features]`."""
        both = Conv(
            2 * self.features,
            self.kernel_size,
            stride=self.stride,
            dilation=self.dilation,
            dtype=self.dtype,
            kernel_init=_gated_kernel,
        )(x)
        features, gates = jnp.split(both, 2, axis=-1)
        return jax.nn.elu(features) * jax.nn.sigmoid(gates)


class Stage(nn.Module):
    """One encoder-decoder of gated convolutions, dilated at a quarter of the size.

    Attributes: as `InpaintGenerator` has them.
    """

    out_channels: int
    channels: int
    dilations: Sequence[int]
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, picture: Array, mask: Array) -> Array:
        """`[batch, height, width, in]` and mask to `[batch, height, width, out_channels]`."""

        def gated(x: Array, share: int, kernel: int = 3, stride: int = 1, dilation: int = 1):
            features = self.channels * share // 4
            return GatedConv(features, kernel, stride, dilation, dtype=self.dtype)(x)

        x = gated(joined((picture, mask), self.dtype), 2, kernel=5)
        x = gated(x, 4, stride=2)
        x = gated(x, 4)
        x = gated(x, 8, stride=2)
        x = gated(gated(x, 8), 8)
        for dilation in self.dilations:
            x = gated(x, 8, dilation=dilation)
        x = gated(gated(x, 8), 8)
        x = gated(gated(upsample_nearest(x, 2), 4), 4)
        x = gated(gated(upsample_nearest(x, 2), 2), 1)
        return jnp.tanh(Conv(self.out_channels, 3, dtype=self.dtype, kernel_init=NORMAL)(x))


class InpaintGenerator(nn.Module):
    """The generator of DeepFill v2 (arXiv 1806.03589, figure 3), without contextual attention.

    The first stage makes a coarse filling, every further one is shown the picture with that filling
    in its hole. The paper's second stage is slimmer at its beginning and has a branch of attention
    beside it; here all stages are alike. One stage alone is enough for small pictures.

    Attributes:
      out_channels: of a picture.
      channels: of the first convolution as the paper counts them, gates included: 48 there, of
        which 24 are features. A multiple of 4; they double with each halving of the size.
      stages: how many.
      dilations: of the convolutions in the middle; the paper's reach all over 256x256, smaller
        pictures need fewer.
      dtype: what it computes in.
    """

    out_channels: int = 3
    channels: int = 48
    stages: int = 2
    dilations: Sequence[int] = (2, 4, 8, 16)
    dtype: jnp.dtype = jnp.float32

    @property
    def multiple(self) -> int:
        """What both sides of a picture must divide by."""
        return 4

    @nn.compact
    def __call__(self, picture: Array, mask: Array, train: bool) -> tuple[Array, ...]:
        """What every stage made, the finished picture last.

        Args:
          picture: `[batch, height, width, out_channels]` in [-1, 1], 0 in the hole.
          mask: `[batch, height, width, 1]`, 1 in the hole.
          train: makes no difference.

        Returns:
          `[batch, height, width, out_channels]` in [-1, 1] for each stage; made everywhere, so
          `fill` puts it where it belongs.

        Raises:
          ValueError: for sides that do not divide by 4.
        """
        check_sides(picture, self.multiple)
        made: list[Array] = []
        for _ in range(self.stages):
            shown = fill(picture, made[-1], mask) if made else picture
            stage = Stage(self.out_channels, self.channels, self.dilations, self.dtype)
            made.append(stage(shown, mask))
        return tuple(made)


class SNPatchCritic(nn.Module):
    """SN-PatchGAN (arXiv 1806.03589, section 3.3): a logit for every place and feature.

    Six convolutions of kernel 5 and stride 2 with spectral normalisation, LeakyReLU 0.2 between
    them; made for the hinge loss. The last is linear, so that the fakes' side of the hinge has the
    slope of the other.

    Attributes:
      channels: of the first convolution; they double twice.
      dtype: what it computes in.
    """

    channels: int = 64
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, *pictures: Array, train: bool) -> Array:
        """Logits `[batch, height / 64, width / 64, 4 * channels]`, sizes rounded up.

        Args:
          pictures: `[batch, height, width, channels]` each, joined along the channels: a picture
            and its mask.
          train: whether the spectral vectors move.
        """
        x = joined(pictures, self.dtype)
        for place in range(6):
            x = x if place == 0 else jax.nn.leaky_relu(x, 0.2)
            width = self.channels * min(2**place, 4)
            x = SpectralNorm(Conv(width, 5, stride=2, dtype=self.dtype))(x, train=train)
        return x
