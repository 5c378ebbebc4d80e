"""Solid shapes as volumes of voxels: NumPy archives, .binvox files, the drawn sample."""

import math
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.data import drawn_chairs
from jaxgan.errors import UserError

_UNREADABLE = (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error)
# Where shapes have no held-out part of their own, one of so many is held out.
_HELD_OUT_SHARE = 10
# The names that an array of volumes may have in an archive, best first.
_NAMES = ("voxels", "x", "x_train", "volumes", "data")


@dataclass(frozen=True, eq=False)
class Shapes:
    """Volumes of one size.

    Attributes:
      volumes: bool [n, side, side, side], True inside.
      description: what JSON can hold about them: kind, where, count, part.
    """

    volumes: np.ndarray
    description: dict[str, Any]

    def __len__(self) -> int:
        return len(self.volumes)

    def take(self, rows: np.ndarray, part: str) -> "Shapes":
        """Some of them, and what part they are."""
        about = {**self.description, "count": len(rows), "part": part}
        return Shapes(self.volumes[rows], about)


def open_shapes(data: str, side: int) -> tuple[Shapes, Shapes]:
    """The shapes that `--data` names, to train on and a tenth to judge by.

    Args:
      data: 'sample'; npz:PATH or a path that ends in .npz: bool or uint8 [n, s, s, s] (anything but
        0 is inside), or the array `packed`, bits of cubes as `np.packbits(volumes.reshape(n, -1),
        axis=1)` leaves them; folder:PATH, with .binvox files in it or below.
      side: wanted, in voxels; volumes of a multiple or a divisor of it are brought to it (a voxel
        is filled where any part of it was).

    Raises:
      UserError: nothing is there, it cannot be read, holds no cubes, only empty ones or one alone,
        or cubes of a side that does not fit.
    """
    if data == "sample":
        volumes, _ = drawn_chairs.furniture(side)
        where = "chairs and tables that jaxgan builds of boxes"
        found = Shapes(volumes, {"kind": "sample", "where": where, "count": len(volumes)})
    else:
        kind, path = _parse(data)
        raw = _read_folder(path) if kind == "folder" else _read_npz(path)
        volumes = resized(raw, side, str(path))
        empty = ~volumes.any((1, 2, 3))
        if empty.all():
            raise UserError(f"--data: all {len(volumes)} shapes of {path} are empty")
        volumes = volumes[~empty]
        about = {"kind": kind, "where": str(path), "count": len(volumes)}
        found = Shapes(volumes, {**about, "empty": int(empty.sum())})
    if len(found) < 2:
        raise UserError(f"--data: {data} holds one shape: at least 2 are needed, one to judge by")
    apart = np.arange(len(found)) % _HELD_OUT_SHARE == min(_HELD_OUT_SHARE, len(found)) // 2
    return (
        found.take(np.flatnonzero(~apart), "all but the held-out shapes"),
        found.take(np.flatnonzero(apart), "every tenth shape"),
    )


def turning(
    shapes: Shapes, *, mirror: bool
) -> Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]]:
    """The rows of some shapes, as the `load` of `pipeline.make_batches`.

    Args:
      shapes: the shapes.
      mirror: turn half of them left to right (the second axis), as the row's seed says.

    Returns:
      load(indices [b], seeds uint64 [b]) -> {'real': uint8 [b, side, side, side, 1], 0 or 255}.
    """

    def load(indices: np.ndarray, seeds: np.ndarray) -> dict[str, np.ndarray]:
        real = shapes.volumes[indices][..., None] * np.uint8(255)
        if mirror:
            turned = np.flatnonzero(seeds & np.uint64(1))
            real[turned] = real[turned, :, ::-1]
        return {"real": real}

    return load


