"""Lines of text as an exhibit."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jaxgan.errors import UserError


@dataclass(frozen=True)
class Texts:
    """Lines to read, one below the other.

    lines: each without a line break; one that holds some is written with spaces in their place.
    """

    lines: Sequence[str]

    def save(self, path: str | os.PathLike) -> Path:
        """Writes `path` + '.txt' in UTF-8, whole or not at all, and returns that path.

        Raises UserError when the folder cannot be written.
        """
        target = Path(f"{os.fspath(path)}.txt")
        partial = target.with_name(f".{target.name}.partial")
        text = "".join(" ".join(line.split()) + "\n" for line in self.lines)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(text, encoding="utf-8")
            partial.replace(target)
        except OSError as error:
            raise UserError(f"cannot write {target}: {error.strerror or error}") from error
        return target
