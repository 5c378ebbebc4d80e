"""Sentences to learn to write: text files, a sentence a line, as rows of token ids."""

import re
import unicodedata
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np

from jaxgan.data import grammar
from jaxgan.data.listing import archive_of
from jaxgan.data.selection import evenly_spaced
from jaxgan.data.text import clean
from jaxgan.data.vocabulary import (
    RESERVED,
    WORD_BYTES,
    Vocabulary,
    bytes_to_strings,
    strings_to_bytes,
)
from jaxgan.errors import UserError

Unit = Literal["word", "character"]

# The token that ends a sentence: the first word of every vocabulary. No line holds it.
END_WORD = "\n"
END = RESERVED
# Fewer different sentences than this teach nobody to write, and leave none to measure against.
LEAST = 20
_HELD_OUT_SHARE = 10
_DRAWN = 4_000
_IGNORED_FOLDERS = frozenset({"__MACOSX", "META"})
_TOKEN = re.compile(r"[^\W_]+(?:['-][^\W_]+)*|[^\w\s]|_")
_NO_SPACE_BEFORE = frozenset(".,;:!?)]%")
_NO_SPACE_AFTER = frozenset("([$#")

Tokens = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Corpus:
    """Sentences to train on, others to measure with, and the words that both are made of.

    Attributes:
      vocabulary: END_WORD and the tokens, the most frequent first.
      train, held_out: int32 [n, length], each row tokens, END, then PADDING.
      description: what JSON can hold about them: kind, where, count, ...
    """

    vocabulary: Vocabulary
    train: np.ndarray
    held_out: np.ndarray
    description: dict[str, Any]


