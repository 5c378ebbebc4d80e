"""Mel spectrograms on the device, equal to librosa's, and their values in [-1, 1].

The scale is Slaney's (Auditory Toolbox, 1998), as is librosa's default: linear up to 1 kHz and
logarithmic above it, each triangle of the area of 1 Hz.
"""

import functools
import math
from dataclasses import dataclass
from typing import TypeVar

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxgan.errors import UserError
from jaxgan.ops.fourier import hann, mirrored, modulus, root, stft

# Decibels of power that become -1 and 1. A sine of full scale reaches about 45 dB in frames of 2048
# samples, speech 20 to 35; the floor of `decibels` is -100, and 16-bit rounding lies near -70.
LOW, HIGH = -80.0, 40.0
# Below this a magnitude counts as this, in HiFi-GAN's logarithm; and what keeps its root smooth.
CLIPPED, _SMOOTH = 1e-5, 1e-9
# Slaney's scale: hertz to a mel below the break, the break, and steps to a factor of 6.4 above it.
_HERTZ_PER_MEL, _BREAK, _STEPS = 200.0 / 3.0, 1000.0, 27.0

Values = TypeVar("Values", Array, np.ndarray)


@dataclass(frozen=True)
class MelScale:
    """How a sound becomes a mel spectrogram.

    Attributes:
      rate: samples a second.
      fft: samples to a frame.
      hop: samples from a frame to the next.
      mels: bands.
      low, high: the first band's lower and the last band's upper end in Hz; rate / 2 where None.
    """

    rate: int = 22050
    fft: int = 2048
    hop: int = 512
    mels: int = 128
    low: float = 0.0
    high: float | None = None

    def __post_init__(self) -> None:
        top = self.rate / 2 if self.high is None else self.high
        if not 0 <= self.low < top <= self.rate / 2:
            raise UserError(
                f"mel bands from {self.low:g} to {top:g} Hz do not lie between 0 and half of the "
                f"rate, {self.rate / 2:g} Hz"
            )
        if self.fft < 2 or self.fft % 2 or not 0 < self.hop <= self.fft or self.mels < 1:
            raise UserError(
                f"a mel spectrogram needs an even window, a hop within it and a band at least, not "
                f"fft={self.fft}, hop={self.hop}, mels={self.mels}"
            )


# That of the vocoder's paper (Kong et al. 2020, arXiv 2010.05646, configuration v1).
HIFI_GAN = MelScale(rate=22050, fft=1024, hop=256, mels=80, low=0.0, high=8000.0)


def magnitudes(
    samples: Array,
    *,
    fft: int,
    hop: int,
    window: np.ndarray | Array | None = None,
    centred: bool = True,
) -> Array:
    """|STFT| of sounds.

    Args:
      samples: [batch, n] float32.
      fft, hop, window, centred: as in `fourier.stft`.

    Returns:
      [batch, frames, fft // 2 + 1] float32, at least 0; where it is 0, so is its derivative.
    """
    return modulus(stft(samples, fft=fft, hop=hop, window=window, centred=centred))


