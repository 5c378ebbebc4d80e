"""What a pair of pictures is: what a network is given, and what it should make.

Each pair has a side A and a side B. `direction` says which of them is the input. Where one side
holds photographs and the other label maps or the like, A holds the photographs, as in the data
sets of pix2pix (Isola et al. 2017, arXiv 1611.07004); labels to photographs are BtoA there.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from jaxgan.data.label_maps import LabelCode
from jaxgan.errors import UserError

Direction = Literal["AtoB", "BtoA"]
Pair = tuple[np.ndarray, np.ndarray]


class Pairs:
    """A sequence of pairs.

    Args:
      names: one per pair.
      read: gives pair number `i`: the input, uint8 [height, width, 3] in RGB or, with `labels`,
        class numbers uint8 [height, width]; and the target, uint8 [height, width, 3]. Safe on any
        thread.
      description: `kind` and `where`; `count` and the like are filled in.
      labels: how the inputs are read where they are label maps, else None.
    """

    def __init__(
        self,
        names: Sequence[str],
        read: Callable[[int], Pair],
        description: dict[str, Any],
        labels: LabelCode | None = None,
    ):
        self._names = list(names)
        self._read = read
        self.labels = labels
        about = {"labels": labels.to_json()} if labels else {}
        self.description = {"skipped": [], **description, "count": len(self._names), **about}

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: int) -> Pair:
        """(input, target) of one height and width; callers must not write into them."""
        return self._read(range(len(self))[index])

    def name(self, index: int) -> str:
        """A name that a person can find the pair by."""
        return self._names[index]

    def take(self, rows: Sequence[int], **about: Any) -> "Pairs":
        """Some of the pairs, by their numbers, and what the description says of them otherwise."""
        chosen = list(rows)
        names = [self._names[i] for i in chosen]
        return Pairs(
            names, lambda i: self._read(chosen[i]), {**self.description, **about}, self.labels
        )


def check_direction(direction: str) -> None:
    """Raises UserError unless it is 'AtoB' or 'BtoA'."""
    if direction not in ("AtoB", "BtoA"):
        raise UserError(f"--direction={direction}: give AtoB or BtoA")
