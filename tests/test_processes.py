"""Two processes that train one run: the same numbers, one record, one stop, no hanging."""

import ast
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_resume import rows

from jaxgan import main, processes, roll_call, run_directory
from jaxgan.checkpoint import read_arrays, read_record
from jaxgan.errors import UserError

STEPS = 60
# No process outlives its test by more than this, whatever it waits for.
LIMIT = 150

SOURCE = '''"""Gaussians that are loaded slowly, and a note of the rows that each process loads."""

import dataclasses
import time

import jax
from absl import flags

from jaxgan import experiment as experiments

gaussians = experiments.load(experiments.find("gaussians")).module
flags.DEFINE_string("loads", None, "Where to note them.")


def experiment():
    made, loads = gaussians.experiment(), flags.FLAGS.loads

    def data():
        points = made.data()

        def load(indices, seeds):
            if loads is not None:
                with open(f"{loads}-{jax.process_index()}", "a") as file:
                    print(*indices, file=file)
                time.sleep(0.05)
            return points.load(indices, seeds)

        return dataclasses.replace(points, load=load)

    return dataclasses.replace(made, data=data)
'''


@pytest.fixture(scope="module")
def flags(tmp_path_factory):
    file = tmp_path_factory.mktemp("slowly") / "slowly.py"
    file.write_text(SOURCE)
    return [
        f"--experiment={file}",
        "--units=8",
        "--latent_size=4",
        "--n_critic=1",
        "--batch_size=8",
        "--log_every=1",
        f"--eval_every={STEPS // 2}",
        f"--checkpoint_every={STEPS // 2}",
    ]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Pair:
    """Two processes of one run with one device each; both are killed at the end, at the latest."""

    def __init__(self, arguments, *, only_second=()):
        coordinator = f"127.0.0.1:{free_port()}"
        self.both = [
            subprocess.Popen(
                [
                    *("timeout", "--kill-after=5", str(LIMIT), sys.executable),
                    *("-m", "jaxgan.main", *arguments, *(only_second if index else ())),
                    *(f"--coordinator={coordinator}", "--processes=2"),
                    *(f"--process_index={index}", "--join_timeout=90"),
                ],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, "JAX_NUM_CPU_DEVICES": "1"},
            )
            for index in range(2)
        ]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.both:
            process.kill()
            process.communicate()

    def signal(self, index, number):
        """Sends a signal to a process itself: its parent passes on no SIGKILL."""
        parent = self.both[index].pid
        found = subprocess.run(["pgrep", "-P", str(parent)], capture_output=True, text=True)
        subprocess.run(["kill", f"-{number}", *found.stdout.split()], check=True)

    def wait_for_rows(self, run_dir, count):
        log, deadline = run_dir / "metrics.jsonl", time.monotonic() + LIMIT
        while not log.exists() or log.read_bytes().count(b"train/skipped") < count:
            for process in self.both:
                assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, "the run logs nothing"
            time.sleep(0.01)

    def finish(self, timeout=LIMIT):
        """Exit code, output and errors of each, without what JAX's C++ libraries say."""
        deadline, found = time.monotonic() + timeout, []
        for process in self.both:
            out, error = process.communicate(timeout=max(deadline - time.monotonic(), 0.1))
            out = [line for line in out.splitlines() if not line.startswith("[Gloo]")]
            error = [line for line in error.splitlines() if line.startswith("jaxgan:")]
            found.append((process.returncode, "\n".join(out), error))
        return found


@pytest.fixture(scope="module")
def together(flags, tmp_path_factory):
    """A run of two processes that is left alone, and the note of what they loaded."""
    folder = tmp_path_factory.mktemp("together")
    arguments = [*flags, f"--steps={STEPS}", f"--run_dir={folder / 'run'}"]
    with Pair([*arguments, f"--loads={folder / 'loads'}"]) as pair:
        first, second = pair.finish()
    assert first[0] == second[0] == main.DONE, (first, second)
    assert f"step {STEPS}/{STEPS}" in first[1]
    # Only the first one speaks.
    assert second[1] == "" and second[2] == []
    return folder / "run", folder / "loads"


def test_two_processes_train_as_one_with_two_devices(together, flags, command, tmp_path):
    run_dir, _ = together
    alone = tmp_path / "alone"
    assert command(*flags, f"--steps={STEPS}", f"--run_dir={alone}")[0] == main.DONE
    found, expected = rows(run_dir), rows(alone)
    assert found.keys() == expected.keys() and (STEPS, "eval/good") in found
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-5, abs=1e-7), name
    assert sorted(path.name for path in run_dir.iterdir()) == sorted(
        path.name for path in alone.iterdir()
    )
    assert len(list((run_dir / "samples").iterdir())) == len(list((alone / "samples").iterdir()))


