"""The stabilisers' mathematics in the plain GAN, against the same thing written out."""

import dataclasses
import functools
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from PIL import Image

from jaxgan import losses
from jaxgan.errors import UserError
from jaxgan.experiment import SampleRequest
from jaxgan.game import Phase
from jaxgan.nets.mixture import Mixture
from jaxgan.nets.mlp import MLP
from jaxgan.provenance import says_synthetic
from jaxgan.state import (
    Network,
    PlayerSpec,
    create_player,
    create_state,
    fold,
    playing_networks,
)
from jaxgan.step import Rules, make_step
from jaxgan.systems import sampling
from jaxgan.systems.adversarial import Weighted, adversarial
from jaxgan.systems.balance import relative_diversity
from jaxgan.systems.sampling import class_grid, sample_file, sample_grid
from jaxgan.systems.unrolled import unroll
from jaxgan.systems.view import View

BATCH, LATENT, DATA = 6, 3, 2
CRITIC = Phase("critic", ("critic",), "critic_with_penalties")
GENERATOR = Phase("generator", ("generator",), "generator")


def spec(module, *shape, optimiser=None, dtype=jnp.float32):
    inputs = (jax.ShapeDtypeStruct((1, *shape), dtype),)
    return PlayerSpec(module, inputs, optimiser or optax.sgd(1.0))


def perceptron(*features, dtype=jnp.float32):
    return MLP(features, jnp.tanh, dtype=dtype)


def start(system, dtype=jnp.float32):
    state = create_state(system.players, system.memory, jax.random.key(0))
    return jax.tree.map(
        lambda leaf: leaf.astype(dtype) if leaf.dtype == jnp.float32 else leaf, state
    )


def real_points(dtype=jnp.float32):
    return jnp.asarray(np.random.default_rng(0).normal(size=(BATCH, DATA)), dtype)


def step_of(system, phases, state, batch, **rules):
    return jax.jit(make_step(system, phases, Rules(BATCH, **rules)))(state, [batch])


def latents(state, dtype=jnp.float32):
    key = fold(state.key, "step", state.step, "round", 0, "generate")
    return jax.random.normal(key, (BATCH, LATENT), dtype)


def gradient_at(before, after):
    """What plain gradient descent at rate 1 has subtracted."""
    return jax.tree.map(
        lambda a, b: a - b, before.players["generator"].params, after.players["generator"].params
    )


@pytest.mark.parametrize("updates", [1, 3])
def test_the_unrolled_gradient_is_that_of_finite_differences(updates, monkeypatch):
    monkeypatch.setattr("jaxgan.state.as_float32", lambda tree: tree)
    with jax.enable_x64(True):
        optimiser = optax.adam(0.05, b1=0.5, eps_root=1e-16)
        generator, critic = (
            perceptron(4, DATA, dtype=jnp.float64),
            perceptron(4, 1, dtype=jnp.float64),
        )
        build = functools.partial(
            adversarial,
            spec(generator, LATENT, dtype=jnp.float64),
            spec(critic, DATA, optimiser=optimiser, dtype=jnp.float64),
            losses.bce(),
            latent_size=LATENT,
        )
        system, real = build(unrolled=updates), real_points(jnp.float64)
        state = start(system, jnp.float64)
        after, _ = step_of(system, (GENERATOR, CRITIC), state, {"real": real})
        found = gradient_at(state, after)
        latent = latents(state, jnp.float64)

        def critic_loss(params, fake):
            logits = [critic.apply({"params": params}, x, train=True) for x in (real, fake)]
            return (jax.nn.softplus(-logits[0]) + jax.nn.softplus(logits[1])).mean()

        @jax.jit
        def generator_loss(params):
            fake = generator.apply({"params": params}, latent, train=True)
            opponent = state.players["critic"].params
            moments = state.players["critic"].opt_state
            for _ in range(updates):
                with jax.numpy_dtype_promotion("standard"):
                    gradient = jax.grad(critic_loss)(opponent, fake)
                    change, moments = optimiser.update(gradient, moments, opponent)
                opponent = optax.apply_updates(opponent, change)
            return jax.nn.softplus(-critic.apply({"params": opponent}, fake, train=True)).mean()

        random = np.random.default_rng(1)
        params, size = state.players["generator"].params, 1e-5
        for _ in range(3):
            direction = jax.tree.map(
                lambda leaf: jnp.asarray(random.normal(size=leaf.shape)), params
            )
            ends = [
                float(generator_loss(jax.tree.map(lambda p, d: p + s * d, params, direction)))  # noqa: B023
                for s in (size, -size)
            ]
            expected = (ends[0] - ends[1]) / (2 * size)
            slope = sum(jax.tree.leaves(jax.tree.map(lambda g, d: (g * d).sum(), found, direction)))
            assert float(slope) == pytest.approx(expected, rel=1e-5)
        # The critic itself takes one step; the generator's gradient is not the plain one.
        assert int(after.players["critic"].opt_state[0].count) == 1
        plain, _ = step_of(build(), (GENERATOR, CRITIC), state, {"real": real})
        with pytest.raises(AssertionError):
            jax.tree.map(
                functools.partial(np.testing.assert_allclose, rtol=1e-3),
                gradient_at(state, plain),
                found,
            )


