"""What holds pictures of one size: as a file has them, and as squares with labels."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np


class Examples(NamedTuple):
    """Pictures of one size, and what each is labelled with.

    Attributes:
      pictures: uint8 [n, height, width, 1 or 3].
      values: int64 [n], any whole numbers, as the file has them; None where it has none.
    """

    pictures: np.ndarray
    values: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Labelled:
    """Pictures of one size and what each shows.

    Attributes:
      pictures: uint8 [n, side, side, 1 or 3].
      labels: int32 [n] in [0, len(classes)), or None where the data has none.
      classes: their names in order of label; () without labels.
      description: what JSON can hold about them: kind, where, count, classes, ...
    """

    pictures: np.ndarray
    labels: np.ndarray | None
    classes: tuple[str, ...]
    description: dict[str, Any]

    def __len__(self) -> int:
        return len(self.pictures)

    def take(self, rows: np.ndarray, **about: Any) -> "Labelled":
        """Some of the rows, by their numbers, and what the description says of them otherwise."""
        labels = None if self.labels is None else self.labels[rows]
        description = {**self.description, "count": len(rows), **about}
        return replace(self, pictures=self.pictures[rows], labels=labels, description=description)
