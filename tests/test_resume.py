"""Runs that are killed, stopped, moved to other devices or out of disk, and go on."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
from absl.testing import flagsaver

from jaxgan import experiment as experiments
from jaxgan import main, parallel, train
from jaxgan.checkpoints import Checkpoints
from jaxgan.compiling import abstract_state

STEPS = 60
FLAGS = {"steps": STEPS, "pretrain_steps": 20, "normalise": True}


@pytest.fixture(scope="module")
def flags(photos):
    return [
        "--experiment=srgan_div2k",
        f"--data=folder:{photos}",
        "--checkpoint_every=10",
        "--eval_every=30",
        "--log_every=1",
        "--keep=3",
    ]


def start(arguments, devices=1):
    """A run in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "jaxgan.main", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "JAX_NUM_CPU_DEVICES": str(devices)},
    )


def finish(process):
    out, _ = process.communicate(timeout=200)
    return process.returncode, out


def wait_for(process, run_dir, *, rows=0, checkpoint=0):
    """Waits until a run has logged so many steps, and has saved one."""
    log, deadline = run_dir / "metrics.jsonl", time.monotonic() + 150
    saved = run_dir / "checkpoints" / f"{checkpoint:08d}"
    while (
        not log.exists()
        or log.read_bytes().count(b"train/skipped") < rows
        or (checkpoint and not saved.exists())
    ):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, "the run logs nothing"
        time.sleep(0.005)


def rows(run_dir):
    """The logged values that do not depend on the clock, by step and name."""
    timing = ("images_per_second", "ms_per_step", "wait_share")
    found = {}
    for line in (run_dir / "metrics.jsonl").read_text().splitlines():
        row = json.loads(line)
        for name, value in row.items():
            if name != "step" and not name.endswith(timing):
                assert (row["step"], name) not in found, "logged twice"
                found[row["step"], name] = value
    return found


