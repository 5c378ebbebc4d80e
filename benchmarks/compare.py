"""Fails where a result is worse than what was accepted for this kind of machine.

    python -m benchmarks.compare NEW.json [--baseline=PATH]
    python -m benchmarks.compare --accept RUN.json RUN.json ...

The second form writes `benchmarks/baseline/KIND.json` from one or more runs on a quiet machine;
systems that they lack stay as they were. A ratio whose noise is more than a third of what may ever
be allowed is left out, with a line and exit code 1: it would fail at random, or never.

Compared are ratios, because times move between machines and hours: how much faster jaxgan's step
is than each contestant's, and its share of the matrix product's speed (of steps of at least 1
GFLOP), pair by pair in one run. A ratio has got worse if its median has dropped by more than is
allowed and no group of the run is as good as the baseline's median (what a change of the code slows
down is slower in every group). Allowed is three times the noise, but at least 10 % and at most 33 %
(a factor of e^-0.4). The noise is the larger of the new run's and the baseline's: 1.48 times the
median distance of the logarithms of the pairs from their median, which is the standard deviation if
the noise is Gaussian and cares little for a few groups that something else disturbed; or how far
the accepted runs are from each other.

What does not depend on the machine's mood is compared strictly: executables of a run, none compiled
after the second step, FLOPs and collectives of each step may not grow, temporary memory by 5 %. A
step, a share or a ratio of jaxgan's own variants that the baseline has must be in the result.

On a CPU of a kind without a baseline, the one of the nearest kind is taken: ratios to other
contestants may halve, shares are not compared and memory may grow by a quarter.
"""

import argparse
import dataclasses
import json
import math
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.contestant import OWN
from jaxgan.errors import UserError

BASELINES = Path(__file__).parent / "baseline"

LEAST_ALLOWED, MOST_ALLOWED = -math.log(0.9), 0.4
ALLOWED_ELSEWHERE = math.log(2)
NOISES_ALLOWED = 3.0
MOST_NOISE = MOST_ALLOWED / NOISES_ALLOWED
MEMORY_GROWTH, MEMORY_GROWTH_ELSEWHERE = 0.05, 0.25

# Below this the host and the memory limit a step, and its share says little about its arithmetic.
LEAST_GFLOP = 1.0
SHARE = "share of the matrix product"


def read_result(path: Path) -> dict[str, Any]:
    """What `benchmarks.run` wrote, or an accepted baseline; UserError if it is not there."""
    try:
        found = json.loads(path.read_text())
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; write it with --json={path}") from None
    except ValueError:
        raise UserError(f"{path} is not JSON; measure again with --json={path}") from None
    if not isinstance(found, dict) or not {"machine", "systems"} <= found.keys():
        raise UserError(f"{path} is no result of benchmarks.run")
    return found


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that is worse: what it is, how it was and is, and the worst that is allowed."""

    what: str
    was: float
    now: float
    allowed: float

    def __str__(self) -> str:
        return f"{self.what}: was {self.was:.4g}, is {self.now:.4g}, allowed {self.allowed:.4g}"


def noise_of(pairs: Sequence[float]) -> float:
    """The standard deviation of the logarithms of ratios, by their median distance."""
    logs = [math.log(pair) for pair in pairs]
    middle = statistics.median(logs)
    return 1.4826 * statistics.median(abs(log - middle) for log in logs)


def ratios(system: Mapping[str, Any]) -> dict[str, list[float]]:
    """A system's ratios by name, pair by pair; more is better."""
    found = {
        f"{label} / jaxgan": peer["ratio"]["pairs"]
        for label, peer in system.get("peers", {}).items()
        if "ratio" in peer
    }
    if system.get("gflop", 0.0) >= LEAST_GFLOP:
        found[SHARE] = system["share_of_matmul"]["groups"]
    return found


