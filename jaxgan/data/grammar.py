"""Sentences drawn from a small grammar: text for which being right can be decided exactly.

The verb agrees with a noun that may stand several words before it, behind which others of the other
number may come in; clauses and places nest. So it takes memory, not word pairs, to be accepted.
"""

import functools
import itertools
import random
from collections.abc import Mapping, Sequence

START = "sentence"
# What a symbol may become, and how often; words are what is no symbol.
Rules = Mapping[str, Sequence[tuple[float, str]]]
# So many times as many are drawn as are wanted, where few are short enough.
_TRIES = 20
_NOUNS = ("cat", "dog", "child", "doctor", "sailor", "robot", "bird", "queen")
_IRREGULAR = {"child": "children"}
_PLACES = ("house", "river", "tower", "garden")
_INTRANSITIVE = ("sleep", "sing", "wait", "laugh")
_TRANSITIVE = ("see", "follow", "love", "draw")


def _each(words: Sequence[str]) -> list[tuple[float, str]]:
    return [(1.0, word) for word in words]


RULES: Rules = {
    "sentence": [(1.0, "singular_clause ."), (1.0, "plural_clause .")],
    "singular_clause": [(1.0, "one does")],
    "plural_clause": [(1.0, "many do")],
    "one": [
        (3.0, "a one_noun"),
        (3.0, "the one_noun"),
        (2.0, "the quality one_noun"),
        (2.0, "the one_noun near somebody"),
    ],
    "many": [
        (3.0, "the many_noun"),
        (2.0, "two many_noun"),
        (2.0, "some quality many_noun"),
        (2.0, "the many_noun near somebody"),
    ],
    "somebody": [(1.0, "one"), (1.0, "many"), (2.0, "the place")],
    "does": [
        (2.0, "intransitive_does"),
        (3.0, "transitive_does somebody"),
        (1.0, "says that singular_clause"),
        (1.0, "says that plural_clause"),
    ],
    "do": [
        (2.0, "intransitive_do"),
        (3.0, "transitive_do somebody"),
        (1.0, "say that singular_clause"),
        (1.0, "say that plural_clause"),
    ],
    "one_noun": _each(_NOUNS),
    "many_noun": _each([_IRREGULAR.get(noun, f"{noun}s") for noun in _NOUNS]),
    "place": _each(_PLACES),
    "quality": _each(("old", "small", "green", "quiet")),
    "intransitive_does": _each([f"{verb}s" for verb in _INTRANSITIVE]),
    "intransitive_do": _each(_INTRANSITIVE),
    "transitive_does": _each([f"{verb}s" for verb in _TRANSITIVE]),
    "transitive_do": _each(_TRANSITIVE),
}


def draw_sentences(count: int, longest: int, seed: int) -> list[str]:
    """Different sentences of the grammar.

    Args:
      count: how many; there are fewer where so many short ones do not turn up.
      longest: words of the longest, its full stop among them.
      seed: decides which.
    """
    draws = random.Random(seed)
    found: dict[str, None] = {}
    for _ in range(_TRIES * count):
        words = _expand(START, draws)
        if len(words) <= longest:
            found[" ".join(words)] = None
        if len(found) == count:
            break
    return list(found)


def _expand(symbol: str, draws: random.Random) -> list[str]:
    if symbol not in RULES:
        return [symbol]
    options, reached = _options(symbol)
    (chosen,) = draws.choices(options, cum_weights=reached)
    return [word for part in chosen for word in _expand(part, draws)]


@functools.cache
def _options(symbol: str) -> tuple[list[list[str]], list[float]]:
    """What a symbol may become, and the sum of the weights up to each."""
    weights, options = zip(*RULES[symbol], strict=True)
    return [option.split() for option in options], list(itertools.accumulate(weights))


def accepts(words: Sequence[str]) -> bool:
    """Whether these words in this order are a sentence of the grammar."""

    @functools.cache
    def ends(symbol: str, start: int) -> frozenset[int]:
        """Where what begins at `start` and is a `symbol` may end."""
        if symbol not in RULES:
            here = start < len(words) and words[start] == symbol
            return frozenset({start + 1} if here else ())
        found: set[int] = set()
        for _, produced in RULES[symbol]:
            places = {start}
            for part in produced.split():
                places = {end for place in places for end in ends(part, place)}
            found |= places
        return frozenset(found)

    return len(words) in ends(START, 0)
