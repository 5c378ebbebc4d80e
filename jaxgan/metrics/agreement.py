"""Whether a conditional generator draws what it was asked for."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxgan.metrics.features import Features
from jaxgan.metrics.stamp import Measured, enough


def class_agreement(
    samples: np.ndarray, labels: np.ndarray, features: Features, about: Mapping[str, Any]
) -> Measured:
    """The share of samples that a classifier takes for the class that was asked for.

    Args:
      samples: uint8 `[n, height, width, channels]`.
      labels: what each was asked for as, int `[n]`.
      features: a network with the same classes.
      about: the pictures that it learned from, as a data set describes itself.

    Returns:
      `class_agreement`, in [0, 1].

    Raises:
      UserError: fewer samples than classes.
      ValueError: the network has no classes.
    """
    enough("the agreement with classes", int(labels.max()) + 1, fake=len(labels))
    _, probabilities = features(samples)
    if probabilities is None:
        raise ValueError(f"{features.name} tells no classes apart")
    share = float((probabilities.argmax(1) == labels).mean())
    metric = "agreement of a classifier with the class asked for"
    stamp = features.stamp(metric, 0, len(labels), about)
    return Measured({"class_agreement": share}, {"class_agreement": stamp})
