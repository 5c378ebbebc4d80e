"""Phonemes to mel spectrograms, and a critic that hears whether they say the text.

In the manner of End-to-End Adversarial Text-to-Speech (Donahue et al. 2020, arXiv 2006.03575): the
generator predicts how long each symbol lasts and lays the symbols out over frames by itself, so
that it needs no alignment and takes texts of any length. Padded symbols and frames change nothing
in what is made of the others.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from jaxgan.data.phonemes import PAD
from jaxgan.ops.aligner import align
from jaxgan.ops.layers import Conv
from jaxgan.ops.norm import LayerNorm

SLOPE = 0.2
# Softplus of this is 1.
_ONE = 0.5413


class Speech(NamedTuple):
    """What the generator makes.

    Attributes:
      mel: float32 [batch, frames, mels] in [-1, 1]; -1, silence, where nothing is spoken.
      lengths: float32 [batch, symbols], the frames that the symbols would last by themselves; 0 for
        padded ones.
      weights: float32 [batch, frames, symbols], which frame holds which symbol (`ops.aligner`).
    """

    mel: Array
    lengths: Array
    weights: Array


class Block(nn.Module):
    """Two convolutions around which the input goes on; the voice scales and shifts it first."""

    channels: int
    taps: int = 5
    dilation: int = 1
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Array, shown: Array, voice: Array) -> Array:
        """`x [batch, n, channels]`; `shown [batch, n, 1]`, 0 at padding; `voice [batch, size]`."""
        change = nn.Dense(2 * self.channels, dtype=self.dtype, name="voice")(voice)[:, None, :]
        scale, shift = jnp.split(change, 2, axis=-1)
        y = LayerNorm(use_scale=False, use_bias=False)(x)
        y = jax.nn.leaky_relu(y * (1.0 + scale) + shift, SLOPE) * shown
        y = Conv(self.channels, self.taps, dilation=self.dilation, dtype=self.dtype)(y)
        y = jax.nn.leaky_relu(y, SLOPE) * shown
        y = Conv(self.channels, self.taps, dtype=self.dtype)(y)
        return (x + y) * shown


class SpeechGenerator(nn.Module):
    """Symbols, a speaker and a latent to a mel spectrogram.

    Attributes:
      symbols: how many symbols there are; number 0 is padding.
      speakers: how many speakers.
      mels: bands of the spectrogram.
      channels: of all convolutions.
      encoder_blocks, decoder_blocks: before and after symbols become frames.
      pace: frames of a symbol that the untrained network expects.
    """

    symbols: int
    speakers: int
    mels: int
    channels: int = 256
    encoder_blocks: int = 4
    decoder_blocks: int = 6
    pace: float = 4.0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, phonemes: Array, speaker: Array, latent: Array, spoken: Array, *, train: bool = False
    ) -> Speech:
        """Speaks.

        Args:
          phonemes: int32 [batch, symbols], `PAD` behind each row's last one.
          speaker: int32 [batch].
          latent: float32 [batch, latent_size].
          spoken: bool [batch, frames]: True for as many frames as each row is to last, from the
            first one on. `lengths` of the result say how many the network would take; they do not
            depend on this.
          train: has no effect.
        """
        real = phonemes != PAD
        known = real[..., None].astype(self.dtype)
        shown = spoken[..., None].astype(self.dtype)
        who = nn.Embed(self.speakers, self.channels // 2, dtype=self.dtype, name="speaker")(speaker)
        voice = nn.Dense(self.channels, dtype=self.dtype, name="voice")(
            jnp.concatenate([who, latent.astype(self.dtype)], axis=-1)
        )
        voice = jax.nn.leaky_relu(voice, SLOPE)

        x = nn.Embed(self.symbols, self.channels, dtype=self.dtype, name="symbol")(phonemes) * known
        for number in range(self.encoder_blocks):
            x = Block(self.channels, dtype=self.dtype, name=f"encoder_{number}")(x, known, voice)
        x = LayerNorm(name="encoded")(x) * known
        hidden = Conv(self.channels, 3, dtype=self.dtype, name="duration_hidden")(x)
        duration = Conv(1, 3, dtype=jnp.float32, name="duration")(
            jax.nn.leaky_relu(hidden, SLOPE) * known
        )
        lengths = self.pace * jax.nn.softplus(duration[..., 0] + _ONE)
        lengths = jnp.where(real, lengths, 0.0)

        layout = align(lengths, real, spoken)
        y = jnp.einsum("bfs,bsc->bfc", layout.weights.astype(self.dtype), x)
        cues = jnp.stack([layout.offset, jnp.log1p(layout.pace)], axis=-1).astype(self.dtype)
        y = (y + nn.Dense(self.channels, dtype=self.dtype, name="cues")(cues)) * shown
        for number in range(self.decoder_blocks):
            block = Block(
                self.channels,
                dilation=1 + number % 2,
                dtype=self.dtype,
                name=f"decoder_{number}",
            )
            y = block(y, shown, voice)
        y = jax.nn.leaky_relu(LayerNorm(name="decoded")(y), SLOPE) * shown
        mel = jnp.tanh(Conv(self.mels, 5, dtype=self.dtype, name="mel")(y).astype(jnp.float32))
        return Speech(jnp.where(spoken[..., None], mel, -1.0), lengths, layout.weights)


class Opinion(NamedTuple):
    """What the critic says.

    Attributes:
      logits: float32 [batch, n]: one for each patch of frames.
      shown: bool [batch, n], whether anything is spoken there: the others mean nothing.
      features: of the hidden layers, float32 [batch, m, channels], 0 where nothing is spoken.
      present: float32 [batch, m, 1] for each of them, 0 where nothing is spoken.
    """

    logits: Array
    shown: Array
    features: tuple[Array, ...]
    present: tuple[Array, ...]


class SpeechCritic(nn.Module):
    """Judges stretches of a mel spectrogram beside the symbols that are to be heard in them.

    Attributes:
      symbols, speakers: as the generator's.
      channels: of the first convolution; they double at each halving of time.
      layers: convolutions; every second one halves time.
    """

    symbols: int
    speakers: int
    channels: int = 128
    layers: int = 4
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self,
        mel: Array,
        phonemes: Array,
        weights: Array,
        speaker: Array,
        spoken: Array,
        *,
        train: bool = False,
    ) -> Opinion:
        """Judges.

        Args:
          mel: float32 [batch, frames, mels] in [-1, 1].
          phonemes: int32 [batch, symbols].
          weights: float32 [batch, frames, symbols], which frame holds which symbol.
          speaker: int32 [batch].
          spoken: bool [batch, frames], True for frames of speech.
          train: has no effect.
        """
        size = self.channels // 2
        text = nn.Embed(self.symbols, size, dtype=self.dtype, name="symbol")(phonemes)
        text = text * (phonemes != PAD)[..., None].astype(self.dtype)
        aligned = jnp.einsum("bfs,bsc->bfc", weights.astype(self.dtype), text)
        who = nn.Embed(self.speakers, size, dtype=self.dtype, name="speaker")(speaker)
        who = jnp.broadcast_to(who[:, None, :], aligned.shape)
        shown = spoken[..., None].astype(self.dtype)
        x = jnp.concatenate([mel.astype(self.dtype), aligned, who], axis=-1) * shown
        features, present = [], []
        channels = self.channels
        for number in range(self.layers):
            stride = 1 + number % 2
            channels *= stride
            # The same zeros on either side whatever the length, so that padding changes nothing.
            x = Conv(channels, 5, stride=stride, padding=2, dtype=self.dtype)(x)
            shown = shown[:, ::stride]
            x = jax.nn.leaky_relu(x, SLOPE) * shown
            features.append(x)
            present.append(shown)
        logits = Conv(1, 3, padding=1, dtype=self.dtype, name="logits")(x)[..., 0]
        return Opinion(logits, shown[..., 0] > 0, tuple(features), tuple(present))
