"""Groups of steps: where they end, and that a run's bits do not depend on it."""

import json
import os
import signal

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from absl.testing import flagsaver

from jaxgan import experiment as experiments
from jaxgan import losses, main, parallel
from jaxgan.checkpoints import Checkpoints
from jaxgan.compiling import abstract_state
from jaxgan.dispatch import groups, make_group_step
from jaxgan.game import Phase, rounds
from jaxgan.nets.mlp import MLP
from jaxgan.state import PlayerSpec, create_state
from jaxgan.step import Rules, make_step
from jaxgan.systems.adversarial import adversarial
from jaxgan.telemetry import Telemetry

BATCH, LATENT, MOST = 8, 4, 5
CRITIC = Phase("critic", ("critic",), "critic")
GENERATOR = Phase("generator", ("generator",), "generator")

# Phases that play every k-th step, begin late and read several batches: what groups must end for.
PHASES = """\"\"\"Gaussians with phases that come and go.\"\"\"
import dataclasses
from jaxgan import experiment as experiments
from jaxgan.game import Phase
gaussians = experiments.load(experiments.find("gaussians")).module
def experiment():
    phases = (
        Phase("r1", ("critic",), "r1", every=4, gain=4.0),
        Phase("critic", ("critic",), "critic", repeats=2, start=9),
        Phase("generator", ("generator",), "generator"),
    )
    return dataclasses.replace(gaussians.experiment(), phases=phases)
"""
STEPS = 23
TINY = ["--batch_size=8", "--units=8", "--latent_size=4", "--penalty=r1"]
EVERY = ["--log_every=5", "--eval_every=9", "--checkpoint_every=7", "--keep=9"]


def player(inputs, outputs, **options):
    shape = jax.ShapeDtypeStruct((1, inputs), jnp.float32)
    return PlayerSpec(MLP((8, outputs)), (shape,), optax.adam(0.01), **options)


def game():
    return adversarial(
        player(LATENT, 2, ema_halflife=100.0),
        player(2, 1),
        losses.by_name("bce"),
        latent_size=LATENT,
    )


def start(system):
    create = jax.jit(lambda key: create_state(system.players, system.memory, key))
    return create(jax.random.key(1))


def stacks(data, reads, lengths):
    """The data in stacks for groups of these lengths; what is behind the last batch is not zero."""
    place = 0
    for length in lengths:
        stack = np.full((MOST * reads, BATCH, 2), np.nan, np.float32)
        count = length * reads
        stack[:count] = data[place : place + count]
        place += count
        yield length, {"real": jnp.asarray(stack)}


def equal(left, right):
    jax.tree.map(np.testing.assert_array_equal, left, right)


@pytest.mark.parametrize("repeats", [1, 3])
def test_bits_do_not_depend_on_where_groups_are_cut(repeats):
    system, steps = game(), 10
    active = (Phase("critic", ("critic",), "critic", repeats=repeats), GENERATOR)
    reads = rounds(active)
    data = np.random.default_rng(0).normal(size=(steps * reads, BATCH, 2)).astype(np.float32)
    data[3 * reads, 0, 0] = np.nan  # the fourth step is skipped
    one = jax.jit(make_step(system, active, Rules(BATCH)))
    many = jax.jit(make_group_step(system, active, Rules(BATCH), MOST))

    state, expected = start(system), []
    for number in range(steps):
        mine = data[number * reads : (number + 1) * reads]
        state, metrics = one(state, [{"real": jnp.asarray(batch)} for batch in mine])
        expected.append(jax.device_get(metrics))
    assert [float(metrics["skipped"]) for metrics in expected] == [0] * 3 + [1] * 7

    found = []
    for lengths in ([5, 5], [1] * 10, [2, 5, 1, 2]):
        now, rows = start(system), []
        for length, stack in stacks(data, reads, lengths):
            now, metrics = many(now, stack, np.int32(length))
            assert metrics.keys() == expected[0].keys()
            rows += [{n: np.asarray(v)[i] for n, v in metrics.items()} for i in range(length)]
        found.append((now.players, now.skipped, now.step, rows))
    for other in found[1:]:
        equal(other, found[0])
    assert many._cache_size() == 1

    def close(left, right):
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-6)

    jax.tree.map(close, found[0], (state.players, state.skipped, state.step, expected))


def cut(phases, first, steps, most, *stops):
    return [length for _, length in groups(phases, first, steps, most, stops)]


def test_where_groups_end():
    assert cut([CRITIC], 0, 10, 4, 100) == [4, 4, 2]
    assert cut([CRITIC], 3, 12, 4, 5) == [2, 4, 1, 2]
    assert cut([CRITIC], 0, 12, 4, 6, 5) == [4, 1, 1, 4, 2]
    assert cut([CRITIC], 7, 9, 1, 100) == [1, 1]
    assert cut([CRITIC], 5, 5, 4, 100) == []
    late = Phase("generator", ("generator",), "generator", start=3)
    assert cut([CRITIC, late], 0, 9, 4, 100) == [3, 4, 2]
    lazy = Phase("r1", ("critic",), "r1", every=4)
    assert cut([CRITIC, lazy], 0, 9, 8, 100) == [1, 3, 1, 3, 1]
    actives = [active for active, _ in groups([CRITIC, lazy], 0, 9, 8, [100])]
    assert actives[:2] == [(CRITIC, lazy), (CRITIC,)]


