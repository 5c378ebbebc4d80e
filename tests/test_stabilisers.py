"""Every stabiliser is a flag: it trains points and pictures, and refuses what it cannot do."""

import itertools
import json
import shutil

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
from jaxgan.state import create_state
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
            for flag, value in {"loss": "bce", "penalty": "none", "n_critic": 1, **values}.items():
                FLAGS[flag].value = value
            rules = Rules(
                FLAGS.batch_size, FLAGS.update == "simultaneous", accumulate=FLAGS.accumulate
            )
            if kind == "pictures":
                game = gan_flags.game(FLAGS, picture_generator(), PictureCritic(), (SIDE, SIDE, 3))
            elif kind == "points":
                game = gan_flags.game(FLAGS, MLP((8, 2)), MLP((8, 8, 1)), (2,))
            else:
                networks = Label(MLP((8, 2))), Label(MLP((8, 1)))
                game = gan_flags.game(FLAGS, *networks, (2,), classes=CLASSES)
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
    """The players before and after some steps, and the metrics of each."""
    system, phases, rules = game
    mesh = parallel.make_mesh(jax.devices()[:devices])
    # Where the steps leave it: a step would be compiled anew for a state that lies elsewhere.
    place = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    create = jax.jit(
        lambda key: create_state(system.players, system.memory, key), out_shardings=place
    )
    state = create(jax.random.key(0))
    before = jax.device_get(state.players)
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
    return before, jax.device_get(state.players), metrics


EVERYTHING = {
    "label_smoothing": 0.1,
    "feature_matching": 0.5,
    "minibatch_discrimination": True,
    "spectral_norm": True,
    "unrolled": 2,
    "generators": 2,
}
OTHERS = {
    "clipped": {"loss": "wgan", "n_critic": 2},
    "at once": {"update": "simultaneous", "packing": 2, "penalty": "r2", "penalty_every": 2},
    "in parts": {"accumulate": 2, "packing": 2, "generators": 2, "unrolled": 1},
}


def sound(before, after, metrics):
    """Whether both players moved, and the figures are what they should be."""
    for player in ("generator", "critic"):
        moved = jax.tree.map(
            lambda a, b: bool(np.any(a != b)), before[player].params, after[player].params
        )
        # A tiny network has dead units, and a penalised critic no use for its last bias.
        assert np.mean(jax.tree.leaves(moved)) > 0.6
    assert metrics[-1]["skipped"] == 0
    assert np.isfinite(metrics[-1]["diversity"])
    (accuracy,) = metrics[-1].keys() & {"critic_accuracy", "critic_order"}
    assert 0 <= metrics[-1][accuracy] <= 1
    return accuracy


@pytest.mark.parametrize(("kind", "values"), [("points", {"packing": 2}), ("classes", {})])
def test_all_flags_together(kind, values, build):
    assert sound(*train(kind, build(kind, **EVERYTHING, **values))) == "critic_accuracy"


def test_one_device_and_two_give_the_same_numbers(build):
    augment = ["colour", "translation", "cutout"]
    game = build("pictures", **{**EVERYTHING, "unrolled": 1}, packing=2, augment=augment)
    one, two = (train("pictures", game, devices=count) for count in (1, 2))
    sound(*one)
    for name in ("generator", "critic"):
        jax.tree.map(
            lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5),
            one[1][name].params,
            two[1][name].params,
        )
    assert one[2][-1].keys() == two[2][-1].keys()
    for name, value in one[2][-1].items():
        assert two[2][-1][name] == pytest.approx(value, rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("name", OTHERS)
def test_other_ways_of_playing(name, build):
    before, after, metrics = train("points", build("points", **OTHERS[name]))
    expected = "critic_order" if name == "clipped" else "critic_accuracy"
    assert sound(before, after, metrics) == expected
    lazy = "penalty_every" in OTHERS[name]
    assert ["penalty_loss" in reported for reported in metrics] == [lazy, False]


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("points", {"augment": ["cutout"]}, "is for pictures, not for points"),
        ("pictures", {"augment": ["color"]}, "did you mean 'colour'"),
        ("classes", {"packing": 2}, "joins samples whose classes differ"),
        ("points", {"packing": 3}, "--packing=3 does not divide the batch of 8"),
        ("points", {"generators": 4, "accumulate": 4}, "batch of 8 in 4 parts"),
        ("points", {"penalty_every": 4}, "needs a penalty"),
        ("points", {"label_smoothing": 0.1, "loss": "hinge"}, "belongs to the loss 'bce'"),
        ("points", {"label_smoothing": 0.7}, r"must be in \[0, 0.5\)"),
        ("points", {"minibatch_discrimination": True, "packing": 8}, "the critic sees only one"),
    ],
)
def test_what_does_not_go_together_is_refused(kind, values, message, build):
    with pytest.raises(UserError, match=message):
        build(kind, **values)


