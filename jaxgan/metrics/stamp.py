"""What a figure was measured with: without it no two figures can be compared."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from jaxgan.errors import UserError


@dataclasses.dataclass(frozen=True)
class Stamp:
    """The circumstances of one figure.

    Attributes:
      metric: its name, with what it depends on: 'KID (cubic kernel, 100 subsets of 1000)'.
      real, fake: how many samples of each; 0 where the metric looks at none.
      data: the real pictures, as a data set describes itself.
      features: the feature network in words; '' where the metric needs none.
      sha256: of the network's weights, in hexadecimal.
      resize: how pictures were brought to the network's size, and its range of values.
      warning: what speaks against comparing the figure with others; '' if nothing does.
    """

    metric: str
    real: int
    fake: int
    data: Mapping[str, Any]
    features: str = ""
    sha256: str = ""
    resize: str = ""
    warning: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**dataclasses.asdict(self), "data": dict(self.data)}

    def __str__(self) -> str:
        """One line."""
        source = " ".join(str(self.data[key]) for key in ("kind", "where") if self.data.get(key))
        compared = f"{self.fake} fake" + (f" against {self.real} real" if self.real else "")
        features = f"features: {self.features}, sha256 {self.sha256[:12]}" if self.features else ""
        parts = [
            self.metric,
            features,
            f"resize: {self.resize}" if self.resize else "",
            f"samples: {compared}",
            f"data: {source or 'not described'}",
            f"warning: {self.warning}" if self.warning else "",
        ]
        return "; ".join(part for part in parts if part)


@dataclasses.dataclass(frozen=True)
class Measured:
    """Figures by name, and the stamps of those that have one.

    NAME_spread is the standard deviation of the figure NAME, and NAME_OTHER a baseline of it; they
    share its stamp.
    """

    figures: Mapping[str, float]
    stamps: Mapping[str, Stamp] = dataclasses.field(default_factory=dict)

    def __or__(self, other: "Measured") -> "Measured":
        """The figures of both."""
        return Measured({**self.figures, **other.figures}, {**self.stamps, **other.stamps})


def in_words(stamps: Mapping[str, Stamp]) -> list[str]:
    """A line for all figures that were measured alike: which is which metric, then the rest."""
    alike: dict[str, dict[str, list[str]]] = {}
    for name, stamp in stamps.items():
        rest = str(dataclasses.replace(stamp, metric=""))
        alike.setdefault(rest, {}).setdefault(stamp.metric, []).append(name)
    return [
        "; ".join([*(f"{', '.join(names)}: {metric}" for metric, names in metrics.items()), rest])
        for rest, metrics in alike.items()
    ]


def enough(metric: str, least: int, **samples: int) -> None:
    """Raises UserError if there are fewer than `least` of some `samples`, given by their name."""
    for name, count in samples.items():
        if count < least:
            raise UserError(
                f"{metric} needs at least {least} {name} samples and was given {count}: "
                f"measure on more, or leave this figure out"
            )