def test_no_update_ahead_is_the_player_itself():
    given = spec(perceptron(4, 1), DATA)
    player = create_player(given, jax.random.key(0))
    assert unroll(given, player, lambda player, number: None, 0) is player


def test_units_without_a_gradient_do_not_spoil_an_unrolled_adam():
    critic = spec(perceptron(1), DATA, optimiser=optax.adam(0.1, eps_root=1e-16))
    player = create_player(critic, jax.random.key(0))

    def after(x):
        # The second weight has no gradient, so Adam's root is taken of zero.
        ahead = unroll(
            critic, player, lambda p, n: ((p.params["Dense_0"]["kernel"][0, 0] * x) ** 2, {}), 2
        )
        return ahead.params["Dense_0"]["kernel"].sum()

    assert np.isfinite(jax.grad(after)(1.5))


def test_packing_joins_neighbours_along_the_channels():
    pictures = np.random.default_rng(0).normal(size=(6, 4, 5, 2)).astype(np.float32)
    packed = View(packing=3)(jnp.asarray(pictures), jax.random.key(0), "real")
    expected = [np.concatenate(pictures[i : i + 3], axis=-1) for i in (0, 3)]
    np.testing.assert_array_equal(packed, expected)
    points = View(packing=2)(jnp.arange(8.0).reshape(4, 2), jax.random.key(0), "real")
    np.testing.assert_array_equal(points, np.arange(8.0).reshape(2, 4))
    assert View(packing=3).shape((4, 5, 2)) == (4, 5, 6)


def test_real_and_fake_are_augmented_apart():
    pictures, key = jnp.ones((2, 8, 8, 1)), jax.random.key(0)
    view = View(("cutout",))
    real, fake, again = (view(pictures, key, name) for name in ("real", "fake", "real"))
    np.testing.assert_array_equal(real, again)
    assert not np.array_equal(real, fake)


@pytest.mark.parametrize("name", ["bce", "relativistic"])
def test_one_pass_is_exact_with_packing(name):
    system = adversarial(
        spec(perceptron(4, DATA), LATENT),
        spec(perceptron(4, 1), 2 * DATA),
        losses.by_name(name),
        latent_size=LATENT,
        weighted=(Weighted("r1", 2.0),),
        view=View(packing=2),
    )
    state, batch = start(system), {"real": real_points()}
    both = (Phase("critic", ("critic", "generator"), "both"),)
    apart, _ = step_of(system, (CRITIC, GENERATOR), state, batch, simultaneous=True)
    at_once, _ = step_of(system, both, state, batch, simultaneous=True)
    for player in ("generator", "critic"):
        jax.tree.map(
            functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6),
            at_once.players[player].params,
            apart.players[player].params,
        )


