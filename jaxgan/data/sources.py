"""Where pictures come from: a folder, a zip, a film, a prepared TFDS set, arrays, the sample.

Every kind is a `Source`, a sequence of uint8 RGB pictures of any sizes, opened by one string: what
the user typed after `--data=`.
"""

import concurrent.futures
import difflib
import os
from collections.abc import Callable, Sequence

import numpy as np

from jaxgan.data import prepared, video
from jaxgan.data.class_folders import HELD_OUT_NAMES, divide
from jaxgan.data.listing import archive_of, list_folder, list_zip
from jaxgan.data.pictures import ArraySource, ReadSource, Source, Subset
from jaxgan.data.selection import evenly_spaced
from jaxgan.errors import UserError

__all__ = ["ArraySource", "Source", "open_source", "open_train_and_held_out"]

_KINDS = ("folder", "zip", "video", "tfds")
_ARRAYS = ("npz", "csv", "idx")  # what `labelled.open_labelled` takes besides
_HELD_OUT_MOST = 10
_NAMED_AT_MOST = 5


def open_source(
    data: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    split: str = "train",
    skip_broken: bool = False,
    memory_limit: int | None = None,
    verify: bool = True,
) -> Source:
    """Opens what `--data` names; every picture of a folder or a zip is decoded once here.

    Args:
      data: 'sample'; 'folder:PATH' or a folder's path; 'zip:PATH' or the path of a .zip, where a
        folder inside the zip may follow (photos.zip/train); 'video:PATH' or a film's path, for its
        frames; 'tfds:NAME' or the NAME of a prepared TFDS set ('div2k').
      data_dir: where TFDS sets are prepared, and the frames of films kept; TFDS's own default when
        None.
      split: of a TFDS set; 'train' or 'validation' of the sample. Others have only 'train', which
        is all of it (`open_train_and_held_out` sets pictures aside).
      skip_broken: leave out the pictures that cannot be decoded and list them in
        `description['skipped']`.
      memory_limit: bytes of decoded pictures to keep; a quarter of the machine's memory when None.
      verify: decode every picture of a folder or a zip here; if not, the caller owes `find_broken`.

    Raises:
      UserError: nothing is there, it holds no pictures, or, without `skip_broken`, broken ones.
    """
    kind, where = parse(data, data_dir)
    if kind == "sample":
        from jaxgan.data import sample  # not at the top: most runs do without it

        train, held_out = sample.photographs()
        splits = {"train": train, "validation": held_out}
        if split not in splits:
            raise UserError(f"the sample has no split '{split}': it has train and validation")
        return splits[split]
    if kind == "tfds":
        return prepared.open_prepared(where, data_dir, split=split, memory_limit=memory_limit)
    if split != "train":
        raise UserError(f"{where} has no split '{split}': a folder, zip or film has only train")
    if kind == "video":
        return video.open_film(
            where, data_dir=data_dir, skip_broken=skip_broken, memory_limit=memory_limit
        )
    names, read_bytes = list_folder(where) if kind == "folder" else list_zip(where)
    source = ReadSource(
        names, read_bytes, {"kind": kind, "where": where}, memory_limit=memory_limit
    )
    return _verified(source, skip_broken) if verify else source


def open_train_and_held_out(
    data: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    skip_broken: bool = False,
    memory_limit: int | None = None,
    most: int = _HELD_OUT_MOST,
) -> tuple[Source, Source]:
    """Opens `data` as two sources without a picture in common: one to train on, one to judge by.

    The sample and TFDS sets have their own division. A folder or a zip whose pictures lie under
    train/ and one of validation/, valid/, val/ or test/ is divided so. From anything else a tenth
    of the pictures, at least 1 and at most `most`, is held out, evenly spaced in the order of
    names. Of a film it is the last tenth, or `most` frames of that.

    Args and raises: as `open_source`, and UserError where there is but one picture.
    """
    kind, where = parse(data, data_dir)

    def part(split: str) -> Source:
        return open_source(
            data,
            data_dir=data_dir,
            split=split,
            skip_broken=skip_broken,
            memory_limit=memory_limit,
        )

    train = part("train")
    if kind == "sample":
        return train, part("validation")
    if kind == "tfds":
        splits = prepared.splits(where, data_dir)
        held_out_split = next((name for name in HELD_OUT_NAMES if name in splits), None)
        return (train, part(held_out_split)) if held_out_split else hold_out(train, most=most)
    if kind == "video":
        return hold_out(train, most=most, end=True)
    train_rows, held_out_rows = divide([train.name(i) for i in range(len(train))])
    if not held_out_rows:
        return hold_out(train, most=most)
    return (
        Subset(train, train_rows, {"part": "train"}),
        Subset(train, held_out_rows, {"part": "held out"}),
    )


