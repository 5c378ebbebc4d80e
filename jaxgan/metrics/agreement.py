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


def aspect_agreement(
    samples: np.ndarray,
    labels: np.ndarray,
    features: Features,
    about: Mapping[str, Any],
    aspects: Mapping[str, np.ndarray],
) -> Measured:
    """`class_agreement`, and the same for each aspect of the classes alone: colour, shape.

    Args:
      samples, labels, features, about: as in `class_agreement`.
      aspects: by name the number of each class, int `[classes]`: red circle and red square are one
        for the colour.

    Returns:
      `class_agreement`, and `NAME_agreement` for each aspect, in [0, 1].

    Raises: as `class_agreement`.
    """
    found = class_agreement(samples, labels, features, about)
    _, probabilities = features(samples)
    assert probabilities is not None
    taken = probabilities.argmax(1)
    figures = {
        f"{name}_agreement": float((numbers[taken] == numbers[labels]).mean())
        for name, numbers in aspects.items()
    }
    stamps = {
        f"{name}_agreement": features.stamp(
            f"agreement of a classifier with the {name} asked for", 0, len(labels), about
        )
        for name in aspects
    }
    return found | Measured(figures, stamps)