def test_features_are_matched_in_the_mean():
    system = adversarial(
        spec(perceptron(4, DATA), LATENT),
        spec(perceptron(5, 1), DATA),
        losses.bce(),
        latent_size=LATENT,
        feature_matching=0.5,
    )
    state, real = start(system), real_points()
    _, metrics = step_of(system, (GENERATOR,), state, {"real": real})
    params = jax.tree.map(np.asarray, {n: p.params for n, p in state.players.items()})

    def dense(x, player, layer):
        return x @ params[player][layer]["kernel"] + params[player][layer]["bias"]

    fake = dense(
        np.tanh(dense(np.asarray(latents(state)), "generator", "Dense_0")), "generator", "Dense_1"
    )
    hidden = [np.tanh(dense(x, "critic", "Dense_0")) for x in (np.asarray(real), fake)]
    distance = ((hidden[0].mean(axis=0) - hidden[1].mean(axis=0)) ** 2).sum()
    opinion = np.logaddexp(0, -dense(hidden[1], "critic", "Dense_1")).mean()
    assert float(metrics["feature_distance"]) == pytest.approx(distance, rel=1e-4)
    assert float(metrics["generator_loss"]) == pytest.approx(opinion + 0.5 * distance, rel=1e-4)


@pytest.mark.parametrize("rows", [6, 5, 1])
def test_a_mixture_takes_its_generators_in_turn(rows):
    module = Mixture(perceptron(4, DATA), 3)
    latent = jnp.asarray(np.random.default_rng(0).normal(size=(rows, LATENT)), jnp.float32)
    found, variables = module.init_with_output(jax.random.key(0), latent, train=True)
    assert found.shape == (rows, DATA)
    stacked = variables["params"]["generator"]
    for row in range(rows):
        own = jax.tree.map(lambda leaf: leaf[row % 3], stacked)  # noqa: B023
        expected = perceptron(4, DATA).apply({"params": own}, latent[row : row + 1], train=True)
        np.testing.assert_allclose(found[row], expected[0], rtol=1e-5, atol=1e-6)
    assert not np.allclose(stacked["Dense_0"]["kernel"][0], stacked["Dense_0"]["kernel"][1])


class Normalised(nn.Module):
    @nn.compact
    def __call__(self, latent, train):
        return nn.BatchNorm(use_running_average=not train, momentum=0.0)(latent)


def test_packs_hold_any_two_generators_of_a_mixture():
    class Constant(nn.Module):
        """Its own parameter, whatever the latent is."""

        @nn.compact
        def __call__(self, latent, train):
            value = self.param("value", nn.initializers.normal(1.0), (1, 1))
            return jnp.broadcast_to(value, (len(latent), 1))

    system = adversarial(
        spec(Mixture(Constant(), 2), LATENT),
        spec(perceptron(1), 2),
        losses.bce(),
        latent_size=LATENT,
        view=View(packing=2),
    )
    networks = playing_networks(system.players, start(system).players)
    batch = {"real": jnp.zeros((400, 1))}
    fake, _ = system.generate(networks, batch, jax.random.key(1))
    values, which = np.unique(np.asarray(fake), return_inverse=True)
    assert len(values) == 2 and np.bincount(which.ravel()).tolist() == [200, 200]
    packs = np.bincount(which.reshape(-1, 2) @ np.array([2, 1]), minlength=4)
    assert packs.min() > 25  # of 200, each of the four pairs about 50 times


