"""Photographs for experiments that make their inputs of them, as their flags say."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from absl.flags import FlagValues

from jaxgan.data import sample
from jaxgan.data.framing import middle, shorter_side
from jaxgan.data.paired import pair_crops
from jaxgan.data.pairs import Pairs
from jaxgan.data.pictures import ArraySource, Source
from jaxgan.data.selection import class_list
from jaxgan.data.sources import open_held_out, open_source, open_train_and_held_out
from jaxgan.data.unpaired import Domains, open_domains
from jaxgan.experiment import Data

Sources = tuple[Source, Source]

# Of the embedded sample's held-out squares one in so many: many of them overlap.
_EVERY = 10


def open_photographs(options: FlagValues) -> Sources:
    """The photographs that the flags name: to train on, and held out.

    The sample's are squares of several scales, cut from photographs, a little larger than `--side`.
    """
    reading: dict[str, Any] = {"data_dir": options.data_dir, "skip_broken": options.skip_broken}
    if options.data != "sample" and not options.held_out:
        return open_train_and_held_out(options.data, **reading)
    if options.data != "sample":
        return open_source(options.data, **reading), open_held_out(options.held_out, **reading)
    train, held_out = sample.crops(round(options.side * options.jitter))
    apart = (
        open_held_out(options.held_out, **reading)
        if options.held_out
        else ArraySource(held_out.pictures[::_EVERY], description=_about("held out"))
    )
    return ArraySource(train.pictures, description=_about("train")), apart


def open_two(options: FlagValues, sample_name: str) -> tuple[Domains, Domains]:
    """The two domains that the flags name, to train on and held out.

    Args:
      options: the flags' values.
      sample_name: what `--data=sample` is, one of `sample_domains.DOMAINS`.
    """
    return open_domains(
        options.data,
        data_dir=options.data_dir,
        skip_broken=options.skip_broken,
        sample=sample_name,
        side=options.side,
        classes=class_list(options.classes),
        held_out=options.held_out,
    )


def with_themselves(source: Source) -> Pairs:
    """Every picture of a source as a pair of it with itself."""

    def read(index: int) -> tuple[np.ndarray, np.ndarray]:
        picture = source[index]
        return picture, picture

    names = [source.name(index) for index in range(len(source))]
    return Pairs(names, read, dict(source.description))


def crops(
    both: Callable[[], Sources], name: str, *, side: int, jitter: float, mirror: bool
) -> Callable[[], Data]:
    """Random crops of the photographs to train on as an experiment's data, called `name`.

    Args:
      both: opens the photographs, to train on and held out.
      name: of the crops in a batch.
      side, jitter, mirror: as in `data.paired.pair_crops`.
    """

    def data() -> Data:
        train, held_out = both()
        pairs = with_themselves(train)
        load = pair_crops(pairs, side=side, jitter=jitter, mirror=mirror)
        about = {**train.description, "held_out": held_out.description}

        def one(indices: np.ndarray, seeds: np.ndarray) -> dict[str, np.ndarray]:
            return {name: load(indices, seeds)["target"]}

        return Data(one, len(train), about)

    return data


def middles(source: Source, side: int, most: int) -> np.ndarray:
    """The squares in the middle of some pictures, always the same: uint8 [n, side, side, 3]."""
    rows: Sequence[int] = range(len(source))
    if len(source) > most:
        rows = np.random.default_rng(0).permutation(len(source))[:most].tolist()
    return np.stack([middle(shorter_side(source[i], side), side) for i in rows])


def _about(part: str) -> dict[str, Any]:
    where = "squares from photographs of scikit-image and scikit-learn"
    return {"kind": "sample", "where": where, "part": part}
