"""What the plain GANs of pictures train on and are measured against, as their flags say."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from absl import flags

from jaxgan.data.labelled import (
    Labelled,
    array_file,
    class_list,
    gather,
    open_labelled,
    open_labelled_train_and_held_out,
)
from jaxgan.data.sources import open_source
from jaxgan.data.squares import Channels, squares
from jaxgan.errors import UserError
from jaxgan.experiment import Data

FLAGS = flags.FLAGS

# Of a large set so many are measured against, always the same ones.
MOST_REAL = 10_000


class Pictures(NamedTuple):
    """The pictures of an experiment; nothing is opened before it is asked for.

    Attributes:
      data: what is trained on, as in `Experiment`.
      seen: some or all of the same, for the feature network that is trained when none is given.
      judged: what figures are measured against: `--held_out`, or else `seen`.
    """

    data: Callable[[], Data]
    seen: Callable[[], Labelled]
    judged: Callable[[], Labelled]


def labelled(
    side: int, channels: Channels, *, sample: str, class_count: int = 0, data: str | None = None
) -> Labelled:
    """What `--data` names, as squares in memory, of the classes that `--classes` names.

    Args:
      side: of the squares, in pixels.
      channels: 1 for grey, 3 for colour.
      sample: what `--data=sample` is, one of `data.sample.EMBEDDED`.
      class_count: how many classes there must be; 0 where labels are of no use.
      data: other pictures than those of `--data`.

    Raises:
      UserError: no such data, no labels, or another number of classes.
    """
    found = open_labelled(data or FLAGS.data, side, **_choice(channels, sample, class_count))
    check_classes(found, data or FLAGS.data, class_count)
    return found


def labelled_train_and_held_out(
    side: int, channels: Channels, *, sample: str, class_count: int
) -> tuple[Labelled, Labelled]:
    """The same, as pictures to train on and others to judge by: `--held_out`, or some of `--data`.

    Args and raises: as `labelled`, and UserError where there is too little to hold any out.
    """
    if FLAGS.held_out:
        parts = tuple(
            labelled(side, channels, sample=sample, class_count=class_count, data=name)
            for name in (FLAGS.data, FLAGS.held_out)
        )
        if parts[0].classes != parts[1].classes:
            raise UserError(
                f"--held_out={FLAGS.held_out} has the classes {', '.join(parts[1].classes)}, and "
                f"--data={FLAGS.data} {', '.join(parts[0].classes)}: give them the same ones"
            )
        return parts[0], parts[1]
    choice = _choice(channels, sample, class_count)
    train, held_out = open_labelled_train_and_held_out(FLAGS.data, side, **choice)
    check_classes(train, FLAGS.data, class_count)
    return train, held_out


def check_classes(found: Labelled, name: str, class_count: int) -> None:
    """Raises UserError unless there are as many classes as the networks know, if they know any."""
    if class_count and len(found.classes) != class_count:
        raise UserError(
            f"--data={name} has {len(found.classes)} classes ({', '.join(found.classes)}), "
            f"and the networks know {class_count}: choose with --classes, or give "
            f"--class_count={len(found.classes)}"
        )


def labelled_squares(
    side: int,
    channels: Channels = 1,
    *,
    sample: str = "digits",
    class_count: int = 0,
    mirror: bool = False,
) -> Pictures:
    """`labelled` as an experiment's pictures; `mirror` turns half of them left to right."""
    open_set = functools.partial(labelled, side, channels, sample=sample, class_count=class_count)
    seen = functools.cache(open_set)

    def judged() -> Labelled:
        return open_set(data=FLAGS.held_out) if FLAGS.held_out else seen()

    def data() -> Data:
        found = seen()
        return Data(gather(found, mirror=mirror), len(found), found.description)

    return Pictures(data, seen, judged)


def apart_squares(
    side: int, channels: Channels = 1, *, sample: str, class_count: int
) -> tuple[Pictures, Callable[[], tuple[Labelled, Labelled]]]:
    """`labelled_train_and_held_out`: the first as an experiment's pictures, mirrored; and both."""
    both = functools.cache(
        functools.partial(
            labelled_train_and_held_out, side, channels, sample=sample, class_count=class_count
        )
    )

    def seen() -> Labelled:
        return both()[0]

    def data() -> Data:
        train, held_out = both()
        about = {**train.description, "held_out": held_out.description}
        return Data(gather(train, mirror=True), len(train), about)

    return Pictures(data, seen, seen), both


def colour_squares(side: int, *, sample: str) -> Pictures:
    """What `--data` names, as colour squares, half of them turned left to right.

    Files are decoded when asked for, so that a large set begins at once; what must be looked at
    first (the sample, arrays, a choice of `--classes`) lies in memory.
    """
    if FLAGS.data == "sample" or FLAGS.classes or array_file(FLAGS.data):
        return labelled_squares(side, 3, sample=sample, mirror=True)

    def some(name: str, *, skip_broken: bool) -> Labelled:
        source = open_source(name, data_dir=FLAGS.data_dir, skip_broken=skip_broken)
        rows = np.random.default_rng(0).permutation(len(source))[:MOST_REAL]
        load = squares(source, side, mirror=False)
        real = load(rows, np.zeros(len(rows), np.uint64))["real"]
        return Labelled(real, None, (), {**source.description, "chosen": len(rows)})

    def data() -> Data:
        source = open_source(FLAGS.data, data_dir=FLAGS.data_dir, skip_broken=FLAGS.skip_broken)
        return Data(squares(source, side), len(source), source.description)

    seen = functools.cache(lambda: some(FLAGS.data, skip_broken=FLAGS.skip_broken))

    def judged() -> Labelled:
        return some(FLAGS.held_out, skip_broken=False) if FLAGS.held_out else seen()

    return Pictures(data, seen, judged)


def _choice(channels: Channels, sample: str, class_count: int) -> dict:
    return {
        "channels": channels,
        "sample": sample,
        "data_dir": FLAGS.data_dir,
        "skip_broken": FLAGS.skip_broken,
        "classes": class_list(FLAGS.classes),
        "require_labels": class_count > 0,
    }