@pytest.fixture(scope="module")
def experiment_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("experiment") / "come_and_go.py"
    path.write_text(PHASES)
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The directory of a run in groups of four that nothing interrupts; `train` fills it once."""
    return tmp_path_factory.mktemp("whole") / "run"


@pytest.fixture
def train(experiment_file, command, tmp_path, whole):
    """Runs to some step in a directory of tmp_path; returns the exit code and what was printed."""

    def run(name, most, *, steps=STEPS, experiment=experiment_file):
        flags = [*TINY, *EVERY, f"--steps={steps}", f"--steps_per_dispatch={most}"]
        code, out, error = command(
            f"--experiment={experiment}", f"--run_dir={tmp_path / name}", *flags
        )
        return code, out + error

    if not whole.exists():
        code, out = run(whole, 4)
        assert code == main.DONE, out
    return run


def final_state(run_dir):
    """Every array of the last checkpoint by its name, and the position in the data."""
    with flagsaver.flagsaver():
        loaded, _ = main.parse(["jaxgan", "--mode=eval", f"--run_dir={run_dir}", *TINY])
        experiment = experiments.build(loaded)
        mesh = parallel.make_mesh(jax.devices()[:1])
        abstract = abstract_state(experiment, mesh, fsdp=False)
    reader = Checkpoints(run_dir / "checkpoints", read_only=True)
    restored = reader.restore(abstract)
    reader.close()
    assert restored.step == STEPS
    state = restored.state.replace(key=jax.random.key_data(restored.state.key))
    leaves, _ = jax.tree_util.tree_flatten_with_path(state)
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves} | {
        f"position {name}": np.asarray(value) for name, value in restored.position["data"].items()
    }


def rows(run_dir):
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    timing = ("train/images_per_second", "train/ms_per_step", "train/wait_share")
    return [{n: v for n, v in json.loads(line).items() if n not in timing} for line in lines]


def test_a_run_in_groups_logs_and_ends_as_one_in_single_steps(train, whole, tmp_path):
    code, out = train("one", 1)
    assert code == main.DONE, out
    one, four = rows(tmp_path / "one"), rows(whole)
    assert [row["step"] for row in four] == [row["step"] for row in one]
    assert {5, 10, 15, 20, STEPS} <= {row["step"] for row in four}
    for expected, found in zip(one, four, strict=True):
        assert found == pytest.approx(expected, rel=1e-5, abs=1e-6)
    one, four = final_state(tmp_path / "one"), final_state(whole)
    assert four.keys() == one.keys() and len(one) > 30
    for name, value in one.items():
        np.testing.assert_allclose(four[name], value, rtol=1e-5, atol=1e-6, err_msg=name)
    # 9 steps that read one batch and 14 that read two.
    assert four["position next_index"] == 9 + 2 * 14


def test_killed_stopped_and_extended_a_run_in_groups_ends_in_the_same_bits(
    train, whole, tmp_path, monkeypatch
):
    def interrupt(at, action):
        """Does something at the first dispatch that goes past a step."""
        note = Telemetry.train

        def noted(self, step, *rest, **options):
            note(self, step, *rest, **options)
            if step >= at:
                monkeypatch.setattr(Telemetry, "train", note)
                action()

        monkeypatch.setattr(Telemetry, "train", noted)

    def killed():
        raise KeyboardInterrupt

    interrupt(11, killed)
    code, out = train("cut", 4)
    assert code == main.INTERRUPTED, out
    interrupt(12, lambda: os.kill(os.getpid(), signal.SIGTERM))
    code, out = train("cut", 4)
    assert code == main.STOPPED and "goes on from step 9" in out, out
    assert "SIGTERM: saved at step 12;" in out  # 9 + 1 (logged) + 2 (another phase)
    # Another number of steps, and of steps per dispatch.
    code, out = train("cut", 3, steps=17)
    assert code == main.DONE and "goes on from step 12" in out, out
    code, out = train("cut", 4)
    assert code == main.DONE and "goes on from step 17" in out, out
    expected, found = final_state(whole), final_state(tmp_path / "cut")
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def test_nothing_learned_is_noticed_in_groups(train, experiment_file, tmp_path):
    broken = tmp_path / "broken.py"
    text = experiment_file.read_text().replace("gain=4.0", 'gain=float("nan")')
    text = text.replace("every=4, ", "start=6, ")
    broken.write_text(text.replace("come and go", "break"))
    code, out = train("broken", 4, experiment=broken, steps=60)
    assert code == main.MISTAKE, out
    assert "the losses or gradients of the steps from 10 to 30 were not finite" in out
    skipped = {
        row["step"]: row["train/skipped"]
        for row in rows(tmp_path / "broken")
        if "train/skipped" in row
    }
    assert skipped[5] == 0 and skipped[10] == 4 and skipped[20] == 14
