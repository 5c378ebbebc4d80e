"""Mean and covariance of features that arrive in batches."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Moments:
    """Count, mean and covariance of samples so far; the sums are float64 and centred.

    Deviations from the mean are summed, not squares, so nothing cancels, and how the samples were
    cut into batches is lost in the last digits (Chan, Golub and LeVeque 1983, equation 2.1).

    Attributes:
      count: how many samples.
      mean: `[size] float64`; zeros before the first.
      scatter: `[size, size] float64`, the sum of outer products of deviations from `mean`.
    """

    count: int
    mean: np.ndarray
    scatter: np.ndarray

    @classmethod
    def empty(cls, size: int) -> "Moments":
        """Of no samples of `size` features."""
        return cls(0, np.zeros(size), np.zeros((size, size)))

    @classmethod
    def of(cls, features: np.ndarray) -> "Moments":
        """Of `[n, size]`, any float dtype."""
        return cls.empty(features.shape[1]).add(features)

    def add(self, features: np.ndarray) -> "Moments":
        """These and a batch `[n, size]` more, any float dtype; ValueError for another size."""
        if features.ndim != 2 or features.shape[1] != len(self.mean):
            raise ValueError(f"expected features [n, {len(self.mean)}], not {features.shape}")
        if not len(features):
            return self
        batch = features.astype(np.float64)
        mean = batch.mean(0)
        batch -= mean
        return self.merge(Moments(len(batch), mean, batch.T @ batch))

    def merge(self, other: "Moments") -> "Moments":
        """Those of both sets of samples, as of another process's."""
        count = self.count + other.count
        if not count:
            return self
        apart = other.mean - self.mean
        between = np.outer(apart, apart) * (self.count * other.count / count)
        return Moments(
            count,
            self.mean + apart * (other.count / count),
            self.scatter + other.scatter + between,
        )

    @property
    def covariance(self) -> np.ndarray:
        """`[size, size]`, unbiased; ValueError for fewer than two samples."""
        if self.count < 2:
            raise ValueError(f"a covariance needs two samples, not {self.count}")
        return self.scatter / (self.count - 1)
