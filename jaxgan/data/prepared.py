"""TFDS sets that were prepared on disk as array_record files, read without TensorFlow."""

import difflib
import functools
import json
import operator
import os
import re
import string
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.data.pictures import ReadSource, Source
from jaxgan.errors import UserError, did_you_mean

_FORMAT = "array_record"
_VERSION = re.compile(r"\d+\.\d+\.\d+")
# Where a set has several configurations; only `hr` is read, so any of div2k's would do.
_PREFERRED_CONFIG = {"div2k": "bicubic_x4"}
_DIGITS, _CAPITALS = tuple(string.digits), tuple(string.ascii_uppercase)
# The first label of each of EMNIST's configurations and what the classes are, which TFDS calls by
# their numbers (arXiv 1702.05373, table II; where capitals and small letters look alike, they are
# one class).
_EMNIST = {
    "letters": (1, _CAPITALS),
    "byclass": (0, (*_DIGITS, *_CAPITALS, *string.ascii_lowercase)),
    "bymerge": (0, (*_DIGITS, *_CAPITALS, *"abdefghnqrt")),
    "balanced": (0, (*_DIGITS, *_CAPITALS, *"abdefghnqrt")),
}
# Which picture of an example is meant, first match.
_FEATURES = ("hr", "image")


def data_root(data_dir: str | os.PathLike[str] | None) -> Path:
    """Where TFDS keeps its sets: `data_dir`, else $TFDS_DATA_DIR, else ~/tensorflow_datasets."""
    chosen = data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    return Path(chosen).expanduser()


def full_name(name: str) -> str:
    """The name with the configuration that is meant where none is given: div2k/bicubic_x4."""
    config = _PREFERRED_CONFIG.get(name)
    return f"{name}/{config}" if config else name


def set_and_feature(name: str) -> tuple[str, str]:
    """'celeb_a' and 'Smiling' for celeb_a#Smiling, which names the feature that is the label."""
    found, _, feature = name.partition("#")
    return found, feature


def is_prepared(name: str, data_dir: str | os.PathLike[str] | None = None) -> bool:
    """Whether `open_prepared` has something to read. Imports nothing of TFDS.

    Args:
      name: 'NAME', 'NAME/CONFIG' or either with ':VERSION', such as 'div2k/bicubic_x4:2.0.0'.
      data_dir: as in `data_root`.
    """
    return any(_is_readable(folder) for folder in _versions(name, data_dir))


def splits(name: str, data_dir: str | os.PathLike[str] | None = None) -> list[str]:
    """The names of the splits of a prepared set. Raises UserError as `open_prepared`."""
    return [split["name"] for split in _info(_find(name, data_dir)).get("splits", [])]


def open_prepared(
    name: str,
    data_dir: str | os.PathLike[str] | None = None,
    *,
    split: str = "train",
    memory_limit: int | None = None,
) -> Source:
    """The pictures of one split of a prepared set: feature `hr`, else `image`, else the only one.

    Its pictures are decoded when asked for, not all of them here: TFDS checked them when it
    prepared the set.

    Args:
      name: as in `is_prepared`.
      data_dir: as in `data_root`.
      split: one of `splits`.
      memory_limit: bytes of decoded pictures to keep; a quarter of the machine's memory when None.

    Raises:
      UserError: not prepared (the message has the command that does it), prepared in a format that
        cannot be read without TensorFlow, no such split, or no picture in its examples.
    """
    folder, builder, records, pictures = open_split(name, data_dir, split)
    feature = _one_picture(name, pictures)
    identity = f"{builder.info.full_name}[{split}]"
    return ReadSource(
        [f"{identity} #{i}" for i in range(len(records))],
        lambda i: records[i][feature],
        {"kind": "tfds", "where": str(folder), "part": split, "feature": feature},
        memory_limit=memory_limit,
    )


@dataclass(frozen=True)
class Records:
    """The examples of a prepared set: encoded pictures and the numbers of their classes.

    Attributes:
      classes: their names; () where the set has no labels.
      transposed: whether rows and columns of the stored pictures are exchanged, as EMNIST's are.
      description: what JSON can hold about them.
    """

    read: Callable[[int], tuple[bytes, int]]
    count: int
    classes: tuple[str, ...]
    transposed: bool
    description: dict[str, Any]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[bytes, int]:
        return self.read(index)


def open_records(
    name: str, data_dir: str | os.PathLike[str] | None = None, *, split: str = "train"
) -> Records:
    """The pictures of one split of a prepared set with their labels.

    The label is the set's feature `label`. Behind a # another one may be named, also one of the
    feature `attributes`: celeb_a#Smiling, whose classes are 'not Smiling' and 'Smiling'.

    Args:
      name: as in `is_prepared`, or with #FEATURE behind it.
      data_dir: as in `data_root`.
      split: one of `splits`.

    Raises:
      UserError: as `open_prepared`, and where there is no such feature.
    """
    folder, builder, records, pictures = open_split(name, data_dir, split)
    feature = _one_picture(name, pictures)
    path, classes = _label_feature(name, builder)
    first = 0
    if builder.info.name == "emnist":
        config = folder.parent.name
        first, classes = _EMNIST.get(config, (0, classes))

    def read(index: int) -> tuple[bytes, int]:
        record = records[index]
        value = functools.reduce(operator.getitem, path, record) if path else first
        return record[feature], int(value) - first

    about = {"kind": "tfds", "where": str(folder), "part": split, "feature": feature}
    if path:
        about["label"] = "/".join(path)
    return Records(read, len(records), classes, builder.info.name == "emnist", about)