def open_corpus(
    data: str, *, unit: Unit, length: int, vocabulary_size: int, held_out: str | None = None
) -> Corpus:
    """The sentences that `--data` names.

    A sentence that is too long, that holds a token beyond the vocabulary, or that was there before
    is left out; the description says how many are.

    Args:
      data: `sample`, a .txt, folder:PATH or zip:PATH (a file or folder inside it may follow).
      unit: what a token is: a word or punctuation mark (in lower case), or a character.
      length: tokens of a sentence at most, its end among them.
      vocabulary_size: ids that there are at most, RESERVED and END among them.
      held_out: where to read those to measure with; None takes a tenth, evenly spaced.

    Raises:
      UserError: nothing can be read there, or too few sentences are left.
    """
    lines, description = _lines(data, length, "--data")
    sentences = list(dict.fromkeys(tokens for tokens in _tokens(lines, unit) if tokens))
    if not sentences:
        raise UserError(f"--data={data} holds no text: give lines with a sentence each")
    if held_out is None:
        places = set(evenly_spaced(len(sentences), len(sentences) // _HELD_OUT_SHARE))
        others = [tokens for i, tokens in enumerate(sentences) if i in places]
        train = [tokens for i, tokens in enumerate(sentences) if i not in places]
    else:
        train, seen = sentences, set(sentences)
        read = _tokens(_lines(held_out, length, "--held_out")[0], unit)
        others = [tokens for tokens in dict.fromkeys(read) if tokens and tokens not in seen]
    fitting = [tokens for tokens in train if len(tokens) < length]
    counted = Vocabulary.build(fitting, vocabulary_size - 1)
    vocabulary = Vocabulary((END_WORD, *counted.words))
    kept, judged = (_known(part, vocabulary, length) for part in (train, others))
    what = f"of fewer than {length} {unit}s, all among the {len(counted.words)} most frequent"
    if len(kept) < LEAST:
        raise UserError(
            f"--data={data} holds {len(kept)} different sentences {what}, and at least {LEAST} are "
            "needed to learn from: give more text, or raise --length or --vocabulary_size"
        )
    if len(judged) < 2:
        raise UserError(
            f"{'--data' if held_out is None else '--held_out'}={held_out or data} leaves "
            f"{len(judged)} sentences to measure with {what}; at least 2 are needed"
        )
    about = {
        **description,
        "unit": unit,
        "count": len(kept),
        "left_out": len(train) - len(kept),
        "held_out_sentences": len(judged),
        "tokens": len(vocabulary) - RESERVED - 1,
        "part": "all but every tenth sentence" if held_out is None else "all",
    }
    rows, judged_rows = (as_ids(part, vocabulary, length) for part in (kept, judged))
    return Corpus(vocabulary, rows, judged_rows, about)


def as_ids(sentences: Sequence[Tokens], vocabulary: Vocabulary, length: int) -> np.ndarray:
    """Sentences of fewer than `length` tokens as int32 [n, length], END behind each."""
    return np.stack([vocabulary.ids((*tokens, END_WORD), length) for tokens in sentences])


def as_tokens(sequences: np.ndarray, vocabulary: Vocabulary) -> list[Tokens]:
    """The tokens of sequences int [n, length], without END."""
    return [
        tuple(token for token in vocabulary.tokens(row) if token != END_WORD) for row in sequences
    ]


def split_tokens(line: str, unit: Unit) -> Tokens:
    """The tokens of a line: words and punctuation marks in lower case, or its characters."""
    if unit == "word":
        return tuple(_TOKEN.findall(clean(line)))
    return tuple(" ".join(unicodedata.normalize("NFKC", line).split()))


def join_tokens(tokens: Sequence[str], unit: Unit) -> str:
    """Tokens as a person would write them."""
    if unit == "character":
        return "".join(tokens)
    text, last = "", ""
    for token in tokens:
        tight = not text or token in _NO_SPACE_BEFORE or last in _NO_SPACE_AFTER
        text += token if tight else f" {token}"
        last = token
    return text


def spelling(vocabulary: Vocabulary, size: int) -> np.ndarray:
    """How each id is written, uint8 [size, WORD_BYTES]: what a checkpoint keeps.

    Ids that are never written (PADDING, the unknown word, those beyond the vocabulary) have zeros.
    """
    reserved = np.zeros((RESERVED, WORD_BYTES), np.uint8)
    return np.concatenate(
        [reserved, strings_to_bytes(vocabulary.words, size - RESERVED, WORD_BYTES)]
    )


def no_spelling(size: int) -> np.ndarray:
    """An array like that of `spelling`, for a checkpoint to be read into."""
    return np.zeros((size, WORD_BYTES), np.uint8)


def from_spelling(table: Any) -> Vocabulary:
    """The vocabulary that `spelling` wrote."""
    return Vocabulary(bytes_to_strings(np.asarray(table)[RESERVED:]))


def _known(sentences: Iterable[Tokens], vocabulary: Vocabulary, length: int) -> list[Tokens]:
    known = set(vocabulary.words)
    return [tokens for tokens in sentences if len(tokens) < length and known.issuperset(tokens)]


def _tokens(lines: Iterable[str], unit: Unit) -> list[Tokens]:
    return [split_tokens(line, unit) for line in lines]


def _lines(data: str, length: int, flag: str) -> tuple[list[str], dict[str, Any]]:
    if data == "sample":
        drawn = grammar.draw_sentences(_DRAWN, length - 1, seed=0)
        return drawn, {"kind": "drawn", "where": "a small grammar"}
    where = data.removeprefix("folder:").removeprefix("zip:")
    path = Path(where).expanduser()
    if data.startswith("zip:"):
        files = _in_zip(where, flag)
    elif path.is_dir():
        found = sorted(p for p in path.rglob("*.txt") if p.is_file())
        files = [(str(p), p.read_bytes()) for p in found]
    elif path.is_file() and path.suffix.lower() == ".zip":
        raise UserError(f"{flag}={data} is a zip, which is given as zip:{where}")
    elif path.is_file():
        files = [(str(path), path.read_bytes())]
    else:
        raise UserError(f"{flag}={data}: there is no such file; give a .txt, folder: or zip:")
    if not files:
        raise UserError(f"{flag}={data} holds no .txt; give text with a sentence a line")
    lines = [line for name, content in files for line in _decoded(name, content).splitlines()]
    if not any(line.strip() for line in lines):
        raise UserError(f"{flag}={data} holds no text: give lines with a sentence each")
    return lines, {"kind": "text", "where": where, "files": len(files)}


def _in_zip(where: str, flag: str) -> list[tuple[str, bytes]]:
    archive = archive_of(where)
    if archive is None:
        raise UserError(f"{flag}: there is no file {where}")
    inside = PurePosixPath(Path(where).relative_to(archive).as_posix())
    try:
        with zipfile.ZipFile(archive) as opened:
            return [
                (name, opened.read(name))
                for name in sorted(opened.namelist())
                if name.lower().endswith(".txt")
                and PurePosixPath(name).is_relative_to(inside)
                and not _IGNORED_FOLDERS.intersection(PurePosixPath(name).parts)
            ]
    except (zipfile.BadZipFile, OSError, RuntimeError) as error:
        raise UserError(f"{flag}: {archive} is not a readable zip: {error}") from None


def _decoded(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{name} is not text in UTF-8 (byte {error.start}): convert it, or leave it out"
        ) from None
