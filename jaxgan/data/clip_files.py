"""The clips that files hold: films, animated GIFs, strips of frames, folders of frames."""

import collections
import functools
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image, ImageSequence

from jaxgan.data import video
from jaxgan.data.images import read_image
from jaxgan.data.listing import list_folder, list_zip
from jaxgan.data.squares import square, squared
from jaxgan.errors import UserError

# Squares in a row that make a strip; two may be a wide picture.
_LEAST_OF_STRIP = 3


def read_film(path: Path, side: int) -> np.ndarray:
    """A film, an animated GIF or a strip of frames: uint8 [frames, side, side, 3].

    Raises:
      UserError: no such file, or it cannot be read.
    """
    if not path.is_file():
        raise UserError(f"{path}: there is no such film")
    if path.suffix.lower() in video.SUFFIXES - {".gif"}:
        return np.stack([square(np.ascontiguousarray(f), side) for f in video.frames(path)])
    try:
        return _of_picture(path.read_bytes(), side)
    except (UserError, OSError) as error:
        raise UserError(f"{path} {error}") from None


def _of_picture(content: bytes, side: int) -> np.ndarray:
    """The frames of an animation or a strip; one frame of any other picture."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            if getattr(image, "n_frames", 1) > 1:
                moving = [np.array(f.convert("RGB")) for f in ImageSequence.Iterator(image)]
                return squared(np.stack(moving), side, 3)
    except (OSError, ValueError, SyntaxError, EOFError):
        pass  # read_image says what is wrong
    picture = read_image(content)
    height, width = picture.shape[:2]
    if not _is_strip(height, width):
        return square(picture, side)[None]
    if height > width:
        return squared(picture.reshape(height // width, width, width, 3), side, 3)
    frames = picture.reshape(height, width // height, height, 3).swapaxes(0, 1)
    return squared(np.ascontiguousarray(frames), side, 3)


def _is_strip(height: int, width: int) -> bool:
    """Whether a picture of this size is square frames side by side."""
    longer, shorter = max(height, width), min(height, width)
    return longer % shorter == 0 and longer // shorter >= _LEAST_OF_STRIP


def list_clips(kind: str, where: str) -> tuple[list[str], list[Callable[[int], np.ndarray]]]:
    """The clips of a folder or a zip by name, and what reads each."""
    found: dict[str, Callable[[int], np.ndarray]] = {}
    try:
        names, read = list_folder(where) if kind == "folder" else list_zip(where)
    except UserError:
        # A folder of films alone holds no pictures.
        if kind != "folder" or not any(films_in(where)):
            raise
        names, read = [], bytes
    alone: dict[str, list[int]] = collections.defaultdict(list)
    for index, name in enumerate(names):
        if _moves(read(index)):
            found[name] = functools.partial(_read_one, name, functools.partial(read, index))
        else:
            alone[str(PurePosixPath(name).parent)].append(index)
    for folder, members in alone.items():

        def frames(side: int, folder: str = folder, members: list[int] = members) -> np.ndarray:
            return np.stack([square(_named(names[i], read_image, read(i)), side) for i in members])

        # A folder of frames is a clip in the folder above it.
        inside = folder if folder != "." else "the frames"
        found[inside if len(members) > 1 else names[members[0]]] = frames
    if kind == "folder":
        for path in films_in(where):
            name = path.relative_to(where).as_posix()
            found[name] = functools.partial(read_film, path)
    ordered = sorted(found)
    return ordered, [found[name] for name in ordered]


def _read_one(name: str, read: Callable[[], bytes], side: int) -> np.ndarray:
    return _named(name, _of_picture, read(), side)


def films_in(where: str) -> Iterator[Path]:
    for folder, _, files in os.walk(where):
        for file in files:
            if Path(file).suffix.lower() in video.SUFFIXES - {".gif"}:
                yield Path(folder, file)


def _moves(content: bytes) -> bool:
    """Whether a picture's file holds several frames, by its header."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            width, height = image.size
            return getattr(image, "n_frames", 1) > 1 or _is_strip(height, width)
    except (OSError, ValueError, SyntaxError, EOFError):
        return False  # as a frame it is read, and refused by name


def _named(name: str, read: Callable[..., np.ndarray], *given: Any) -> np.ndarray:
    try:
        return read(*given)
    except UserError as error:
        raise UserError(f"{name} {error}") from None
