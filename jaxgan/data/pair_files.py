"""Files that hold pairs: found, decoded once to see that they are whole, read when asked for."""

import dataclasses
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from jaxgan.data import images, label_maps, prepared, sides, sources
from jaxgan.data.class_folders import HELD_OUT_NAMES
from jaxgan.data.images import Stored
from jaxgan.data.label_maps import LabelCode, Look
from jaxgan.data.listing import list_folder, list_zip
from jaxgan.data.pairs import Direction, Pair, Pairs
from jaxgan.data.selection import evenly_spaced
from jaxgan.errors import UserError

# Of the pairs, where data has no held-out part of its own.
_HELD_OUT_SHARE = 10
# In the names of TFDS's features that hold class numbers.
_LABEL_WORDS = ("label", "mask", "annotation")


@dataclasses.dataclass(frozen=True)
class PairFiles:
    """Pairs as they lie in files.

    Attributes:
      files: the names of both sides' files, the same one twice where it holds both.
      read: gives the two sides of pair number `i`; raises UserError that names the file.
      train: which pairs to train on.
      held_out: which ones the data itself holds out, [] where it does not.
      description: `kind` and `where`.
    """

    files: list[tuple[str, str]]
    read: Callable[[int], tuple[Stored, Stored]]
    train: list[int]
    held_out: list[int]
    description: dict[str, Any]

    def open(
        self, direction: Direction, skip_broken: bool, label_count: int | None
    ) -> tuple[Pairs, Pairs]:
        """(train, held out), read alike; args and raises as `paired.open_pairs`."""
        both = [*self.train, *self.held_out]
        pairs, kept = self._decoded(both, direction, skip_broken, label_count, None)
        if self.held_out:
            first = sum(number < len(self.train) for number in kept)
            return (
                pairs.take(range(first), part="train"),
                pairs.take(range(first, len(pairs)), part="held out"),
            )
        total = len(pairs)
        if total < 2:
            raise UserError(
                f"{self.description['where']} holds one pair: at least 2 are needed, one of them "
                "to be held out"
            )
        chosen = evenly_spaced(total, max(total // _HELD_OUT_SHARE, 1))
        rest = np.delete(np.arange(total), chosen).tolist()
        return (
            pairs.take(rest, part="all but the held-out pairs"),
            pairs.take(chosen, part="a tenth, evenly spaced"),
        )

    def open_train(self, direction: Direction, skip_broken: bool, label_count: int | None) -> Pairs:
        """What to train on where other data is judged by: all but what the data holds out."""
        return self._decoded(self.train, direction, skip_broken, label_count, None)[0]

    def open_held_out(
        self, direction: Direction, skip_broken: bool, code: LabelCode | None
    ) -> Pairs:
        """What to judge by: what the data holds out, or else all of it; inputs as `code` has it."""
        rows = self.held_out or self.train
        count = code.count if code else 0
        return self._decoded(rows, direction, skip_broken, count, code)[0]

    def _decoded(
        self,
        rows: list[int],
        direction: Direction,
        skip_broken: bool,
        label_count: int | None,
        code: LabelCode | None,
    ) -> tuple[Pairs, list[int]]:
        """The pairs, after decoding each once, and the places in `rows` of those that are whole."""
        given, wanted = (0, 1) if direction == "AtoB" else (1, 0)
        looks: list[Look | None] = [None] * len(rows)
        numbers: list[Look | None] = [None] * len(rows)
        sizes: dict[int, str] = {}

        def look(place: int) -> None:
            stored = self.read(rows[place])
            shapes = [side.picture.shape[:2] for side in stored]
            if shapes[0] != shapes[1]:
                (ha, wa), (hb, wb) = shapes
                sizes[place] = f"{wa}x{ha} and {wb}x{hb}"
            looks[place] = Look(stored[given], label_count)
            # Of a target only class numbers matter: a picture in few colours is one to be made.
            numbers[place] = Look(stored[wanted], 0)

        where = self.description["where"]
        listed = [self.files[row][0] for row in rows]
        broken = sources.find_broken(listed, where, look, skip_broken)
        kept = np.delete(np.arange(len(rows)), broken).tolist()
        names = [listed[place] for place in kept]
        if sizes:
            first = min(sizes)
            raise UserError(
                f"the two pictures of {len(sizes)} of {len(rows)} pairs in {where} differ in size: "
                f"{listed[first]} ({sizes[first]}){', ...' if len(sizes) > 1 else ''}; make them "
                "alike"
            )
        seen = [found for found in looks if found is not None]
        if code is None:
            code = label_maps.find_code(seen, label_count)
        if code is not None:
            for place, found in zip(kept, seen, strict=True):
                code.check(found, self.files[rows[place]][given])
        painted = label_maps.find_code([found for found in numbers if found], None)

        def read(index: int) -> Pair:
            row = rows[kept[index]]
            stored = self.read(row)
            source = stored[given].picture
            if code is not None:
                source = code.read(stored[given], self.files[row][given])
            numbers = stored[wanted].numbers
            if painted is None or numbers is None:
                return source, stored[wanted].picture
            return source, painted.paint(numbers)

        skipped = [listed[place] for place in broken]
        about = {**self.description, "direction": direction, "skipped": skipped}
        return Pairs(names, read, about, code), kept


def find(data: str, data_dir: str | os.PathLike[str] | None) -> PairFiles:
    """The pairs that `--data` names, not decoded yet.

    Raises:
      UserError: nothing is there, or pictures without a partner.
    """
    kind, where = sources.parse(data, data_dir)
    if kind == "tfds":
        return _prepared(where, data_dir)
    if kind == "video":
        raise UserError(f"--data: {where} is a film, which holds no pairs")
    names, read_bytes = list_folder(where) if kind == "folder" else list_zip(where)
    description = {"kind": kind, "where": where}
    found = sides.places(names, where)
    if found is None:
        parts = sides.parts([sides.place(name) for name in names])

        def halves(index: int) -> tuple[Stored, Stored]:
            return _halves(_decode(names[index], read_bytes, index), names[index])

        files = [(name, name) for name in names]
        return PairFiles(files, halves, *parts, {**description, "layout": "side by side"})
    matched = sides.match(names, found, where)

    def two_files(index: int) -> tuple[Stored, Stored]:
        a, b = matched[index]
        return _decode(names[a], read_bytes, a), _decode(names[b], read_bytes, b)

    parts = sides.parts([found[a] for a, _ in matched])
    files = [(names[a], names[b]) for a, b in matched]
    return PairFiles(files, two_files, *parts, {**description, "layout": "two folders"})


def _decode(name: str, read_bytes: Callable[[int], bytes], index: int) -> Stored:
    try:
        return images.read_stored(read_bytes(index))
    except UserError as error:
        raise UserError(f"{name} {error}") from error
    except OSError as error:
        raise UserError(f"{name} cannot be read: {error.strerror}") from error


def _halves(stored: Stored, name: str) -> tuple[Stored, Stored]:
    width = stored.picture.shape[1]
    if width % 2:
        raise UserError(f"{name} cannot be halved: it is {width} pixels wide, and holds A beside B")

    def part(columns: slice) -> Stored:
        numbers = stored.numbers
        return stored._replace(
            picture=stored.picture[:, columns],
            numbers=None if numbers is None else numbers[:, columns],
        )

    return part(slice(0, width // 2)), part(slice(width // 2, width))


def _prepared(name: str, data_dir: str | os.PathLike[str] | None) -> PairFiles:
    """A set with two pictures in an example; B is what is called a label, a mask or the like."""
    known = prepared.splits(name, data_dir)
    held_out = next((split for split in HELD_OUT_NAMES if split in known), None)
    files: list[tuple[str, str]] = []
    places: list[tuple[Any, int]] = []
    counts = []
    for split in ("train", *([held_out] if held_out else [])):
        folder, builder, records, pictures = prepared.open_split(name, data_dir, split)
        counts.append(len(records))
        places += [(records, i) for i in range(len(records))]
        said = [f"{builder.info.full_name}[{split}] #{i}" for i in range(len(records))]
        files += zip(said, said, strict=True)
    labels = [key for key in pictures if any(word in key for word in _LABEL_WORDS)]
    others = [key for key in pictures if key not in labels]
    chosen = [*others[:1], *labels[:1]] if labels else others
    if len(chosen) != 2:
        raise UserError(
            f"TFDS set '{name}' holds no pairs of pictures: its pictures are "
            f"{', '.join(pictures) or 'none'}, and two are needed"
        )

    def read(index: int) -> tuple[Stored, Stored]:
        records, row = places[index]
        record = records[row]
        both = [record[key] for key in chosen]
        said = files[index][0]
        return _decode(said, both.__getitem__, 0), _decode(said, both.__getitem__, 1)

    rows = list(range(len(files)))
    description = {"kind": "tfds", "where": str(folder), "features": chosen}
    return PairFiles(files, read, rows[: counts[0]], rows[counts[0] :], description)
