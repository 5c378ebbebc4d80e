"""Measures one subject: contestants in turns, then what concerns jaxgan's step alone."""

import contextlib
import json
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.contestant import BFLOAT16, JAXGAN, PLAIN, UNSHARED, Contestant, run_python
from benchmarks.peers.export import export
from benchmarks.startup import measure_startup
from benchmarks.subjects import Subject
from jaxgan.errors import UserError

# Losses of another framework, on the same weights and data, must agree to this, step by step.
TOLERANCES = (1e-4, 1e-3)


def summary(values: Sequence[float], each: str = "groups") -> dict[str, Any]:
    """The median of some values, the distance from the least to the largest, and all of them."""
    return {
        "median": statistics.median(values),
        "spread": max(values) - min(values),
        each: list(values),
    }


def own_contestants(subject: Subject, *, bfloat16: bool) -> dict[str, list[str]]:
    """Arguments after `python` for jaxgan's step and its variants.

    Args:
      subject: what they train.
      bfloat16: also jaxgan computing in bfloat16.

    Returns:
      Them by label. `UNSHARED` makes a forward pass of the generator for every phase: the
      mathematics of those peers that do not share one, as jaxgan's own step is of those that do.
    """
    worker = ["-m", "benchmarks.worker"]
    found = {
        JAXGAN: [*worker, *subject.flags],
        PLAIN: [*worker, "--plain", *subject.flags],
        UNSHARED: [*worker, *subject.flags, "--noshare_fake"],
    }
    if bfloat16:
        found[BFLOAT16] = [*worker, *subject.flags, "--dtype=bfloat16"]
    return found


def ratio(theirs: Sequence[float], ours: Sequence[float]) -> dict[str, Any]:
    """How many times as long theirs take as ours, group by group."""
    return summary([t / own for own, t in zip(ours, theirs, strict=True)], "pairs")


