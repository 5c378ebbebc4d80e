"""Measures one subject: contestants in turns, then what concerns jaxgan's step alone."""

import contextlib
import importlib
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.contestant import ROOT, Contestant, environment
from benchmarks.startup import measure_startup
from benchmarks.subjects import Subject
from jaxgan.errors import UserError

JAXGAN, PLAIN, UNSHARED = "jaxgan", "plain flax", "jaxgan, two fakes"
BFLOAT16 = "jaxgan bf16"
OWN = (JAXGAN, PLAIN, UNSHARED, BFLOAT16)
# Losses of another framework, on the same weights and data, must agree to this, step by step.
TOLERANCES = (1e-4, 1e-3)


def summary(values: Sequence[float], each: str = "groups") -> dict[str, Any]:
    """The median of some values, the distance from the least to the largest, and all of them."""
    return {
        "median": statistics.median(values),
        "spread": max(values) - min(values),
        each: list(values),
    }


def own_contestants(subject: Subject, *, unshared: bool, bfloat16: bool) -> dict[str, list[str]]:
    """Arguments after `python` for jaxgan's step and its variants.

    Args:
      subject: what they train.
      unshared: also jaxgan with a forward pass of the generator for every phase, which is what
        peers do.
      bfloat16: also jaxgan computing in bfloat16.
    """
    worker = ["-m", "benchmarks.worker"]
    found = {
        JAXGAN: [*worker, *subject.flags],
        PLAIN: [*worker, "--plain", *subject.flags],
    }
    if unshared:
        found[UNSHARED] = [*worker, *subject.flags, "--noshare_fake"]
    if bfloat16:
        found[BFLOAT16] = [*worker, *subject.flags, "--dtype=bfloat16"]
    return found


def run_module(words: Sequence[str], changes: Mapping[str, str]) -> str:
    """The output of `python WORDS`; UserError with its last words if it fails."""
    done = subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(changes),
    )
    if done.returncode:
        last = done.stderr.strip().rpartition("\n")[2]
        raise UserError(f"python {' '.join(words[:4])} failed: {last}")
    return done.stdout


def export(subject: Subject, directory: Path) -> None:
    """Writes a subject's weights, data and expected losses for the peers."""
    exporting = importlib.import_module("benchmarks.peers.export")
    exporting.export(subject.name, directory, subject.flags)


def check_peer(contestant: Contestant, jaxgan: Contestant, directory: Path) -> dict[str, Any]:
    """Whether a peer computes what jaxgan computes: parameters, losses, and which networks move.

    Raises:
      UserError: it does not.
    """
    expected = json.loads((directory / "expected.json").read_text())["losses"]
    answer = contestant.ask("check")
    differences = [
        max(abs(theirs[player] - value) / max(1.0, abs(value)) for player, value in ours.items())
        for ours, theirs in zip(expected, answer["losses"], strict=True)
    ]
    theirs = contestant.ready["parameters"]
    equal = all(theirs.get(name) == n for name, n in jaxgan.ready["parameters"].items())
    # Later steps grow rounding: Adam's first updates are signs of gradients. They show that the
    # updates are the same, which a tenfold tolerance still tells.
    wrong = [d for d, limit in zip(differences, TOLERANCES, strict=True) if not d <= limit]
    if not equal or wrong:
        raise UserError(
            f"{contestant.label} is not the same computation: parameters {theirs} for "
            f"{jaxgan.ready['parameters']}, losses of the steps off by {differences}"
        )
    for phase, moved in answer["moved"].items():
        if moved != [phase.removesuffix(" phase")]:
            raise UserError(f"{contestant.label}: the {phase} moves {moved}")
    return {"differences": differences, "parameters_equal": equal}