def resized(volumes: np.ndarray, side: int, where: str) -> np.ndarray:
    """bool [n, s, s, s] to [n, side, side, side]; UserError unless one side divides the other."""
    old = volumes.shape[1]
    if old == side:
        return volumes
    if old % side == 0:
        f = old // side
        blocks = volumes.reshape(len(volumes), side, f, side, f, side, f)
        return np.asarray(blocks.any((2, 4, 6)))
    if side % old == 0:
        for axis in (1, 2, 3):
            volumes = volumes.repeat(side // old, axis)
        return volumes
    raise UserError(
        f"--data: the shapes of {where} have sides of {old} voxels, which do not go into "
        f"--side={side}: one must divide the other"
    )


def read_binvox(path: Path) -> np.ndarray:
    """The volume of a .binvox file (Patrick Min's voxeliser), bool [x, y, z] with z upwards.

    The format: a header of lines (dim, translate, scale, data), then pairs of bytes, value and
    count; x runs slowest, then z, then y, which points up.

    Raises:
      UserError: no such file, another format, or one that is cut off.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    header, found, body = content.partition(b"\ndata\n")
    lines = header.split(b"\n")
    dim = next((line.split()[1:] for line in lines if line.startswith(b"dim ")), [])
    if not found or not lines[0].startswith(b"#binvox") or len(dim) != 3:
        raise UserError(f"{path} is no .binvox file: its header is not one")
    try:
        sides = tuple(int(number) for number in dim)
    except ValueError:
        raise UserError(f"{path} is no .binvox file: dim is not three numbers") from None
    pairs = np.frombuffer(body[: len(body) // 2 * 2], np.uint8).reshape(-1, 2)
    values = np.repeat(pairs[:, 0] > 0, pairs[:, 1])
    if values.size != math.prod(sides):
        raise UserError(
            f"{path} is cut off: it holds {values.size} of {math.prod(sides)} voxels; mend or "
            "remove it"
        )
    # The file's axes are x, z, y of a world in which y points up.
    return values.reshape(sides[0], sides[2], sides[1])


def _parse(data: str) -> tuple[str, Path]:
    prefix, colon, rest = data.partition(":")
    if colon and prefix in ("npz", "folder"):
        if not rest:
            raise UserError(f"--data={data} names nothing: write {prefix}:PATH")
        return prefix, Path(rest).expanduser()
    path = Path(data).expanduser()
    if path.is_dir():
        return "folder", path
    if path.suffix == ".npz":
        return "npz", path
    raise UserError(
        f"--data={data}: shapes are read from npz:PATH or folder:PATH (of .binvox files), or are "
        "the `sample`"
    )


def _read_npz(path: Path) -> np.ndarray:
    try:
        with np.load(path, allow_pickle=False) as stored:
            names = stored.files
            chosen = "packed" if "packed" in names else next((n for n in _NAMES if n in names), "")
            array = stored[chosen] if chosen else None
    except _UNREADABLE as error:
        reason = " ".join(str(error).split()) or "it is cut off"
        raise UserError(f"--data: {path} cannot be read as .npz: {reason}") from None
    if array is None:
        raise UserError(
            f"{path} holds {', '.join(names) or 'nothing'}: its shapes must be `packed` or one of "
            f"{', '.join(_NAMES)}"
        )
    if chosen == "packed":
        side = round((8 * array.shape[-1]) ** (1 / 3)) if array.ndim == 2 else 0
        if array.dtype != np.uint8 or not side or side**3 != 8 * array.shape[1]:
            raise UserError(
                f"{path}: packed must be uint8 [n, side^3 / 8], bits of cubes, not {array.dtype} "
                f"{list(array.shape)}"
            )
        return np.unpackbits(array, axis=1).reshape(-1, side, side, side).astype(bool)
    if array.ndim == 5 and array.shape[-1] == 1:
        array = array[..., 0]
    cubes = array.ndim == 4 and len(set(array.shape[1:])) == 1 and array.size > 0
    if array.dtype not in (np.dtype(bool), np.dtype(np.uint8)) or not cubes:
        raise UserError(
            f"{path}: {chosen} must be bool or uint8 [n, side, side, side], not {array.dtype} "
            f"{list(array.shape)}"
        )
    return array > 0


def _read_folder(path: Path) -> np.ndarray:
    if not path.is_dir():
        raise UserError(f"--data: there is no folder {path}")
    files = sorted(path.rglob("*.binvox"))
    if not files:
        raise UserError(f"--data: no .binvox files in {path} or the folders in it")
    volumes = [read_binvox(file) for file in files]
    for file, volume in zip(files, volumes, strict=True):
        if volume.shape != (len(volumes[0]),) * 3:
            raise UserError(
                f"{file} has {'x'.join(map(str, volume.shape))} voxels and {files[0].name} "
                f"{'x'.join(map(str, volumes[0].shape))}: all must be cubes of one side"
            )
    return np.stack(volumes)
