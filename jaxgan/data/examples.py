"""What holds examples with labels: pictures of one size, and sounds of any length."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

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

    one: ClassVar[str] = "picture"

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


@dataclass(frozen=True, eq=False)
class Sounds:
    """Sounds of any lengths at one rate, and what is known of each.

    Attributes:
      clips: float32 [n] in [-1, 1] each, read when asked for or held; not to be written into.
      names: what a person finds each by.
      rate: samples a second.
      labels: int32 [n] in [0, len(classes)), or None where the data has none.
      classes: their names in order of label; () without labels.
      texts: what is said in each, or None where the data does not say.
      speakers: who says it, or None.
      description: what JSON can hold about them: kind, where, count, classes, rate, ...
    """

    one: ClassVar[str] = "clip"

    clips: Sequence[np.ndarray]
    names: tuple[str, ...]
    rate: int
    labels: np.ndarray | None
    classes: tuple[str, ...]
    texts: tuple[str, ...] | None
    speakers: tuple[str, ...] | None
    description: dict[str, Any]

    def __len__(self) -> int:
        return len(self.names)

    def take(self, rows: np.ndarray, **about: Any) -> "Sounds":
        """Some of the rows, by their numbers, and what the description says of them otherwise."""
        chosen = [int(row) for row in rows]

        def some(values: tuple[str, ...] | None) -> tuple[str, ...] | None:
            return None if values is None else tuple(values[row] for row in chosen)

        return replace(
            self,
            clips=Picked(self.clips, chosen),
            names=tuple(self.names[row] for row in chosen),
            labels=None if self.labels is None else self.labels[chosen],
            texts=some(self.texts),
            speakers=some(self.speakers),
            description={**self.description, "count": len(chosen), **about},
        )


class Picked(Sequence[np.ndarray]):
    """Some of a sequence's arrays, by their numbers; none is read before it is asked for."""

    def __init__(self, whole: Sequence[np.ndarray], rows: list[int]):
        self._whole, self._rows = whole, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return Picked(self._whole, self._rows[index])
        return self._whole[self._rows[index]]
