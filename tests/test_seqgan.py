"""SeqGAN: log-probabilities, rollouts, rewards, and the policy gradient against enumeration."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import stats

from jaxgan.data.sentences import END, from_spelling, no_spelling, spelling
from jaxgan.data.vocabulary import PADDING, RESERVED, Vocabulary
from jaxgan.game import Turn
from jaxgan.losses import bce
from jaxgan.nets.seqgan import Highway, SequenceCritic, SequenceGenerator
from jaxgan.ops.categorical import draw_categories
from jaxgan.state import Network, PlayerSpec, count_parameters, create_player, playing_networks
from jaxgan.systems import seqgan as system_of_seqgan
from jaxgan.systems.seqgan import (
    advantages,
    said,
    seqgan,
)

LENGTH = 3
WORDS = Vocabulary(("\n", "a", "b"))
TOKENS = 6  # one more than the vocabulary has
A, B = END + 1, END + 2


@functools.cache
def generator(scale=3.0, seed=0):
    """An untrained generator whose choices are far from even."""
    module = SequenceGenerator(TOKENS, lambda: spelling(WORDS, TOKENS), 3, 4)
    sequences = jnp.zeros((1, LENGTH), jnp.int32)
    variables = jax.jit(lambda key: module.init(key, sequences, train=True))(jax.random.key(seed))
    params = jax.tree.map(lambda leaf: scale * leaf, variables["params"])
    return Network(module, params, {"vocabulary": variables["vocabulary"]})


@functools.cache
def critic(seed=1, dropout=0.0):
    module = SequenceCritic(TOKENS, (1, 2), (3, 4), 3, dropout)
    sequences = jnp.zeros((1, LENGTH), jnp.int32)
    params = jax.jit(lambda key: module.init(key, sequences, train=True))(jax.random.key(seed))
    params = params["params"]
    return Network(module, jax.tree.map(lambda leaf: 2.0 * leaf, params), {})


def every_sequence():
    """All that can be written: int32 [n, LENGTH]."""
    found = []
    for size in range(LENGTH + 1):
        for tokens in itertools.product((A, B), repeat=size):
            row = [*tokens, END][:LENGTH]
            found.append(row + [PADDING] * (LENGTH - len(row)))
    return jnp.array(sorted(set(map(tuple, found))), jnp.int32)


# Each a program, and not one for every operation.
log_probabilities = jax.jit(system_of_seqgan.log_probabilities)
sample_sequences = jax.jit(system_of_seqgan.sample_sequences, static_argnums=(2, 3))
complete = jax.jit(system_of_seqgan.complete, static_argnames="shortest")
rewards = jax.jit(system_of_seqgan.rewards, static_argnames=("rollouts", "at_once"))
draw = jax.jit(lambda key, x: draw_categories(jax.random.uniform(key, x.shape[:-1]), x))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_probabilities_equal_an_lstm_in_numpy():
    network, rows = generator(), every_sequence()
    p = jax.tree.map(np.asarray, network.params)
    cell, total = p["cell"], []
    for row in np.asarray(rows):
        h = c = np.zeros(4)
        before, score = PADDING, []
        for token in row:
            x = p["embed"]["embedding"][before]
            gates = {
                g: x @ cell[f"i{g}"]["kernel"] + h @ cell[f"h{g}"]["kernel"] + cell[f"h{g}"]["bias"]
                for g in "ifgo"
            }
            c = sigmoid(gates["f"]) * c + sigmoid(gates["i"]) * np.tanh(gates["g"])
            h = sigmoid(gates["o"]) * np.tanh(c)
            logits = (h @ p["out"]["kernel"] + p["out"]["bias"])[END : B + 1]
            logs = logits - np.log(np.exp(logits).sum())
            score.append(0.0 if token == PADDING else logs[token - END])
            before = token
        total.append(score)
    np.testing.assert_allclose(log_probabilities(network, rows), total, atol=1e-5)


def test_everything_that_can_be_written_has_probability_one_together():
    chances = jnp.exp(log_probabilities(generator(), every_sequence()).sum(axis=1))
    np.testing.assert_allclose(chances.sum(), 1.0, rtol=1e-5)


def test_what_is_drawn_has_the_probabilities_of_the_generator():
    network, rows = generator(), every_sequence()
    drawn = np.asarray(sample_sequences(network, jax.random.key(0), 4000, LENGTH))
    chances = np.exp(np.asarray(log_probabilities(network, rows).sum(axis=1), np.float64))
    counts = [(drawn == row).all(axis=1).sum() for row in np.asarray(rows)]
    assert sum(counts) == 4000
    assert stats.chisquare(counts, 4000 * chances / chances.sum()).pvalue > 1e-3


def test_what_follows_a_prefix_is_drawn_and_the_prefix_stays():
    network = generator()
    rows = jnp.tile(jnp.array([[A, B, END], [B, END, PADDING], [END, PADDING, PADDING]]), (200, 1))
    rows = rows.astype(jnp.int32)
    kept = jnp.tile(jnp.array([1, 2, 1], jnp.int32), 200)
    carries = jax.jit(lambda rows: network(rows, method="carries"))(rows)
    carry = jax.tree.map(lambda c: np.asarray(c)[kept, np.arange(len(rows))], carries)
    done = np.asarray(complete(network, jax.random.key(1), rows, carry, kept, shortest=1))
    assert (done[::3, 0] == A).all() and len(np.unique(done[::3, 1])) == 3
    # A sentence that has ended stays as it is.
    np.testing.assert_array_equal(done[1::3], np.asarray(rows)[1::3])
    np.testing.assert_array_equal(done[2::3], np.asarray(rows)[2::3])
    after_end = np.asarray(done) == END
    assert (done[:, 1:][after_end[:, :-1]] == PADDING).all()
    # The second token after A has the generator's probabilities.
    pair = jnp.array([[A, END, PADDING], [A, A, PADDING], [A, B, PADDING]], jnp.int32)
    chances = np.exp(np.asarray(log_probabilities(network, pair)[:, 1], np.float64))
    counts = [(done[::3, 1] == token).sum() for token in (END, A, B)]
    assert stats.chisquare(counts, 200 * chances / chances.sum()).pvalue > 1e-3


def test_a_reward_is_the_mean_opinion_of_all_that_may_follow():
    network, judge, rows = generator(), critic(), every_sequence()
    chances = np.exp(np.asarray(log_probabilities(network, rows).sum(axis=1), np.float64))
    opinions = sigmoid(np.asarray(judge.replace(train=False)(rows), np.float64))
    expected = np.zeros(rows.shape)
    for i, row in enumerate(np.asarray(rows)):
        for t in range(LENGTH):
            same = (np.asarray(rows)[:, : t + 1] == row[: t + 1]).all(axis=1)
            expected[i, t] = (chances * opinions)[same].sum() / chances[same].sum()
    expected[np.asarray(rows) == PADDING] = 0.0
    found = rewards(network, judge, rows, jax.random.key(2), rollouts=4000, at_once=500)
    np.testing.assert_allclose(found, expected, atol=0.01)
    # The last token's, and those behind the end, are exact.
    np.testing.assert_allclose(found[:, -1], expected[:, -1], atol=1e-6)


def test_the_policy_gradient_is_that_of_the_enumerated_expectation():
    network, judge, rows = generator(), critic(), every_sequence()

    def expectation(params):
        chances = jnp.exp(log_probabilities(network.replace(params=params), rows).sum(axis=1))
        return -(chances * jax.nn.sigmoid(judge.replace(train=False)(rows))).sum()

    exact = jax.jit(jax.grad(expectation))(network.params)
    sequences = (jax.ShapeDtypeStruct((1, LENGTH), jnp.int32),)
    specs = [PlayerSpec(n.module, sequences, optax.sgd(1.0)) for n in (network, judge)]
    system = seqgan(*specs, bce(), rollouts=2)
    players = {
        name: create_player(spec, jax.random.key(0)).replace(params=n.params, variables=n.variables)
        for name, spec, n in zip(system.players, specs, (network, judge), strict=True)
    }

    def estimate(key):
        batch = {"real": jnp.zeros((256, LENGTH), jnp.int32)}
        networks = playing_networks(system.players, players)
        fake, _ = system.generate(networks, batch, key)

        def loss(params):
            moving = {**networks, "generator": network.replace(params=params)}
            turn = Turn(moving, batch, fake, {}, jax.random.fold_in(key, 1), jnp.array(0), players)
            return system.losses["generator"](turn).loss

        return jax.grad(loss)(network.params)

    many = jax.jit(lambda keys: jax.lax.map(estimate, keys))(
        jax.random.split(jax.random.key(3), 200)
    )
    for path, leaf in jax.tree_util.tree_leaves_with_path(many):
        wanted = np.asarray(
            next(v for p, v in jax.tree_util.tree_leaves_with_path(exact) if p == path)
        )
        error = np.asarray(leaf.std(axis=0)) / np.sqrt(200) + 1e-6
        assert (np.abs(np.asarray(leaf.mean(axis=0)) - wanted) / error).max() < 4.5, path
        assert np.abs(wanted).max() > 3 * error.max() or np.abs(wanted).max() < 1e-3, path


def test_a_baseline_is_the_mean_of_the_others_where_they_have_a_token():
    worth = jnp.array([[0.2, 0.4, 0.0], [0.6, 0.8, 0.5], [0.1, 0.0, 0.0]])
    chosen = jnp.array([[True, True, False], [True, True, True], [True, False, False]])
    expected = [[0.2 - 0.35, 0.4 - 0.8, 0], [0.6 - 0.15, 0.8 - 0.4, 0.5], [0.1 - 0.4, 0, 0]]
    np.testing.assert_allclose(advantages(worth, chosen), expected, atol=1e-6)


def test_padding_has_no_probability_and_no_place_in_the_loss():
    rows = jnp.array([[A, END, PADDING]], jnp.int32)
    np.testing.assert_array_equal(said(rows), [[True, True, False]])
    assert float(log_probabilities(generator(), rows)[0, 2]) == 0.0


@pytest.mark.parametrize("categories", [1, 2, 50])
def test_draws_have_the_probabilities_of_their_logits(categories):
    logits = jnp.asarray(np.random.default_rng(categories).normal(0, 1.5, categories), jnp.float32)
    logits = logits.at[0].set(-1e9 if categories > 1 else 0.0)
    drawn = draw(jax.random.key(5), jnp.broadcast_to(logits, (10_000, categories)))
    assert drawn.shape == (10_000,) and drawn.dtype == jnp.int32
    counts = np.bincount(np.asarray(drawn).ravel(), minlength=categories)
    wanted = np.asarray(jax.nn.softmax(logits), np.float64)
    assert len(counts) == categories and not counts[wanted == 0].any()
    likely = wanted > 0
    if likely.sum() > 1:
        expected = 10_000 * wanted[likely] / wanted.sum()
        assert stats.chisquare(counts[likely], expected).pvalue > 1e-3


def test_a_certain_category_is_drawn_at_any_random_number():
    logits = jnp.full((1000, 9), -1e9).at[:, 4].set(0.0)
    assert (draw(jax.random.key(0), logits) == 4).all()


def test_parameters_are_those_of_the_paper():
    """Its oracle experiment: 5000 tokens, embedding and LSTM of 32; its critic's filters."""
    sequences = jnp.zeros((1, 20), jnp.int32)
    module = SequenceGenerator(5000, lambda: no_spelling(5000))
    made = jax.eval_shape(lambda: module.init(jax.random.key(0), sequences, train=True))
    lstm = 4 * (32 * 32 + 32 * 32 + 32)
    assert count_parameters(made["params"]) == 5000 * 32 + lstm + 33 * 5000
    judge = SequenceCritic(5000)
    keys = {"params": jax.random.key(0), "dropout": jax.random.key(0)}
    made = jax.eval_shape(lambda: judge.init(keys, sequences, train=True))
    kinds = list(zip(judge.windows, judge.filters, strict=True))
    features = sum(judge.filters)
    assert features == 1720
    convolutions = sum((window * 64 + 1) * filters for window, filters in kinds)
    highway = 2 * (features * features + features)
    assert count_parameters(made["params"]) == 5000 * 64 + convolutions + highway + features + 1


def test_the_highway_is_the_papers():
    x = jnp.array([[0.5, -1.0, 2.0]])
    layer = Highway()
    params = layer.init(jax.random.key(0), x)["params"]
    w, v = params["Dense_0"], params["Dense_1"]
    assert (np.asarray(v["bias"]) == -2.0).all()
    gate = sigmoid(np.asarray(x) @ np.asarray(v["kernel"]) - 2.0)
    made = np.maximum(np.asarray(x) @ np.asarray(w["kernel"]), 0)
    wanted = gate * made + (1 - gate) * np.asarray(x)
    np.testing.assert_allclose(layer.apply({"params": params}, x), wanted, rtol=1e-5)


def test_a_generator_carries_its_vocabulary():
    table = generator().variables["vocabulary"]["spelling"]
    assert from_spelling(table) == WORDS and table.shape[0] == TOKENS and RESERVED == 2