@functools.lru_cache(maxsize=16)
def mel_filters(scale: MelScale) -> np.ndarray:
    """Triangles of the area of 1 Hz each, float32 [fft // 2 + 1, mels]; not to be written into."""
    top = scale.rate / 2 if scale.high is None else scale.high
    ends = _mel_of_hertz(np.array([scale.low, top]))
    edges = _hertz_of_mel(np.linspace(ends[0], ends[1], scale.mels + 2))
    bins = np.linspace(0, scale.rate / 2, scale.fft // 2 + 1)
    widths = np.diff(edges)
    rising = (bins[:, None] - edges[None, :-2]) / widths[None, :-1]
    falling = (edges[None, 2:] - bins[:, None]) / widths[None, 1:]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    filters = (triangles * (2.0 / (edges[2:] - edges[:-2]))[None, :]).astype(np.float32)
    filters.flags.writeable = False
    return filters


def mel_spectrogram(samples: Array, scale: MelScale) -> Array:
    """The power in each band, as `librosa.feature.melspectrogram` has it.

    Args:
      samples: [batch, n] float32.
      scale: of the rate that the sounds have.

    Returns:
      [batch, 1 + n // hop, mels] float32, at least 0.
    """
    spectrum = stft(samples, fft=scale.fft, hop=scale.hop)
    power = jnp.square(spectrum.real) + jnp.square(spectrum.imag)
    return power @ jnp.asarray(mel_filters(scale))


def decibels(power: Array, least: float = 1e-10) -> Array:
    """10 log10 of a power, which counts as `least` where it is less (`librosa.power_to_db`).

    Unlike that function's default, nothing is cut off 80 dB below a clip's own loudest moment: what
    a value means shall not depend on the clip.
    """
    return (10.0 / math.log(10.0)) * jnp.log(jnp.maximum(power, least))


def power_of_decibels(db: Array) -> Array:
    """The power that has so many decibels: the inverse of `decibels`."""
    return jnp.exp((math.log(10.0) / 10.0) * db)


def normalised(db: Array, low: float = LOW, high: float = HIGH) -> Array:
    """Decibels to [-1, 1]: `low` and less become -1, `high` and more 1, the same for all clips."""
    return jnp.clip((2.0 / (high - low)) * (db - low) - 1.0, -1.0, 1.0)


def denormalised(values: Values, low: float = LOW, high: float = HIGH) -> Values:
    """What is in [-1, 1] to decibels in [low, high]: the inverse of `normalised`.

    On the device for an array of JAX's, on the host for one of NumPy's.
    """
    return low + 0.5 * (values + 1.0) * (high - low)


def picture_of(samples: Array, scale: MelScale) -> Array:
    """Sounds [batch, n] to what networks and people look at: [batch, frames, mels] in [-1, 1]."""
    return normalised(decibels(mel_spectrogram(samples, scale)))


def log_mel(samples: Array, scale: MelScale = HIFI_GAN) -> Array:
    """The natural logarithm of the magnitude in each band, as HiFi-GAN's authors compute it.

    The sound is mirrored at both ends by (fft - hop) / 2 samples, so that there are exactly n / hop
    frames; magnitudes of bands below 1e-5 count as 1e-5.

    Args:
      samples: [batch, n] float32, n above (fft - hop) / 2.
      scale: of the rate that the sounds have.

    Returns:
      [batch, n // hop, mels] float32.
    """
    around = mirrored(samples, (scale.fft - scale.hop) // 2)
    spectrum = stft(around, fft=scale.fft, hop=scale.hop, centred=False)
    size = root(jnp.square(spectrum.real) + jnp.square(spectrum.imag) + _SMOOTH)
    return jnp.log(jnp.maximum(size @ jnp.asarray(mel_filters(scale)), CLIPPED))


def _mel_of_hertz(hertz: np.ndarray) -> np.ndarray:
    above = np.log(np.maximum(hertz, _BREAK) / _BREAK) * _STEPS / np.log(6.4)
    return np.minimum(hertz, _BREAK) / _HERTZ_PER_MEL + above


def _hertz_of_mel(mel: np.ndarray) -> np.ndarray:
    break_mel = _BREAK / _HERTZ_PER_MEL
    above = np.exp(np.maximum(mel - break_mel, 0.0) * np.log(6.4) / _STEPS)
    return np.minimum(mel, break_mel) * _HERTZ_PER_MEL * above


__all__ = [
    "HIFI_GAN",
    "HIGH",
    "LOW",
    "MelScale",
    "decibels",
    "denormalised",
    "hann",
    "log_mel",
    "magnitudes",
    "mel_filters",
    "mel_spectrogram",
    "normalised",
    "picture_of",
    "power_of_decibels",
]
