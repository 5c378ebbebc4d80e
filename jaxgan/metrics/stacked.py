"""How many of the 1000 modes of stacked digits a generator finds, and how evenly."""

from typing import NamedTuple

import numpy as np

from jaxgan.metrics.features import Features
from jaxgan.metrics.stamp import enough


class StackedModes(NamedTuple):
    """Modes with at least one sample, and the divergence of their shares from even ones (nats)."""

    modes: int
    kl: float


def stacked_modes(digits: np.ndarray, *, classes: int = 10) -> StackedModes:
    """Covered modes and `KL(generated || uniform)` of stacked digits.

    Srivastava et al. 2017 (VEEGAN, arXiv 1705.07761, section 4.2) and Lin et al. 2018 (PacGAN,
    arXiv 1712.04086, section 4.2), who draw 26000 samples. Even a perfect generator's KL is then
    about (1000 - 1) / (2 * 26000) = 0.019.

    Args:
      digits: the classes of the channels of each sample, int `[n, channels]` in [0, classes).
      classes: of one channel.

    Raises:
      UserError: for fewer samples than there are modes.
      ValueError: for another shape, or a class out of range.
    """
    if digits.ndim != 2 or (digits.size and not 0 <= digits.min() <= digits.max() < classes):
        raise ValueError(f"expected classes below {classes} in [n, channels], not {digits.shape}")
    modes = classes ** digits.shape[1]
    enough(f"counting {modes} modes", modes, fake=len(digits))
    places = classes ** np.arange(digits.shape[1])[::-1]
    counts = np.bincount(digits @ places, minlength=modes)
    shares = counts[counts > 0] / len(digits)
    return StackedModes(int((counts > 0).sum()), float((shares * np.log(shares * modes)).sum()))


def classify_channels(pictures: np.ndarray, features: Features) -> np.ndarray:
    """The likeliest class of each channel, taken for a grey picture by itself.

    Args:
      pictures: uint8 `[n, height, width, channels]`.
      features: a network that tells the classes of one channel apart.

    Returns:
      int64 `[n, channels]`.

    Raises:
      ValueError: if the network has no classes.
    """
    columns = []
    for channel in range(pictures.shape[-1]):
        _, probabilities = features(pictures[..., channel : channel + 1])
        if probabilities is None:
            raise ValueError(f"{features.name} tells no classes apart")
        columns.append(probabilities.argmax(1))
    return np.stack(columns, 1)
