"""The embedded samples of pairs: drawn facades, and line drawings of what the wheels hold."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxgan.data import facades, sample
from jaxgan.data.label_maps import LabelCode, default_palette
from jaxgan.data.pairs import Direction, Pair, Pairs
from jaxgan.data.strokes import line_drawing
from jaxgan.errors import UserError, did_you_mean

FACADES_TRAIN, FACADES_HELD_OUT = 240, 40
# Every tenth of a sample that does not divide itself.
_EVERY = 10


class EmbeddedPairs(NamedTuple):
    """An embedded sample of pairs.

    Attributes:
      train, held_out: (A, B), each uint8 [n, side, side, 3], or class numbers [n, side, side].
      labels: how B's class numbers are shown, where B has such.
      where: what they are, in words.
    """

    train: tuple[np.ndarray, np.ndarray]
    held_out: tuple[np.ndarray, np.ndarray]
    labels: LabelCode | None
    where: str


def _facades(side: int) -> EmbeddedPairs:
    count = len(facades.NAMES)
    return EmbeddedPairs(
        facades.facades(side, FACADES_TRAIN),
        facades.facades(side, FACADES_HELD_OUT, first=FACADES_TRAIN),
        LabelCode(count, default_palette(count), by_colour=False),
        "drawn facades, no camera's",
    )


def _drawn(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(line drawings, what they are of): the drawing is A, as in pix2pix's edges."""
    width = pictures.shape[1] / 64
    return np.stack([line_drawing(picture, width) for picture in pictures]), pictures


def _sketches(side: int) -> EmbeddedPairs:
    faces = np.repeat(sample.faces(side).pictures, 3, axis=3)
    apart = np.arange(len(faces)) % _EVERY == _EVERY // 2
    return EmbeddedPairs(
        _drawn(faces[~apart]),
        _drawn(faces[apart]),
        None,
        "100 small faces of scikit-image and line drawings of them",
    )


def _drawings(side: int) -> EmbeddedPairs:
    train, held_out = sample.crops(side)
    return EmbeddedPairs(
        _drawn(train.pictures),
        # Many of them overlap.
        _drawn(held_out.pictures[::_EVERY]),
        None,
        "squares from photographs of scikit-image and scikit-learn and line drawings of them",
    )


PAIRS: dict[str, Callable[[int], EmbeddedPairs]] = {
    "facades": _facades,
    "sketches": _sketches,
    "drawings": _drawings,
}


# Some take seconds, and a command opens its data more than once.
@functools.lru_cache(maxsize=4)
def _made(name: str, side: int) -> EmbeddedPairs:
    if name not in PAIRS:
        raise UserError(f"there is no sample of pairs {name!r}, {did_you_mean(name, PAIRS)}")
    found = PAIRS[name](side)
    for array in (*found.train, *found.held_out):
        array.flags.writeable = False
    return found


def embedded(name: str, side: int, direction: Direction) -> tuple[Pairs, Pairs]:
    """One of `PAIRS` at a size: (train, held out).

    Raises:
      UserError: there is no such sample.
    """
    found = _made(name, side)
    about = {"kind": "sample", "where": found.where, "direction": direction}

    def pairs(both: tuple[np.ndarray, np.ndarray], part: str) -> Pairs:
        a, b = both
        names = [f"{name} {part} {i}" for i in range(len(a))]
        description = {**about, "part": part}
        if direction == "BtoA":
            return Pairs(names, lambda i: (b[i], a[i]), description, found.labels)

        def read(index: int) -> Pair:
            target = b[index]
            return a[index], found.labels.paint(target) if found.labels else target

        return Pairs(names, read, description)

    return pairs(found.train, "train"), pairs(found.held_out, "held out")
