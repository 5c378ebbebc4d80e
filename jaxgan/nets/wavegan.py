"""Generators and critics of raw sound: WaveGAN, and the tutorials' dense reference.

WaveGAN: Donahue, McAuley and Puckette 2019, "Adversarial audio synthesis", arXiv 1802.04208,
tables 3 and 4.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from jaxgan.errors import UserError
from jaxgan.ops.layers import Conv, ConvTranspose
from jaxgan.ops.pad import reflect_pad

KERNEL, STRIDE = 25, 4
# A sound begins (and ends, in the critic) at no fewer frames than this.
_FIRST = 16
# Channels are at most so many times those next to the sound: the paper's, for 65536 samples.
_MOST = 32
DENSE = (256, 512, 1024, 2048)


class Plan(NamedTuple):
    """How long the layers' outputs are: `first` frames, then `stages` times as many by four."""

    first: int
    stages: int

    @property
    def whole(self) -> int:
        """Samples that the layers make, of which the sound is the beginning."""
        return self.first * STRIDE**self.stages


def plan(length: int) -> Plan:
    """As many layers as leave at least 16 frames: 16 * 4^5 for 16384 samples, 44 * 4^5 for 44100.

    Raises:
      UserError: the sound is too short for one layer.
    """
    stages = 0
    while -(-length // STRIDE ** (stages + 1)) >= _FIRST:
        stages += 1
    if not stages:
        raise UserError(
            f"a sound of {length} samples is too short for WaveGAN, which needs "
            f"{STRIDE * (_FIRST - 1) + 1}: make it longer, or its rate higher"
        )
    return Plan(-(-length // STRIDE**stages), stages)


class WaveGenerator(nn.Module):
    """Dense, then transposed convolutions of 25 taps and stride 4, ReLU between them, tanh.

    Attributes:
      length: samples of a sound.
      width: channels of the last layer but the sound; they double inwards.
      channels: of the sound.
      dtype: what it computes in.
    """

    length: int = 16384
    width: int = 64
    channels: int = 1
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, latent: Array, train: bool) -> Array:
        """`[batch, latent size]` to `[batch, length, channels]` in [-1, 1]."""
        first, stages = plan(self.length)
        features = _channels(self.width, stages)
        x = nn.Dense(first * features[-1], dtype=self.dtype)(latent.astype(self.dtype))
        x = x.reshape(-1, first, features[-1])
        for wanted in (*reversed(features[:-1]), self.channels):
            x = jax.nn.relu(x)
            x = ConvTranspose(wanted, KERNEL, stride=STRIDE, dtype=self.dtype)(x)
        return jnp.tanh(x[:, : self.length])


class WaveCritic(nn.Module):
    """Convolutions of 25 taps and stride 4, LeakyReLU 0.2, phase shuffle between them, dense.

    Attributes:
      width: channels of the first convolution; they double with each.
      shuffle: of the phase, in samples of each layer's output but the last's; 0: none.
      dtype: what it computes in.
    """

    width: int = 64
    shuffle: int = 2
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, samples: Array, train: bool) -> Array:
        """Logits `[batch]` of `[batch, length, channels]`."""
        length = samples.shape[1]
        whole, stages = plan(length).whole, plan(length).stages
        x = jnp.pad(samples.astype(self.dtype), ((0, 0), (0, whole - length), (0, 0)))
        for number, features in enumerate(_channels(self.width, stages), start=1):
            x = jax.nn.leaky_relu(Conv(features, KERNEL, stride=STRIDE, dtype=self.dtype)(x), 0.2)
            if train and self.shuffle and number < stages:
                x = phase_shuffle(x, self.make_rng("noise"), self.shuffle)
        return nn.Dense(1, dtype=self.dtype)(x.reshape(x.shape[0], -1))[:, 0]


def phase_shuffle(x: Array, key: Array, most: int) -> Array:
    """Moves each row by -most to most frames, mirrored at its ends (arXiv 1802.04208, section 3.3).

    Without it the critic could tell sounds by the phase of what transposed convolutions leave
    behind. A row is chosen out of all its shifts by sums, which derive to sums: a gather would
    derive to a scatter.

    Args:
      x: `[batch, frames, channels]`, frames above `most`.
      key: a random one.
      most: frames.

    Returns:
      The same shape and dtype.
    """
    frames, count = x.shape[1], 2 * most + 1
    wide = reflect_pad(x, most)
    shift = jax.random.randint(key, (x.shape[0],), 0, count)
    moved = jnp.zeros_like(x)
    for offset in range(count):
        chosen = (shift == offset)[:, None, None]
        moved = moved + jnp.where(chosen, wide[:, offset : offset + frames], 0)
    return moved


class DenseGenerator(nn.Module):
    """The tutorials' generator of sounds: dense 256, 512, 1024, 2048, LeakyReLU 0.2, tanh.

    Attributes:
      length: samples of a sound; 44100, a second of a compact disc's.
      widths: of the hidden layers.
      dtype: what it computes in.
    """

    length: int = 44100
    widths: tuple[int, ...] = DENSE
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, latent: Array, train: bool) -> Array:
        """`[batch, latent size]` to `[batch, length, 1]` in [-1, 1]."""
        x = latent.astype(self.dtype)
        for width in self.widths:
            x = jax.nn.leaky_relu(nn.Dense(width, dtype=self.dtype)(x), 0.2)
        return jnp.tanh(nn.Dense(self.length, dtype=self.dtype)(x))[..., None]


class DenseCritic(nn.Module):
    """The mirror image of `DenseGenerator`: dense 2048, 1024, 512, 256, LeakyReLU 0.2."""

    widths: tuple[int, ...] = DENSE
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, samples: Array, train: bool) -> Array:
        """Logits `[batch]` of `[batch, length, channels]`."""
        x = samples.astype(self.dtype).reshape(samples.shape[0], -1)
        for width in reversed(self.widths):
            x = jax.nn.leaky_relu(nn.Dense(width, dtype=self.dtype)(x), 0.2)
        return nn.Dense(1, dtype=self.dtype)(x)[:, 0]


def _channels(width: int, stages: int) -> tuple[int, ...]:
    """Of the layers, from the one next to the sound inwards."""
    return tuple(width * min(2**stage, _MOST) for stage in range(stages))
