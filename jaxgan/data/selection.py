"""Choosing among labelled pictures or sounds: by class, and some of each class to be held out."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from jaxgan.data.examples import Labelled, Sounds
from jaxgan.errors import UserError, did_you_mean

Examples = TypeVar("Examples", Labelled, Sounds)

# Of the pictures, where a set has no held-out part of its own.
_HELD_OUT_SHARE = 10
_LETTERS = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def class_list(text: str | None) -> tuple[str, ...] | None:
    """What `--classes` says, as `open_labelled` takes it: 'A,C-E' to ('A', 'C-E')."""
    return tuple(word.strip() for word in text.split(",")) if text else None


def refuse_selection(held_out: str | None, classes: str | None) -> None:
    """Raises UserError for flags that an experiment has no use for, which divides its data itself.

    Args:
      held_out, classes: the values of the flags of these names.
    """
    for flag, value in (("held_out", held_out), ("classes", classes)):
        if value:
            raise UserError(
                f"--{flag}={value}: this experiment takes all of --data and holds some of it out "
                f"itself; leave --{flag} alone"
            )


def number_classes(
    values: Sequence[np.ndarray | None],
) -> tuple[list[np.ndarray | None], tuple[str, ...]]:
    """Numbers without gaps for labels of any values, the same for all parts, and their names.

    0 to 25 and 1 to 26 are the letters, as the A-Z letters and EMNIST number them; others are
    called by their numbers.
    """
    found = [part for part in values if part is not None]
    if not found or values[0] is None:
        return [None] * len(values), ()
    known = np.unique(np.concatenate(found))
    classes = tuple(str(value) for value in known)
    if len(known) == 26 and known[0] in (0, 1) and known[-1] == known[0] + 25:
        classes = _LETTERS
    numbers = [None if part is None else np.searchsorted(known, part) for part in values]
    return numbers, classes


def evenly_spaced(total: int, count: int) -> list[int]:
    """`count` numbers of [0, total), ascending, each in the middle of its share of the range."""
    return [(2 * k + 1) * total // (2 * count) for k in range(count)]


def hold_out(labelled: Examples, *, end: bool = False) -> tuple[Examples, Examples]:
    """All but a tenth of each class, and that tenth, evenly spaced in the order of the data.

    A class of a few pictures gives one, a class of one none.

    Args:
      labelled: the pictures, or sounds.
      end: hold out the last tenth, as `sources.hold_out` does.

    Raises:
      UserError: no class has two pictures.
    """
    labels = np.zeros(len(labelled), np.int32) if labelled.labels is None else labelled.labels
    chosen: list[int] = []
    for label in range(max(len(labelled.classes), 1)):
        rows = np.flatnonzero(labels == label)
        count = max(len(rows) // _HELD_OUT_SHARE, 1) if len(rows) > 1 else 0
        places = range(len(rows) - count, len(rows)) if end else evenly_spaced(len(rows), count)
        chosen += [int(rows[i]) for i in places]
    if not chosen:
        raise UserError(
            f"{labelled.description['where']} holds one {labelled.one} of a class at most: at "
            "least 2 are needed, one of them to be held out"
        )
    rest = np.delete(np.arange(len(labelled)), chosen)
    of_each = " of each class" if labelled.labels is not None else ""
    where = "at the end" if end else "evenly spaced"
    return (
        labelled.take(rest, part=f"all but the held-out {labelled.one}s"),
        labelled.take(np.sort(chosen), part=f"a tenth{of_each}, {where}"),
    )


def keep_classes(
    labelled: Examples, classes: Sequence[str] | None, *, require_labels: bool = False
) -> Examples:
    """The pictures of some classes, which are numbered anew.

    Args:
      labelled: the pictures.
      classes: names, and ranges of them such as A-M; all when None.
      require_labels: refuse data without labels, whatever is to be kept.

    Raises:
      UserError: no labels where they are needed, no such class, or nothing is left.
    """
    where = labelled.description["where"]
    if labelled.labels is None and (require_labels or classes):
        need = f"--classes={','.join(classes)} chooses by" if classes else "this experiment needs"
        raise UserError(
            f"{where} has no labels, which {need}; give class folders, a .npz with y, a .csv with "
            "the label first, MNIST's own files with theirs, or a TFDS set with labels"
        )
    if not classes:
        return labelled
    assert labelled.labels is not None
    kept = _chosen(classes, labelled.classes)
    rows = np.flatnonzero(np.isin(labelled.labels, kept))
    if not len(rows):
        raise UserError(
            f"--classes={','.join(classes)} leaves nothing of {where}; "
            f"it has: {', '.join(labelled.classes)}"
        )
    names = tuple(labelled.classes[label] for label in kept)
    taken = labelled.take(rows, classes=list(names))
    assert taken.labels is not None
    numbers = np.searchsorted(kept, taken.labels).astype(np.int32)
    return replace(taken, labels=numbers, classes=names)


def _chosen(wanted: Sequence[str], known: tuple[str, ...]) -> list[int]:
    """The numbers of the classes that are meant, in order."""
    kept: set[int] = set()
    for word in wanted:
        if word in known:
            kept.add(known.index(word))
            continue
        ends = [
            (known.index(word[:i]), known.index(word[i + 1 :]))
            for i, letter in enumerate(word)
            if letter == "-" and word[:i] in known and word[i + 1 :] in known
        ]
        if not ends:
            raise UserError(f"--classes: there is no class {word!r}, {did_you_mean(word, known)}")
        kept.update(range(ends[0][0], ends[0][1] + 1))
    return sorted(kept)
