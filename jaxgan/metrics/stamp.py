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
      features: the feature network in words.
      sha256: of the network's weights, in hexadecimal.
      resize: how pictures were brought to the network's size, and its range of values.
      real, fake: how many samples of each; 0 where the metric looks at none.
      data: the real pictures, as a data set describes itself.
      warning: what speaks against comparing the figure with others; '' if nothing does.
    """

    metric: str
    features: str
    sha256: str
    resize: str
    real: int
    fake: int
    data: Mapping[str, Any]
    warning: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**dataclasses.asdict(self), "data": dict(self.data)}

    def __str__(self) -> str:
        """One line."""
        source = " ".join(str(self.data[key]) for key in ("kind", "where") if self.data.get(key))
        compared = f"{self.fake} fake" + (f" against {self.real} real" if self.real else "")
        parts = [
            self.metric,
            f"features: {self.features}, sha256 {self.sha256[:12]}",
            f"resize: {self.resize}",
            f"samples: {compared}",
            f"data: {source or 'not described'}",
        ]
        return "; ".join(parts + [f"warning: {self.warning}"] * bool(self.warning))


def enough(metric: str, least: int, **samples: int) -> None:
    """Raises UserError if there are fewer than `least` of some `samples`, given by their name."""
    for name, count in samples.items():
        if count < least:
            raise UserError(
                f"{metric} needs at least {least} {name} samples and was given {count}: "
                f"measure on more, or leave this figure out"
            )