@pytest.fixture(scope="module")
def uninterrupted(flags, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("uninterrupted") / "run"
    code, out = finish(start([*flags, *tiny_of(**FLAGS), f"--run_dir={run_dir}"]))
    assert code == main.DONE, out
    return run_dir


def tiny_of(**changes):
    with flagsaver.flagsaver():
        tiny = experiments.load(experiments.find("srgan_div2k")).module.TINY
    return [f"--{flag}={value}" for flag, value in {**tiny, **changes}.items()]


def final_state(run_dir):
    """Every array of the last checkpoint by its name, and the position."""
    reader = Checkpoints(run_dir / "checkpoints", read_only=True)
    abstract = abstract_state_of(run_dir)
    restored = reader.restore(abstract)
    reader.close()
    assert restored.step == STEPS
    leaves, _ = jax.tree_util.tree_flatten_with_path(restored.state)
    values = {}
    for path, leaf in leaves:
        if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            leaf = jax.random.key_data(leaf)
        values[jax.tree_util.keystr(path)] = np.asarray(leaf)
    return values, restored.position


def abstract_state_of(run_dir):
    with flagsaver.flagsaver():
        loaded, _ = main.parse(["jaxgan", "--mode=eval", f"--run_dir={run_dir}"])
        built = experiments.build(loaded)
        return abstract_state(built, parallel.make_mesh(jax.devices()[:1]), fsdp=False)


def assert_same_run(run_dir, other):
    state, position = final_state(run_dir)
    expected, expected_position = final_state(other)
    assert state.keys() == expected.keys() and len(state) > 40
    for name, value in expected.items():
        np.testing.assert_array_equal(state[name], value, err_msg=name)
    assert position == expected_position
    assert rows(run_dir) == rows(other)
    for name in ("preview_00000030.png", f"preview_{STEPS:08d}.png"):
        assert (run_dir / "samples" / name).read_bytes() == (other / "samples" / name).read_bytes()


def test_killed_and_stopped_a_run_ends_in_the_same_bits(uninterrupted, flags, tmp_path):
    arguments = [*flags, *tiny_of(**FLAGS), f"--run_dir={tmp_path / 'run'}"]
    # Killed with no warning in the pre-training phase, with a checkpoint behind it ...
    process = start(arguments)
    wait_for(process, tmp_path / "run", rows=14, checkpoint=10)
    process.kill()
    process.communicate()
    # ... then asked to stop in the adversarial one ...
    process = start(arguments)
    wait_for(process, tmp_path / "run", rows=33, checkpoint=30)
    process.send_signal(signal.SIGTERM)
    code, out = finish(process)
    assert "goes on from step" in out
    if code != main.DONE:
        assert code == main.STOPPED
        step = int(re.search(r"SIGTERM: saved at step (\d+)", out)[1])
        assert (tmp_path / "run" / "checkpoints" / f"{step:08d}").is_dir()
    # ... and left alone.
    code, out = finish(start(arguments))
    assert code == main.DONE, out
    assert_same_run(tmp_path / "run", uninterrupted)


def test_a_run_goes_on_with_another_number_of_devices(flags, command, tmp_path, monkeypatch):
    def run(name, steps, devices):
        mesh = parallel.make_mesh(jax.devices()[:devices])
        with monkeypatch.context() as patched:
            patched.setattr(main.parallel, "make_mesh", lambda: mesh)
            patched.setattr(train, "measured", lambda *_, conclude: None)
            run_dir = tmp_path / name
            arguments = [*flags, *tiny_of(**{**FLAGS, "steps": steps}), f"--run_dir={run_dir}"]
            code, out, _ = command(*arguments)
        assert code == main.DONE, out
        return rows(run_dir), out

    run("two", 22, devices=2)
    shutil.copytree(tmp_path / "two", tmp_path / "one")
    expected, _ = run("two", 23, devices=2)
    found, out = run("one", 23, devices=1)
    assert "goes on from step 22" in out
    for loss in ("train/critic_loss", "train/generator_loss", "train/content"):
        assert found[23, loss] == pytest.approx(expected[23, loss], rel=1e-5), loss
    # It can go back as well.
    _, out = run("one", 24, devices=2)
    assert "goes on from step 23" in out


def test_ctrl_c_saves_and_says_so(flags, tmp_path):
    arguments = [*flags, *tiny_of(**{**FLAGS, "steps": 100_000}), f"--run_dir={tmp_path / 'run'}"]
    process = start(arguments)
    wait_for(process, tmp_path / "run", rows=3)
    process.send_signal(signal.SIGINT)
    code, out = finish(process)
    assert code == main.STOPPED, out
    step = int(re.search(r"SIGINT: saved at step (\d+)", out)[1])
    assert (tmp_path / "run" / "checkpoints" / f"{step:08d}").is_dir()
    assert "Traceback" not in out


def test_a_full_disk_costs_nothing_that_was_saved(tmp_path):
    # From the third checkpoint on, no file may grow beyond what its arrays need.
    program = (
        "import resource, sys; from jaxgan import main, checkpoints;"
        "save = checkpoints.Checkpoints.save\n"
        "def save_on_a_small_disk(self, step, *rest, **options):\n"
        "    if step > 4:\n"
        "        self.wait()\n"
        "        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "    return save(self, step, *rest, **options)\n"
        "checkpoints.Checkpoints.save = save_on_a_small_disk\n"
        "main.run()"
    )
    run_dir = tmp_path / "run"
    flags = ["--experiment=gaussians", "--units=64", "--batch_size=8", f"--run_dir={run_dir}"]
    flags += ["--checkpoint_every=2", "--eval_every=4", "--steps=8"]
    done = subprocess.run(
        [sys.executable, "-c", program, *flags], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == main.MISTAKE, done.stdout + done.stderr
    assert done.stderr.startswith("jaxgan: ") and done.stderr.count("\n") == 1, done.stderr
    assert "cannot be written" in done.stderr
    assert (run_dir / "checkpoints" / "00000004").is_dir()
    code, out = finish(start(flags))
    assert code == main.DONE and "goes on from step 4" in out


def test_losses_are_the_same_on_1_2_and_8_devices(photos):
    program = """
import jax, numpy as np, sys
jax.config.update("jax_num_cpu_devices", 8)
from absl import flags
from jaxgan import experiment as experiments, parallel, compilation_cache, compiling
from jaxgan.data.pipeline import make_batches
from jaxgan.game import active_phases
from jaxgan.step import Rules
compilation_cache.enable()
loaded = experiments.load(experiments.find("srgan_div2k"))
flags.FLAGS(sys.argv)
experiment = experiments.build(loaded)
data = experiment.data()
found = []
for count in (1, 2, 8):
    mesh = parallel.make_mesh(jax.devices()[:count])
    abstract = compiling.abstract_state(experiment, mesh, fsdp=False)
    state = compiling.new_state(experiment, abstract, 0)
    batch = compiling.abstract_batch(data, mesh, 8)
    active = active_phases(experiment.phases, 2)
    steps = compiling.compile_steps(experiment, Rules(8), [active], abstract, batch)
    batches = make_batches(data.load, data.size, batch_size=8, seed=0, mesh=mesh)
    losses = []
    for _ in range(3):
        state, metrics = steps[active](state, [next(batches)])
        losses += [float(v) for name, v in sorted(metrics.items()) if name.endswith("_loss")]
    batches.close()
    found.append(losses)
assert len(found[0]) == 6
for losses in found[1:]:
    np.testing.assert_allclose(losses, found[0], rtol=1e-5)
print("the same")
"""
    arguments = [*tiny_of(batch_size=8, normalise=True), f"--data=folder:{photos}"]
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=300
    )
    assert "the same" in done.stdout, done.stdout + done.stderr
