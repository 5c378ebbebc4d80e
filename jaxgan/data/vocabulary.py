"""The words that a run knows, as numbers, and what it must keep to be used without its data."""

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxgan.data.text import Tokeniser
from jaxgan.errors import UserError

PADDING, UNKNOWN = 0, 1
# Ids that are no words.
RESERVED = 2
# Bytes of a word, of a text and of a tokeniser's description in what a run keeps.
WORD_BYTES, TEXT_BYTES, TOKENISER_BYTES = 32, 256, 128
# Words that a message names.
_NAMED = 12


@dataclass(frozen=True)
class Vocabulary:
    """Words in a fixed order; id 0 is padding, id 1 any unknown word, the first word is id 2.

    Attributes:
      words: in the order of their ids.
    """

    words: tuple[str, ...]

    @staticmethod
    def build(texts: Iterable[Sequence[str]], size: int) -> "Vocabulary":
        """The most frequent tokens of some texts, the alphabet deciding between equals.

        Args:
          texts: tokens of each.
          size: ids at most, the two that are no words among them. Words of more than `WORD_BYTES`
            bytes get none.
        """
        counts = Counter(token for tokens in texts for token in tokens)
        order = sorted(counts, key=lambda word: (-counts[word], word))
        short = [word for word in order if len(word.encode()) <= WORD_BYTES]
        return Vocabulary(tuple(short[: size - RESERVED]))

    def __len__(self) -> int:
        return len(self.words) + RESERVED

    def ids(self, tokens: Sequence[str], length: int) -> np.ndarray:
        """int32 [length]: the tokens' ids, cut off or padded at the end."""
        number = {word: index for index, word in enumerate(self.words, RESERVED)}
        row = np.full(length, PADDING, np.int32)
        found = [number.get(token, UNKNOWN) for token in tokens[:length]]
        row[: len(found)] = found
        return row

    def tokens(self, ids: np.ndarray) -> tuple[str, ...]:
        """The words of a row of ids; an unknown one is `?`, and padding is left out."""
        return tuple(
            "?" if index == UNKNOWN else self.words[index - RESERVED]
            for index in ids
            if index != PADDING
        )


@dataclass(frozen=True)
class Lexicon:
    """All that it takes to read a text as a run's networks were taught to.

    Attributes:
      tokeniser: makes tokens of a text.
      vocabulary: makes ids of tokens.
      length: of a row of ids.
      texts: what previews show, and samples where no text is asked for.
    """

    tokeniser: Tokeniser
    vocabulary: Vocabulary
    length: int
    texts: tuple[str, ...] = ()

    def read(self, text: str, what: str = "--text") -> np.ndarray:
        """The ids of a text that a person typed, int32 [length].

        Args:
          text: any.
          what: where it comes from, for messages.

        Raises:
          UserError: the text is empty, holds only stop words, or no word that is known.
        """
        if not text.strip():
            raise UserError(f"{what} is empty: give a word or a sentence")
        tokens = self.tokeniser(text)
        known = set(self.vocabulary.words)
        if not any(token in known for token in tokens):
            near = difflib.get_close_matches((*tokens, "")[0], known, n=1)
            guess = f"did you mean {near[0]!r}? " if near else ""
            some = ", ".join(self.vocabulary.words[:_NAMED])
            more = ", ..." if len(known) > _NAMED else ""
            raise UserError(
                f"{what}={text!r} has no word that the run knows; {guess}known are: {some}{more}"
            )
        return self.vocabulary.ids(tokens, self.length)

    def arrays(self, size: int, texts: int) -> dict[str, np.ndarray]:
        """What a checkpoint keeps: `{"words", "texts", "tokeniser"}`, uint8 [rows, bytes] each.

        Args:
          size: ids that the networks know.
          texts: rows for `texts`; those beyond are left out.
        """
        return {
            "words": strings_to_bytes(self.vocabulary.words, size - RESERVED, WORD_BYTES),
            "texts": strings_to_bytes(self.texts[:texts], texts, TEXT_BYTES),
            "tokeniser": strings_to_bytes([self.tokeniser.to_json()], 1, TOKENISER_BYTES),
        }

    @staticmethod
    def from_arrays(arrays: Mapping[str, Any], length: int) -> "Lexicon":
        """The lexicon that `arrays` wrote."""
        tokeniser = bytes_to_strings(arrays["tokeniser"])[0]
        return Lexicon(
            Tokeniser.from_json(tokeniser),
            Vocabulary(bytes_to_strings(arrays["words"])),
            length,
            bytes_to_strings(arrays["texts"]),
        )


def array_shapes(size: int, texts: int) -> dict[str, tuple[int, int]]:
    """The shapes of `Lexicon.arrays`."""
    return {
        "words": (size - RESERVED, WORD_BYTES),
        "texts": (texts, TEXT_BYTES),
        "tokeniser": (1, TOKENISER_BYTES),
    }


def strings_to_bytes(strings: Sequence[str], rows: int, width: int) -> np.ndarray:
    """uint8 [rows, width]: a string in each row, as UTF-8, zeros behind it.

    A string that is too long is cut off between characters.
    """
    table = np.zeros((rows, width), np.uint8)
    for row, string in zip(table, strings, strict=False):
        encoded = string.encode()[:width].decode(errors="ignore").encode()
        row[: len(encoded)] = np.frombuffer(encoded, np.uint8)
    return table


def bytes_to_strings(table: Any) -> tuple[str, ...]:
    """The strings of `strings_to_bytes`, without empty ones at the end."""
    rows = [bytes(row).rstrip(b"\0").decode() for row in np.asarray(table)]
    while rows and not rows[-1]:
        rows.pop()
    return tuple(rows)
