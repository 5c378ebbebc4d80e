"""The figures of a generator of pictures, measured against real ones, each with its stamp."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxgan.metrics.features import Features
from jaxgan.metrics.frechet import frechet_distance
from jaxgan.metrics.inception_score import inception_score
from jaxgan.metrics.kernel import kernel_distance
from jaxgan.metrics.moments import Moments
from jaxgan.metrics.neighbours import density_coverage, precision_recall
from jaxgan.metrics.stamp import Measured, Stamp, enough

# `draw(count, seed)` gives uint8 `[count, height, width, channels]`, always the same for a seed.
Draw = Callable[[int, int], np.ndarray]

SPLITS = 10
NEAREST_PRECISION = 3
NEAREST_DENSITY = 5
# Samples that all figures need.
LEAST = max(NEAREST_DENSITY + 1, SPLITS)


class Reference(NamedTuple):
    """What a generator is measured against.

    Attributes:
      features: the network.
      pictures: the real ones, uint8 `[n, height, width, channels]`.
      data: where they are from, as a data set describes itself.
    """

    features: Features
    pictures: np.ndarray
    data: Mapping[str, Any]


class _Real(NamedTuple):
    """Features of the real pictures, in the order in which they were chosen, and their moments."""

    features: np.ndarray
    moments: Moments


@dataclasses.dataclass(eq=False)
class PictureFigures:
    """FID, KID, precision, recall, density, coverage, Inception Score; used again and again.

    Nothing is opened before the first measurement, and the features of the real pictures are
    computed once.

    Attributes:
      open: gives what is measured against; called once.
      count: how many fakes are drawn. Precision, recall, density, coverage and KID take as many of
        the real pictures, if there are, and the Frechet distance all of `most_real`.
      most_real: of the real pictures; which of more is the same each time.
      draw_size: fakes drawn at a time.
      subsets: of KID.
      subset_size: of KID; less if there are fewer samples.
    """

    open: Callable[[], Reference]
    count: int = 2000
    most_real: int = 10_000
    draw_size: int = 250
    subsets: int = 50
    subset_size: int = 1000

    @functools.cached_property
    def reference(self) -> Reference:
        """What is measured against, opened when first asked for."""
        return self.open()

    @functools.cached_property
    def _real(self) -> _Real:
        pictures = self.reference.pictures
        # In the files' order, classes often come one after the other.
        order = np.random.default_rng(0).permutation(len(pictures))[: self.most_real]
        features, _ = self.reference.features(pictures[order])
        return _Real(features, Moments.of(features))

    def __call__(self, draw: Draw) -> Measured:
        """Measures a generator.

        Args:
          draw: called with `draw_size` and the seeds 0, 1, ... until there are `count` fakes.

        Returns:
          `fid`, `kid`, `kid_spread`, `precision`, `recall`, `density`, `coverage`, and
          `inception_score`, `inception_score_spread` where the feature network has classes.

        Raises:
          UserError: for fewer real pictures or fakes than a metric needs.
        """
        enough("measuring pictures", LEAST, fake=self.count, real=len(self.reference.pictures))
        size = min(self.draw_size, self.count)
        fakes = [self._fake(draw, seed, size) for seed in range(-(-self.count // size))]
        features = np.concatenate([one for one, _ in fakes])
        real, real_moments = self._real
        moments = Moments.of(features)
        equal = real[: len(features)]
        size = min(self.subset_size, len(equal), len(features))
        kid = kernel_distance(equal, features, subsets=self.subsets, subset_size=size)
        shares = precision_recall(equal, features, nearest=NEAREST_PRECISION)
        balls = density_coverage(equal, features, nearest=NEAREST_DENSITY)
        figures = {
            "fid": frechet_distance(real_moments, moments),
            "kid": kid.value,
            "kid_spread": kid.spread,
            **shares._asdict(),
            **balls._asdict(),
        }
        fid = "Frechet distance (FID)"
        cubic = f"KID (cubic kernel, {self.subsets} subsets of {size}; mean and spread)"
        around = f"(balls of {NEAREST_PRECISION} neighbours)"
        stamps = {
            "fid": self._stamp(fid, len(real), self._bias(len(real))),
            "kid": self._stamp(cubic, len(equal)),
            **{name: self._stamp(f"{name} {around}", len(equal)) for name in shares._fields},
        }
        around = f"(balls of {NEAREST_DENSITY} neighbours)"
        stamps |= {name: self._stamp(f"{name} {around}", len(equal)) for name in balls._fields}
        if self.reference.features.scored:
            score = inception_score(np.concatenate([two for _, two in fakes]), splits=SPLITS)
            metric = f"Inception Score ({SPLITS} splits; mean and spread)"
            figures |= {"inception_score": score.value, "inception_score_spread": score.spread}
            stamps["inception_score"] = self._stamp(metric, 0)
        return Measured(figures, stamps)

    def _fake(self, draw: Draw, seed: int, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Features and probabilities of the fakes of one seed; the last seed's may be fewer."""
        wanted = min(size, self.count - seed * size)
        features, probabilities = self.reference.features(draw(size, seed))
        if probabilities is None:
            probabilities = np.zeros((len(features), 0), np.float32)
        return features[:wanted], probabilities[:wanted]

    def _stamp(self, metric: str, real: int, warning: str = "") -> Stamp:
        network, _, data = self.reference
        return network.stamp(metric, real, self.count, data, warning)

    def _bias(self, real: int) -> str:
        """The Frechet distance's, which falls with the number of samples."""
        fewest, size = min(real, self.count), self.reference.features.size
        if fewest > size:
            return ""
        return f"{fewest} samples for {size} features: the covariance is singular, the figure high"
