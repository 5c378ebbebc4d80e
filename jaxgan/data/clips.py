"""Films as clips in memory, and windows of frames that are cut from them.

A clip is a film, an animated GIF, a strip of square frames in one picture, or a folder of frames.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.data import figures, sources
from jaxgan.data.class_folders import class_names, divide
from jaxgan.data.clip_files import list_clips, read_film
from jaxgan.data.selection import evenly_spaced
from jaxgan.data.squares import squared
from jaxgan.errors import UserError

# Of each class one clip in so many is held out.
_HELD_OUT_SHARE = 10
# Of a single film the end is.
_END_SHARE = 5
# Sides and mean difference of thumbnails by which a mirrored copy of a clip is known.
_THUMBNAIL, _ALIKE = 8, 6.0


@dataclass(frozen=True, eq=False)
class Clips:
    """Films of square frames of one size.

    Attributes:
      films: uint8 [frames, side, side, 3] each; as long as they are.
      labels: int32 [n] in [0, len(classes)), or None without class folders.
      classes: their names.
      description: what JSON can hold about them: kind, where, count, frames, classes.
    """

    films: list[np.ndarray]
    labels: np.ndarray | None
    classes: tuple[str, ...]
    description: dict[str, Any]

    def __len__(self) -> int:
        return len(self.films)

    def take(self, rows: Sequence[int], part: str) -> "Clips":
        """Some of them, and what part they are."""
        films = [self.films[row] for row in rows]
        labels = None if self.labels is None else self.labels[np.asarray(rows, int)]
        frames = sum(map(len, films))
        about = {**self.description, "count": len(films), "frames": frames, "part": part}
        return replace(self, films=films, labels=labels, description=about)


def open_clips(
    data: str, side: int, least: int, *, skip_broken: bool = False
) -> tuple[Clips, Clips]:
    """The clips that `--data` names, to train on and to judge by, none in both.

    Where there are folders train and val (or test) they are the two parts. Otherwise a tenth of
    each class is held out, together with mirrored copies of it; of a single film the end.

    Args:
      data: 'sample'; folder:PATH or zip:PATH with films, GIFs or strips in them, or folders of
        frames, in class folders or not; video:PATH or the path of a film.
      side: of the frames: the square in the middle of each, resampled.
      least: frames that a clip must have.
      skip_broken: leave out what cannot be read or is too short; `description['skipped']` has it.

    Raises:
      UserError: nothing is there, no clip in it, one that cannot be read or is too short, or too
        little to hold any out.
    """
    if data == "sample":
        films, kinds = figures.films(side)
        where = "figures of sticks that jaxgan draws"
        found = _described(films, kinds, figures.CLASSES, {"kind": "sample", "where": where})
        return _hold_out(found, least)
    kind, where = sources.parse(data, None)
    if kind == "tfds":
        raise UserError(f"--data={data}: films are read from folder:, zip: or video:, or `sample`")
    about = {"kind": kind, "where": where}
    if kind == "video":
        film = read_film(Path(where), side)
        _check_length(Path(where).name, len(film), least, where)
        return _hold_out(_described([film], None, (), about), least)
    names, readers = list_clips(kind, where)
    read_so_far: dict[str, np.ndarray] = {}
    skipped: list[tuple[str, UserError]] = []
    for name, read in zip(names, readers, strict=True):
        try:
            film = read(side)
            _check_length(name, len(film), least, where)
            read_so_far[name] = film
        except UserError as error:
            if not skip_broken:
                raise
            skipped.append((name, error))
    if not read_so_far:
        raise UserError(f"none of the {len(names)} clips in {where} can be used: {skipped[0][1]}")
    kept = list(read_so_far)
    classed = class_names(kept)
    classes = tuple(sorted(set(classed or ())))
    labels = np.array([classes.index(one) for one in classed]) if classed else None
    found = _described(list(read_so_far.values()), labels, classes, about)
    found.description["skipped"] = [name for name, _ in skipped]
    train, held_out = divide(kept)
    if held_out:
        return found.take(train, "train"), found.take(held_out, "held out")
    return _hold_out(found, least)


def windows(
    clips: Clips, frames: int, *, every: int = 1, mirror: bool = True
) -> Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]]:
    """Windows of some clips, as the `load` of `pipeline.make_batches`.

    Args:
      clips: long enough ones.
      frames: of a window.
      every: a window has every so-many-th frame.
      mirror: turn half of them left to right.

    Returns:
      load(indices [b], seeds uint64 [b]) -> {'real': uint8 [b, frames, side, side, 3]}; the row's
      seed says where its window begins and whether it is turned.
    """
    span = (frames - 1) * every + 1

    def load(indices: np.ndarray, seeds: np.ndarray) -> dict[str, np.ndarray]:
        real = []
        for index, seed in zip(indices, seeds, strict=True):
            film = clips.films[index]
            start = int(seed >> np.uint64(1)) % (len(film) - span + 1)
            window = film[start : start + span : every]
            real.append(window[:, :, ::-1] if mirror and int(seed) & 1 else window)
        return {"real": np.stack(real)}

    return load


def fixed_windows(clips: Clips, frames: int, *, every: int = 1, most: int) -> np.ndarray:
    """Windows to measure on, always the same ones: uint8 [n, frames, side, side, 3].

    They are spread evenly over all clips and over each; n is at most `most`.
    """
    span = (frames - 1) * every + 1
    places = [
        (film, start)
        for film in clips.films
        for start in evenly_spaced(len(film) - span + 1, max((len(film) - 1) // span, 1))
    ]
    chosen = evenly_spaced(len(places), min(most, len(places)))
    return np.stack([film[s : s + span : every] for film, s in (places[i] for i in chosen)])


def _check_length(name: str, length: int, least: int, where: str) -> None:
    if length < least:
        frames = "1 frame" if length == 1 else f"{length} frames"
        raise UserError(
            f"{where}: {name} is {frames} long, and {least} are needed: ask for fewer with "
            "--frames or --every, remove it, or pass --skip_broken"
        )


def _described(
    films: list[np.ndarray],
    labels: np.ndarray | None,
    classes: tuple[str, ...],
    about: dict[str, Any],
) -> Clips:
    numbers = None if labels is None else labels.astype(np.int32)
    frames = sum(map(len, films))
    description = {**about, "count": len(films), "frames": frames, "classes": list(classes)}
    return Clips(films, numbers, classes if labels is not None else (), description)


def _hold_out(clips: Clips, least: int) -> tuple[Clips, Clips]:
    """All but a tenth of each class, and that tenth; the end of each where there is but one."""
    labels = np.zeros(len(clips), np.int32) if clips.labels is None else clips.labels
    groups = _with_mirrored(clips.films)
    apart: list[int] = []
    for label in range(max(len(clips.classes), 1)):
        of_class = sorted({groups[row] for row in np.flatnonzero(labels == label)})
        if len(of_class) > 1:
            count = max(len(of_class) // _HELD_OUT_SHARE, 1)
            held = {of_class[i] for i in evenly_spaced(len(of_class), count)}
            apart += [row for row, group in enumerate(groups) if group in held]
    if apart:
        rest = [row for row in range(len(clips)) if row not in apart]
        return (
            clips.take(rest, "all but the held-out clips"),
            clips.take(sorted(apart), "a tenth of each class, mirrored copies with it"),
        )
    ends = [max(len(film) // _END_SHARE, least) for film in clips.films]
    if any(len(film) - end < least for film, end in zip(clips.films, ends, strict=True)):
        raise UserError(
            f"{clips.description['where']} is too short to hold any of it out: give two clips of a "
            f"class, or a film of {2 * least} frames"
        )
    both = list(zip(clips.films, ends, strict=True))
    rows = range(len(clips))
    train = replace(clips, films=[film[:-end] for film, end in both])
    held_out = replace(clips, films=[film[-end:] for film, end in both])
    return train.take(rows, "all but the end"), held_out.take(rows, "the end")


def _with_mirrored(films: Sequence[np.ndarray]) -> list[int]:
    """A number for each film, the same for one and its mirrored copy: the first one's."""
    small = [squared(film[[0, len(film) // 2]], _THUMBNAIL, 3).astype(np.float32) for film in films]
    groups: list[int] = []
    for row, film in enumerate(films):
        twin = next(
            (
                groups[other]
                for other in range(row)
                if len(films[other]) == len(film)
                and np.abs(small[other][:, :, ::-1] - small[row]).mean() < _ALIKE
            ),
            row,
        )
        groups.append(twin)
    return groups
