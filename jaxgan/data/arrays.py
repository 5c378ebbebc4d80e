"""Small pictures that fit in memory: one array, and a batch is one indexing of it."""

import concurrent.futures
import os
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.data import sample
from jaxgan.data.sources import open_source
from jaxgan.data.squares import grey, square
from jaxgan.errors import UserError

# Keras's mnist.npz says x_train, others say x.
_NAMES = ("x", "x_train", "images")
# What numpy.load raises for files that are cut off, damaged, or something else.
_UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    AttributeError,
    zipfile.BadZipFile,
    zlib.error,
)


def gather(pictures: np.ndarray) -> Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]]:
    """The rows of an array, as the `load` of `pipeline.make_batches`.

    Args:
      pictures: uint8 [n, ...].

    Returns:
      load(indices [b], seeds [b]) -> {'real': a new array uint8 [b, ...]}.
    """

    def load(indices: np.ndarray, seeds: np.ndarray) -> dict[str, np.ndarray]:
        return {"real": pictures[indices]}

    return load


def open_grey_squares(
    data: str,
    side: int,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    skip_broken: bool = False,
) -> tuple[np.ndarray, dict[str, Any]]:
    """All the pictures that `--data` names, as grey squares.

    Args:
      data: 'sample', which is scikit-learn's digits here; 'npz:PATH' or the path of a .npz; or
        anything that `sources.open_source` takes.
      side: of the squares, in pixels.
      data_dir: where TFDS sets are prepared; TFDS's own default when None.
      skip_broken: as in `sources.open_source`.

    Returns:
      uint8 [n, side, side, 1], and what JSON can hold about it.

    Raises:
      UserError: nothing is there, or it holds no pictures.
    """
    if data == "sample":
        pictures = sample.digits(side)
        about = {"kind": "sample", "where": "the digits of scikit-learn", "count": len(pictures)}
        return pictures, about
    if data.startswith("npz:") or data.endswith(".npz"):
        path = Path(data.removeprefix("npz:")).expanduser()
        stored = read_npz(path)
        fits = stored.shape[1:] == (side, side, 1)
        pictures = stored if fits else _stacked(len(stored), side, lambda i: stored[i])
        return pictures, {"kind": "npz", "where": str(path), "count": len(pictures)}
    source = open_source(data, data_dir=data_dir, skip_broken=skip_broken)
    pictures = _stacked(len(source), side, lambda i: source[i])
    return pictures, dict(source.description)


def read_npz(path: Path) -> np.ndarray:
    """The pictures of a .npz, uint8 [n, height, width, 1 or 3].

    Raises:
      UserError: no such file, no .npz, or no array x, x_train or images of bytes in it.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            name = next((name for name in _NAMES if name in stored.files), None)
            if name is None:
                held = ", ".join(stored.files) or "nothing"
                raise UserError(f"{path} holds {held}: its pictures must be {' or '.join(_NAMES)}")
            found = stored[name]
    except _UNREADABLE as error:
        reason = " ".join(str(error).split()) or "it is cut off"
        raise UserError(f"--data: {path} cannot be read as .npz: {reason}") from None
    if found.ndim == 3:
        found = found[..., None]
    if found.dtype != np.uint8 or found.ndim != 4 or found.shape[3] not in (1, 3) or not len(found):
        raise UserError(
            f"{path}: {name} must be uint8 [n, height, width] or [n, height, width, 1 or 3], "
            f"not {found.dtype} {list(found.shape)}"
        )
    return found


def _stacked(count: int, side: int, picture: Callable[[int], np.ndarray]) -> np.ndarray:
    pictures = np.empty((count, side, side, 1), np.uint8)

    def fill(index: int) -> None:
        pictures[index] = square(grey(picture(index)), side)

    # Pillow decodes outside Python's lock, so threads use every core.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for _ in pool.map(fill, range(count)):
            pass
    return pictures
