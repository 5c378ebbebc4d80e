"""Small pictures that fit in memory, with their labels where there are any: one array each.

A batch is one indexing of them. Whatever holds them - class folders, archives, MNIST's own files, a
CSV, a TFDS set, the embedded samples - they come out as squares of one size.
"""

import concurrent.futures
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from jaxgan.data import prepared, sample, sources
from jaxgan.data.class_folders import HELD_OUT_NAMES, class_names, divide
from jaxgan.data.csv_pixels import read_csv
from jaxgan.data.examples import Examples, Labelled
from jaxgan.data.idx import is_idx, read_idx
from jaxgan.data.images import read_image
from jaxgan.data.npz import read_npz
from jaxgan.data.pictures import Source, Subset
from jaxgan.data.selection import class_list, hold_out, keep_classes, number_classes
from jaxgan.data.squares import Channels, square_of, squared
from jaxgan.errors import UserError

__all__ = [
    "Labelled",
    "class_list",
    "gather",
    "open_labelled",
    "open_labelled_train_and_held_out",
]

Both = tuple[Examples, Examples | None]

_READERS: dict[str, Callable[[Path], Both]] = {
    "npz": read_npz,
    "idx": read_idx,
    "csv": lambda path: (read_csv(path), None),
}


def gather(
    labelled: Labelled, *, mirror: bool = False
) -> Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]]:
    """The rows of labelled pictures, as the `load` of `pipeline.make_batches`.

    Args:
      labelled: the pictures.
      mirror: turn half of them left to right, as the row's seed says.

    Returns:
      load(indices [b], seeds uint64 [b]) -> {'real': new uint8 [b, side, side, channels], 'label':
      new int32 [b]}; no 'label' where there are no labels.
    """

    def load(indices: np.ndarray, seeds: np.ndarray) -> dict[str, np.ndarray]:
        real = labelled.pictures[indices]
        if mirror:
            turned = np.flatnonzero(seeds & np.uint64(1))
            real[turned] = real[turned, :, ::-1]
        if labelled.labels is None:
            return {"real": real}
        return {"real": real, "label": labelled.labels[indices]}

    return load


def open_labelled(
    data: str,
    side: int,
    *,
    part: Literal["train", "held out"] = "train",
    channels: Channels = 1,
    sample: str = "digits",
    data_dir: str | os.PathLike[str] | None = None,
    skip_broken: bool = False,
    classes: Sequence[str] | None = None,
    require_labels: bool = False,
) -> Labelled:
    """The pictures that `--data` names, to train on, as squares in memory.

    Args:
      data: 'sample'; npz:PATH, csv:PATH or idx:PATH (the prefix may be left out where the path ends
        in .npz, .csv or .csv.gz, or is MNIST's file or the folder with it); or anything that
        `sources.open_source` takes. Class folders give labels; so do TFDS sets with a feature
        `label`, and celeb_a#Smiling takes an attribute for one.
      side: of the squares, in pixels.
      channels: 1 for grey, 3 for RGB.
      sample: what 'sample' is: one of `sample.EMBEDDED`.
      data_dir: where TFDS sets are prepared; TFDS's own default when None.
      skip_broken: as in `sources.open_source`.
      classes: names of the classes to keep, or ranges of them such as A-M; all when None. Those
        that stay are numbered anew.
      require_labels: refuse data without labels.
      part: which part of data that has held-out pictures of its own (train/ and val/, x_test,
        t10k-, a TFDS split, the sample).

    Returns:
      All pictures of that part; where there are no parts, all.

    Raises:
      UserError: nothing is there, it holds no pictures or broken ones, no labels where some are
        needed, or none of the classes.
    """
    apart = part == "held out"
    train, held_out = _open(data, side, channels, sample, data_dir, skip_broken, both=apart)
    found = held_out if apart and held_out is not None else train
    return keep_classes(found, classes, require_labels=require_labels)


def open_labelled_train_and_held_out(
    data: str,
    side: int,
    *,
    channels: Channels = 1,
    sample: str = "digits",
    data_dir: str | os.PathLike[str] | None = None,
    skip_broken: bool = False,
    classes: Sequence[str] | None = None,
    require_labels: bool = False,
) -> tuple[Labelled, Labelled]:
    """The same, as pictures to train on and pictures to judge by, with none in both.

    Data without a held-out part of its own gives a tenth of each class for it, evenly spaced in the
    order of the data, the same ones in every run.

    Args and raises: as `open_labelled`, and UserError where there is too little to hold any out.
    """
    train, held_out = _open(data, side, channels, sample, data_dir, skip_broken, both=True)
    if held_out is None:
        train, held_out = hold_out(train, end=train.description["kind"] == "video")
    return (
        keep_classes(train, classes, require_labels=require_labels),
        keep_classes(held_out, classes, require_labels=require_labels),
    )


