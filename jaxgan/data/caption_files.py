"""captions.txt and captions.csv: a line for each caption, `file,caption`, beside the pictures."""

import csv
import re
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from jaxgan.data.listing import archive_of
from jaxgan.errors import UserError

NAMES = ("captions.txt", "captions.csv")
_HEADERS = frozenset({"image", "file", "filename", "file_name", "image_name", "picture"})
# Flickr8k's own file numbers the captions of a picture: 667626_18933d713e.jpg#0
_NUMBER = re.compile(r"#\d+$")


def find_captions(kind: str, where: str) -> tuple[str, str] | None:
    """The file of captions of a folder or a zip: a name for messages, and its contents.

    Args:
      kind: 'folder' or 'zip'; anything else has none.
      where: the path; a folder inside the zip may follow. In a zip it may lie some folders down.

    Raises:
      UserError: it is not UTF-8.
    """
    if kind == "folder":
        for name in NAMES:
            path = Path(where) / name
            if path.is_file():
                return str(path), _decoded(path.read_bytes(), str(path))
    archive = archive_of(where) if kind == "zip" else None
    if archive is None or not zipfile.is_zipfile(archive):
        return None
    inside = PurePosixPath(Path(where).relative_to(archive).as_posix())
    with zipfile.ZipFile(archive) as opened:
        members = [PurePosixPath(entry) for entry in opened.namelist()]
        found = [m for m in members if m.name in NAMES and m.is_relative_to(inside)]
        if not found:
            return None
        first = min(found, key=lambda member: (len(member.parts), member.name))
        name = f"{archive}/{first}"
        return name, _decoded(opened.read(str(first)), name)


def read_captions(text: str, name: str, pictures: Sequence[str]) -> list[tuple[str, ...]]:
    """The captions of each picture, in the order of the file; () for a picture without.

    A line is `file,caption`, with quotes where they are needed, or both with a tab between; the
    first line may be a header. The file is named by its path or, if no two pictures share it, by
    its last part.

    Args:
      text: the file's contents.
      name: of the file, for messages.
      pictures: their names, as paths with slashes.

    Raises:
      UserError: a line without a caption, one that names no picture, or no captions at all.
    """
    rows = {picture: index for index, picture in enumerate(pictures)}
    last = [PurePosixPath(picture).name for picture in pictures]
    shared = Counter(last)
    rows |= {short: index for index, short in enumerate(last) if shared[short] == 1}
    found: list[list[str]] = [[] for _ in pictures]
    lines = text.splitlines()
    tab = bool(lines) and "\t" in lines[0]
    reader = csv.reader(lines, delimiter="\t" if tab else ",")
    for fields in reader:
        place = f"{name}, line {reader.line_num}"
        if not any(field.strip() for field in fields):
            continue
        file = _NUMBER.sub("", fields[0].strip())
        if reader.line_num == 1 and file.lower() in _HEADERS:
            continue
        caption = ("\t" if tab else ",").join(fields[1:]).strip()
        if not caption:
            raise UserError(f"{place}: {file} has no caption; a line is `file,caption`")
        row = rows.get(file.removeprefix("./"))
        if row is None:
            raise UserError(
                f"{place} names {file}, which is not among the {len(pictures)} pictures; add the "
                "picture or remove the line"
            )
        found[row].append(caption)
    if not any(found):
        raise UserError(f"{name} holds no captions; a line is `file,caption`")
    return [tuple(captions) for captions in found]


def _decoded(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{name} is not UTF-8 (byte {error.start}); save it as UTF-8") from None