def accept(runs: Sequence[Mapping[str, Any]], before: Mapping[str, Any]) -> dict[str, Any]:
    """A baseline from results of one kind of machine; `before` keeps what they do not have."""
    systems = dict(before.get("systems", {}))
    for name in {name: None for run in runs for name in run["systems"]}:
        seen = [run["systems"][name] for run in runs if name in run["systems"]]
        seen = [system for system in seen if "error" not in system]
        if not seen:
            continue
        pooled: dict[str, Any] = {}
        for what in {what: None for system in seen for what in ratios(system)}:
            groups = [ratios(system)[what] for system in seen if what in ratios(system)]
            medians = [statistics.median(group) for group in groups]
            middle = statistics.median(medians)
            apart = max(abs(math.log(median / middle)) for median in medians)
            noise = max(apart, *(noise_of(group) for group in groups))
            pooled[what] = {"median": middle, "noise": noise}
        latest = seen[-1]
        systems[name] = {
            "flags": latest["flags"],
            "ratios": pooled,
            "executables": max(system["executables"] for system in seen),
            "steps": latest["steps"],
        }
    latest_run = runs[-1]
    return {
        "machine": latest_run["machine"],
        "commit": latest_run["commit"],
        "systems": dict(sorted(systems.items())),
    }


def without_noisy(baseline: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """A baseline without the ratios that the gate could not judge, and a line for each of them."""
    systems, lines = {}, []
    for name, system in baseline["systems"].items():
        kept = {}
        for what, ratio in system["ratios"].items():
            if ratio["noise"] <= MOST_NOISE:
                kept[what] = ratio
            else:
                lines.append(
                    f"left out {name}: {what}: its noise of {ratio['noise']:.2g} is above "
                    f"{MOST_NOISE:.2g}; measure again on a quiet machine, with more --groups"
                )
        systems[name] = {**system, "ratios": kept}
    return {**baseline, "systems": systems}, lines


def findings(
    new: Mapping[str, Any], baseline: Mapping[str, Any], *, same_kind: bool
) -> Iterator[Finding | str]:
    """What is worse in a result than in a baseline, or failed altogether."""
    for name, system in new["systems"].items():
        if "error" in system:
            yield f"{name}: {system['error']}"
            continue
        if system["after_step_2"]:
            yield Finding(f"{name}: executables after step 2", 0, system["after_step_2"], 0)
        accepted = baseline["systems"].get(name)
        if accepted is None:
            continue
        for label, peer in system["peers"].items():
            if "error" in peer and f"{label} / jaxgan" in accepted["ratios"]:
                yield f"{name}: {peer['error']}"
        yield from missing(name, system, accepted, same_kind=same_kind)
        for what, pairs in ratios(system).items():
            if what in accepted["ratios"] and (same_kind or what != SHARE):
                yield from worse_ratio(
                    f"{name}: {what}", pairs, accepted["ratios"][what], same_kind
                )
        if system["executables"] > accepted["executables"]:
            was = accepted["executables"]
            yield Finding(f"{name}: executables of a run", was, system["executables"], was)
        for step, parts in system["steps"].items():
            if step in accepted["steps"]:
                yield from larger_step(f"{name}, {step}", parts, accepted["steps"][step], same_kind)


def missing(
    name: str, system: Mapping[str, Any], accepted: Mapping[str, Any], *, same_kind: bool
) -> Iterator[str]:
    """What the baseline has and the result has not, but for peers, which need not be installed."""
    own = [f"{label} / jaxgan" for label in OWN if "error" not in system["peers"].get(label, {})]
    expected = [*own, *([SHARE] if same_kind else [])]
    found = ratios(system)
    for what in accepted["ratios"]:
        if what in expected and what not in found:
            yield f"{name}: {what} is in the baseline, but was not measured"
    for step in accepted["steps"]:
        if step not in system["steps"]:
            yield f"{name}: the step {step!r} of the baseline is gone"


def worse_ratio(
    what: str, pairs: Sequence[float], accepted: Mapping[str, float], same_kind: bool
) -> Iterator[Finding]:
    """Whether a ratio has dropped by more than noise; see the module's docstring."""
    noise = max(noise_of(pairs), accepted["noise"])
    allowed = min(max(NOISES_ALLOWED * noise, LEAST_ALLOWED), MOST_ALLOWED)
    limit = accepted["median"] * math.exp(-(allowed if same_kind else ALLOWED_ELSEWHERE))
    median = statistics.median(pairs)
    if median < limit and max(pairs) < accepted["median"]:
        yield Finding(what, accepted["median"], median, limit)


def larger_step(
    what: str, parts: Mapping[str, Any], accepted: Mapping[str, Any], same_kind: bool
) -> Iterator[Finding]:
    """Whether a compiled step needs more operations, memory or collectives."""
    if parts["flops"] > accepted["flops"]:
        yield Finding(f"{what}: FLOPs", accepted["flops"], parts["flops"], accepted["flops"])
    growth = MEMORY_GROWTH if same_kind else MEMORY_GROWTH_ELSEWHERE
    limit = accepted["temporary_bytes"] * (1 + growth)
    if parts["temporary_bytes"] > limit:
        was, now = accepted["temporary_bytes"], parts["temporary_bytes"]
        yield Finding(f"{what}: bytes of temporary memory", was, now, limit)
    for kind, count in parts["collectives"].items():
        was = accepted["collectives"].get(kind, 0)
        if count > was:
            yield Finding(f"{what}: {kind} of the two-device step", was, count, was)


def find_baseline(machine: Mapping[str, str], folder: Path = BASELINES) -> Path | None:
    """The baseline of a machine's kind; for a CPU without one, that with as many cores, or any."""
    own = folder / f"{machine['kind']}.json"
    if own.exists():
        return own
    if not machine["kind"].startswith("cpu-"):
        return None
    others = sorted(folder.glob("cpu-*.json"))
    alike = [path for path in others if path.name.startswith(f"cpu-{machine['cores']}-cores-")]
    return next(iter([*alike, *others]), None)


def compare(new: Mapping[str, Any], path: Path | None) -> int:
    """Prints what is worse than the baseline in `path`, a line each; returns the exit code."""
    baseline: dict[str, Any] = {"machine": {"kind": None}, "systems": {}}
    if path is None:
        print(f"no baseline for {new['machine']['kind']}: only failures and retraces are found")
    else:
        baseline = read_result(path)
    same_kind = baseline["machine"]["kind"] == new["machine"]["kind"]
    if path is not None and not same_kind:
        print(
            f"no baseline for {new['machine']['kind']}: compared with {path.stem}, "
            "ratios loosely and no shares"
        )
    for name in new["systems"].keys() - baseline["systems"].keys():
        print(f"{name}: not in the baseline")
    found = list(findings(new, baseline, same_kind=same_kind))
    for finding in found:
        print(f"WORSE {finding}")
    theirs, ours = baseline["machine"].get("jax"), new["machine"].get("jax")
    if found and theirs not in (None, ours):
        print(f"the baseline is of jax {theirs}, this result of jax {ours}")
    if not found:
        print(f"{len(new['systems'])} systems: nothing is worse than the baseline")
    return 1 if found else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses the arguments, compares or accepts; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("results", nargs="+", type=Path, metavar="RESULT.json")
    parser.add_argument("--baseline", type=Path, help="compare with this one")
    parser.add_argument("--accept", action="store_true", help="write the baseline")
    options = parser.parse_args(arguments)
    try:
        runs = [read_result(path) for path in options.results]
        if options.accept:
            if len({run["machine"]["kind"] for run in runs}) > 1:
                raise UserError("the results are of different kinds of machines")
            path = options.baseline or BASELINES / f"{runs[0]['machine']['kind']}.json"
            before = read_result(path) if path.exists() else {}
            accepted, noisy = without_noisy(accept(runs, before))
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(accepted, indent=1) + "\n")
            for line in noisy:
                print(line, file=sys.stderr)
            print(f"accepted: {path}")
            return 1 if noisy else 0
        if len(runs) > 1:
            raise UserError("compare one result at a time")
        return compare(runs[0], options.baseline or find_baseline(runs[0]["machine"]))
    except UserError as error:
        print(f"benchmarks.compare: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
