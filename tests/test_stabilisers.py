"""Every stabiliser is a flag: it trains points and pictures, and refuses what it cannot do."""

import itertools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver

from jaxgan import experiment as experiments
from jaxgan import gan_flags, parallel
from jaxgan.errors import UserError
from jaxgan.game import active_phases, distinct_steps, rounds
from jaxgan.nets.mlp import MLP
from jaxgan.ops.layers import Conv
from jaxgan.state import create_state, trained_networks
from jaxgan.step import Rules, make_step

FLAGS = flags.FLAGS
SIDE, CLASSES = 8, 3


class Label(nn.Module):
    """A network that is given a label's embedding beside its input."""

    network: nn.Module

    @nn.compact
    def __call__(self, x, label, train):
        beside = nn.Embed(CLASSES, 2)(label)
        return self.network(jnp.concatenate([x.reshape(len(x), -1), beside], axis=1), train)


class PictureCritic(nn.Module):
    @nn.compact
    def __call__(self, pictures, train):
        x = jax.nn.leaky_relu(Conv(4, 4, stride=2)(pictures), 0.2)
        return nn.Dense(1)(x.reshape(len(x), -1))[:, 0]


def picture_generator():
    return MLP((8, SIDE * SIDE * 3), output=jnp.tanh, shape=(SIDE, SIDE, 3))


@pytest.fixture
def build():
    """A game and its flags' values: of points, of pictures, or of points by class."""

    def built(kind, **values):
        with flagsaver.flagsaver():
            experiments.load(experiments.find("gaussians"))
            FLAGS["batch_size"].value = 8
            FLAGS["latent_size"].value = 4
            for flag, value in {"loss": "bce", "penalty": "none", **values}.items():
                FLAGS[flag].value = value
            rules = Rules(
                FLAGS.batch_size, FLAGS.update == "simultaneous", accumulate=FLAGS.accumulate
            )
            if kind == "pictures":
                game = gan_flags.game(picture_generator(), PictureCritic(), (SIDE, SIDE, 3))
            elif kind == "points":
                game = gan_flags.game(MLP((8, 2)), MLP((8, 8, 1)), (2,))
            else:
                networks = Label(MLP((8, 2))), Label(MLP((8, 1)))
                game = gan_flags.game(*networks, (2,), classes=CLASSES)
            return *game, rules

    return built


def batch(kind, number, rows=8):
    random = np.random.default_rng(number)
    label = random.integers(0, CLASSES, rows).astype(np.int32)
    if kind == "pictures":
        shape = (rows, SIDE, SIDE, 3)
        return {"real": random.integers(0, 256, shape, np.uint8)}
    real = random.normal(size=(rows, 2)).astype(np.float32)
    return {"real": real, **({"label": label} if kind == "classes" else {})}


def train(kind, game, steps=2, devices=1):
    """The state after some steps, and the metrics of each."""
    system, phases, rules = game
    mesh = parallel.make_mesh(jax.devices()[:devices])
    state = jax.jit(lambda key: create_state(system.players, system.memory, key))(jax.random.key(0))
    compiled = {
        active: jax.jit(make_step(system, active, rules))
        for active in distinct_steps(phases, steps)
    }
    metrics, number = [], itertools.count()
    for step in range(steps):
        active = active_phases(phases, step)
        data = [
            parallel.global_batch(batch(kind, next(number)), mesh) for _ in range(rounds(active))
        ]
        state, reported = compiled[active](state, data)
        metrics.append(jax.device_get(reported))
    return jax.device_get(state.players), metrics


ALL = {
    "label_smoothing": {"label_smoothing": 0.1},
    "feature_matching": {"feature_matching": 0.5},
    "minibatch": {"minibatch_discrimination": True},
    "unrolled": {"unrolled": 2},
    "spectral_norm": {"spectral_norm": True, "loss": "hinge"},
    "lazy": {"penalty": "r1", "penalty_every": 2},
    "clip": {"loss": "wgan", "n_critic": 2},
    "generators": {"generators": 2},
    "packing": {"packing": 2},
    "augment": {"augment": ["colour", "translation", "cutout"]},
    "at_once": {"update": "simultaneous", "packing": 2, "penalty": "r1"},
    "accumulate": {"accumulate": 2, "packing": 2, "generators": 2, "unrolled": 1},
}


@pytest.mark.parametrize("kind", ["points", "pictures", "classes"])
@pytest.mark.parametrize("name", ALL)
def test_every_flag_moves_both_players(kind, name, build):
    values = dict(ALL[name])
    if kind != "pictures" and "augment" in values or kind == "classes" and "packing" in values:
        with pytest.raises(UserError, match="--augment|--packing"):
            build(kind, **values)
        return
    game = build(kind, **values)
    players, metrics = train(kind, game)
    before, _ = train(kind, game, 0)
    for player in ("generator", "critic"):
        moved = [
            np.any(a != b)
            for a, b in zip(
                jax.tree.leaves(players[player].params),
                jax.tree.leaves(before[player].params),
                strict=True,
            )
        ]
        assert np.mean(moved) > 0.6
    assert metrics[-1]["skipped"] == 0
    assert np.isfinite(metrics[-1]["diversity"])
    key = "critic_order" if values.get("loss") == "wgan" else "critic_accuracy"
    assert 0 <= metrics[-1][key] <= 1