def test_labels_that_the_data_lacks_are_missed_before_step_1(build):
    with pytest.raises(UserError, match="needs labels, and this data has none"):
        system, phases, rules = build("classes")
        step = make_step(system, phases, rules)
        abstract = jax.eval_shape(
            lambda key: create_state(system.players, system.memory, key), jax.random.key(0)
        )
        jax.eval_shape(step, abstract, [batch("points", 0)])


def played(phases):
    return [(p.name, p.loss, p.every, p.repeats, p.gain) for p in phases]


def test_the_flags_decide_the_phases(build):
    critic = ("critic", "critic_with_penalties", 1, 1, 1.0)
    generator = ("generator", "generator", 1, 1, 1.0)
    _, phases, _ = build("points", penalty="r1", penalty_every=4, n_critic=2)
    # Eight of the critic's updates to one of the penalty, which is so much stronger.
    assert played(phases) == [
        (*critic[:3], 2, 1.0),
        generator,
        ("penalty", "r1", 4, 1, 8.0),
    ]
    _, phases, _ = build("points", unrolled=3)
    assert played(phases) == [generator, critic]
    simultaneous = {"update": "simultaneous", "penalty": "r1"}
    for tied in ({"minibatch_discrimination": True}, {"feature_matching": 1.0}, {"unrolled": 1}):
        _, phases, _ = build("points", **simultaneous, **tied)
        assert {phase.name for phase in phases} == {"critic", "generator"}
    _, phases, _ = build("points", **simultaneous, packing=2, generators=2, penalty_every=4)
    assert played(phases) == [("both", "both", 1, 1, 1.0), ("penalty", "r1", 4, 1, 4.0)]


def test_wgan_alone_clips_as_in_the_paper(build):
    limit = 0.01
    _, after, _ = train("points", build("points", loss="wgan"))
    clipped = [np.abs(leaf).max() for leaf in jax.tree.leaves(after["critic"].params)]
    assert max(clipped) == pytest.approx(limit) and min(clipped) >= 0
    for values in ({"penalty": "r1"}, {"spectral_norm": True}, {"clip": 0.0}, {"loss": "bce"}):
        system, _, _ = build("points", **{"loss": "wgan", **values})
        assert system.players["critic"].project is None
    system, _, _ = build("points", clip=0.5)
    projected = system.players["critic"].project(jnp.asarray([2.0, 0.25]))
    np.testing.assert_array_equal(projected, [0.5, 0.25])


def test_a_run_with_many_flags_goes_on_bit_for_bit(command, tiny_flags, tmp_path):
    chosen = {
        "spectral_norm": True,
        "minibatch_discrimination": True,
        "packing": 2,
        "generators": 2,
        "unrolled": 1,
        "penalty_every": 2,
        "steps_per_dispatch": 1,
    }
    run_dir, rows = tmp_path / "run", []
    flags_given = tiny_flags("gaussians", **chosen, steps=4, log_every=1, checkpoint_every=3)
    for came in ("step 4/4", "goes on from step 3"):
        code, out, error = command("--experiment=gaussians", f"--run_dir={run_dir}", *flags_given)
        assert code == 0 and came in out, out + error
        found = map(json.loads, (run_dir / "metrics.jsonl").read_text().splitlines())
        (last,) = [row for row in found if row["step"] == 4 and "train/diversity" in row]
        timed = ("images_per_second", "ms_per_step", "wait_share")
        rows.append({k: v for k, v in last.items() if not k.endswith(timed)})
        shutil.rmtree(run_dir / "checkpoints" / "00000004")
    assert rows[0] == rows[1]


def test_digits_with_many_flags_train_and_are_drawn(command, tiny_flags, tmp_path):
    flags_given = tiny_flags(
        "dcgan_mnist",
        steps=2,
        augment="translation,cutout",
        feature_matching=1.0,
        label_smoothing=0.1,
        packing=2,
        generators=2,
        ema_halflife=10.0,
    )
    run_dir, output = tmp_path / "run", tmp_path / "grid.png"
    code, out, error = command("--experiment=dcgan_mnist", f"--run_dir={run_dir}", *flags_given)
    assert code == 0, out + error
    kept = json.loads((run_dir / "config.json").read_text())["flags"]
    assert kept["augment"] == ["translation", "cutout"] and kept["clip"] is None
    code, out, error = command(
        "--mode=sample", f"--run_dir={run_dir}", f"--output={output}", "--count=3"
    )
    assert code == 0 and output.stat().st_size > 500, out + error
