"""The embedded samples of two domains without pairs: no picture has its like in the other."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxgan.data import people, sample, scenes
from jaxgan.data.pictures import ArraySource
from jaxgan.data.resize import imresize
from jaxgan.data.strokes import painting
from jaxgan.data.unpaired import Domains
from jaxgan.errors import UserError, did_you_mean

# Shorter sides of a photograph, in sides of the squares that are cut from its halves.
_SCALES = (1.5, 2.0, 3.0)
_EVERY = 10


class EmbeddedDomains(NamedTuple):
    """An embedded sample of two domains.

    Attributes:
      train, held_out: (A, B), each uint8 [n, side, side, 3].
      names: of A and of B.
      where: what they are, in words.
    """

    train: tuple[np.ndarray, np.ndarray]
    held_out: tuple[np.ndarray, np.ndarray]
    names: tuple[str, str]
    where: str


def _photographs(side: int) -> EmbeddedDomains:
    train, held_out = (
        _halves(source, side, seed) for seed, source in enumerate(sample.photographs())
    )
    return EmbeddedDomains(
        train,
        held_out,
        ("photographs", "paintings"),
        "left halves of photographs of scikit-image and scikit-learn, and right halves painted",
    )


def _halves(source: ArraySource, side: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Squares from the left halves, and others from the right halves after `painting`."""
    random = np.random.default_rng((1703, seed))
    squares: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for number in range(len(source)):
        for larger in _SCALES:
            height, width = source.size(number)
            # A half must hold a square as well.
            scale = larger * side / min(height, width / 2)
            size = (round(height * scale), round(width * scale))
            picture = imresize(source[number], size=size)
            half = size[1] // 2
            parts = (picture[:, :half], painting(picture[:, half:], max(side // 14, 3) | 1))
            for found, part in zip(squares, parts, strict=True):
                for _ in range(round(3 * larger**2)):
                    top = random.integers(part.shape[0] - side + 1)
                    left = random.integers(part.shape[1] - side + 1)
                    found.append(part[top : top + side, left : left + side])
    # Batches would show one photograph after the other to whoever looks at the first rows.
    a, b = (np.stack(found)[random.permutation(len(found))] for found in squares)
    return a, b


def _streets(side: int) -> EmbeddedDomains:
    pictures, values = scenes.scenes(side)
    day, night = (pictures[values == scenes.NAMES.index(name)] for name in ("day", "night"))
    apart = np.arange(len(day)) % _EVERY == _EVERY // 2
    return EmbeddedDomains(
        (day[~apart], night[~apart]),
        (day[apart], night[apart]),
        ("day", "night"),
        "drawn streets by day and by night, no camera's",
    )


def _people(side: int) -> EmbeddedDomains:
    train, apart = (people.people(side, count, first) for count, first in ((240, 0), (40, 240)))
    names = tuple(people.PEOPLE)
    return EmbeddedDomains(
        (train[names[0]], train[names[1]]),
        (apart[names[0]], apart[names[1]]),
        (names[0], names[1]),
        "drawn faces of two people who do not exist",
    )


DOMAINS: dict[str, Callable[[int], EmbeddedDomains]] = {
    "domains": _photographs,
    "streets": _streets,
    "people": _people,
}


# They take seconds, and a command opens its data more than once.
@functools.lru_cache(maxsize=4)
def _made(name: str, side: int) -> EmbeddedDomains:
    if name not in DOMAINS:
        raise UserError(f"there is no sample of domains {name!r}, {did_you_mean(name, DOMAINS)}")
    found = DOMAINS[name](side)
    for array in (*found.train, *found.held_out):
        array.flags.writeable = False
    return found


def embedded(name: str, side: int) -> tuple[Domains, Domains]:
    """One of `DOMAINS` at a size: (train, held out).

    Raises:
      UserError: there is no such sample.
    """
    found = _made(name, side)

    def domains(both: tuple[np.ndarray, np.ndarray], part: str) -> Domains:
        about = {"kind": "sample", "where": found.where, "part": part}
        a, b = (
            ArraySource(pictures, None, {**about, "domain": domain})
            for pictures, domain in zip(both, found.names, strict=True)
        )
        return Domains(a, b)

    return domains(found.train, "train"), domains(found.held_out, "held out")
