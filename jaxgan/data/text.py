"""Text to tokens: cleaning, words, stop words, and the forms of words.

Words are found by a regular expression. Stop words and lemmas are nltk's where its data is on the
machine. It is never downloaded: where it is not, a built-in list of stop words and nltk's Porter
stemmer, which needs no data, stand in, and `Tokeniser.description` says so.
"""

import functools
import html
import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from jaxgan import processes
from jaxgan.errors import UserError

StopWords = Literal["none", "built-in", "nltk"]
Forms = Literal["none", "porter", "wordnet"]

# A word may hold hyphens and apostrophes (t-shirt, don't); a number is a word.
_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*|\d+")
_TAG = re.compile(r"<[^<>]*>")
_PLAIN = str.maketrans({"\u2018": "'", "\u2019": "'", "\u2010": "-", "\u2011": "-", "\u00ad": None})
# What says nothing of a picture: articles, auxiliaries, pronouns, prepositions of no direction.
BUILT_IN_STOP_WORDS = frozenset(
    (
        *("a", "an", "the", "and", "or", "but", "if", "of", "at", "by", "for", "with", "about"),
        *("to", "from", "in", "on", "as", "into", "than", "then", "that", "this", "these", "those"),
        *("it", "its", "itself", "he", "him", "his", "she", "her", "they", "them", "their", "we"),
        *("us", "our", "you", "your", "i", "me", "my", "is", "are", "was", "were", "be", "been"),
        *("being", "has", "have", "had", "do", "does", "did", "so", "very", "there", "here"),
        *("which", "who", "whom", "what"),
    )
)
_GET = {
    "corpora/stopwords": "python -m nltk.downloader stopwords",
    "corpora/wordnet": "python -m nltk.downloader wordnet",
}


def clean(text: str) -> str:
    """Lower case, plain quotes and hyphens, one space; without HTML, accents are kept composed."""
    plain = unicodedata.normalize("NFKC", _TAG.sub(" ", html.unescape(text)))
    return " ".join(plain.translate(_PLAIN).lower().split())


def words(text: str) -> list[str]:
    """The words and whole numbers of a text, cleaned, in order; punctuation is left out."""
    return _WORD.findall(clean(text))


@dataclass(frozen=True)
class Tokeniser:
    """How a text becomes tokens; always the same way, so that a run can keep it.

    Attributes:
      stop_words: which of them are left out: none, the built-in ones or nltk's.
      forms: what words are brought to: nothing, Porter's stems or WordNet's lemmas (of nouns).
    """

    stop_words: StopWords = "none"
    forms: Forms = "none"

    def __call__(self, text: str) -> tuple[str, ...]:
        """The tokens of a text, of which there may be none.

        Raises:
          UserError: nltk's data is needed and is not on this machine.
        """
        left_out, form = _stop_words(self.stop_words), _form(self.forms)
        return tuple(form(word) for word in words(text) if word not in left_out)

    @property
    def description(self) -> dict[str, Any]:
        """For a data set's description."""
        return {
            "tokeniser": "regular expression: words with hyphens and apostrophes, whole numbers",
            "stop_words": {
                "none": "kept",
                "built-in": f"left out, {len(BUILT_IN_STOP_WORDS)} built-in ones",
                "nltk": "left out, nltk's English ones",
            }[self.stop_words],
            "forms": {
                "none": "as written",
                "porter": "stems, nltk's PorterStemmer",
                "wordnet": "lemmas, nltk's WordNetLemmatizer",
            }[self.forms],
        }

    def to_json(self) -> str:
        """What `from_json` reads."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> "Tokeniser":
        """The tokeniser that `to_json` wrote."""
        return Tokeniser(**json.loads(text))


def make_tokeniser(*, stop_words: bool, forms: Literal["none", "stem", "lemma"]) -> Tokeniser:
    """The tokeniser that is asked for, as far as nltk's data on this machine allows.

    Where some is missing, a line says how to get it and what stands in for it.

    Args:
      stop_words: whether stop words are left out.
      forms: none, Porter's stems, or WordNet's lemmas.
    """
    chosen_stops: StopWords = "none"
    if stop_words:
        chosen_stops = _or_else("corpora/stopwords", "nltk", "built-in", "a short built-in list")
    chosen: Forms = "porter" if forms == "stem" else "none"
    if forms == "lemma":
        chosen = _or_else("corpora/wordnet", "wordnet", "porter", "nltk's Porter stemmer")
    return Tokeniser(chosen_stops, chosen)


def has_nltk_data(name: str) -> bool:
    """Whether nltk finds data such as corpora/wordnet on this machine, unpacked or as a zip."""
    import nltk  # takes a second, which most commands can do without

    for path in (name, f"{name}.zip"):
        try:
            nltk.data.find(path)
        except LookupError:
            continue
        return True
    return False


def _or_else(name: str, there: Any, missing: Any, instead: str) -> Any:
    if has_nltk_data(name):
        return there
    processes.say(
        f"nltk's {name.partition('/')[2]} data is not on this machine: {instead} stands in for it "
        f"(`{_GET[name]}` gets it)"
    )
    return missing


def _needed(name: str) -> None:
    if not has_nltk_data(name):
        raise UserError(
            f"the run was trained with nltk's {name.partition('/')[2]} data, which is not on this "
            f"machine: get it with `{_GET[name]}`"
        )


@functools.cache
def _stop_words(kind: StopWords) -> frozenset[str]:
    if kind == "nltk":
        _needed("corpora/stopwords")
        from nltk.corpus import stopwords

        return frozenset(stopwords.words("english"))
    return BUILT_IN_STOP_WORDS if kind == "built-in" else frozenset()


@functools.cache
def _form(kind: Forms) -> Callable[[str], str]:
    if kind == "porter":
        from nltk.stem import PorterStemmer

        return functools.cache(PorterStemmer().stem)
    if kind == "wordnet":
        _needed("corpora/wordnet")
        from nltk.stem import WordNetLemmatizer

        return functools.cache(WordNetLemmatizer().lemmatize)
    return str
