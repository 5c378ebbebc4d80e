"""BLEU of generated sentences against real ones, and against each other.

Papineni et al. 2002 ("BLEU: a method for automatic evaluation of machine translation", ACL), with
every reference serving every sentence, as generators of text are judged (Yu et al. 2017, arXiv
1609.05473; self-BLEU: Zhu et al. 2018, arXiv 1802.01886, section 3.2).

nltk's `corpus_bleu` counts all references anew for each sentence: minutes for a thousand against a
thousand. Here the references are counted once, and all of them are used; the values are nltk's.
"""

import bisect
import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

from jaxgan.metrics.stamp import enough

ORDERS = (2, 3, 4, 5)

Sentence = Sequence[Hashable]
Grams = Counter[tuple[Hashable, ...]]


class _Most(NamedTuple):
    """How often an n-gram occurs in the sentence that has most of it, in how many sentences it does
    so, and how often in the sentence that comes next."""

    first: int
    holders: int
    second: int


def corpus_bleu(
    candidates: Sequence[Sentence], references: Sequence[Sentence], orders: Sequence[int] = ORDERS
) -> dict[int, float]:
    """BLEU-n of sentences against references that are the same for all of them.

    `BP exp(1/n sum_k log p_k)` over k = 1 ... n, with p_k the clipped precision of k-grams over all
    sentences, and the brevity penalty BP against the length nearest to each sentence's, the shorter
    of two as near. Where no n-gram of a sentence is in a reference it is 0; nothing is smoothed. A
    sentence too short for an n-gram counts as one that is in no reference, as nltk has it.

    Args:
      candidates: sentences to judge, tokens that can be hashed.
      references: real sentences.
      orders: which n.

    Returns:
      BLEU-n by n, in [0, 1].

    Raises:
      UserError: there are no candidates, or no references.
    """
    enough("BLEU", 1, fake=len(candidates), real=len(references))
    return _bleu(candidates, references, orders, apart=False)


def self_bleu(sentences: Sequence[Sentence], orders: Sequence[int] = ORDERS) -> dict[int, float]:
    """BLEU-n of each sentence with all others as its references: the higher, the more alike.

    Args:
      sentences: at least two.
      orders: which n.

    Returns:
      Self-BLEU-n by n, in [0, 1], over all sentences together as in `corpus_bleu`.

    Raises:
      UserError: there are fewer than two sentences.
    """
    enough("self-BLEU", 2, fake=len(sentences))
    return _bleu(sentences, sentences, orders, apart=True)


def _bleu(
    candidates: Sequence[Sentence],
    references: Sequence[Sentence],
    orders: Sequence[int],
    *,
    apart: bool,
) -> dict[int, float]:
    precisions = [
        _precision(candidates, references, k + 1, apart=apart) for k in range(max(orders))
    ]
    penalty = _brevity_penalty(candidates, references, apart=apart)
    found = {}
    for n in orders:
        first = precisions[:n]
        logs = [math.log(p) for p in first if p > 0]
        found[n] = penalty * math.exp(sum(logs) / n) if len(logs) == n else 0.0
    return found


def _grams(sentence: Sentence, n: int) -> Grams:
    return Counter(tuple(sentence[i : i + n]) for i in range(len(sentence) - n + 1))


def _precision(
    candidates: Sequence[Sentence], references: Sequence[Sentence], n: int, *, apart: bool
) -> float:
    """Clipped precision of n-grams; `apart`: candidates are the references, each without itself."""
    most = _most([_grams(sentence, n) for sentence in references])
    clipped = total = 0
    for sentence in candidates:
        found = _grams(sentence, n)
        for gram, count in found.items():
            first, holders, second = most.get(gram, _Most(0, 0, 0))
            own = apart and count == first and holders == 1
            clipped += min(count, second if own else first)
        total += max(found.total(), 1)
    return clipped / total


def _most(counted: Sequence[Grams]) -> Mapping[tuple[Hashable, ...], _Most]:
    most: dict[tuple[Hashable, ...], _Most] = {}
    for grams in counted:
        for gram, count in grams.items():
            first, holders, second = most.get(gram, _Most(0, 0, 0))
            if count > first:
                most[gram] = _Most(count, 1, first)
            elif count == first:
                most[gram] = _Most(first, holders + 1, second)
            elif count > second:
                most[gram] = _Most(first, holders, count)
    return most


def _brevity_penalty(
    candidates: Sequence[Sentence], references: Sequence[Sentence], *, apart: bool
) -> float:
    counts = Counter(map(len, references))
    lengths = sorted(counts)
    written = nearest = 0
    for sentence in candidates:
        size = len(sentence)
        there = lengths
        if apart and counts[size] == 1:
            there = [length for length in lengths if length != size]
        place = bisect.bisect_left(there, size)
        nearest += min(there[max(place - 1, 0) : place + 1], key=lambda m: (abs(m - size), m))
        written += size
    if written > nearest:
        return 1.0
    return math.exp(1.0 - nearest / written) if written else 0.0
