"""Pictures with what is said of each: a word for its class, or sentences."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from jaxgan.data import drawn_shapes, sources
from jaxgan.data.caption_files import find_captions, read_captions
from jaxgan.data.examples import Labelled
from jaxgan.data.labelled import array_file, open_labelled
from jaxgan.data.squares import Channels, square_of, squared
from jaxgan.data.text import Tokeniser
from jaxgan.data.vocabulary import UNKNOWN, Lexicon, Vocabulary
from jaxgan.errors import UserError

_VOWELS = "aeiou"


@dataclass(frozen=True, eq=False)
class Captioned:
    """Pictures of one size, and what is said of each.

    Attributes:
      pictures: uint8 [n, side, side, 1 or 3].
      captions: of each picture, at least one.
      labels: int32 [n], the class of each, or None where the data has no classes.
      classes: their names; () without labels.
      aspects: for figures: by name (colour, shape) the number of each class, int [classes].
      description: what JSON can hold about them.
    """

    pictures: np.ndarray
    captions: tuple[tuple[str, ...], ...]
    labels: np.ndarray | None
    classes: tuple[str, ...]
    description: dict[str, Any]
    aspects: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def meaning(self) -> np.ndarray:
        """int32 [n]: pictures with the same number are described by the same captions."""
        return np.arange(len(self), dtype=np.int32) if self.labels is None else self.labels


def named(labelled: Labelled, names: Sequence[str], sentence: str = "{name}") -> Captioned:
    """Labelled pictures with a sentence about the class of each.

    Args:
      labelled: with labels.
      names: of the classes; what the data calls them where empty. Underscores become spaces.
      sentence: with `{name}` in it; `{a}` becomes "a" or "an", as the name wants it.

    Raises:
      UserError: another number of names than of classes, or a class without a name.
    """
    assert labelled.labels is not None
    given = tuple(names) or labelled.classes
    if len(given) != len(labelled.classes):
        raise UserError(
            f"--names gives {len(given)} names ({', '.join(given)}), and the data has "
            f"{len(labelled.classes)} classes ({', '.join(labelled.classes)}): give one for each"
        )
    plain = tuple(re.sub(r"[_\s]+", " ", name).strip() for name in given)
    if not all(plain):
        raise UserError(f"--names={','.join(given)}: a name is empty")

    def told(name: str) -> str:
        return sentence.format(name=name, a="an" if name[0].lower() in _VOWELS else "a")

    sentences = [(told(name),) for name in plain]
    return Captioned(
        labelled.pictures,
        tuple(sentences[label] for label in labelled.labels),
        labelled.labels,
        plain,
        {**labelled.description, "names": list(plain), "sentence": sentence},
    )


def open_captioned(
    data: str, side: int, *, channels: Channels = 3, sentence: str, **options: Any
) -> Captioned:
    """Pictures with sentences: drawn shapes, a folder or a zip with captions, or classes.

    Args:
      data: 'sample'; a folder or a zip, as `sources.open_source` takes it, with captions.txt or
        captions.csv in it (`caption_files`), of which pictures without a caption are left out; or
        anything with classes, as `labelled.open_labelled` takes it.
      side: of the squares that the pictures become, in pixels.
      channels: 1 for grey, 3 for RGB.
      sentence: what is said of a picture of a class, as `named` takes it.
      options: for `open_labelled`.

    Raises:
      UserError: no such data, no captions nor classes, a broken picture, a line of the captions
        without its picture, or `classes` where there are captions.
    """
    if data == "sample":
        _without_classes(options, "the drawn shapes")
        pictures, labels, captions = drawn_shapes.shapes(side)
        return Captioned(
            squared(pictures, side, channels),
            captions,
            labels,
            drawn_shapes.NAMES,
            {"kind": "sample", "where": "drawn shapes and sentences", "count": len(labels)},
            drawn_shapes.ASPECTS,
        )
    data_dir, skip_broken = options.get("data_dir"), options.get("skip_broken", False)
    if array_file(data) is None:
        kind, where = sources.parse(data, data_dir)
        file = find_captions(kind, where)
        if file is not None:
            _without_classes(options, file[0])
            return _with_file(data, side, channels, file, data_dir, skip_broken)
    found = open_labelled(data, side, channels=channels, require_labels=True, **options)
    return named(found, (), sentence)


def _without_classes(options: Mapping[str, Any], where: str) -> None:
    if options.get("classes"):
        raise UserError(
            f"--classes={','.join(options['classes'])} chooses among class folders, and {where} "
            "has captions: leave it out"
        )


def _with_file(
    data: str, side: int, channels: Channels, file: tuple[str, str], data_dir: Any, skip: bool
) -> Captioned:
    name, text = file
    source = sources.open_source(data, data_dir=data_dir, verify=False, memory_limit=0)
    names = [source.name(index) for index in range(len(source))]
    captions = read_captions(text, name, names)
    wanted = [index for index, lines in enumerate(captions) if lines]
    pictures = np.empty((len(wanted), side, side, channels), np.uint8)

    def look(row: int) -> None:
        pictures[row] = square_of(source[wanted[row]], side, channels)

    where = source.description["where"]
    broken = sources.find_broken([names[i] for i in wanted], where, look, skip)
    kept = np.delete(np.arange(len(wanted)), broken)
    about = {
        **source.description,
        "count": len(kept),
        "captions": name,
        "without_caption": len(names) - len(wanted),
        "skipped": [names[wanted[row]] for row in broken],
    }
    said = tuple(captions[wanted[row]] for row in kept)
    return Captioned(pictures[kept] if broken else pictures, said, None, (), about)


def make_lexicon(
    captioned: Captioned, tokeniser: Tokeniser, *, size: int, length: int, shown: int
) -> Lexicon:
    """The lexicon of some captions.

    Args:
      captioned: the captions.
      tokeniser: makes their tokens.
      size: ids at most.
      length: of a row of ids.
      shown: texts for previews: of classes one each, evenly spaced where there are more; otherwise
        the first captions of pictures, evenly spaced.
    """
    every = dict.fromkeys(caption for lines in captioned.captions for caption in lines)
    counted = {caption: tokeniser(caption) for caption in every}
    vocabulary = Vocabulary.build(
        (counted[caption] for lines in captioned.captions for caption in lines), size
    )
    if captioned.labels is None:
        first = list(dict.fromkeys(lines[0] for lines in captioned.captions))
    else:
        _, rows = np.unique(captioned.labels, return_index=True)
        first = [captioned.captions[row][0] for row in rows]
    chosen = np.unique(np.linspace(0, len(first) - 1, min(len(first), shown)).astype(int))
    return Lexicon(tokeniser, vocabulary, length, tuple(first[index] for index in chosen))


@dataclass(frozen=True, eq=False)
class Texts:
    """The ids of all captions.

    Attributes:
      ids: int32 [captions, length].
      first: int64 [pictures + 1]: picture `i` has the rows from `first[i]` to `first[i + 1]`.
      cut: how many captions are longer than `length`.
    """

    ids: np.ndarray
    first: np.ndarray
    cut: int

    def of(self, pictures: np.ndarray, choice: np.ndarray) -> np.ndarray:
        """int32 [b, length]: a caption of each picture, the one that its number `choice` hits."""
        start = self.first[pictures]
        count = (self.first[pictures + 1] - start).astype(np.uint64)
        return self.ids[start + (choice % count).astype(np.int64)]


def read_texts(captioned: Captioned, lexicon: Lexicon) -> Texts:
    """The ids of all captions.

    Raises:
      UserError: a caption is empty or has no word that the lexicon knows.
    """
    where = captioned.description.get("captions") or captioned.description["where"]
    every = dict.fromkeys(caption for lines in captioned.captions for caption in lines)
    rows = {caption: lexicon.read(caption, f"{where}: the caption") for caption in every}
    long = {caption for caption in every if len(lexicon.tokeniser(caption)) > lexicon.length}
    ids = [rows[caption] for lines in captioned.captions for caption in lines]
    cut = sum(caption in long for lines in captioned.captions for caption in lines)
    first = np.cumsum([0, *map(len, captioned.captions)])
    return Texts(np.stack(ids), first.astype(np.int64), cut)


def gather(
    captioned: Captioned, texts: Texts, *, mirror: bool = False
) -> Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]]:
    """Pictures and a caption of each, as the `load` of `pipeline.make_batches`.

    Args:
      captioned: the pictures.
      texts: their captions; which of several comes from the row's seed.
      mirror: turn half of the pictures left to right.

    Returns:
      load(indices [b], seeds uint64 [b]) -> {'real': uint8 [b, side, side, channels], 'text': int32
      [b, length], 'meaning': int32 [b]}.
    """
    meaning = captioned.meaning

    def load(indices: np.ndarray, seeds: np.ndarray) -> dict[str, np.ndarray]:
        real = captioned.pictures[indices]
        if mirror:
            turned = np.flatnonzero(seeds & np.uint64(1))
            real[turned] = real[turned, :, ::-1]
        text = texts.of(indices, seeds >> np.uint64(1))
        return {"real": real, "text": text, "meaning": meaning[indices]}

    return load


def described(captioned: Captioned, lexicon: Lexicon, texts: Texts) -> Captioned:
    """The same, whose description says how its text was read."""
    unknown = float((texts.ids == UNKNOWN).sum() / max((texts.ids > 0).sum(), 1))
    about = {
        "text": {
            **lexicon.tokeniser.description,
            "captions": len(texts.ids),
            "words_known": len(lexicon.vocabulary.words),
            "unknown_share": round(unknown, 4),
            "length": lexicon.length,
            "cut_captions": texts.cut,
        }
    }
    return replace(captioned, description={**captioned.description, **about})
