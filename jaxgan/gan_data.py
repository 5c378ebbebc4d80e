"""What the plain GANs of pictures train on and are measured against, as their flags say.

`options` are the flags' values: `--data`, `--held_out`, `--classes`, `--data_dir`, `--skip_broken`.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from absl.flags import FlagValues

from jaxgan.data.class_folders import divide
from jaxgan.data.labelled import (
    Labelled,
    array_file,
    class_list,
    gather,
    open_labelled,
    open_labelled_train_and_held_out,
)
from jaxgan.data.pictures import Source, Subset
from jaxgan.data.sources import open_held_out, open_source
from jaxgan.data.squares import Channels, squares
from jaxgan.errors import UserError
from jaxgan.experiment import Data

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
    options: FlagValues,
    side: int,
    channels: Channels,
    *,
    sample: str,
    class_count: int = 0,
    held_out: bool = False,
) -> Labelled:
    """What `--data` names, as squares in memory, of the classes that `--classes` names.

    Args:
      options: the flags' values.
      side: of the squares, in pixels.
      channels: 1 for grey, 3 for colour.
      sample: what `--data=sample` is, one of `data.sample.EMBEDDED`.
      class_count: how many classes there must be; 0 where labels are of no use.
      held_out: what `--held_out` names instead, and of that the part that it holds out itself.

    Raises:
      UserError: no such data, no labels, or another number of classes.
    """
    choice = _choice(options, channels, sample, class_count)
    if held_out:
        found = open_labelled(options.held_out, side, part="held out", **choice)
    else:
        found = open_labelled(options.data, side, **choice)
    check_classes(options, found, "held_out" if held_out else "data", class_count)
    return found


def labelled_train_and_held_out(
    options: FlagValues, side: int, channels: Channels, *, sample: str, class_count: int
) -> tuple[Labelled, Labelled]:
    """The same, as pictures to train on and others to judge by: `--held_out`, or some of `--data`.

    Args and raises: as `labelled`, and UserError where there is too little to hold any out.
    """
    if options.held_out:
        parts = tuple(
            labelled(
                options, side, channels, sample=sample, class_count=class_count, held_out=apart
            )
            for apart in (False, True)
        )
        if parts[0].classes != parts[1].classes:
            raise UserError(
                f"--held_out={options.held_out} has the classes {', '.join(parts[1].classes)}, and "
                f"--data={options.data} {', '.join(parts[0].classes)}: give them the same ones"
            )
        return parts[0], parts[1]
    choice = _choice(options, channels, sample, class_count)
    train, held_out = open_labelled_train_and_held_out(options.data, side, **choice)
    check_classes(options, train, "data", class_count)
    return train, held_out


def check_classes(options: FlagValues, found: Labelled, flag: str, class_count: int) -> None:
    """Raises UserError unless there are as many classes as the networks know, if they know any."""
    if class_count and len(found.classes) != class_count:
        other = f", or give --class_count={len(found.classes)}" if "class_count" in options else ""
        raise UserError(
            f"--{flag}={options[flag].value} has {len(found.classes)} classes "
            f"({', '.join(found.classes)}), and {class_count} are needed: choose with --classes"
            f"{other}"
        )


def labelled_squares(
    options: FlagValues,
    side: int,
    channels: Channels = 1,
    *,
    sample: str = "digits",
    class_count: int = 0,
    mirror: bool = False,
) -> Pictures:
    """`labelled` as an experiment's pictures; `mirror` turns half of them left to right."""
    open_set = functools.partial(
        labelled, options, side, channels, sample=sample, class_count=class_count
    )
    seen = functools.cache(open_set)

    @functools.cache
    def judged() -> Labelled:
        return open_set(held_out=True) if options.held_out else seen()

    def data() -> Data:
        found = seen()
        return Data(gather(found, mirror=mirror), len(found), found.description)

    return Pictures(data, seen, judged)


def apart_squares(
    options: FlagValues, side: int, channels: Channels = 1, *, sample: str, class_count: int
) -> tuple[Pictures, Callable[[], tuple[Labelled, Labelled]]]:
    """`labelled_train_and_held_out`: the first as an experiment's pictures, mirrored; and both."""
    both = functools.cache(
        lambda: labelled_train_and_held_out(
            options, side, channels, sample=sample, class_count=class_count
        )
    )

    def seen() -> Labelled:
        return both()[0]

    def data() -> Data:
        train, held_out = both()
        about = {**train.description, "held_out": held_out.description}
        return Data(gather(train, mirror=True), len(train), about)

    def judged() -> Labelled:
        return both()[1] if options.held_out else seen()

    return Pictures(data, seen, judged), both


def colour_squares(options: FlagValues, side: int, *, sample: str) -> Pictures:
    """What `--data` names, as colour squares, half of them turned left to right.

    Files are decoded when asked for, so that a large set begins at once; what must be looked at
    first (the sample, arrays, a choice of `--classes`) lies in memory.
    """
    if options.data == "sample" or options.classes or array_file(options.data):
        return labelled_squares(options, side, 3, sample=sample, mirror=True)

    # Squares are kept, so whole pictures need not be.
    reading = {"data_dir": options.data_dir, "skip_broken": options.skip_broken, "memory_limit": 0}

    def some(source: Source) -> Labelled:
        rows = np.random.default_rng(0).permutation(len(source))[:MOST_REAL]
        load = squares(source, side, mirror=False)
        real = load(rows, np.zeros(len(rows), np.uint64))["real"]
        return Labelled(real, None, (), {**source.description, "chosen": len(rows)})

    @functools.cache
    def train() -> Source:
        whole = open_source(options.data, **reading)
        rows, apart = divide([whole.name(index) for index in range(len(whole))])
        return Subset(whole, rows, {"part": "train"}) if apart else whole

    def data() -> Data:
        return Data(squares(train(), side), len(train()), train().description)

    seen = functools.cache(lambda: some(train()))

    @functools.cache
    def judged() -> Labelled:
        return some(open_held_out(options.held_out, **reading)) if options.held_out else seen()

    return Pictures(data, seen, judged)


def _choice(options: FlagValues, channels: Channels, sample: str, class_count: int) -> dict:
    return {
        "channels": channels,
        "sample": sample,
        "data_dir": options.data_dir,
        "skip_broken": options.skip_broken,
        "classes": class_list(options.classes),
        "require_labels": class_count > 0,
    }
