"""What a source of pictures is, and ways to hold one: read on demand, arrays, a part of another."""

import os
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from jaxgan.data import images
from jaxgan.errors import UserError

_Decoded = TypeVar("_Decoded")


class Source(Protocol):
    """A sequence of pictures.

    Attributes:
      description: what JSON can hold about it: `kind`, `where`, `count`, and `skipped`, the names
        of the pictures that could not be read.
    """

    description: dict[str, Any]

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> np.ndarray:
        """uint8 [height, width, 3], RGB, which callers must not write into. Safe on any thread."""

    def name(self, index: int) -> str:
        """A name that a person can find the picture by."""

    def size(self, index: int) -> tuple[int, int]:
        """(height, width), without decoding where that is possible."""


class Kept:
    """What was made is kept until a budget of bytes is spent; the rest is made at each call."""

    def __init__(self, limit: int):
        self._limit = limit
        self._kept: dict[int, np.ndarray] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, index: int, make: Callable[[], np.ndarray]) -> np.ndarray:
        """The array of `index`, from memory or from `make()`."""
        found = self._kept.get(index)
        if found is not None:
            return found
        made = make()
        with self._lock:
            if index not in self._kept and self._bytes + made.nbytes <= self._limit:
                self._kept[index] = made
                self._bytes += made.nbytes
        return made


class ReadSource:
    """Pictures that are decoded when asked for, and kept in memory while the budget lasts.

    Args:
      names: one per picture.
      read_bytes: the contents of picture `i`'s file; raises OSError or UserError.
      description: `kind` and `where`; `count` and `skipped` are filled in.
      memory_limit: bytes of decoded pictures to keep; a quarter of the machine's memory when None.
    """

    def __init__(
        self,
        names: Sequence[str],
        read_bytes: Callable[[int], bytes],
        description: dict[str, Any],
        *,
        memory_limit: int | None = None,
    ):
        self._names = list(names)
        self._read_bytes = read_bytes
        self._kept = Kept(default_memory_limit() if memory_limit is None else memory_limit)
        self._sizes: dict[int, tuple[int, int]] = {}
        self.description = {**description, "count": len(self._names), "skipped": []}

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: int) -> np.ndarray:
        index = range(len(self))[index]
        picture = self._kept.get(index, lambda: self._decode(images.read_image, index))
        self._sizes[index] = (picture.shape[0], picture.shape[1])
        return picture

    def name(self, index: int) -> str:
        return self._names[index]

    def size(self, index: int) -> tuple[int, int]:
        index = range(len(self))[index]
        if index not in self._sizes:
            self._sizes[index] = self._decode(images.image_size, index)
        return self._sizes[index]

    def _decode(self, decoder: Callable[[bytes], _Decoded], index: int) -> _Decoded:
        try:
            return decoder(self._read_bytes(index))
        except UserError as error:
            raise UserError(f"{self._names[index]} {error}") from error
        except OSError as error:
            raise UserError(f"{self._names[index]} cannot be read: {error.strerror}") from error


class ArraySource:
    """Pictures that are already in memory.

    Args:
      pictures: uint8 [height, width, 3] each, or one array [count, height, width, 3].
      names: one per picture; numbers when None.
      description: `kind` and `where`; `count` and `skipped` are filled in.
    """

    def __init__(
        self,
        pictures: Sequence[np.ndarray] | np.ndarray,
        names: Sequence[str] | None = None,
        description: dict[str, Any] | None = None,
    ):
        for picture in pictures:
            if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
                raise UserError(
                    "pictures must be uint8 [height, width, 3], "
                    f"not {picture.dtype} {list(picture.shape)}"
                )
        self._pictures = pictures
        self._names = [str(i) for i in range(len(pictures))] if names is None else list(names)
        about = {"kind": "arrays", "where": "memory"} if description is None else description
        self.description = {**about, "count": len(pictures), "skipped": []}

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> np.ndarray:
        return self._pictures[index]

    def name(self, index: int) -> str:
        return self._names[index]

    def size(self, index: int) -> tuple[int, int]:
        height, width = self._pictures[index].shape[:2]
        return height, width


class Subset:
    """Some of another source's pictures, sharing its memory.

    Args:
      source: whose pictures.
      indices: which of them, in order.
      about: what the description says more or otherwise than the other source's.
    """

    def __init__(self, source: Source, indices: Sequence[int], about: dict[str, Any]):
        self._source = source
        self._indices = list(indices)
        self.description = {**source.description, "count": len(self._indices), **about}

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> np.ndarray:
        return self._source[self._indices[index]]

    def name(self, index: int) -> str:
        return self._source.name(self._indices[index])

    def size(self, index: int) -> tuple[int, int]:
        return self._source.size(self._indices[index])


def default_memory_limit() -> int:
    """A quarter of the machine's memory, in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4
