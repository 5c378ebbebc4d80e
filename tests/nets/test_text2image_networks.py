"""Networks that read: their sizes by layer, and what they do with padding."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.nets import text2image
from jaxgan.nets.text2image import (
    SentenceCritic,
    SentenceGenerator,
    TextEncoder,
    WithLexicon,
    WordCritic,
    WordGenerator,
)
from jaxgan.state import count_parameters

SIZE, LENGTH = 12, 3


def shapes_of(network, *inputs):
    keys = {"params": jax.random.key(0), "dropout": jax.random.key(1)}
    return jax.eval_shape(lambda: network.init(keys, *inputs, train=True))


def text(*rows):
    return jnp.asarray(rows, jnp.int32)


LATENT, IDS = jnp.zeros((2, 100)), jnp.zeros((2, LENGTH), jnp.int32)
# PyTorch's and Keras's LSTM have a bias for each gate; PyTorch's has another one beside it.
LSTM = 4 * (300 * 256 + 256 * 256 + 256)


def test_the_words_generator_has_the_tutorials_layers():
    made = shapes_of(WordGenerator(SIZE), LATENT, IDS)
    dense = (100 * 100 + 100) + ((256 + 100) * 7 * 7 * 32 + 7 * 7 * 32)
    convolutions = 9 * 32 * 64 + 2 * 64 + 9 * 64 * 32 + 2 * 32 + (9 * 32 + 1)
    assert count_parameters(made["params"]) == SIZE * 300 + LSTM + dense + convolutions
    assert set(made) == {"params", "batch_stats"}


def test_the_words_critic_has_the_tutorials_layers():
    made = shapes_of(WordCritic(SIZE), jnp.zeros((2, 28, 28, 1)), IDS)
    plane = 256 * 28 * 28 + 28 * 28
    widths = (2, 32, 64, 128, 256)
    convolutions = sum(9 * a * b + b for a, b in itertools.pairwise(widths))
    # 28, 14, 7, 4, 2.
    assert count_parameters(made["params"]) == (
        SIZE * 300 + LSTM + plane + convolutions + (2 * 2 * 256 + 1)
    )


def test_sentences_are_joined_at_the_latent_and_at_4x4():
    reader = SIZE * 128 + 4 * (128 * 256 + 256 * 256 + 256) + (256 * 128 + 128)
    made = shapes_of(SentenceGenerator(width=8, size=SIZE), LATENT, IDS)
    widths = (64, 32, 16, 8, 3)
    grown = sum(16 * a * b for a, b in itertools.pairwise(widths)) + 3
    norms = 2 * sum(widths[:-1])
    start = (100 + 128) * 4 * 4 * 64
    assert count_parameters(made["params"]) == reader + start + grown + norms
    made = shapes_of(SentenceCritic(8, size=SIZE), jnp.zeros((2, 64, 64, 3)), IDS)
    widths = (3, 8, 16, 32, 64)
    shrunk = sum(16 * a * b + b for a, b in itertools.pairwise(widths))
    joined = (64 + 128) * 64 + 64
    assert count_parameters(made["params"]) == reader + shrunk + joined + (4 * 4 * 64 + 1)


def lstm_by_hand(params, rows):
    """The equations of torch.nn.LSTM, over the tokens that are no padding."""
    cell, table = params["OptimizedLSTMCell_0"], np.asarray(params["Embed_0"]["embedding"])

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    def gate(name, x, h):
        recurrent = cell[f"h{name}"]
        return (
            x @ np.asarray(cell[f"i{name}"]["kernel"])
            + h @ np.asarray(recurrent["kernel"])
            + np.asarray(recurrent["bias"])
        )

    out = []
    for row in rows:
        h = c = np.zeros(cell["hi"]["bias"].shape)
        for token in row[row != 0]:
            x = table[token]
            forget, candidate = sigmoid(gate("f", x, h)), np.tanh(gate("g", x, h))
            c, output = forget * c + sigmoid(gate("i", x, h)) * candidate, gate("o", x, h)
            h = sigmoid(output) * np.tanh(c)
        out.append(h)
    return np.stack(out)


@pytest.mark.parametrize("unrolled", [0, 4])
def test_the_encoder_stops_at_the_last_word(unrolled, monkeypatch):
    monkeypatch.setattr(text2image, "UNROLLED", unrolled)
    encoder = TextEncoder(SIZE, embedding=5, features=4)
    rows = text([3, 7, 0], [5, 0, 0], [2, 3, 4])
    variables = encoder.init(jax.random.key(0), rows, train=False)
    params = jax.tree.map(lambda leaf: leaf + 0.1, variables["params"])
    read = encoder.apply({"params": params}, rows, train=False)
    np.testing.assert_allclose(read, lstm_by_hand(params, np.asarray(rows)), atol=1e-5)
    longer = jnp.pad(rows, ((0, 0), (0, 2)))
    np.testing.assert_allclose(
        encoder.apply({"params": params}, longer, train=False), read, atol=1e-6
    )


def test_dropout_is_for_training():
    network = WordGenerator(SIZE, embedding=6, features=4, start=2, channels=(2, 2))
    rows, latent = text([3, 0, 0], [4, 0, 0]), jnp.ones((2, 5))
    keys = {"params": jax.random.key(0), "dropout": jax.random.key(1)}
    variables = jax.jit(lambda: network.init(keys, latent, rows, train=True))()

    @functools.partial(jax.jit, static_argnums=1)
    def drawn(seed, train):
        rngs = {"dropout": jax.random.key(seed)} if train else {}
        return network.apply(
            variables, latent, rows, train=train, rngs=rngs, mutable=["batch_stats"]
        )[0]

    assert drawn(1, True).shape == (2, 28, 28, 1)
    assert float(jnp.abs(drawn(1, True) - drawn(2, True)).max()) > 1e-6
    assert (drawn(1, False) == drawn(2, False)).all()


def test_the_words_lie_in_the_variables_and_stay():
    words = np.arange(6, dtype=np.uint8).reshape(2, 3)
    network = WithLexicon(TextEncoder(SIZE, 5, 4), lambda: {"words": words})
    variables = network.init(jax.random.key(0), IDS, train=False)
    assert (np.asarray(variables["lexicon"]["words"]) == words).all()
    silent = WithLexicon(TextEncoder(SIZE, 5, 4), lambda: pytest.fail("asked for again"))
    _, after = silent.apply(variables, IDS, train=True, mutable=["lexicon"])
    assert (np.asarray(after["lexicon"]["words"]) == words).all()


@pytest.mark.parametrize(
    "network, first",
    [
        (WordGenerator(SIZE, 6, 4, start=2, channels=(2, 2), dtype=jnp.bfloat16), LATENT),
        (WordCritic(SIZE, 6, 4, width=2, dtype=jnp.bfloat16), jnp.zeros((2, 28, 28, 1))),
        (SentenceGenerator(16, width=2, size=SIZE, dtype=jnp.bfloat16), LATENT),
        (SentenceCritic(2, size=SIZE, dtype=jnp.bfloat16), jnp.zeros((2, 16, 16, 3))),
    ],
)
def test_networks_compute_in_bfloat16_with_float32_parameters(network, first):
    keys = {"params": jax.random.key(0), "dropout": jax.random.key(1)}
    out, made = jax.eval_shape(
        lambda: network.init_with_output(keys, first, text([3, 4, 0], [5, 0, 0]), train=True)
    )
    assert out.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(made)} == {jnp.dtype(jnp.float32)}