def test_a_mixture_keeps_batch_statistics_apart():
    latent = jnp.asarray([[0.0], [10.0], [2.0], [30.0]])
    module = Mixture(Normalised(), 2)
    variables = module.init(jax.random.key(0), latent, train=True)
    network = Network(module, variables["params"], {"batch_stats": variables["batch_stats"]})
    _, updated = network.update(latent)
    (mean,) = [
        leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(updated.variables)
        if path[-1].key == "mean"
    ]
    np.testing.assert_allclose(mean, [[1.0], [20.0]])


def test_diversity_is_the_ratio_of_root_mean_square_distances():
    random = np.random.default_rng(0)
    real, fake = random.normal(size=(2, 7, 3, 2)).astype(np.float32)
    fake *= 0.4

    def distances(samples, label):
        flat = samples.reshape(len(samples), -1).astype(np.float64)
        total = 0.0
        for number in set(label):
            own = flat[label == number]
            # Each class's pairs, itself included, weighted as the variance weighs them.
            squares = ((own[:, None] - own[None]) ** 2).sum(axis=2)
            total += squares.sum() / len(own)
        return np.sqrt(total)

    def of_neighbours(samples):
        apart = [samples[row] - samples[row + 1] for row in (0, 2, 4)]
        return np.sqrt(np.square(np.asarray(apart, np.float64)).sum())

    # The seventh has no neighbour left.
    expected = of_neighbours(fake) / of_neighbours(real)
    found = relative_diversity(jnp.asarray(real), jnp.asarray(fake), None, 0)
    assert float(found) == pytest.approx(expected, rel=1e-5)
    label = np.asarray([0, 1, 0, 1, 1, 0, 3], np.int32)
    expected = distances(fake, label) / distances(real, label)
    found = relative_diversity(jnp.asarray(real), jnp.asarray(fake), jnp.asarray(label), 4)
    assert float(found) == pytest.approx(expected, rel=1e-5)
    # One picture for each class: diverse as a whole, and not within a class.
    means = np.stack([np.full((3, 2), 10.0 * number, np.float32) for number in label])
    found = relative_diversity(jnp.asarray(real), jnp.asarray(means), jnp.asarray(label), 4)
    assert float(found) == pytest.approx(0.0, abs=1e-5)


def test_accuracy_is_taken_at_the_losses_own_boundary():
    real, fake = jnp.asarray([0.4, 2.0, -1.0, 0.6]), jnp.asarray([0.3, -2.0, -3.0, 0.7])
    expected = {
        "bce": (3 / 4 + 2 / 4) / 2,
        "hinge": (3 / 4 + 2 / 4) / 2,
        "lsgan": (2 / 4 + 3 / 4) / 2,
        "relativistic": 3 / 4,
        "wgan": 3 / 4,
    }
    for name, share in expected.items():
        assert float(losses.by_name(name).accuracy(real, fake)) == pytest.approx(share)
    assert float(losses.bce().accuracy(jnp.zeros(4), jnp.zeros(4))) == 0.5


class Conditional(nn.Module):
    """Adds its label, in tens, to what a perceptron says."""

    features: tuple[int, ...]

    @nn.compact
    def __call__(self, x, label, train):
        return perceptron(*self.features)(x, train) + 10.0 * label[:, None].astype(jnp.float32)


def labelled(module, *shape):
    given = spec(module, *shape)
    return dataclasses.replace(given, inputs=(*given.inputs, jax.ShapeDtypeStruct((1,), jnp.int32)))


def test_both_players_are_told_the_labels_of_the_batch():
    system = adversarial(
        labelled(Conditional((4, DATA)), LATENT),
        labelled(Conditional((1,)), DATA),
        losses.by_name("wgan"),
        latent_size=LATENT,
        classes=3,
        weighted=(Weighted("gradient_penalty", 1.0),),
    )
    state, real = start(system), real_points()
    label = np.asarray([0, 2, 1, 0, 1, 2], np.uint8)
    assert system.prepare({"label": jnp.asarray(label)}, None)["label"].dtype == jnp.int32
    batch = {"real": real, "label": jnp.asarray(label)}
    _, metrics = step_of(system, (CRITIC,), state, batch)
    params = jax.tree.map(np.asarray, {n: p.params for n, p in state.players.items()})
    wanted = label.astype(np.int32)
    fake = Conditional((4, DATA)).apply(
        {"params": params["generator"]}, latents(state), wanted, train=True
    )
    logits = [
        Conditional((1,)).apply({"params": params["critic"]}, x, wanted, train=True)
        for x in (real, fake)
    ]
    assert float(metrics["critic_real"]) == pytest.approx(float(logits[0].mean()), rel=1e-4)
    assert float(metrics["critic_fake"]) == pytest.approx(float(logits[1].mean()), rel=1e-4)


