"""Pictures and labels in a NumPy archive: Keras's mnist.npz, MedMNIST's files and their like."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from jaxgan.data.examples import Examples
from jaxgan.errors import UserError

# What numpy.load raises for files that are cut off, damaged, or something else.
_UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    AttributeError,
    MemoryError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)
_TRAIN = (
    ("x", "y"),
    ("x_train", "y_train"),  # Keras
    ("images", "labels"),
    ("train_images", "train_labels"),  # MedMNIST
)
_HELD_OUT = (("x_test", "y_test"), ("test_images", "test_labels"))


def read_npz(path: Path) -> tuple[Examples, Examples | None]:
    """The pictures of a .npz, and those it keeps apart as x_test or test_images.

    Labels lie beside the pictures as y, y_train, labels or train_labels; they may be missing.

    Raises:
      UserError: no such file, no .npz, no array x, x_train, images or train_images of bytes in it,
        or labels that are not one whole number a picture.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            names = stored.files
            found = [
                next((pair for pair in pairs if pair[0] in names), None)
                for pairs in (_TRAIN, _HELD_OUT)
            ]
            wanted = {name for pair in found if pair for name in pair if name in names}
            arrays = {name: stored[name] for name in wanted}
    except _UNREADABLE as error:
        reason = " ".join(str(error).split()) or "it is cut off"
        raise UserError(f"--data: {path} cannot be read as .npz: {reason}") from None
    train, held_out = found
    if train is None:
        held = ", ".join(names) or "nothing"
        expected = " or ".join(pair[0] for pair in _TRAIN)
        raise UserError(f"{path} holds {held}: its pictures must be {expected}")
    return _examples(path, train, arrays), held_out and _examples(path, held_out, arrays)


def _examples(path: Path, pair: tuple[str, str], arrays: dict[str, np.ndarray]) -> Examples:
    pictures = arrays[pair[0]]
    if pictures.ndim == 3:
        pictures = pictures[..., None]
    shape = pictures.shape
    if pictures.dtype != np.uint8 or len(shape) != 4 or shape[3] not in (1, 3) or 0 in shape:
        raise UserError(
            f"{path}: {pair[0]} must be uint8 [n, height, width] or [n, height, width, 1 or 3], "
            f"not {pictures.dtype} {list(shape)}"
        )
    values = arrays.get(pair[1])
    if values is None:
        return Examples(pictures)
    whole = values.dtype.kind in "biuf" and bool((values == np.floor(values)).all())
    if not whole or values.size != len(pictures) or len(values) != len(pictures):
        raise UserError(
            f"{path}: {pair[1]} must be {len(pictures)} whole numbers, one for each picture, "
            f"not {values.dtype} {list(values.shape)}"
        )
    return Examples(pictures, values.reshape(-1).astype(np.int64))
