"""Photographs for experiments that make their inputs of them, as their flags say."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from absl import flags

from jaxgan.data import sample
from jaxgan.data.framing import middle, shorter_side
from jaxgan.data.paired import pair_crops
from jaxgan.data.pairs import Pairs
from jaxgan.data.pictures import ArraySource, Source
from jaxgan.data.selection import class_list
from jaxgan.data.sources import open_held_out, open_source, open_train_and_held_out
from jaxgan.data.unpaired import Domains, open_domains
from jaxgan.experiment import Data

FLAGS = flags.FLAGS

Sources = tuple[Source, Source]

# Of the embedded sample's held-out squares one in so many: many of them overlap.
_EVERY = 10


def open_photographs() -> Sources:
    """The photographs that the flags name: to train on, and held out.

    The sample's are squares of several scales, cut from photographs, a little larger than `--side`.
    """
    options: dict[str, Any] = {"data_dir": FLAGS.data_dir, "skip_broken": FLAGS.skip_broken}
    if FLAGS.data != "sample" and not FLAGS.held_out:
        return open_train_and_held_out(FLAGS.data, **options)
    if FLAGS.data != "sample":
        return open_source(FLAGS.data, **options), open_held_out(FLAGS.held_out, **options)
    train, held_out = sample.crops(round(FLAGS.side * FLAGS.jitter))
    apart = (
        open_held_out(FLAGS.held_out, **options)
        if FLAGS.held_out
        else ArraySource(held_out.pictures[::_EVERY], description=_about("held out"))
    )
    return ArraySource(train.pictures, description=_about("train")), apart


def open_two(sample_name: str) -> tuple[Domains, Domains]:
    """The two domains that the flags name, to train on and held out.

    Args:
      sample_name: what `--data=sample` is, one of `sample_domains.DOMAINS`.
    """
    return open_domains(
        FLAGS.data,
        data_dir=FLAGS.data_dir,
        skip_broken=FLAGS.skip_broken,
        sample=sample_name,
        side=FLAGS.side,
        classes=class_list(FLAGS.classes),
        held_out=FLAGS.held_out,
    )


def with_themselves(source: Source) -> Pairs:
    """Every picture of a source as a pair of it with itself."""

    def read(index: int) -> tuple[np.ndarray, np.ndarray]:
        picture = source[index]
        return picture, picture

    names = [source.name(index) for index in range(len(source))]
    return Pairs(names, read, dict(source.description))


def crops(both: Callable[[], Sources], name: str) -> Callable[[], Data]:
    """Random crops of the photographs to train on as an experiment's data, called `name`."""

    def data() -> Data:
        train, held_out = both()
        pairs = with_themselves(train)
        load = pair_crops(pairs, side=FLAGS.side, jitter=FLAGS.jitter, mirror=FLAGS.mirror)
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