def open_held_out(
    data: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    skip_broken: bool = False,
    memory_limit: int | None = None,
) -> Source:
    """Opens `data` to judge by: all of a folder, a zip or a film, the held-out part of the rest.

    Args and raises: as `open_source`, and UserError where a TFDS set has no held-out split.
    """
    kind, where = parse(data, data_dir)
    split = {"sample": "validation"}.get(kind, "train")
    if kind == "tfds":
        splits = prepared.splits(where, data_dir)
        found = next((name for name in HELD_OUT_NAMES if name in splits), None)
        if found is None:
            raise UserError(f"--held_out={data} has no held-out split; it has: {', '.join(splits)}")
        split = found
    return open_source(
        data,
        data_dir=data_dir,
        split=split,
        skip_broken=skip_broken,
        memory_limit=memory_limit,
    )


def hold_out(
    source: Source, *, most: int = _HELD_OUT_MOST, end: bool = False
) -> tuple[Source, Source]:
    """All but a tenth of the pictures, and that tenth: at least 1, at most `most`, evenly spaced.

    Args:
      source: the pictures.
      most: how many are held out at most.
      end: take them from the last tenth, and train on nothing of it: a frame of a film differs from
        those before and after it by next to nothing, and figures on it would be those of training.

    Raises:
      UserError: there is but one picture.
    """
    total = len(source)
    if total < 2:
        raise UserError(
            f"{source.description['where']} holds one picture: at least 2 are needed, "
            "one of them to be held out"
        )
    tenth = max(total // 10, 1)
    count = min(tenth, most)
    if end:
        chosen = [total - tenth + i for i in evenly_spaced(tenth, count)]
        return (
            Subset(source, range(total - tenth), {"part": "the first nine tenths"}),
            Subset(source, chosen, {"part": f"{count} frames of the last tenth, evenly spaced"}),
        )
    chosen = evenly_spaced(total, count)
    rest = np.delete(np.arange(total), chosen).tolist()
    return (
        Subset(source, rest, {"part": "all but the held-out pictures"}),
        Subset(source, chosen, {"part": f"{count} held-out pictures, evenly spaced"}),
    )


def parse(data: str, data_dir: str | os.PathLike[str] | None) -> tuple[str, str]:
    """The kind of source and the path or name that `data` means."""
    if data == "sample":
        return "sample", ""
    prefix, colon, rest = data.partition(":")
    if colon and prefix in _KINDS:
        if not rest:
            raise UserError(f"--data={data} names nothing: write {prefix}:PATH")
        return prefix, rest if prefix == "tfds" else os.path.expanduser(rest)
    path = os.path.expanduser(data)
    if data and os.path.isdir(path):
        return "folder", path
    if os.path.splitext(path)[1].lower() in video.SUFFIXES:
        return "video", path
    if data and archive_of(path) is not None:
        return "zip", path
    if data.lower().endswith(".zip") or data.startswith(("/", "./", "../", "~")):
        raise UserError(f"--data={data}: there is no such folder or .zip")
    if data and prepared.is_prepared(data, data_dir):
        return "tfds", data
    close = difflib.get_close_matches(prefix, (*_KINDS, *_ARRAYS, "sample"), n=1)
    if not data or close:
        hint = f" (did you mean {close[0]}?)" if close and close[0] != prefix else ""
        raise UserError(
            f"--data={data} is not understood{hint}: "
            "give sample, folder:PATH, zip:PATH, video:PATH or tfds:NAME, or npz:, csv: or "
            "idx:PATH where the experiment's pictures fit in memory"
        )
    return "tfds", data


def find_broken(
    names: Sequence[str],
    where: str,
    look: Callable[[int], object],
    skip_broken: bool,
    what: str = "pictures",
    fault: str = "cannot be read",
) -> list[int]:
    """Calls `look(i)` for every picture, on threads, and says which ones cannot be read.

    Args:
      names: of the pictures, or what else is looked at.
      where: they are, for messages.
      look: reads picture `i`, and raises UserError where that fails.
      skip_broken: whether some may be broken.
      what, fault: of messages.

    Raises:
      UserError: all are, or, without `skip_broken`, any is.
    """

    def problem(index: int) -> str | None:
        try:
            look(index)
        except UserError as error:
            return str(error)
        return None

    # Decoders run outside Python's lock, so threads use every core.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        problems = list(pool.map(problem, range(len(names))))
    broken = [i for i, text in enumerate(problems) if text is not None]
    if not broken:
        return []
    listed = ", ".join(names[i] for i in broken[:_NAMED_AT_MOST])
    listed += ", ..." if len(broken) > _NAMED_AT_MOST else ""
    if len(broken) == len(names):
        raise UserError(
            f"none of the {len(names)} {what} in {where} {fault.replace('cannot', 'can')}: "
            f"{listed} ({problems[0]})"
        )
    if not skip_broken:
        raise UserError(
            f"{len(broken)} of {len(names)} {what} in {where} {fault}: {listed} "
            f"({problems[broken[0]]}); mend or remove them, or pass --skip_broken"
        )
    return broken


def _verified(source: ReadSource, skip_broken: bool) -> Source:
    """The source, or the readable part of it, after decoding every picture once."""
    names = [source.name(i) for i in range(len(source))]
    where = source.description["where"]
    broken = set(find_broken(names, where, source.__getitem__, skip_broken))
    if not broken:
        return source
    kept = [i for i in range(len(source)) if i not in broken]
    return Subset(source, kept, {"skipped": [names[i] for i in sorted(broken)]})
