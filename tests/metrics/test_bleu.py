"""BLEU by hand, and as nltk has it."""

import math

import numpy as np
import pytest
from nltk.translate import bleu_score

from jaxgan.errors import UserError
from jaxgan.metrics.bleu import corpus_bleu, self_bleu

pytestmark = pytest.mark.filterwarnings("ignore:.*The hypothesis contains 0 counts")


def random_sentences(count, seed, words=6, longest=9):
    random = np.random.default_rng(seed)
    return [
        tuple(random.integers(words, size=random.integers(1, longest + 1)).tolist())
        for _ in range(count)
    ]


def by_nltk(references, candidates, n):
    return bleu_score.corpus_bleu(references, candidates, weights=[1 / n] * n)


def test_by_hand():
    references = [["the", "cat", "sits", "on", "the", "mat"], ["a", "dog", "runs"]]
    # 5 of 6 words, as `the` counts twice at most; the-cat, on-the, the-mat, 3 of 5 pairs.
    found = corpus_bleu([["the", "the", "cat", "on", "the", "mat"]], references, (1, 2, 3))
    assert found[1] == pytest.approx(5 / 6)
    assert found[2] == pytest.approx(math.sqrt(5 / 6 * 3 / 5))
    # 3-grams: on-the-mat, 1 of 4.
    assert found[3] == pytest.approx((5 / 6 * 3 / 5 * 1 / 4) ** (1 / 3))


def test_a_short_candidate_is_penalised_against_the_nearest_length():
    references = [list("abcd"), list("abcdefgh")]
    assert corpus_bleu([list("abc")], references, (1,))[1] == pytest.approx(math.exp(1 - 4 / 3))
    # 6 is as near to 4 as to 8, and the shorter one counts.
    assert corpus_bleu([list("abcdef")], references, (1,))[1] == 1.0


def test_as_nltk_with_all_references():
    candidates, references = random_sentences(30, 0), random_sentences(25, 1)
    for n, value in corpus_bleu(candidates, references).items():
        assert value == pytest.approx(by_nltk([references] * 30, candidates, n), abs=1e-12)
        assert 0 < value < 1


def test_self_bleu_as_nltk_with_all_but_the_sentence_itself():
    sentences = [*random_sentences(25, 2), *random_sentences(3, 2), (0, 0, 0, 0, 0, 0, 0, 1, 2, 3)]
    others = [sentences[:i] + sentences[i + 1 :] for i in range(len(sentences))]
    for n, value in self_bleu(sentences).items():
        assert value == pytest.approx(by_nltk(others, sentences, n), abs=1e-12)
        assert 0 < value < 1


def test_copies_and_strangers():
    sentences = [s for s in random_sentences(10, 3) if len(s) > 1]
    assert set(corpus_bleu(sentences, sentences, (1, 2)).values()) == {1.0}
    assert set(self_bleu(sentences * 2, (1, 2)).values()) == {1.0}
    assert set(corpus_bleu([("x", "y", "z")], sentences).values()) == {0.0}
    assert set(corpus_bleu([()], sentences).values()) == {0.0}


def test_too_few():
    with pytest.raises(UserError, match="BLEU needs at least 1 fake samples and was given 0"):
        corpus_bleu([], [("a",)])
    with pytest.raises(UserError, match="self-BLEU needs at least 2"):
        self_bleu([("a",)])
