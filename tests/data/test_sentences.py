"""Sentences from text files, and from the grammar."""

import random
import zipfile

import nltk
import numpy as np
import pytest

from jaxgan.data import grammar
from jaxgan.data.sentences import (
    END,
    as_tokens,
    from_spelling,
    join_tokens,
    open_corpus,
    spelling,
    split_tokens,
)
from jaxgan.data.vocabulary import PADDING
from jaxgan.errors import UserError

LINES = [
    f"The {a} {b}s, {c}." for a in ("cat", "dog", "cow") for b in ("eat", "run") for c in "xyzuvw"
]


def opened(data, **changes):
    options = {"unit": "word", "length": 9, "vocabulary_size": 40, **changes}
    return open_corpus(str(data), **options)


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text("\n".join([*LINES, LINES[0], "", "  "]), encoding="utf-8")
    return path


def test_rows_are_tokens_then_the_end_then_padding(text):
    corpus = opened(text)
    written = as_tokens(corpus.train, corpus.vocabulary)
    assert written[0] == ("the", "cat", "eats", ",", "x", ".")
    assert join_tokens(written[0], "word") == "the cat eats, x."
    assert corpus.train[0].tolist()[6:] == [END, PADDING, PADDING]
    assert len(corpus.train) == 33 and len(corpus.held_out) == 3
    together = as_tokens(np.concatenate([corpus.train, corpus.held_out]), corpus.vocabulary)
    assert sorted(together) == sorted(split_tokens(line, "word") for line in LINES)
    assert corpus.description["count"] == 33 and corpus.description["held_out_sentences"] == 3


def test_a_folder_and_a_zip_hold_the_same(text, tmp_path):
    with zipfile.ZipFile(tmp_path / "lines.zip", "w") as archive:
        archive.write(text, "inside/lines.txt")
        archive.writestr("META/licence.txt", "of no interest\n" * 99)
        archive.writestr("__MACOSX/lines.txt", "\0")
    expected = opened(text)
    for data in (
        f"folder:{tmp_path}",
        f"zip:{tmp_path}/lines.zip",
        f"zip:{tmp_path}/lines.zip/inside",
    ):
        found = opened(data)
        np.testing.assert_array_equal(found.train, expected.train)


def test_long_sentences_and_rare_words_are_left_out(text):
    with text.open("a") as file:
        file.write("\nthe cat eats, and eats, and eats, and eats.\nthe zebra runs, x.\n")
    corpus = opened(
        text, vocabulary_size=3 + len({w for s in LINES for w in split_tokens(s, "word")})
    )
    # The vocabulary is that of the sentences that fit.
    assert not {"and", "zebra"} & set(corpus.vocabulary.words)
    assert corpus.description["left_out"] == 2


def test_characters(text, tmp_path):
    names = tmp_path / "names.txt"
    names.write_text(
        "\n".join(f"Ann{a}{b}" for a in "abcdef" for b in "klmnop"), encoding="utf-8-sig"
    )
    corpus = opened(names, unit="character")
    assert as_tokens(corpus.train, corpus.vocabulary)[0] == tuple("Annak")
    assert join_tokens(tuple("Anna b"), "character") == "Anna b"


def test_held_out_lines_of_their_own(text, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text(f"{LINES[0]}\nThe cow eats, the dog.\nThe cow runs, the dog.\nA stranger.\n")
    corpus = opened(text, held_out=str(other))
    assert len(corpus.train) == 36 and len(corpus.held_out) == 2


def test_the_spelling_is_the_vocabulary(text):
    vocabulary = opened(text).vocabulary
    assert from_spelling(spelling(vocabulary, 40)) == vocabulary
    assert not spelling(vocabulary, 40)[:2].any()


@pytest.mark.parametrize(
    "content, options, message",
    [
        ("", {}, "holds no text"),
        (" \n\n", {}, "holds no text"),
        ("one line\n", {}, "holds 1 different sentences of fewer than 9 words"),
        ("\n".join(LINES), {"vocabulary_size": 5}, "holds 0 different sentences"),
        ("\n".join(LINES), {"length": 3}, "raise --length or --vocabulary_size"),
    ],
)
def test_too_little_text(tmp_path, content, options, message):
    path = tmp_path / "lines.txt"
    path.write_text(content)
    with pytest.raises(UserError, match=message) as error:
        opened(path, **options)
    assert "\n" not in str(error.value)


def test_what_is_no_text(text, tmp_path):
    (tmp_path / "latin.txt").write_bytes("\n".join(LINES).encode() + b"\xe9")
    with pytest.raises(UserError, match="is not text in UTF-8"):
        opened(tmp_path / "latin.txt")
    with pytest.raises(UserError, match="there is no such file"):
        opened(tmp_path / "none.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"holds no \.txt"):
        opened(f"folder:{tmp_path / 'empty'}")
    (tmp_path / "broken.zip").write_bytes(b"PK")
    with pytest.raises(UserError, match="not a readable zip"):
        opened(f"zip:{tmp_path / 'broken.zip'}")
    with pytest.raises(UserError, match="there is no file"):
        opened(f"zip:{tmp_path / 'none.zip'}")
    with pytest.raises(UserError, match="is given as zip:"):
        opened(tmp_path / "broken.zip")
    (tmp_path / "strange.txt").write_text("nothing here is known\n")
    with pytest.raises(UserError, match=r"--held_out=.*leaves 0 sentences to measure with"):
        opened(text, held_out=str(tmp_path / "strange.txt"))


def test_the_grammar_accepts_as_nltk_does():
    rules = "\n".join(
        f"{symbol} -> "
        + " | ".join(
            " ".join(p if p in grammar.RULES else f"'{p}'" for p in made.split())
            for _, made in options
        )
        for symbol, options in grammar.RULES.items()
    )
    parser = nltk.ChartParser(nltk.CFG.fromstring(rules))
    sentences = [s.split() for s in grammar.draw_sentences(15, 12, seed=1)]
    shuffle = random.Random(0)
    for sentence in sentences:
        assert grammar.accepts(sentence) and any(parser.parse(sentence))
        changed = list(sentence)
        changed[shuffle.randrange(len(changed))] = shuffle.choice(sentences[0])
        assert grammar.accepts(changed) == any(parser.parse(changed))


@pytest.mark.parametrize(
    "sentence, right",
    [
        ("the cats near the house sleep .", True),
        ("the cats near the house sleeps .", False),
        ("a cat says that two dogs see the river .", True),
        ("a cat says that two dogs sees the river .", False),
        ("the children sing", False),
        ("", False),
    ],
)
def test_agreement(sentence, right):
    assert grammar.accepts(sentence.split()) == right


def test_drawn_sentences_are_different_and_fit():
    drawn = grammar.draw_sentences(200, 11, seed=0)
    assert len(set(drawn)) == 200 and max(len(line.split()) for line in drawn) <= 11
    assert (
        drawn == grammar.draw_sentences(200, 11, seed=0) != grammar.draw_sentences(200, 11, seed=1)
    )
