"""MNIST's own files: idx, gzipped or not (yann.lecun.com/exdb/mnist, the NIST's EMNIST)."""

import gzip
import os
import re
import zlib
from pathlib import Path

import numpy as np

from jaxgan.data.examples import Examples
from jaxgan.errors import UserError

# Two zero bytes, 8 for unsigned bytes, and the number of dimensions.
_PICTURES, _LABELS = 0x0803, 0x0801
_GZIP = b"\x1f\x8b"
_FILE = re.compile(r"(?P<part>.*)images[-.]idx3[-.]ubyte(\.gz)?", re.IGNORECASE)


def is_idx(path: str | os.PathLike[str]) -> bool:
    """Whether a path is such a file of pictures by its name, or a folder with one."""
    path = Path(path)
    return bool(_FILE.fullmatch(path.name) and path.is_file()) or bool(_files(path))


def read_idx(path: Path) -> tuple[Examples, Examples | None]:
    """The pictures of train-images-idx3-ubyte and, if there, those of t10k-images-idx3-ubyte.

    Labels are read from the files beside them that say labels and idx1. Files whose names begin
    with emnist are turned: they are stored with rows and columns exchanged.

    Args:
      path: a file of pictures, or the folder that holds it.

    Raises:
      UserError: nothing is there, a wrong magic number, another size than a file's header says, or
        not as many labels as pictures.
    """
    if path.is_dir():
        path = _training_file(path)
    beside = [path.with_name(path.name.replace("train", other)) for other in ("t10k", "test")]
    held_out = next((found for file in beside if file != path and (found := _either(file))), None)
    return _read(path), _read(held_out) if held_out else None


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.glob("*ubyte*") if _FILE.fullmatch(file.name))


def _training_file(folder: Path) -> Path:
    files = _files(folder)
    if not files:
        raise UserError(f"--data: no train-images-idx3-ubyte or its like in {folder}")
    chosen = [file for file in files if "train" in file.name] or files
    # One set may be there twice, packed and unpacked.
    stems = {file.name.removesuffix(".gz"): file for file in reversed(chosen)}
    if len(stems) > 1:
        raise UserError(
            f"--data: {folder} holds several sets: {', '.join(sorted(stems))}; "
            f"give one of them, as idx:{chosen[0]}"
        )
    return chosen[0]


def _either(file: Path) -> Path | None:
    plain = file.with_name(file.name.removesuffix(".gz"))
    packed = plain.with_name(f"{plain.name}.gz")
    return next((found for found in (plain, packed) if found.is_file()), None)


def _read(path: Path) -> Examples:
    pictures = _array(path, _PICTURES)
    if path.name.lower().startswith("emnist"):
        pictures = np.ascontiguousarray(pictures.transpose(0, 2, 1))
    labels = None
    if _FILE.fullmatch(path.name):
        labels = _either(
            path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
        )
    if labels is None:
        return Examples(pictures[..., None])
    values = _array(labels, _LABELS)
    if len(values) != len(pictures):
        raise UserError(
            f"{labels} holds {len(values)} labels, but {path} {len(pictures)} pictures; "
            "they must come from the same set"
        )
    return Examples(pictures[..., None], values.astype(np.int64))


def _array(path: Path, magic: int) -> np.ndarray:
    try:
        data = path.read_bytes()
        if data.startswith(_GZIP):
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"--data: {path} cannot be read: {reason}; fetch it again") from None
    found = int.from_bytes(data[:4], "big")
    what = "pictures" if magic == _PICTURES else "labels"
    if found != magic or len(data) < 4:
        raise UserError(
            f"--data: {path} is no idx file of {what}: its magic number is 0x{found:08x}, "
            f"not 0x{magic:08x}"
        )
    dimensions = magic & 0xFF
    start = 4 + 4 * dimensions
    if len(data) < start:
        raise UserError(f"--data: {path} is cut off in its header; fetch it again")
    shape = [int.from_bytes(data[i : i + 4], "big") for i in range(4, start, 4)]
    size = int(np.prod(shape, dtype=object))
    if len(data) - start != size or not size:
        raise UserError(
            f"--data: {path} holds {len(data) - start} bytes of {what}, but its header says "
            f"{' x '.join(map(str, shape))}; fetch it again"
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