def _label_feature(name: str, builder: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Where in an example its label is, () if it has none, and the names of the classes."""
    features = dict(builder.info.features.items())
    wanted = set_and_feature(name)[1] or "label"
    attributes = dict(features["attributes"].items()) if "attributes" in features else {}
    path = ("attributes", wanted) if wanted in attributes else (wanted,)
    found: Any = attributes.get(wanted, features.get(wanted))
    if hasattr(found, "names"):
        return path, tuple(found.names)
    if found is not None and getattr(found, "np_dtype", None) == np.bool_:
        return path, (f"not {wanted}", wanted)
    if "#" not in name:
        return (), ()
    usable = [*attributes, *(key for key in features if hasattr(features[key], "names"))]
    raise UserError(f"--data={name}: the label is {wanted!r}, {did_you_mean(wanted, usable)}")


def _one_picture(name: str, pictures: list[str]) -> str:
    """Which picture of an example is meant."""
    feature = next((key for key in _FEATURES if key in pictures), None)
    if feature is None and len(pictures) == 1:
        feature = pictures[0]
    if feature is None:
        raise UserError(
            f"TFDS set '{name}' cannot be used as pictures: its pictures are "
            f"{', '.join(pictures) or 'none'}, and one named hr or image is needed"
        )
    return feature


def open_split(
    name: str, data_dir: str | os.PathLike[str] | None, split: str
) -> tuple[Path, Any, Any, list[str]]:
    """The folder, TFDS's builder, the records of a split, and which features are pictures.

    The records hold pictures as they were stored, encoded. Raises UserError as `open_prepared`, but
    for the last reason.
    """
    folder = _find(name, data_dir)
    known = splits(name, data_dir)
    if split not in known:
        raise UserError(f"TFDS set '{name}' has no split '{split}': it has {', '.join(known)}")

    # Not at the top of the file: runs on other data need not wait for this import.
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(folder)
    pictures = [
        key
        for key, feature in builder.info.features.items()
        if isinstance(feature, tfds.features.Image)
    ]
    # The bytes as they were stored: every source decodes with `images.read_image`.
    decoders = {key: tfds.decode.SkipDecoding() for key in pictures}
    records = builder.as_data_source(split=split, decoders=decoders)
    return folder, builder, records, pictures


def _find(name: str, data_dir: str | os.PathLike[str] | None) -> Path:
    name = set_and_feature(name)[0]
    versions = _versions(name, data_dir)
    readable = [folder for folder in versions if _is_readable(folder)]
    root = data_root(data_dir)
    command = (
        f"pip install 'jaxgan[prepare]' && python -m jaxgan.data.prepare {name} --data_dir={root}"
    )
    if not readable and versions:
        raise UserError(
            f"TFDS set '{name}' is prepared in {versions[0]} in a format that only TensorFlow "
            f"reads; move that folder away and run: {command}"
        )
    if not readable:
        there = [p.name for p in root.iterdir() if p.is_dir()] if root.is_dir() else []
        close = difflib.get_close_matches(name, there, n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise UserError(
            f"TFDS set '{name}' is not prepared under {root}{hint}; to prepare it: {command}, "
            "or train on --data=sample, folder:PATH or zip:PATH"
        )
    configs = sorted({folder.parent.name for folder in readable})
    if len(configs) > 1:
        config = _PREFERRED_CONFIG.get(name)
        if config not in configs:
            raise UserError(
                f"TFDS set '{name}' is prepared with several configurations: give one of "
                + ", ".join(f"{name}/{config}" for config in configs)
            )
        readable = [folder for folder in readable if folder.parent.name == config]
    return max(readable, key=lambda folder: tuple(map(int, folder.name.split("."))))


def _versions(name: str, data_dir: str | os.PathLike[str] | None) -> list[Path]:
    """The folders DATA_DIR/NAME[/CONFIG]/VERSION that hold a set of that name, of any format."""
    path, _, version = set_and_feature(name)[0].partition(":")
    if not path or ".." in Path(path).parts or Path(path).is_absolute():
        return []
    top = data_root(data_dir) / path
    found = [*top.glob("*/dataset_info.json"), *top.glob("*/*/dataset_info.json")]
    folders = sorted(file.parent for file in found)
    return [
        folder
        for folder in folders
        if _VERSION.fullmatch(folder.name) and version in ("", folder.name)
    ]


def _is_readable(folder: Path) -> bool:
    info = _info(folder)
    return _FORMAT in (info.get("fileFormat"), *info.get("alternativeFileFormats", []))


def _info(folder: Path) -> dict[str, Any]:
    try:
        return json.loads((folder / "dataset_info.json").read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}/dataset_info.json cannot be read: {error}") from error
