"""Lines, a live bar and tables on a terminal or in a file."""

import re
import shutil
import time
from collections.abc import Mapping, Sequence
from typing import TextIO

CLEAR = "\r\x1b[K"
REDRAW_SECONDS = 0.1


class Console:
    """Plain lines in a file; on a terminal also a bar that is redrawn in place below them."""

    def __init__(self, stream: TextIO):
        self._stream = stream
        self._live = stream.isatty()
        self._solid = "utf" in (getattr(stream, "encoding", None) or "").lower()
        self._bar = ""
        self._drawn = 0.0

    def say(self, text: str) -> None:
        """Prints a line, or several."""
        if self._bar:
            text = f"{CLEAR}{text}"
        self._stream.write(f"{text}\n{self._bar}")
        self._stream.flush()

    def progress(self, step: int, total: int, status: str) -> None:
        """Says how far the run is: a line in a file, and on a terminal the bar."""
        if self._live:
            self._drawn = 0.0
            self.bar(step, total, status)
        else:
            self.say(f"step {step:>{len(str(total))}}/{total}  {status}")

    def bar(self, step: int, total: int, status: str) -> None:
        """Redraws the bar if this is a terminal and the last drawing is old enough."""
        now = time.monotonic()
        if not self._live or (now - self._drawn < REDRAW_SECONDS and step != total):
            return
        self._drawn = now
        columns = shutil.get_terminal_size().columns
        length = 24 if columns >= 100 else 10
        done = length * min(step, total) // max(total, 1)
        full, empty = ("█", "░") if self._solid else ("#", "-")
        text = f"{full * done}{empty * (length - done)} {step}/{total}  {status}"
        self._bar = text[: columns - 1]
        self._stream.write(f"{CLEAR}{self._bar}")
        self._stream.flush()

    def close(self) -> None:
        """Leaves the bar as the last line."""
        if self._bar:
            self._bar = ""
            self._stream.write("\n")
            self._stream.flush()


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Aligned columns under a rule; a column of numbers is aligned at its right."""
    cells = [[str(cell) for cell in row] for row in rows]
    columns = list(zip(header, *cells, strict=True))
    widths = [max(map(len, column)) for column in columns]
    right = [all(re.match(r"[-+]?\d|$", cell) for cell in column[1:]) for column in columns]

    def line(row: Sequence[str]) -> str:
        padded = (
            c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)
        )
        return "  ".join(padded).rstrip()

    return "\n".join([line(header), "  ".join("-" * w for w in widths), *map(line, cells)])


def figures_table(figures: Mapping[str, float]) -> str:
    """A table of figures, the spread of each (NAME_spread) beside it."""
    rows = []
    for name, value in figures.items():
        if name.removesuffix("_spread") in figures and name.endswith("_spread"):
            continue
        spread = figures.get(f"{name}_spread")
        rows.append((name, f"{value:.4f}", "" if spread is None else f"± {spread:.4f}"))
    if any(spread for _, _, spread in rows):
        return table(("figure", "value", "spread"), rows)
    return table(("figure", "value"), [row[:2] for row in rows])


def human_bytes(count: float) -> str:
    """1536 -> '1.5 KiB'."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024:
            return f"{count:.4g} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def human_count(count: float) -> str:
    """1546000 -> '1.55 M'; below a thousand, the number itself."""
    for unit in ("", " k", " M", " G"):
        if abs(count) < 999.5:
            return f"{count:.3g}{unit}"
        count /= 1000
    return f"{count:.3g} T"


def duration(seconds: float) -> str:
    """3723 -> '1:02:03'."""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
