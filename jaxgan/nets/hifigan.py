"""HiFi-GAN's generator: sound from a mel spectrogram (Kong et al. 2020, arXiv 2010.05646)."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from jaxgan.errors import UserError, did_you_mean
from jaxgan.ops.layers import Conv, ConvTranspose
from jaxgan.ops.weight_norm import WeightNorm

# What the authors' networks start from, PyTorch's own: U(-1/sqrt(n), 1/sqrt(n)) of n inputs, which
# it counts for a transposed convolution as if it were the other way around.
UNIFORM = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
UNIFORM_TRANSPOSED = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform", -1, -2)
SLOPE = 0.1

# What the first and the last convolution see.
_ENDS = 7


class HiFiGAN(nn.Module):
    """A mel spectrogram, enlarged step by step by transposed convolutions (section 2.2, table 5).

    After each of them the mean of several residual blocks sees as many patterns of different
    lengths (multi-receptive-field fusion). All layers are weight-normalised.

    Attributes:
      channels: before the first transposed convolution; every one of them halves them (h_u).
      upsampling: stride and kernel of each (k_u); the product of the strides is the hop.
      blocks: kernel and dilations of each residual block (k_r, D_r).
      deep: the blocks of V1 and V2, in which a convolution without dilation follows each dilated
        one; V3 does without.
      dtype: what it computes in.
    """

    channels: int = 512
    upsampling: tuple[tuple[int, int], ...] = ((8, 16), (8, 16), (2, 4), (2, 4))
    blocks: tuple[tuple[int, tuple[int, ...]], ...] = (
        (3, (1, 3, 5)),
        (7, (1, 3, 5)),
        (11, (1, 3, 5)),
    )
    deep: bool = True
    dtype: jnp.dtype = jnp.float32

    @property
    def hop(self) -> int:
        """Samples of sound for a frame of the spectrogram."""
        return math.prod(stride for stride, _ in self.upsampling)

    @property
    def reach(self) -> int:
        """How many frames on either side of a sample's own one it may depend on, at the most."""
        samples = float(_ENDS // 2)
        width = max(
            sum((kernel // 2) * (dilation + self.deep) for dilation in dilations)
            for kernel, dilations in self.blocks
        )
        for stride, kernel in reversed(self.upsampling):
            samples = (samples + width + kernel) / stride
        return math.ceil(samples) + _ENDS // 2

    @nn.compact
    def __call__(self, mel: Array, train: bool = False) -> Array:
        """`mel [batch, frames, bands]`, log magnitudes, to `[batch, frames * hop]` in [-1, 1].

        `train` changes nothing.
        """
        channels = self.channels
        x = self._conv(mel.astype(self.dtype), channels, _ENDS)
        for stride, kernel in self.upsampling:
            channels //= 2
            x = jax.nn.leaky_relu(x, SLOPE)
            up = ConvTranspose(
                channels, kernel, stride, dtype=self.dtype, kernel_init=UNIFORM_TRANSPOSED
            )
            x = WeightNorm(up, axis=-2)(x)
            x = sum(self._block(x, *block) for block in self.blocks) / len(self.blocks)
        # The authors leave the slope of this one at PyTorch's default.
        x = jax.nn.leaky_relu(x, 0.01)
        return jnp.tanh(self._conv(x, 1, _ENDS))[..., 0]

    def _block(self, x, kernel, dilations):
        """Residual convolutions one after another, each preceded by its leaky ReLU (figure 1)."""
        for dilation in dilations:
            y = self._conv(jax.nn.leaky_relu(x, SLOPE), x.shape[-1], kernel, dilation)
            if self.deep:
                y = self._conv(jax.nn.leaky_relu(y, SLOPE), x.shape[-1], kernel)
            x = x + y
        return x

    def _conv(self, x, channels, kernel, dilation=1):
        layer = Conv(channels, kernel, dilation=dilation, dtype=self.dtype, kernel_init=UNIFORM)
        return WeightNorm(layer)(x)


# Table 5 of the paper and the authors' configurations: channels, upsampling, blocks, deep.
_DEEP = ((3, (1, 3, 5)), (7, (1, 3, 5)), (11, (1, 3, 5)))
_FLAT = ((3, (1, 2)), (5, (2, 6)), (7, (3, 12)))
VERSIONS: dict[str, tuple] = {
    "v1": (512, ((8, 16), (8, 16), (2, 4), (2, 4)), _DEEP, True),
    "v2": (128, ((8, 16), (8, 16), (2, 4), (2, 4)), _DEEP, True),
    "v3": (256, ((8, 16), (8, 16), (4, 8)), _FLAT, False),
}


def hifigan(
    version: str,
    hop: int = 256,
    *,
    channels: int = 0,
    blocks: int = 0,
    dtype: jnp.dtype = jnp.float32,
) -> HiFiGAN:
    """The generator of one of the paper's configurations.

    Args:
      version: 'v1', 'v2' or 'v3', of 13.92, 0.92 and 1.46 million parameters.
      hop: samples for a frame; the paper's is 256. For another one the last strides are others.
      channels: other than the version's; 0 keeps them.
      blocks: how many of the version's residual blocks to have after each step, the narrowest
        first; 0 is all.
      dtype: what it computes in.

    Raises:
      UserError: an unknown version, a hop that is no power of 2 or too small, or channels that
        cannot be halved as often as there are steps.
    """
    if version not in VERSIONS:
        raise UserError(f"--version={version}, {did_you_mean(version, VERSIONS)}")
    own, upsampling, known, deep = VERSIONS[version]
    channels = channels or own
    if channels % 2 ** len(upsampling):
        raise UserError(
            f"--channels={channels}: {version} halves them {len(upsampling)} times, so they are a "
            f"multiple of {2 ** len(upsampling)}"
        )
    return HiFiGAN(channels, _for_hop(upsampling, hop), known[: blocks or None], deep, dtype)


def _for_hop(upsampling, hop):
    """The strides with the smallest doubled, or the largest halved, until they make up the hop."""
    strides = [stride for stride, _ in upsampling]
    if hop < 2 ** len(strides) or hop & (hop - 1):
        raise UserError(f"--hop={hop}: it must be a power of 2, at least {2 ** len(strides)}")
    while math.prod(strides) < hop:
        strides[strides.index(min(strides))] *= 2
    while math.prod(strides) > hop:
        last = len(strides) - 1 - strides[::-1].index(max(strides))
        strides[last] //= 2
    return tuple((stride, 2 * stride) for stride in strides)
