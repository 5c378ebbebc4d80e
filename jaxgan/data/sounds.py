"""Where sounds come from: a folder or a zip of clips, with labels or texts, or the sample.

Names and folders say what is known of the clips:

    metadata.csv, wavs/ID.wav    LJSpeech's layout: `ID|text|normalised text` a line, texts
    7_jackson_32.wav             the spoken digits' (FSDD's): label, speaker and take
    snare/03.flac, kick/01.ogg   labels by folder; also below train/ and validation/
"""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from jaxgan.data.audio import SUFFIXES, read_clip
from jaxgan.data.class_folders import class_names, divide
from jaxgan.data.examples import Picked, Sounds
from jaxgan.data.listing import list_folder, list_zip
from jaxgan.data.pictures import Kept, default_memory_limit
from jaxgan.data.selection import hold_out, keep_classes
from jaxgan.data.sources import find_broken, parse
from jaxgan.errors import UserError

__all__ = ["Sounds", "gather", "open_sounds", "open_sounds_train_and_held_out", "windows"]

# A clip whose loudest sample is below this (three steps of 16 bits) is silent.
SILENT = 1e-4

_TABLE = "metadata.csv"
_DIGITS = frozenset("0123456789")
_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_SPOKEN = re.compile(r"([^_]+)_([^_]+)_(\d+)")
# `Sample(rate)`: what `--data=sample` is.
Sample = Callable[[int], Sounds]


def open_sounds(
    data: str,
    rate: int,
    *,
    sample: Sample,
    least: int = 1,
    same_rate: bool = False,
    peak: float = 0.0,
    skip_broken: bool = False,
    classes: Sequence[str] | None = None,
    require_labels: bool = False,
    require_texts: bool = False,
) -> Sounds:
    """The sounds that `--data` names: all of them, or those below train/.

    Every clip is decoded once here, so that nothing is found broken later.

    Args:
      data: 'sample'; 'folder:PATH' or a folder's path; 'zip:PATH' or the path of a .zip, where a
        folder inside the zip may follow.
      rate: samples a second to have them at.
      sample: what 'sample' is.
      least: samples at that rate that a clip must have, such as a spectrogram's window.
      same_rate: files must have that rate, and are not resampled.
      peak: each clip is made so loud that its loudest sample is this; as it is where 0.
      skip_broken: leave out the clips that cannot be used, and list them in
        `description['skipped']`.
      classes: as in `selection.keep_classes`.
      require_labels: refuse data without labels.
      require_texts: refuse data without texts.

    Raises:
      UserError: nothing is there, it holds no sounds, or some that cannot be read, are silent, too
        short or of another rate; a row of metadata.csv that cannot be read or whose file is
        missing; no labels or texts where they are needed.
    """
    found, _ = _open(data, rate, sample, least, same_rate, peak, skip_broken, require_texts)
    return keep_classes(found, classes, require_labels=require_labels)


def open_sounds_train_and_held_out(
    data: str,
    rate: int,
    *,
    sample: Sample,
    least: int = 1,
    same_rate: bool = False,
    peak: float = 0.0,
    skip_broken: bool = False,
    classes: Sequence[str] | None = None,
    require_labels: bool = False,
    require_texts: bool = False,
) -> tuple[Sounds, Sounds]:
    """The same, as sounds to train on and sounds to judge by, with none in both.

    A folder or a zip whose clips lie under train/ and one of validation/, valid/, val/ or test/ is
    divided so. From anything else a tenth of each class, at least 1, is held out, evenly spaced in
    the order of names: the same ones in every run.

    Args and raises: as `open_sounds`, and UserError where there is too little to hold any out.
    """
    found, apart = _open(data, rate, sample, least, same_rate, peak, skip_broken, require_texts)
    train, held_out = (found, apart) if apart is not None else hold_out(found)
    return (
        keep_classes(train, classes, require_labels=require_labels),
        keep_classes(held_out, classes, require_labels=require_labels),
    )