def test_each_process_loads_its_own_rows(together):
    _, loads = together
    first, second = (
        [line.split() for line in loads.with_name(f"loads-{index}").read_text().splitlines()]
        for index in range(2)
    )
    # The first row of all is loaded by both, for the shapes; then four of the eight in each.
    assert first[0] == second[0] == ["0"]
    for mine, others in zip(first[1 : STEPS + 1], second[1 : STEPS + 1], strict=True):
        assert len(mine) == len(others) == 4 and not {*mine} & {*others}


def test_a_checkpoint_of_two_processes_goes_on_in_one(together, flags, command, tmp_path):
    run_dir = tmp_path / "run"
    shutil.copytree(together[0], run_dir)
    code, out, _ = command(*flags, f"--steps={STEPS + 1}", f"--run_dir={run_dir}")
    assert code == main.DONE and f"goes on from step {STEPS}" in out
    # What it saves can be read by two again, which measure it as one does.
    # What a file borrows from another is not in the record of its flags.
    sizes = [flag for flag in flags if flag.startswith(("--units", "--latent_size"))]
    with Pair(["--mode=eval", f"--run_dir={run_dir}", *sizes]) as pair:
        first, second = pair.finish()
    assert first[0] == second[0] == main.DONE and second[1] == "", (first, second)
    (row,) = (run_dir / "evaluations.jsonl").read_text().splitlines()
    logged = rows(run_dir)
    assert json.loads(row)["good"] == logged[STEPS + 1, "eval/good"]


def test_a_signal_to_one_stops_both_and_the_same_command_goes_on(together, flags, tmp_path):
    run_dir = tmp_path / "run"
    arguments = [*flags, f"--steps={STEPS}", f"--run_dir={run_dir}"]
    arguments.append(f"--loads={tmp_path / 'loads'}")
    with Pair(arguments) as pair:
        pair.wait_for_rows(run_dir, 2)
        pair.signal(1, signal.SIGTERM)
        first, second = pair.finish()
    assert first[0] == second[0] == main.STOPPED, (first, second)
    step = max(int(path.name) for path in (run_dir / "checkpoints").iterdir())
    assert 2 <= step < STEPS
    assert f"a signal to one of the processes: saved at step {step}" in first[1]
    with Pair(arguments) as pair:
        first, second = pair.finish()
    assert first[0] == second[0] == main.DONE, (first, second)
    assert f"goes on from step {step}" in first[1]
    assert rows(run_dir) == rows(together[0])
    assert state_of(run_dir) == state_of(together[0])


@pytest.mark.parametrize("signalled", [0, 1])
def test_a_signal_at_the_very_end_keeps_nobody_waiting(signalled):
    program = f"""
import os, signal, sys, time
import jax
from jaxgan import processes
index, port = int(sys.argv[1]), sys.argv[2]
jax.config.update("jax_platforms", "cpu")
processes.start(f"localhost:{{port}}", 2, index, 60.0)
with processes.stop_together() as stopped:
    for _ in range(3):
        assert stopped() is None
    if index == {signalled}:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(2.5)
print("left")
"""
    port = free_port()
    pair = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(index), str(port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(2)
    ]
    try:
        # JAX's own patience is 180 seconds.
        said = [process.communicate(timeout=100) for process in pair]
    finally:
        for process in pair:
            process.kill()
            process.communicate()
    for process, (out, error) in zip(pair, said, strict=True):
        assert out.endswith("left\n") and process.returncode == 0, error


def state_of(run_dir):
    """Every array of the last checkpoint as bytes, and all that is recorded beside them."""
    path = run_dir / "checkpoints" / f"{STEPS:08d}"
    record = read_record(path)
    leaves = {}
    for name, described in record["leaves"].items():
        shape, _, dtype = described.rpartition(" ")
        if not dtype.startswith("key"):
            leaves[name] = jax.ShapeDtypeStruct(ast.literal_eval(shape), jnp.dtype(dtype))
    assert len(leaves) > 30
    return [np.asarray(array).tobytes() for array in read_arrays(path, leaves)], record


@pytest.mark.parametrize("victim", [0, 1])
def test_a_process_that_is_killed_does_not_leave_the_other_hanging(victim, flags, tmp_path):
    with Pair([*flags, "--steps=1000000", f"--run_dir={tmp_path / 'run'}"]) as pair:
        pair.wait_for_rows(tmp_path / "run", 3)
        pair.signal(victim, signal.SIGKILL)
        survivor = pair.finish(timeout=60)[1 - victim]
    assert survivor[0] not in (main.DONE, main.STOPPED, 124), survivor
    if victim == 1:
        # Without the first process JAX itself aborts the others, in its own words.
        code, _, error = survivor
        assert code == main.LOST and len(error) == 1 and "another process has ended" in error[0]


