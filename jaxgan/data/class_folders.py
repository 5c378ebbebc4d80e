"""What the folders that pictures lie in say: which part of the data, and which class."""

from collections.abc import Sequence
from pathlib import PurePosixPath

HELD_OUT_NAMES = ("validation", "valid", "val", "test")


def divide(names: Sequence[str]) -> tuple[list[int], list[int]]:
    """The numbers of the pictures to train on, and of those that the data itself holds out.

    Folders that all pictures share are looked through. Where there is a folder train and one of
    validation, valid, val or test, only what lies in these two counts: the label maps that other
    folders beside them hold (trainannot) are no pictures to train on. Otherwise nothing is held
    out.
    """
    folders = [path[:1] for path in _within(names)]
    top = [folder[0].lower() if folder else "" for folder in folders]
    held_out = next((name for name in HELD_OUT_NAMES if name in top), None)
    if "train" not in top or held_out is None:
        return list(range(len(names))), []
    return (
        [i for i, name in enumerate(top) if name == "train"],
        [i for i, name in enumerate(top) if name == held_out],
    )


def class_names(names: Sequence[str]) -> list[str] | None:
    """The class of each picture: the first folder below train/, val/ and those that all share.

    Returns:
      None where there are not at least two, or a picture lies in none.
    """
    inner = _within(names)
    if divide(names)[1]:
        # Their folders may be other ones: train/cat and val/cat are one class.
        inner = [path[1:] for path in inner]
    if not all(inner) or len({path[0] for path in inner}) < 2:
        return None
    return [path[0] for path in inner]


def _within(names: Sequence[str]) -> list[tuple[str, ...]]:
    """The folders of each name, without the leading ones that all share."""
    folders = [PurePosixPath(name).parts[:-1] for name in names]
    while folders and all(folders) and len({path[0] for path in folders}) == 1:
        folders = [path[1:] for path in folders]
    return folders