def measure_subject(
    subject: Subject,
    ceilings: Contestant,
    changes: Mapping[str, str],
    *,
    groups: int,
    seconds: float,
    peers: Mapping[str, Sequence[str]] | None = None,
    startup: bool = False,
) -> tuple[dict[str, Any], list[dict[str, float]]]:
    """All figures of a subject, and the ceilings that were measured in turns with it.

    Args:
      subject: what to time.
      ceilings: a running `benchmarks.ceilings`.
      changes: to the environment of the processes.
      groups: how many turns each contestant has.
      seconds: how long a turn lasts; a single step may take longer.
      peers: arguments after `python` by label, to which `--subject_dir` is added; None: no peers.
      startup: also start the real command, cold and cached.

    Raises:
      UserError: jaxgan's own step cannot be timed. A peer that fails is recorded as such.
    """
    with contextlib.ExitStack() as closing:
        directory = Path(closing.enter_context(tempfile.TemporaryDirectory()))
        on_cpu = ceilings.ready["machine"]["kind"].startswith("cpu-")
        commands = own_contestants(subject, unshared=bool(peers), bfloat16=not on_cpu)
        if peers:
            export(subject, directory)
            for label, words in peers.items():
                commands[label] = [*words, f"--subject_dir={directory}"]
        running: dict[str, Contestant] = {}
        others: dict[str, dict[str, Any]] = {}
        facts: dict[str, Any] = {}
        for label, words in commands.items():
            if label == PLAIN and not any(step["convolutions"] for step in facts.values()):
                continue  # It would be the same program.
            try:
                contestant = Contestant(label, words, changes)
                closing.callback(contestant.close)
                if peers and label in peers:
                    checked = check_peer(contestant, running[JAXGAN], directory)
                    others[label] = {"check": checked}
                if label == JAXGAN:
                    facts = contestant.ask("facts")["steps"]
                contestant.ask("time", seconds=0.0)
                running[label] = contestant
            except UserError as error:
                if label == JAXGAN:
                    raise
                others[label] = {"error": str(error)}
        times: dict[str, list[float]] = {label: [] for label in running}
        limits = []
        for _ in range(groups):
            for label, contestant in running.items():
                times[label].append(contestant.ask("time", seconds=seconds)["milliseconds"])
            limits.append(ceilings.ask("time", seconds=min(seconds, 1.0)))
        for label, contestant in running.items():
            if label != JAXGAN:
                pairs = [t / own for own, t in zip(times[JAXGAN], times[label], strict=True)]
                others.setdefault(label, {}).update(
                    milliseconds=summary(times[label]),
                    ratio=summary(pairs, "pairs"),
                    versions=contestant.ready["versions"],
                    idle_cpu_share=contestant.idle_cpu_seconds / max(contestant.idle_seconds, 1e-9),
                )
        for label, contestant in running.items():
            if label != JAXGAN:
                contestant.close()
        figures = describe_own(running[JAXGAN], facts, times[JAXGAN], limits, seconds)
    figures = {"flags": list(subject.flags), **figures}
    # Nothing is timed here, so the two may share the machine.
    with ThreadPoolExecutor() as pool:
        steps = pool.submit(structure, facts, subject, changes)
        words = ["-m", "benchmarks.executables", *subject.flags]
        counted = pool.submit(run_module, words, changes).result()
        figures["steps"] = steps.result()
    figures |= json.loads(counted.splitlines()[-1])
    if startup:
        figures["startup"] = measure_startup(subject.flags, changes)
    figures["peers"] = others
    return figures, limits


def describe_own(
    jaxgan: Contestant,
    facts: Mapping[str, Any],
    times: list[float],
    limits: list[dict[str, float]],
    seconds: float,
) -> dict[str, Any]:
    """The figures of jaxgan's own step, from its facts, its times and a few more questions."""
    memory = jaxgan.ask("memory")["peak_memory_bytes"]
    dispatch = jaxgan.ask("dispatch", seconds=min(seconds, 1.0))["milliseconds"]
    pipeline = jaxgan.ask("pipeline", seconds=seconds)
    needed = sum(step["needed_flops"] * step["share_of_steps"] for step in facts.values())
    images = jaxgan.ready["images_per_step"]
    median = statistics.median(times)
    shares = [
        needed / time / 1e6 / limit["matmul_gflops"]
        for time, limit in zip(times, limits, strict=True)
    ]
    return {
        "batch_size": jaxgan.ready["batch_size"],
        "images_per_step": images,
        "parameters": jaxgan.ready["parameters"],
        "milliseconds": summary(times),
        "images_per_second": 1000 * images / median,
        "gflop": needed / 1e9,
        "gflops": needed / median / 1e6,
        "share_of_matmul": summary(shares),
        "dispatch_milliseconds": dispatch,
        "peak_memory_bytes": memory,
        "compile_seconds": jaxgan.ready["compile_seconds"],
        "pipeline": pipeline,
    }


def structure(
    facts: Mapping[str, Any], subject: Subject, changes: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """What the compiled steps are made of; collectives are those of two simulated devices."""
    two = ["-m", "benchmarks.worker", "--devices=2", *subject.flags]
    with Contestant("two devices", two, {**changes, "JAX_PLATFORMS": "cpu"}) as contestant:
        spread = contestant.ask("facts")["steps"]
    return {
        name: {
            "flops": step["flops"],
            "temporary_bytes": step["temporary_bytes"],
            "collectives": spread[name]["collectives"],
        }
        for name, step in facts.items()
    }