def gather(
    sounds: Sounds, length: int, *, crop: bool = True, name: str = "real"
) -> Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]]:
    """Pieces of sounds, as the `load` of `pipeline.make_batches`.

    Args:
      sounds: the sounds.
      length: samples of a piece. A shorter clip is followed by silence.
      crop: a longer clip begins where the row's seed says; if not, at its beginning.
      name: of the pieces in a batch.

    Returns:
      load(indices [b], seeds uint64 [b]) -> {name: new float32 [b, length, 1], 'label': int32 [b]};
      no 'label' where there are no labels.
    """

    def load(indices: np.ndarray, seeds: np.ndarray) -> dict[str, np.ndarray]:
        pieces = np.zeros((len(indices), length, 1), np.float32)
        for row, (index, seed) in enumerate(zip(indices, seeds, strict=True)):
            clip = sounds.clips[int(index)]
            beyond = len(clip) - length
            start = int(seed) % (beyond + 1) if crop and beyond > 0 else 0
            piece = clip[start : start + length]
            pieces[row, : len(piece), 0] = piece
        if sounds.labels is None:
            return {name: pieces}
        return {name: pieces, "label": sounds.labels[indices]}

    return load


def windows(sounds: Sounds, length: int) -> np.ndarray:
    """The beginnings of all sounds, float32 [n, length], silence after those that are shorter."""
    rows = np.arange(len(sounds))
    load = gather(sounds, length, crop=False)
    return load(rows, np.zeros(len(rows), np.uint64))["real"][..., 0]


def checked(clip: np.ndarray, least: int, peak: float) -> np.ndarray:
    """A clip at the loudness that is asked for; UserError if it is silent or too short."""
    if len(clip) < least:
        raise UserError(f"has {len(clip)} samples, and the window is {least}: it is too short")
    loudest = float(np.abs(clip).max())
    if loudest < SILENT:
        raise UserError(f"is silent: its loudest sample is {loudest:.1g} of 1")
    return clip * np.float32(peak / loudest) if peak else clip


class _Read(Sequence[np.ndarray]):
    """Clips that are decoded when asked for, and kept in memory while there is enough."""

    def __init__(self, decode: Callable[[int], np.ndarray], count: int):
        self._decode, self._count = decode, count
        self._kept = Kept(default_memory_limit())

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index):
        if isinstance(index, slice):
            return Picked(self, list(range(self._count))[index])
        index = range(self._count)[index]
        return self._kept.get(index, lambda: self._decode(index))


def _open(
    data: str,
    rate: int,
    sample: Sample,
    least: int,
    same_rate: bool,
    peak: float,
    skip_broken: bool,
    require_texts: bool,
) -> tuple[Sounds, Sounds | None]:
    if data == "sample":
        drawn = sample(rate)
        clips = [checked(clip, least, peak) for clip in drawn.clips]
        found, apart = replace(drawn, clips=clips), None
    else:
        found, apart = _from_files(data, rate, least, same_rate, peak, skip_broken)
    if require_texts and found.texts is None:
        raise UserError(
            f"{found.description['where']} has no texts, which this experiment needs; give a "
            f"folder or a zip with {_TABLE} (ID|text a line) and the clips, or clips named "
            "DIGIT_SPEAKER_TAKE.wav"
        )
    return found, apart