def _open(
    data: str,
    side: int,
    channels: Channels,
    sample_name: str,
    data_dir: str | os.PathLike[str] | None,
    skip_broken: bool,
    *,
    both: bool,
) -> tuple[Labelled, Labelled | None]:
    """What to train on and, if `both`, what the data itself holds out."""
    if data == "sample":
        drawn = sample.embedded(sample_name, side)
        about = {"kind": "sample", "where": drawn.where}
        return _from_arrays((drawn.train, drawn.held_out), drawn.classes, about, side, channels)
    if (named := array_file(data)) is not None:
        kind, path = named
        parts = _READERS[kind](path)
        values, classes = number_classes([part.values if part else None for part in parts])
        about = {"kind": kind, "where": str(path)}
        renamed = [
            part and Examples(part.pictures, v) for part, v in zip(parts, values, strict=True)
        ]
        assert renamed[0] is not None
        wanted = (renamed[0], renamed[1] if both else None)
        return _from_arrays(wanted, classes, about, side, channels)
    kind, where = sources.parse(data, data_dir)
    if kind == "tfds":
        splits = prepared.splits(where, data_dir)
        held_out = next((name for name in HELD_OUT_NAMES if name in splits), None)

        def split(name: str) -> Labelled:
            records = prepared.open_records(where, data_dir, split=name)
            return _from_records(records, side, channels)

        return split("train"), split(held_out) if both and held_out else None
    source = sources.open_source(data, data_dir=data_dir, verify=False, memory_limit=0)
    return _from_files(source, side, channels, skip_broken, both)


def array_file(data: str) -> tuple[str, Path] | None:
    """The kind and the path of a file of arrays, if that is what `data` means."""
    prefix, colon, rest = data.partition(":")
    if colon and prefix in _READERS:
        if not rest:
            raise UserError(f"--data={data} names nothing: write {prefix}:PATH")
        return prefix, Path(rest).expanduser()
    if data.endswith(".npz"):
        return "npz", Path(data).expanduser()
    if data.endswith((".csv", ".csv.gz")):
        return "csv", Path(data).expanduser()
    path = Path(data.removeprefix("folder:")).expanduser()
    return ("idx", path) if data and is_idx(path) else None


def _from_arrays(
    parts: Both, classes: tuple[str, ...], about: dict[str, Any], side: int, channels: Channels
) -> tuple[Labelled, Labelled | None]:
    train, held_out = parts

    def labelled(part: Examples, name: str) -> Labelled:
        more = {"part": name} if held_out is not None else {}
        pictures = squared(part.pictures, side, channels)
        return _labelled(pictures, part.values, classes, {**about, **more})

    return labelled(train, "train"), held_out and labelled(held_out, "held out")


def _from_records(records: prepared.Records, side: int, channels: Channels) -> Labelled:
    pictures = np.empty((len(records), side, side, channels), np.uint8)
    values = np.zeros(len(records), np.int64)

    def fill(index: int) -> None:
        encoded, values[index] = records[index]
        pictures[index] = square_of(read_image(encoded), side, channels)

    # Pillow decodes outside Python's lock, so threads use every core.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for _ in pool.map(fill, range(len(records))):
            pass
    if records.transposed:
        pictures = np.ascontiguousarray(pictures.swapaxes(1, 2))
    labels = values if records.classes else None
    return _labelled(pictures, labels, records.classes, records.description)


def _from_files(
    source: Source, side: int, channels: Channels, skip_broken: bool, both: bool
) -> tuple[Labelled, Labelled | None]:
    # Every picture is looked at once, here, where it becomes a square.
    names = [source.name(i) for i in range(len(source))]
    train, held_out = divide(names)
    found = class_names([names[i] for i in (*train, *held_out)])
    classes = tuple(sorted(set(found))) if found else ()
    number = dict(zip((*train, *held_out), found or (), strict=False))

    def part(indices: list[int], name: str) -> Labelled:
        more = {"part": name} if held_out else {}
        chosen = Subset(source, indices, more)
        pictures = np.empty((len(indices), side, side, channels), np.uint8)

        def look(index: int) -> None:
            pictures[index] = square_of(chosen[index], side, channels)

        chosen_names = [chosen.name(i) for i in range(len(chosen))]
        where = chosen.description["where"]
        broken = sources.find_broken(chosen_names, where, look, skip_broken)
        values = np.array([classes.index(number[i]) for i in indices]) if classes else None
        skipped = [chosen_names[i] for i in broken]
        about = {**chosen.description, "skipped": skipped}
        whole = _labelled(pictures, values, classes, about)
        return whole.take(np.delete(np.arange(len(indices)), broken)) if broken else whole

    return part(train, "train"), part(held_out, "held out") if both and held_out else None


def _labelled(
    pictures: np.ndarray,
    values: np.ndarray | None,
    classes: tuple[str, ...],
    about: dict[str, Any],
) -> Labelled:
    labels = None if values is None else values.astype(np.int32)
    names = classes if labels is not None else ()
    return Labelled(
        pictures, labels, names, {**about, "count": len(pictures), "classes": list(names)}
    )
