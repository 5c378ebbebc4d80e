"""A CSV of pixels, a row for each picture: its label, then its values from 0 to 255.

The A-Z handwritten letters (372,000 rows, 700 MB) and MNIST are handed around so. NumPy's own
reader takes minutes for the first; here the bytes are read as numbers a block at a time.
"""

import gzip
import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from jaxgan.data.examples import Examples
from jaxgan.errors import UserError

_BLOCK = 1 << 22
_COMMA, _NEWLINE, _ZERO = ord(","), ord("\n"), ord("0")
# No value of a byte has more digits.
_DIGITS = 3


def read_csv(path: Path) -> Examples:
    """The pictures and labels of a CSV, packed by gzip or not.

    The first row is a header if most of its values are no numbers (MNIST's file has one, the A-Z
    letters' has none). Rows are numbered as an editor does, from 1 and with the header.

    Raises:
      UserError: no such file, a row with more or fewer values than the first, a number of values
        that is not 1 and a square, or a value that is no whole number from 0 to 255; the row is
        named.
    """
    blocks: list[np.ndarray] = []
    columns, row = 0, 1
    try:
        with _open(path) as stream:
            for lines in _whole_lines(stream):
                if not columns:
                    columns = _columns(path, lines)
                    first = lines.partition(b"\n")[0].split(b",")
                    if sum(not word.strip().isdigit() for word in first) > len(first) / 2:
                        lines, row = lines.partition(b"\n")[2], 2
                if lines:
                    blocks.append(_parse(path, lines, columns, row))
                    row += len(blocks[-1])
    except (OSError, EOFError, zlib.error) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"--data: {path} cannot be read: {reason}") from None
    if not blocks:
        raise UserError(f"--data: {path} holds no rows of pixels")
    table = np.concatenate(blocks) if len(blocks) > 1 else blocks[0]
    side = math.isqrt(columns - 1)
    return Examples(table[:, 1:].reshape(-1, side, side, 1), table[:, 0].astype(np.int64))


def _open(path: Path) -> BinaryIO:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _whole_lines(stream: BinaryIO) -> Iterator[bytes]:
    """Blocks of whole lines without carriage returns; blank lines at the end are left out."""
    rest = b""
    while block := stream.read(_BLOCK):
        text = rest + block.replace(b"\r", b"")
        # The last line that has something in it waits: the file may end after it.
        end = text.rstrip(b"\n").rfind(b"\n") + 1
        if end:
            yield text[:end]
        rest = text[end:]
    if rest.strip():
        yield rest.rstrip(b"\n") + b"\n"


def _columns(path: Path, lines: bytes) -> int:
    columns = lines.partition(b"\n")[0].count(b",") + 1
    if columns < 2 or math.isqrt(columns - 1) ** 2 != columns - 1:
        raise UserError(
            f"--data: {path} has {columns} values a row; 1 label and the pixels of a square are "
            "needed, such as 785 for 28x28"
        )
    return columns


def _parse(path: Path, lines: bytes, columns: int, row: int) -> np.ndarray:
    """The numbers of some lines, uint8 [rows, columns]; the first line is the file's `row`-th."""
    text = np.frombuffer(lines, np.uint8)
    separates = (text == _COMMA) | (text == _NEWLINE)
    ends = np.flatnonzero(separates)
    newlines = np.flatnonzero(text[ends] == _NEWLINE)
    counts = np.diff(newlines, prepend=-1)
    if (wrong := np.flatnonzero(counts != columns)).size:
        raise UserError(
            f"--data: row {row + wrong[0]} of {path} has {counts[wrong[0]]} values, not {columns}; "
            "mend or remove it"
        )
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts
    # Bytes below the zero wrap round and are above 9 too.
    digits = text - np.uint8(_ZERO)
    values = np.zeros(len(ends), np.uint16)
    for place in range(_DIGITS):
        has = lengths > place
        values += np.where(has, digits[ends - 1 - place], 0).astype(np.uint16) * 10**place
    bad = np.zeros(len(ends), bool)
    strange = np.flatnonzero((digits > 9) & ~separates)
    bad[np.searchsorted(ends, strange)] = True
    bad |= (lengths < 1) | (lengths > _DIGITS) | (values > 255)
    if bad.any():
        first = int(np.argmax(bad))
        word = lines[starts[first] : ends[first]].decode("latin-1")
        raise UserError(
            f"--data: row {row + first // columns} of {path} has {word!r} as its "
            f"value {first % columns + 1}: a whole number from 0 to 255 is needed"
        )
    return values.astype(np.uint8).reshape(-1, columns)