def check_peer(contestant: Contestant, jaxgan: Contestant, directory: Path) -> dict[str, Any]:
    """Whether a peer computes what jaxgan computes: parameters, losses, and which networks move.

    Raises:
      UserError: it does not.
    """
    expected = json.loads((directory / "expected.json").read_text())
    answer = contestant.ask("check")
    differences = [
        max(abs(theirs[phase] - value) / max(1.0, abs(value)) for phase, value in ours.items())
        for ours, theirs in zip(expected["losses"], answer["losses"], strict=True)
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
        if moved != (wanted := expected["moves"][phase]):
            raise UserError(f"{contestant.label}: the phase {phase} moves {moved}, not {wanted}")
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
      UserError: jaxgan's own step cannot be timed. Another contestant that fails, before it is
        timed or then, is recorded with its error.
    """
    with contextlib.ExitStack() as closing:
        directory = Path(closing.enter_context(tempfile.TemporaryDirectory()))
        on_cpu = ceilings.ready["machine"]["kind"].startswith("cpu-")
        if peers:
            export(subject.name, directory, (*subject.flags, *subject.checked))
        commands = own_contestants(subject, bfloat16=not on_cpu)
        running, facts, others = start(commands, peers or {}, directory, changes, closing)
        times, limits, failed = take_turns(running, ceilings, groups=groups, seconds=seconds)
        for label, error in failed.items():
            others[label] = {**others.get(label, {}), "error": error}
        for label, contestant in running.items():
            if label == JAXGAN:
                continue
            if label in times:
                others[label] = {**others.get(label, {}), **describe_other(contestant, times)}
            contestant.close()
        figures = describe_own(running[JAXGAN], facts, times[JAXGAN], limits, seconds)
    figures = {"flags": list(subject.flags), "checked": list(subject.checked), **figures}
    # Nothing is timed here, so the two may share the machine.
    with ThreadPoolExecutor() as pool:
        steps = pool.submit(structure, facts, subject, figures["batch_size"], changes)
        words = ["-m", "benchmarks.executables", *subject.flags]
        counted = pool.submit(run_python, words, changes).result()
        figures["steps"] = steps.result()
    figures |= json.loads(counted.splitlines()[-1])
    if startup:
        figures["startup"] = measure_startup(subject.flags, changes)
    figures["peers"] = others
    return figures, limits


def start(
    commands: Mapping[str, Sequence[str]],
    peers: Mapping[str, Sequence[str]],
    directory: Path,
    changes: Mapping[str, str],
    closing: contextlib.ExitStack,
) -> tuple[dict[str, Contestant], dict[str, Any], dict[str, dict[str, Any]]]:
    """Starts, checks and warms up the contestants.

    Args:
      commands: those of jaxgan's step and its variants, by label.
      peers: those of the peers, to which `--subject_dir` is added.
      directory: what was exported for them.
      changes: to the environment.
      closing: ends them.

    Returns:
      The contestants by label, jaxgan's first; the facts of jaxgan's step; and of the others, what
      their check or their failure says.

    Raises:
      UserError: jaxgan's own step cannot be timed.
    """
    running: dict[str, Contestant] = {}
    facts: dict[str, Any] = {}
    others: dict[str, dict[str, Any]] = {}
    # The unshared variant comes last, for the peers say whether it is needed.
    labels = [label for label in commands if label != UNSHARED]
    for label in [*labels, *peers, UNSHARED]:
        if label == PLAIN and not any(step["convolutions"] for step in facts.values()):
            continue  # It would be the same program.
        if label == UNSHARED and all(c.ready.get("shares_fake", True) for c in running.values()):
            continue  # It has nobody to be compared with.
        words = [*peers[label], f"--subject_dir={directory}"] if label in peers else commands[label]
        try:
            contestant = Contestant(label, words, changes)
            closing.callback(contestant.close)
            if label in peers:
                others[label] = {"check": check_peer(contestant, running[JAXGAN], directory)}
            if label == JAXGAN:
                facts = contestant.ask("facts")["steps"]
            contestant.ask("time", seconds=0.0)
            running[label] = contestant
        except UserError as error:
            if label == JAXGAN:
                raise
            others[label] = {"error": str(error)}
    return running, facts, others


def take_turns(
    running: Mapping[str, Contestant], ceilings: Contestant, *, groups: int, seconds: float
) -> tuple[dict[str, list[float]], list[dict[str, float]], dict[str, str]]:
    """Times contestants one after the other, group by group.

    Returns:
      Milliseconds of a step in every group, by label; the ceilings in every group; and what is
      wrong with those that ended on the way, which have no times.

    Raises:
      UserError: jaxgan's own step or the ceilings cannot be timed.
    """
    times: dict[str, list[float]] = {label: [] for label in running}
    limits, failed = [], {}
    for _ in range(groups):
        for label in list(times):
            try:
                answer = running[label].ask("time", seconds=seconds)
            except UserError as error:
                if label == JAXGAN:
                    raise
                failed[label] = str(error)
                del times[label]
                continue
            times[label].append(answer["milliseconds"])
        limits.append(ceilings.ask("time", seconds=min(seconds, 1.0)))
    return times, limits, failed


def describe_other(contestant: Contestant, times: Mapping[str, list[float]]) -> dict[str, Any]:
    """The figures of a contestant that is not jaxgan's own step.

    `ratio` is to that step, however the two compute a fake. A peer that makes two forward passes of
    the generator has a ratio to the jaxgan that does so, too: `same_mathematics`.
    """
    label = contestant.label
    found: dict[str, Any] = {
        "milliseconds": summary(times[label]),
        "versions": contestant.ready["versions"],
        "idle_cpu_share": contestant.idle_cpu_seconds / max(contestant.idle_seconds, 1e-9),
    }
    if label != UNSHARED:
        found["ratio"] = ratio(times[label], times[JAXGAN])
    if "shares_fake" in contestant.ready:
        found["shares_fake"] = contestant.ready["shares_fake"]
        if not found["shares_fake"] and UNSHARED in times:
            found["same_mathematics"] = ratio(times[label], times[UNSHARED])
    return found


def same_mathematics(peer: Mapping[str, Any]) -> dict[str, Any] | None:
    """A peer's ratio to the jaxgan that makes as many forward passes as it; None if not timed."""
    return peer.get("ratio" if peer.get("shares_fake") else "same_mathematics")


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
    facts: Mapping[str, Any], subject: Subject, batch_size: int, changes: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """What the compiled steps are made of.

    Collectives are those of two simulated devices with a batch each, which any batch allows.
    """
    flags = [*subject.flags, f"--batch_size={2 * batch_size}"]
    two = ["-m", "benchmarks.worker", "--devices=2", *flags]
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