def test_what_one_process_finds_all_are_told(flags, tmp_path):
    arguments = [*flags, f"--run_dir={tmp_path / 'run'}"]
    with run_directory.locked(tmp_path / "run"), Pair(arguments) as pair:
        found = pair.finish()
    for code, _, error in found:
        assert code == main.MISTAKE and len(error) == 1 and "under way" in error[0], found
    with Pair(arguments, only_second=["--seed=3"]) as pair:
        found = pair.finish()
    for code, _, error in found:
        assert code == main.MISTAKE and len(error) == 1 and "process 1 has other" in error[0], found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--processes=2"], "need --coordinator"),
        (["--coordinator=a:1"], "needs --processes=N"),
        (["--coordinator=a", "--processes=2", "--process_index=0"], "HOST:PORT"),
        (["--coordinator=a:70000", "--processes=2", "--process_index=0"], "HOST:PORT"),
        (["--coordinator=a:1", "--processes=2", "--process_index=2"], "from 0 to 1"),
        (["--coordinator=127.0.0.1:PORT", "--processes=2", "--process_index=1"], "nobody answered"),
        (["--coordinator=127.0.0.1:PORT", "--processes=2", "--process_index=0"], "did not come"),
    ],
)
def test_processes_that_cannot_be_joined_are_a_mistake(arguments, message, command, tmp_path):
    arguments = [argument.replace("PORT", str(free_port())) for argument in arguments]
    arguments += ["--experiment=gaussians", f"--run_dir={tmp_path / 'run'}", "--join_timeout=1"]
    code, _, error = command(*arguments)
    assert code == main.MISTAKE and error.startswith("jaxgan: ") and error.count("\n") == 1
    assert message in error


def call_roll(*callers, seconds=20.0):
    """What `roll_call.answer` raises for each (count, index), all at once."""
    port, found = free_port(), {}

    def answer(number, count, index):
        try:
            roll_call.answer(("127.0.0.1", port), count, index, seconds)
            found[number] = None
        except UserError as error:
            found[number] = str(error)

    threads = [
        threading.Thread(target=answer, args=(number, *caller))
        for number, caller in enumerate(callers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [found[number] for number in range(len(callers))]


def test_the_roll_call():
    assert call_roll((3, 2), (3, 0), (3, 1)) == [None] * 3
    for said in call_roll((3, 1), (3, 1), (3, 0)):
        assert said == "two processes were told --process_index=1"
    for said in call_roll((3, 1), (2, 0)):
        assert said == "process 1 was told --processes=3 and process 0 2"
    alone, missing = call_roll((3, 0), (3, 2), seconds=1.0)
    assert alone == missing and alone.startswith("processes 1 of 3 did not come")


def test_strangers_on_the_port_are_ignored():
    port, errors = free_port(), []

    def hear():
        try:
            roll_call.answer(("127.0.0.1", port), 2, 0, 20.0)
        except UserError as error:
            errors.append(error)

    thread = threading.Thread(target=hear)
    thread.start()
    for word in (b"", b"GET / HTTP/1.0\r\n\r\n", b"{}\n", b"[1]\n"):
        deadline = time.monotonic() + 10
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port)) as stranger:
                    stranger.sendall(word)
                break
            except ConnectionRefusedError:
                assert time.monotonic() < deadline
    roll_call.answer(("127.0.0.1", port), 2, 1, 20.0)
    thread.join()
    assert errors == []


def test_a_cluster_is_seen_only_where_there_is_one(monkeypatch):
    for name in ("JOB_ID", "STEP_NODELIST", "NTASKS", "PROCID", "LOCALID"):
        monkeypatch.delenv(f"SLURM_{name}", raising=False)
    assert not processes.in_slurm_step() and not processes.on_tpu_vm()
    assert not processes.several() and processes.is_first()
    for name, value in (("JOB_ID", 7), ("NTASKS", 4), ("PROCID", 0), ("LOCALID", 0)):
        monkeypatch.setenv(f"SLURM_{name}", str(value))
    # A batch script outside `srun`.
    assert not processes.in_slurm_step()
    monkeypatch.setenv("SLURM_STEP_NODELIST", "node[1-4]")
    assert processes.in_slurm_step()
    monkeypatch.setenv("SLURM_NTASKS", "1")
    assert not processes.in_slurm_step()


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({"TPU_WORKER_HOSTNAMES": "a,b"}, True),
        ({"TPU_WORKER_HOSTNAMES": "localhost"}, False),
        ({"TPU_WORKER_HOSTNAMES": "a", "MEGASCALE_NUM_SLICES": "2"}, True),
        ({"TPU_SKIP_MDS_QUERY": "1"}, False),
        ({}, True),
    ],
)
def test_hosts_of_a_tpu(variables, found, monkeypatch):
    for name in ("TPU_WORKER_HOSTNAMES", "TPU_PROCESS_ADDRESSES", "TPU_SKIP_MDS_QUERY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TPU_LIBRARY_PATH", "libtpu.so")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(processes, "allowed_platforms", lambda: ["tpu", "cpu"])
    assert processes.on_tpu_vm() == found
    monkeypatch.setattr(processes, "allowed_platforms", lambda: ["cpu"])
    assert not processes.on_tpu_vm()