class Shade(nn.Module):
    """Pictures of one shade for each class."""

    @nn.compact
    def __call__(self, latent, label, train):
        self.param("unused", nn.initializers.zeros, (1,))
        shade = label.astype(jnp.float32) / 5 - 1
        return jnp.broadcast_to(shade[:, None, None, None], (len(latent), 4, 4, 1))


def shades():
    return {"generator": Network(Shade(), {"unused": jnp.zeros(1)}, {}, train=False)}


def test_previews_have_a_row_for_each_class():
    grid = sample_grid(LATENT, columns=3, classes=4, names=("a", "b", "c", "d"))(shades())[
        "preview"
    ]
    assert grid.labels == ["a", "b", "c", "d"] and [len(row) for row in grid.rows] == [3] * 4
    shown = [int(row[0][0, 0, 0]) for row in grid.rows]
    np.testing.assert_allclose(shown, np.arange(4) / 5 * 127.5, atol=0.51)
    many = sample_grid(LATENT, columns=2, classes=1000)(shades())["preview"]
    assert len(many.rows) == 16 and many.labels[0] == "0" and many.labels[-1] == "999"


def test_samples_are_spread_over_the_classes(tmp_path):
    label = np.asarray([0, 0, 0, 2, 2], np.int32)
    grid = class_grid(np.zeros((5, 4, 4, 1), np.float32), label, columns=2)
    assert grid.labels == ["0", "", "2"] and [len(row) for row in grid.rows] == [2, 1, 2]
    sample = sample_file(LATENT, classes=10)
    request = SampleRequest(None, Path(tmp_path / "grid.png"), seed=0, count=12)
    written = sample(shades(), request)
    assert written == tmp_path / "grid.png"
    # Ten rows: every class is there, though twelve is no multiple of ten.
    with Image.open(written) as picture:
        assert picture.height > 10 * 4


@pytest.mark.parametrize("faces", [False, True])
def test_a_folder_gets_a_file_for_each_sample_by_class(faces, tmp_path, monkeypatch):
    monkeypatch.setattr(sampling, "AT_ONCE", 4)
    sample = sample_file(LATENT, classes=3, faces=faces)
    folder = tmp_path / "samples" / "digits"
    assert sample(shades(), SampleRequest(None, folder, seed=0, count=7)) == folder
    files = sorted(folder.glob("*/*.png"))
    assert [f"{file.parent.name}/{file.stem}" for file in files] == [
        *("0/000000", "0/000001", "0/000002", "1/000003", "1/000004", "2/000005", "2/000006")
    ]
    for file in files:
        assert says_synthetic(file)
        with Image.open(file) as picture:
            assert picture.mode == ("RGB" if faces else "L")
            shade = np.asarray(picture)[0].ravel()[0]
        assert shade == pytest.approx(int(file.parent.name) / 5 * 127.5, abs=0.51)
    again = tmp_path / "again"
    sample(shades(), SampleRequest(None, again, seed=0, count=7))
    assert (again / "1/000004.png").read_bytes() == (folder / "1/000004.png").read_bytes()
    with pytest.raises(UserError, match=r"name of a \.png, or of a folder"):
        sample(shades(), SampleRequest(None, tmp_path / "samples.jpg", seed=0, count=7))
