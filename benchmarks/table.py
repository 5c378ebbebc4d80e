"""Writes the README's table of speeds from committed results.

    python -m benchmarks.table benchmarks/results/*.json
    python -m benchmarks.table --check benchmarks/results/*.json

The second form changes nothing and fails if the README does not say what the results say. Of two
results of one kind of machine that have the same system, the later file's counts.
"""

import argparse
import json
import math
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.contestant import ROOT
from benchmarks.measure import BFLOAT16, OWN, PLAIN, UNSHARED
from jaxgan.errors import UserError

BEGIN, END = "<!-- benchmarks:begin -->", "<!-- benchmarks:end -->"
HEADER = (
    "system",
    "jaxgan, ms a step (spread)",
    "GFLOP/s",
    "of the matrix product",
    "plain flax / jaxgan",
    "best peer, ms",
    "best peer / jaxgan",
    "the same without sharing",
    "first step cold, cached",
)
COMMAND = "python -m benchmarks.run --suite={suite} --peers --startup --json=PATH"


def merge(results: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Results by kind of machine, the systems of several put together."""
    kinds: dict[str, dict[str, Any]] = {}
    for result in results:
        kind = result["machine"]["kind"]
        before = kinds.get(kind, {}).get("systems", {})
        kinds[kind] = {**result, "systems": {**before, **result["systems"]}}
    return kinds


def best_peer(system: Mapping[str, Any], *, bfloat16: bool = False) -> str | None:
    """The label of the quickest contestant of that precision that is not jaxgan's own, if any."""
    times = {
        label: peer["milliseconds"]["median"]
        for label, peer in system["peers"].items()
        if label not in OWN and "milliseconds" in peer and label.endswith(" bf16") == bfloat16
    }
    return min(times, key=lambda label: times[label]) if times else None


def row(name: str, system: Mapping[str, Any]) -> tuple[str, ...]:
    """The table's cells for one system."""
    if "error" in system:
        return (f"`{name}`", f"failed: {system['error']}", *[""] * (len(HEADER) - 2))
    own, peers = system["milliseconds"], system["peers"]
    none = "not measured"
    plain = peers.get(PLAIN)
    best = best_peer(system)
    startup = system.get("startup")
    without = none
    if best is not None and "milliseconds" in peers.get(UNSHARED, {}):
        groups = (peers[label]["milliseconds"]["groups"] for label in (best, UNSHARED))
        without = f"{statistics.median(t / o for t, o in zip(*groups, strict=True)):.2f}"
    return (
        f"`{name}`",
        f"{own['median']:.3g} ({own['spread']:.2g})",
        f"{system['gflops']:.3g}",
        f"{system['share_of_matmul']['median']:.0%}",
        f"{plain['ratio']['median']:.2f}" if plain and "ratio" in plain else "no convolutions",
        f"{peers[best]['milliseconds']['median']:.3g} ({best})" if best else none,
        f"{peers[best]['ratio']['median']:.2f}" if best else none,
        without,
        f"{startup['cold']['first_step_seconds']:.1f} s, "
        f"{startup['cached']['first_step_seconds']:.1f} s"
        if startup
        else none,
    )


def bfloat16_row(name: str, system: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The cells for a system computed in bfloat16, where it was: a list of one row or none."""
    peers = system.get("peers", {})
    if "milliseconds" not in peers.get(BFLOAT16, {}):
        return []
    own, none = peers[BFLOAT16]["milliseconds"], "not measured"
    best = best_peer(system, bfloat16=True)
    ratio = none
    if best is not None:
        groups = peers[best]["milliseconds"]["groups"], own["groups"]
        ratio = f"{statistics.median(t / o for t, o in zip(*groups, strict=True)):.2f}"
    return [
        (
            f"`{name}`, bfloat16",
            f"{own['median']:.3g} ({own['spread']:.2g})",
            f"{1000 * system['gflop'] / own['median']:.3g}",
            *[none] * 2,
            f"{peers[best]['milliseconds']['median']:.3g} ({best})" if best else none,
            ratio,
            *[none] * 2,
        )
    ]


def section(suite: str, result: Mapping[str, Any]) -> str:
    """One machine's table, what it was measured on and with which command."""
    machine, ceilings = result["machine"], result["ceilings"]
    chip = f"{machine['cores']} cores of {machine['processor']}"
    if suite == "gpu":
        chip = machine["device"]
    lines = [
        f"**{chip}**, jax {machine['jax']}, commit {result['commit']}; the matrix product reaches "
        f"{ceilings['matmul_gflops']['median']:.0f} GFLOP/s, a copy "
        f"{ceilings['copy_gigabytes_per_second']['median']:.0f} GB/s "
        f"(`{COMMAND.format(suite=suite)}`):",
        "",
        "| " + " | ".join(HEADER) + " |",
        "|" + "---|" * len(HEADER),
    ]
    rows = [
        cells
        for name, system in result["systems"].items()
        for cells in (row(name, system), *bfloat16_row(name, system))
    ]
    lines += ["| " + " | ".join(cells) + " |" for cells in rows]
    found = [s for s in result["systems"].values() if "error" not in s and best_peer(s)]
    if found:
        logs = [math.log(s["peers"][best_peer(s)]["ratio"]["median"]) for s in found]
        mean = math.exp(statistics.fmean(logs))
        lines += ["", f"Best peer / jaxgan, geometric mean of {len(found)} systems: {mean:.2f}."]
    return "\n".join(lines)


def text(results: Iterable[Mapping[str, Any]]) -> str:
    """What stands between the README's markers."""
    kinds = merge(results)
    parts = []
    for suite, device in (("cpu", "CPU"), ("gpu", "GPU")):
        own = [result for _, result in sorted(kinds.items()) if is_cpu(result) == (suite == "cpu")]
        parts += [section(suite, result) for result in own]
        if not own:
            parts.append(f"**{device}**: not measured (`{COMMAND.format(suite=suite)}`).")
    return "\n\n".join(parts)


def is_cpu(result: Mapping[str, Any]) -> bool:
    """Whether a result was measured on a CPU."""
    return result["machine"]["kind"].startswith("cpu-")


def replaced(readme: str, table: str) -> str:
    """The README with a new table; UserError if it has no place for one."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UserError(f"README.md: the lines {BEGIN} and {END} are missing; put them back")
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def main(arguments: Sequence[str] | None = None, readme: Path = ROOT / "README.md") -> int:
    """Writes or checks; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("results", nargs="*", type=Path, metavar="RESULT.json")
    parser.add_argument("--check", action="store_true", help="fail if the README is stale")
    options = parser.parse_args(arguments)
    old = readme.read_text()
    try:
        new = replaced(old, text(json.loads(path.read_text()) for path in sorted(options.results)))
    except UserError as error:
        print(f"benchmarks.table: {error}", file=sys.stderr)
        return 2
    if options.check and new != old:
        print("README.md is stale: python -m benchmarks.table benchmarks/results/*.json")
        return 1
    if not options.check:
        readme.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