def _from_files(
    data: str, rate: int, least: int, same_rate: bool, peak: float, skip_broken: bool
) -> tuple[Sounds, Sounds | None]:
    kind, where = parse(data, None)
    if kind not in ("folder", "zip"):
        raise UserError(f"--data={data}: sounds come from a folder or a zip, or are the sample")
    listed = {"folder": list_folder, "zip": list_zip}[kind]
    files, read_bytes = listed(where, SUFFIXES | {".csv"}, "sounds")
    number = {file: i for i, file in enumerate(files)}
    tables = [file for file in files if PurePosixPath(file).name == _TABLE]
    names = [file for file in files if PurePosixPath(file).suffix.lower() in SUFFIXES]
    if not names:
        raise UserError(
            f"--data: no sounds in {where}; files read are {' '.join(sorted(SUFFIXES))}"
        )
    texts: list[str] | None = None
    if tables:
        table = read_bytes(number[tables[0]])
        names, texts = _rows(table, PurePosixPath(tables[0]), names, where)

    def decode(index: int) -> np.ndarray:
        try:
            clip = read_clip(read_bytes(number[names[index]]), rate, same_rate=same_rate)
            return checked(clip, least, peak)
        except (UserError, OSError) as error:
            raise UserError(f"{names[index]} {error}") from error

    clips = _Read(decode, len(names))
    about = {"kind": kind, "where": where, "rate": rate}
    broken = find_broken(names, where, clips.__getitem__, skip_broken, "clips", "cannot be used")
    # A table divides nothing, and its clips' folder says nothing of them.
    train, held_out = (list(range(len(names))), []) if tables else divide(names)
    known = _Known(None, None, texts) if tables else _known(names, [*train, *held_out])
    classes = tuple(sorted(set(known.labels or ())))
    labels = None if known.labels is None else [classes.index(label) for label in known.labels]
    whole = Sounds(
        clips,
        tuple(names),
        rate,
        None if labels is None else np.array(labels, np.int32),
        classes,
        None if known.texts is None else tuple(known.texts),
        None if known.speakers is None else tuple(known.speakers),
        {**about, "count": len(names), "classes": list(classes)},
    )

    def part(rows: list[int], name: str) -> Sounds:
        more: dict[str, Any] = {"part": name} if held_out else {}
        skipped = [names[i] for i in rows if i in set(broken)]
        kept = np.array([i for i in rows if i not in set(broken)], np.int64)
        return whole.take(kept, skipped=skipped, **more)

    return part(train, "train"), part(held_out, "held out") if held_out else None


class _Known(NamedTuple):
    """What is known of each clip, in their order."""

    labels: list[str] | None
    speakers: list[str] | None
    texts: list[str] | None


def _known(names: list[str], used: list[int]) -> _Known:
    """What folders and names say of clips, of which those are used that these numbers choose."""
    by_folder = class_names([names[i] for i in used])
    if by_folder is not None:
        found = dict(zip(used, by_folder, strict=True))
        # Those of no part are in no class either; any will do.
        return _Known([found.get(i, by_folder[0]) for i in range(len(names))], None, None)
    matches = [_SPOKEN.fullmatch(PurePosixPath(name).stem) for name in names]
    spoken = [match for match in matches if match]
    labels = [match[1] for match in spoken]
    if len(spoken) < len(names) or len(set(labels)) < 2:
        return _Known(None, None, None)
    digits = all(label in _DIGITS for label in labels)
    texts = [_WORDS[int(label)] for label in labels] if digits else None
    return _Known(labels, [match[2] for match in spoken], texts)


def _rows(
    table: bytes, place: PurePosixPath, names: list[str], where: str
) -> tuple[list[str], list[str]]:
    """The files that a table names, and what is said in each: normalised, if it has that."""
    try:
        lines = table.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"{place} in {where} is not UTF-8: {error.reason}") from None
    stems = {str(PurePosixPath(name).with_suffix("")): name for name in names}
    found, texts = [], []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        key, *said = (field.strip() for field in line.split("|"))
        text = next((field for field in reversed(said[:2]) if field), "")
        if not key or not text:
            raise UserError(
                f"line {number} of {place} in {where} is not 'ID|text' or 'ID|text|normalised "
                f"text': {line[:60]!r}"
            )
        key = os.path.splitext(key)[0] if key.lower().endswith(tuple(SUFFIXES)) else key
        places = (place.parent / "wavs" / key, place.parent / key)
        file = next((stems[str(p)] for p in places if str(p) in stems), None)
        if file is None:
            raise UserError(
                f"line {number} of {place} in {where} names {key}, and there is neither "
                f"wavs/{key}.wav nor {key}.wav (nor .flac, nor .ogg)"
            )
        found.append(file)
        texts.append(text)
    if not found:
        raise UserError(f"{place} in {where} has no rows")
    return found, texts
