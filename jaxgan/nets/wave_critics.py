"""HiFi-GAN's critics of sound: by periods and by scales (Kong et al. 2020, arXiv 2010.05646).

Both give, beside its logits, every layer's features, for feature matching (section 2.4).
"""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from jaxgan.nets.hifigan import SLOPE, UNIFORM
from jaxgan.ops.layers import Conv
from jaxgan.ops.norm import SpectralNorm
from jaxgan.ops.weight_norm import WeightNorm

# Of one critic: its logits, and the features of its layers, the logits among them.
Opinion = tuple[Array, tuple[Array, ...]]

# Channels, kernel, stride and groups at the authors' width, where the widest layer has 1024.
_BY_PERIOD = ((32, 5, 3, 1), (128, 5, 3, 1), (512, 5, 3, 1), (1024, 5, 3, 1), (1024, 5, 1, 1))
_BY_SCALE = (
    (128, 15, 1, 1),
    (128, 41, 2, 4),
    (256, 41, 2, 16),
    (512, 41, 4, 16),
    (1024, 41, 4, 16),
    (1024, 41, 1, 16),
    (1024, 5, 1, 1),
)
_WIDEST = 1024
_LOGIT_TAPS = 3


class PeriodCritic(nn.Module):
    """Judges every `period`-th sample together, one part of the multi-period critic (section 2.3).

    The samples stand in rows of `period`; kernels of one column see only what is `period` apart,
    which is the same as `period` sounds, of which each is a row of the batch.

    Attributes:
      period: a prime, so that critics of different periods see different samples.
      width: channels of the widest layer; 1024 in the paper, and the others in proportion.
      dtype: what it computes in.
    """

    period: int
    width: int = _WIDEST
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, samples: Array, train: bool = False) -> Opinion:
        """`samples [batch, length]` to logits `[batch, period, about length / period / 81]`.

        A length that the period does not divide is completed by reflection.
        """
        batch, length = samples.shape
        missing = -length % self.period
        x = jnp.pad(samples.astype(self.dtype), ((0, 0), (0, missing)), mode="reflect")
        x = jnp.swapaxes(x.reshape(batch, -1, self.period), 1, 2)
        x = x.reshape(batch * self.period, -1, 1)
        logits, features = judge(x, _BY_PERIOD, self.width, self.dtype, WeightNorm, train)

        def apart(y: Array) -> Array:
            return y.reshape(batch, self.period, *y.shape[1:])

        return apart(logits)[..., 0], tuple(apart(y) for y in features)


class ScaleCritic(nn.Module):
    """Judges the sound as it runs, by strided and grouped convolutions (MelGAN: arXiv 1910.06711).

    Attributes:
      width: as in `PeriodCritic`; there are fewer groups in proportion, too.
      norm: what wraps each convolution: `SpectralNorm` or `WeightNorm`.
      dtype: what it computes in.
    """

    width: int = _WIDEST
    norm: Callable[..., nn.Module] = WeightNorm
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, samples: Array, train: bool = False) -> Opinion:
        """`samples [batch, length]` to logits `[batch, about length / 64]`."""
        x = samples.astype(self.dtype)[..., None]
        logits, features = judge(x, _BY_SCALE, self.width, self.dtype, self.norm, train)
        return logits[..., 0], features


class WaveCritics(nn.Module):
    """All the critics of HiFi-GAN, one player (section 2.3).

    Attributes:
      periods: of the multi-period critic.
      scales: how many critics judge the sound, each at half the rate of the one before; the first,
        at the full rate, is spectrally normalised.
      width: as in `PeriodCritic`.
      dtype: what they compute in.
    """

    periods: tuple[int, ...] = (2, 3, 5, 7, 11)
    scales: int = 3
    width: int = _WIDEST
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, samples: Array, train: bool = False) -> tuple[Opinion, ...]:
        """Every critic's opinion of `samples [batch, length] float32 in [-1, 1]`."""
        opinions = [
            PeriodCritic(period, self.width, self.dtype)(samples, train=train)
            for period in self.periods
        ]
        for scale in range(self.scales):
            if scale:
                samples = halved(samples)
            norm = WeightNorm if scale else SpectralNorm
            opinions.append(ScaleCritic(self.width, norm, self.dtype)(samples, train=train))
        return tuple(opinions)


def judge(
    x: Array,
    layers: Sequence[tuple[int, int, int, int]],
    width: int,
    dtype: jnp.dtype,
    norm: Callable[..., nn.Module],
    train: bool,
) -> Opinion:
    """Convolutions with leaky ReLUs between them and one to a logit; called in a compact method.

    Args:
      x: `[batch, length, 1]`.
      layers: channels, kernel, stride and groups of each, at the paper's width.
      width: channels of the widest.
      dtype: what is computed in.
      norm: what wraps each layer.
      train: whether spectral vectors move.
    """
    features = []
    for channels, kernel, stride, groups in layers:
        channels = max(channels * width // _WIDEST, 1)
        # As many channels to a group as in the paper: with fewer, groups cost more than they save.
        groups = max(groups * width // _WIDEST, 1)
        while channels % groups or x.shape[-1] % groups:
            groups //= 2
        layer = Conv(
            channels,
            kernel,
            stride=stride,
            padding=kernel // 2,
            groups=groups,
            dtype=dtype,
            kernel_init=UNIFORM,
        )
        x = jax.nn.leaky_relu(norm(layer)(x, train=train), SLOPE)
        features.append(x)
    last = Conv(1, _LOGIT_TAPS, padding=_LOGIT_TAPS // 2, dtype=dtype, kernel_init=UNIFORM)
    logits = norm(last)(x, train=train)
    return logits, (*features, logits)


def halved(samples: Array) -> Array:
    """Means of four samples, two apart, with zeros around them: `[batch, length]` to `[batch,
    length / 2 + 1]`."""
    padded = jnp.pad(samples, ((0, 0), (2, 2)))
    even = padded[:, : padded.shape[1] // 2 * 2].reshape(samples.shape[0], -1, 2).sum(-1)
    return (even[:, :-1] + even[:, 1:]) / 4
