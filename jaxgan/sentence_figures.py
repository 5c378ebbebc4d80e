"""What experiments that write sentences show of them: figures, previews, samples."""

from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np

from jaxgan.data import grammar
from jaxgan.data.sentences import Corpus, Tokens, Unit, as_tokens, from_spelling, join_tokens
from jaxgan.data.vocabulary import PADDING
from jaxgan.errors import UserError
from jaxgan.experiment import Networks, SampleRequest
from jaxgan.metrics.bleu import ORDERS, corpus_bleu, self_bleu
from jaxgan.metrics.stamp import Measured, Stamp
from jaxgan.systems.seqgan import draw_sequences, surprise
from jaxgan.texts import Texts

# Sequences that go through the network at a time, and lines of a preview.
AT_ONCE = 256
PREVIEWED = 24

_BLEU = "corpus BLEU-{}, the mean of the logarithms of the precisions of 1- to {}-grams"


def write(networks: Networks, count: int, length: int, key: jax.Array) -> list[Tokens]:
    """`count` sentences of a trained generator, as tokens."""
    vocabulary = from_spelling(networks["generator"].variables["vocabulary"]["spelling"])
    parts = [
        draw_sequences(networks, jax.random.fold_in(key, i), count=AT_ONCE, length=length)
        for i in range(-(-count // AT_ONCE))
    ]
    return as_tokens(np.concatenate(parts)[:count], vocabulary)


def figures(
    corpus: Callable[[], Corpus], *, count: int, length: int, drawn_from_grammar: bool
) -> Callable[[Networks], Measured]:
    """Makes the `evaluate` of an experiment that writes sentences.

    `nll`: of the held-out sentences, nats a token; low where the generator covers what people
    write. `bleu_N` against them and `self_bleu_N`, of the generated sentences; as `bleu_N_real` and
    `self_bleu_N_real` those of as many sentences that were trained on. `unseen`: the share of the
    generated sentences that is no sentence trained on. `grammatical`: the share that the grammar
    accepts, where they were drawn from one.

    Args:
      corpus: opens the sentences; called at the first measurement.
      count: how many sentences are written.
      length: of a sequence.
      drawn_from_grammar: whether the sentences are those of `data.grammar`.
    """

    def evaluate(networks: Networks) -> Measured:
        found = corpus()
        written = write(networks, count, length, jax.random.key(0))
        real = as_tokens(found.held_out, found.vocabulary)
        trained_on = as_tokens(found.train, found.vocabulary)
        about = {**found.description, "part": "held-out sentences"}
        known = set(trained_on)
        values = {
            "nll": negative_log_likelihood(networks, found.held_out),
            "unseen": float(np.mean([sentence not in known for sentence in written])),
        }
        stamps = {
            "nll": Stamp("negative log-likelihood, nats a token", len(real), 0, about),
            "unseen": Stamp(
                "share that is no sentence trained on", len(trained_on), len(written), about
            ),
        }
        if drawn_from_grammar:
            values["grammatical"] = float(
                np.mean([grammar.accepts(sentence) for sentence in written])
            )
            stamps["grammatical"] = Stamp("share that the grammar accepts", 0, len(written), about)
        baseline = trained_on[:: max(len(trained_on) // count, 1)][:count]
        for suffix, sentences in (("", written), ("_real", baseline)):
            for n, value in corpus_bleu(sentences, real).items():
                values[f"bleu_{n}{suffix}"] = value
            for n, value in self_bleu(sentences).items():
                values[f"self_bleu_{n}{suffix}"] = value
        for n in ORDERS:
            name = _BLEU.format(n, n)
            references = f"{name}, all held-out sentences the references of each"
            others = f"{name}, all others the references of each (self-BLEU)"
            stamps[f"bleu_{n}"] = Stamp(references, len(real), len(written), about)
            stamps[f"self_bleu_{n}"] = Stamp(others, 0, len(written), about)
        return Measured(values, stamps)

    return evaluate


def negative_log_likelihood(networks: Networks, sequences: np.ndarray) -> float:
    """Nats a token, ends included, of int32 `[n, length]`."""
    total = 0.0
    for start in range(0, len(sequences), AT_ONCE):
        rows = sequences[start : start + AT_ONCE]
        padded = np.zeros((AT_ONCE, rows.shape[1]), np.int32)
        padded[: len(rows)] = rows
        total += float(np.asarray(surprise(networks, padded)).sum())
    return total / float((sequences != PADDING).sum())


def preview(length: int, unit: Unit) -> Callable[[Networks], dict[str, Texts]]:
    """Makes the `preview`: always of the same random numbers."""

    def show(networks: Networks) -> dict[str, Texts]:
        written = write(networks, PREVIEWED, length, jax.random.key(0))
        return {"preview": Texts([join_tokens(tokens, unit) for tokens in written])}

    return show


def sample_text(length: int, unit: Unit) -> Callable[[Networks, SampleRequest], Path]:
    """Makes the `sample`: `--output` is a .txt, which gets `--count` lines."""

    def sample(networks: Networks, request: SampleRequest) -> Path:
        if request.input is not None:
            raise UserError(f"--input={request.input}: this experiment writes out of nothing")
        if request.output.suffix != ".txt":
            raise UserError(f"--output={request.output}: give the name of a .txt")
        written = write(networks, request.count, length, jax.random.key(request.seed))
        lines = Texts([join_tokens(tokens, unit) for tokens in written])
        return lines.save(request.output.with_suffix(""))

    return sample
