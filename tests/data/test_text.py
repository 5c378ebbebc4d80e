"""Text to tokens, tokens to ids, and both in and out of what a checkpoint keeps."""

import nltk
import numpy as np
import pytest

from jaxgan.data import text
from jaxgan.data.text import Tokeniser, clean, make_tokeniser, words
from jaxgan.data.vocabulary import (
    PADDING,
    UNKNOWN,
    Lexicon,
    Vocabulary,
    array_shapes,
    bytes_to_strings,
    strings_to_bytes,
)
from jaxgan.errors import UserError


@pytest.fixture
def nltk_data(tmp_path, monkeypatch):
    """Where nltk finds its data: nowhere but in an empty folder, which is given."""
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    text._stop_words.cache_clear()
    text._form.cache_clear()
    yield tmp_path
    text._stop_words.cache_clear()
    text._form.cache_clear()


def test_cleaning_leaves_words_as_they_are_meant():
    assert clean("  A\u00a0<b>Caf\u0065\u0301</b> &amp;\n bar\u2019s ") == "a café & bar's"
    assert words("T-Shirt, (red)... don\u2019t! 12 x 3.5") == [
        *("t-shirt", "red", "don't", "12", "x", "3", "5")
    ]
    assert words("co\u00adop rock\u2010n\u2010roll -- '") == ["coop", "rock-n-roll"]
    assert words("?!") == []


def test_without_nltk_data_the_built_in_words_and_stems_stand_in(nltk_data, capfd):
    made = make_tokeniser(stop_words=True, forms="lemma")
    said = capfd.readouterr().out
    assert made == Tokeniser("built-in", "porter")
    assert "nltk.downloader stopwords" in said and "nltk.downloader wordnet" in said
    assert len(said.strip().splitlines()) == 2
    assert made("The two running dogs on a beach") == ("two", "run", "dog", "beach")
    assert "built-in" in made.description["stop_words"]
    assert "PorterStemmer" in made.description["forms"]
    assert not list(nltk_data.iterdir())


def test_nltk_data_is_used_where_it_is(nltk_data, capfd):
    (nltk_data / "corpora" / "stopwords").mkdir(parents=True)
    (nltk_data / "corpora" / "stopwords" / "english").write_text("the\nbeach\n")
    made = make_tokeniser(stop_words=True, forms="none")
    assert made == Tokeniser("nltk", "none") and not capfd.readouterr().out
    assert made("The dogs on a beach") == ("dogs", "on", "a")


@pytest.mark.parametrize("kept", [Tokeniser("nltk"), Tokeniser(forms="wordnet")])
def test_a_run_made_with_nltk_data_says_how_to_get_it(nltk_data, kept):
    with pytest.raises(UserError, match="get it with `python"):
        Tokeniser.from_json(kept.to_json())("a dog")


def test_nothing_is_left_out_unless_asked():
    plain = make_tokeniser(stop_words=False, forms="none")
    assert plain("The dogs") == ("the", "dogs") and plain == Tokeniser()


def test_ids_follow_frequency_and_then_the_alphabet():
    texts = [("b", "a"), ("c", "b"), ("d" * 33, "d" * 33, "d" * 33)]
    vocabulary = Vocabulary.build(texts, 100)
    assert vocabulary.words == ("b", "a", "c") and len(vocabulary) == 5
    assert Vocabulary.build(reversed(texts), 4).words == ("b", "a")
    ids = vocabulary.ids(("c", "zebra", "b"), 5)
    assert ids.dtype == np.int32 and ids.tolist() == [4, UNKNOWN, 2, PADDING, PADDING]
    assert vocabulary.ids(("c", "zebra", "b"), 2).tolist() == [4, UNKNOWN]
    assert vocabulary.tokens(ids) == ("c", "?", "b")


def test_a_lexicon_comes_back_from_its_arrays():
    words = ("naïve", "t-shirt", "二")
    lexicon = Lexicon(Tokeniser("built-in", "porter"), Vocabulary(words), 6, ("a t-shirt", "二"))
    arrays = lexicon.arrays(size=10, texts=4)
    assert {name: table.shape for name, table in arrays.items()} == array_shapes(10, 4)
    assert all(table.dtype == np.uint8 for table in arrays.values())
    assert Lexicon.from_arrays(arrays, 6) == lexicon
    assert lexicon.arrays(size=10, texts=1)["texts"].shape == (1, 256)


def test_strings_are_cut_between_characters():
    table = strings_to_bytes(["éé", "", "a"], 4, 3)
    assert bytes_to_strings(table) == ("é", "", "a")


@pytest.mark.parametrize(
    "typed, said",
    [
        ("", "--text is empty: give a word or a sentence"),
        (" \n", "--text is empty"),
        ("sneekers", "no word that the run knows; did you mean 'sneaker'"),
        ("?!", "has no word that the run knows; known are"),
        ("the of", "no word that the run knows"),
    ],
)
def test_a_text_that_says_nothing_is_one_line(typed, said):
    lexicon = Lexicon(Tokeniser("built-in"), Vocabulary(("sneaker", "bag")), 4)
    with pytest.raises(UserError, match=said) as raised:
        lexicon.read(typed)
    assert "\n" not in str(raised.value)


def test_unknown_words_beside_known_ones_are_read():
    lexicon = Lexicon(Tokeniser("built-in"), Vocabulary(("sneaker", "bag")), 4)
    assert lexicon.read("the shiny BAG").tolist() == [UNKNOWN, 3, PADDING, PADDING]
