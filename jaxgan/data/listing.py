"""The picture or sound files of a folder or a zip, by name, and their contents."""

import os
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from jaxgan.data import images, video
from jaxgan.errors import UserError

# What macOS puts into every zip, and where archives keep their licences: nothing to train on.
_IGNORED_FOLDERS = frozenset({"__MACOSX", "META"})
# What is no picture, but may hold some once the archive around it is unpacked.
_PACKED = (".zip", ".csv", ".npz", ".gz", "ubyte")
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError)


def archive_of(path: str) -> Path | None:
    """The file that `path` is or lies in: photos.zip for photos.zip/train."""
    return next((p for p in (Path(path), *Path(path).parents) if p.is_file()), None)


def _is_wanted(parts: tuple[str, ...], suffixes: frozenset[str]) -> bool:
    if any(part.startswith(".") or part in _IGNORED_FOLDERS for part in parts):
        return False
    return os.path.splitext(parts[-1])[1].lower() in suffixes


def _is_film(path: Path) -> bool:
    return path.suffix.lower() in video.SUFFIXES


def list_folder(
    where: str, suffixes: frozenset[str] = images.SUFFIXES, what: str = "pictures"
) -> tuple[list[str], Callable[[int], bytes]]:
    """The names of the files in a folder and those below it, sorted, and a way to read them.

    Args:
      where: the folder.
      suffixes: of the files to find, in small letters and with the dot.
      what: they are, for messages.

    Raises:
      UserError: there is no such folder, or it holds no such files.
    """
    root = Path(where)
    if root.is_file():
        kind = "video" if _is_film(root) else "zip"
        raise UserError(
            f"--data: {where} is a file, not a folder; a {kind} is given as {kind}:{where}"
        )
    if not root.is_dir():
        raise UserError(f"--data: there is no folder {where}")
    found = (Path(folder, file) for folder, _, files in os.walk(root) for file in files)
    relative = [path.relative_to(root) for path in found]
    names = sorted(path.as_posix() for path in relative if _is_wanted(path.parts, suffixes))
    if not names:
        film = next(filter(_is_film, relative), None) if suffixes == images.SUFFIXES else None
        hint = f"a film is given as video:{root / film}; " if film else ""
        read = _named(suffixes)
        raise UserError(f"--data: no {what} in {where} or the folders in it; {hint}{read}")
    return names, lambda i: (root / names[i]).read_bytes()


def list_zip(
    where: str, suffixes: frozenset[str] = images.SUFFIXES, what: str = "pictures"
) -> tuple[list[str], Callable[[int], bytes]]:
    """The same for a zip, or a folder inside one: photos.zip/train.

    Raises:
      UserError: there is no such zip, it cannot be read, or it holds no such files.
    """
    archive = archive_of(where)
    if archive is None:
        raise UserError(f"--data: there is no file {where}")
    try:
        opened = zipfile.ZipFile(archive)
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(f"--data: {archive} is not a readable zip: {error}") from error
    inside = PurePosixPath(Path(where).relative_to(archive).as_posix())
    entries = {}
    for entry in opened.infolist():
        path = PurePosixPath(entry.filename)
        if not entry.is_dir() and path.is_relative_to(inside):
            relative = path.relative_to(inside)
            if relative.parts and _is_wanted(relative.parts, suffixes):
                entries[relative.as_posix()] = entry
    names = sorted(entries)
    if not names:
        packed = [name for name in opened.namelist() if name.lower().endswith(_PACKED)]
        hint = f"unpack it, for it holds {packed[0]}; " if packed else ""
        raise UserError(f"--data: no {what} in {where}; {hint}{_named(suffixes)}")
    if entries[names[0]].flag_bits & 1:
        raise UserError(f"--data: {archive} has a password; unpack it and give the folder")

    def read_bytes(index: int) -> bytes:
        try:
            return opened.read(entries[names[index]])
        except _ZIP_ERRORS as error:
            raise UserError(f"cannot be read: {error}") from error

    return names, read_bytes


def _named(suffixes: frozenset[str]) -> str:
    return "files read are " + " ".join(sorted(suffixes))
