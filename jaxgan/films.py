"""Films to look at: animated GIFs by Pillow alone, other kinds by way of PyAV, strips of stills."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

import jaxgan
from jaxgan.data import video_writing
from jaxgan.errors import UserError
from jaxgan.media import PAPER, Grid
from jaxgan.provenance import SOURCE_TYPE, WORD

# Suffixes that `write_film` knows.
SUFFIXES = frozenset({".gif"}) | video_writing.SUFFIXES
_COMMENT = f"{WORD}: made by jaxgan {jaxgan.__version__}; {SOURCE_TYPE}"


@dataclass(frozen=True)
class Film:
    """A film that runs in a loop.

    Attributes:
      frames: uint8 [frames, height, width, 3].
      rate: frames a second.
    """

    frames: np.ndarray
    rate: float = 8.0

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes `path` + '.gif' and returns that path."""
        return write_film(f"{os.fspath(path)}.gif", self.frames, self.rate)


@dataclass(frozen=True)
class FilmGrid:
    """Several films side by side, which run at the same time.

    Attributes:
      films: uint8 [n, frames, height, width, 3].
      columns: films in a row.
      rate: frames a second.
      magnify: every pixel is so many pixels a side.
    """

    films: np.ndarray
    columns: int = 4
    rate: float = 8.0
    magnify: int = 1

    def draw(self) -> np.ndarray:
        """The films in one, uint8 [frames, height, width, 3]."""
        films = np.asarray(self.films)
        if films.ndim != 5 or films.dtype != np.uint8 or films.shape[-1] != 3:
            raise ValueError(f"films are uint8 [n, t, h, w, 3], not {films.dtype} {films.shape}")
        count, frames, height, width, _ = films.shape
        columns = min(self.columns, count)
        rows, gap = -(-count // columns), 2
        paper = np.array(PAPER, np.uint8)
        size = (frames, rows * (height + gap) - gap, columns * (width + gap) - gap, 3)
        whole = np.broadcast_to(paper, size).copy()
        for number, film in enumerate(films):
            top, left = (number // columns) * (height + gap), (number % columns) * (width + gap)
            whole[:, top : top + height, left : left + width] = film
        return whole.repeat(self.magnify, 1).repeat(self.magnify, 2)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes `path` + '.gif' and returns that path."""
        return Film(self.draw(), self.rate).save(path)


def strip(films: np.ndarray, stills: int = 8) -> Grid:
    """Stills of films, evenly spaced, a row for each: uint8 [n, frames, height, width, 3]."""
    chosen = np.linspace(0, films.shape[1] - 1, min(stills, films.shape[1])).round().astype(int)
    return Grid([[film[i] for i in chosen] for film in films])


def write_film(path: str | os.PathLike[str], frames: np.ndarray, rate: float = 8.0) -> Path:
    """Writes a synthetic film, which says so in its comment; it is there when it is complete.

    Args:
      path: .gif, which loops, or one of `video_writing.SUFFIXES`, for which PyAV must be there.
      frames: uint8 [frames, height, width, 3], at least one.
      rate: frames a second; GIFs count hundredths of a second.

    Raises:
      UserError: another suffix, no PyAV, or the place cannot be written to.
    """
    path, frames = Path(path), np.asarray(frames)
    if frames.ndim != 4 or frames.dtype != np.uint8 or frames.shape[-1] != 3 or not len(frames):
        raise ValueError(f"a film is uint8 [t, h, w, 3], not {frames.dtype} {frames.shape}")
    check_suffix(path)
    if path.suffix.lower() != ".gif":
        return video_writing.write(path, frames, rate, comment=_COMMENT)
    partial = path.with_name(f".{path.name}.partial")
    pictures = _with_one_palette(frames)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pictures[0].save(
            partial,
            "GIF",
            save_all=True,
            append_images=pictures[1:],
            duration=max(round(100 / rate), 2) * 10,
            loop=0,
            comment=_COMMENT.encode(),
            optimize=False,
        )
        partial.replace(path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None
    return path


def check_suffix(path: Path) -> None:
    """Raises UserError for a file that is no film by its name."""
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"--output={path}: a film is written as {', '.join(sorted(SUFFIXES))}")


def _with_one_palette(frames: np.ndarray) -> list[Image.Image]:
    """The frames in 256 colours that all share: with palettes of their own they would flicker."""
    count, height, width, _ = frames.shape
    sheet = Image.fromarray(np.ascontiguousarray(frames).reshape(count * height, width, 3))
    palette = sheet.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    numbers = np.asarray(palette).reshape(count, height, width)
    colours = palette.getpalette()
    pictures: Sequence[Image.Image] = [Image.fromarray(one) for one in numbers]
    for picture in pictures:
        picture.putpalette(colours or [0, 0, 0])
    return list(pictures)
