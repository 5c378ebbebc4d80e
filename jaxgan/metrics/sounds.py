"""The figures of a generator of sounds, measured against real ones, each with its stamp."""

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxgan.metrics.features import Features
from jaxgan.metrics.frechet import frechet_distance
from jaxgan.metrics.mel_distance import log_mel_l1
from jaxgan.metrics.moments import Moments
from jaxgan.metrics.stamp import Measured, Stamp, enough
from jaxgan.ops.spectrogram import HIGH, LOW

# Bands that the statistics are of: neighbouring mel bands are averaged to these.
BANDS = 16
# Samples that all figures need.
LEAST = 10


class SoundReference(NamedTuple):
    """What a generator of sounds is measured against.

    Attributes:
      mel: of the real sounds, float32 [n, frames, mels] in [-1, 1] (`spectrogram.picture_of`).
      features: a network of pictures of these; None: `statistics`.
      data: where they are from, as a data set describes itself.
    """

    mel: np.ndarray
    features: Features | None
    data: Mapping[str, Any]


def as_pictures(mel: np.ndarray) -> np.ndarray:
    """Spectrograms [n, frames, mels] in [-1, 1] as a network's input: uint8, a channel more."""
    return np.rint((np.clip(mel, -1.0, 1.0) + 1.0) * 127.5).astype(np.uint8)[..., None]


def statistics(mel: np.ndarray) -> np.ndarray:
    """Mean and deviation over time of 16 bands, in units of 10 dB: float64 [n, 32].

    Args:
      mel: [n, frames, mels] in [-1, 1], as many mels as there are bands or more.
    """
    tens = (np.asarray(mel, np.float64) + 1.0) * ((HIGH - LOW) / 20.0)
    parts = np.array_split(tens, min(BANDS, mel.shape[2]), axis=2)
    bands = np.stack([part.mean(2) for part in parts], axis=2)
    return np.concatenate([bands.mean(1), bands.std(1)], axis=1)


@dataclasses.dataclass(eq=False)
class SoundFigures:
    """The Frechet audio distance and a distance of mean spectrograms; used again and again.

    The distance is that of Kilgour et al. 2019 (arXiv 1812.08466), but for the features: theirs
    are a network's with weights that are not at hand here.

    Attributes:
      open: gives what is measured against; called once.
      count: how many fakes are drawn.
    """

    open: Callable[[], SoundReference]
    count: int

    @functools.cached_property
    def reference(self) -> SoundReference:
        """What is measured against, opened when first asked for."""
        return self.open()

    @functools.cached_property
    def _real(self) -> Moments:
        return Moments.of(self._features(self.reference.mel))

    def __call__(self, draw: Callable[[int], np.ndarray]) -> Measured:
        """Measures a generator.

        Args:
          draw: a number of fakes to their spectrograms, [count, frames, mels] in [-1, 1].

        Returns:
          `fad`, and `spectrum_l1` in dB.

        Raises:
          UserError: fewer real sounds or fakes than are needed.
        """
        mel = self.reference.mel
        enough("measuring sounds", LEAST, fake=self.count, real=len(mel))
        fakes = draw(self.count)
        to_decibels = (HIGH - LOW) / 2.0
        figures = {
            "fad": frechet_distance(self._real, Moments.of(self._features(fakes))),
            "spectrum_l1": to_decibels * log_mel_l1(mel.mean(0), fakes.mean(0)),
        }
        metric = "L1 of the mean log-mel spectrograms, in dB"
        plain = Stamp(metric, len(mel), self.count, self.reference.data)
        return Measured(figures, {"fad": self._stamp(), "spectrum_l1": plain})

    def _features(self, mel: np.ndarray) -> np.ndarray:
        network = self.reference.features
        return statistics(mel) if network is None else network(as_pictures(mel))[0]

    def _stamp(self) -> Stamp:
        mel, network, data = self.reference
        metric, fewest = "Frechet audio distance (FAD)", min(len(mel), self.count)
        size = len(self._real.mean)
        few = "" if fewest > size else f"{fewest} samples for {size} features: the figure is high"
        if network is not None:
            return network.stamp(metric, len(mel), self.count, data, few)
        name = (
            f"mean and deviation over time of {min(BANDS, mel.shape[2])} log-mel bands, "
            "in units of 10 dB"
        )
        own = "own features: compares only with figures of the same features"
        return Stamp(
            metric=metric,
            real=len(mel),
            fake=self.count,
            data=data,
            features=name,
            sha256=hashlib.sha256(f"{name} {LOW} {HIGH} {mel.shape[1:]}".encode()).hexdigest(),
            warning="; ".join(text for text in (own, few) if text),
        )
