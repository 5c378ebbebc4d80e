"""Writes the README's table of speeds from committed results.

    python -m benchmarks.table benchmarks/results/*.json
    python -m benchmarks.table --check benchmarks/results/*.json

The second form changes nothing and fails if the README does not say what the results say. Of two
results of one kind of machine that have the same system, the later file's counts, unless it failed
there only; where they are of several commits, every row says its own. Systems that have peers come
first.
"""

import argparse
import math
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.compare import read_result
from benchmarks.contestant import BFLOAT16, OWN, PLAIN, ROOT
from benchmarks.measure import ratio, same_mathematics
from jaxgan.errors import UserError

BEGIN, END = "<!-- benchmarks:begin -->", "<!-- benchmarks:end -->"
HEADER = (
    "system",
    "jaxgan, ms a step (spread)",
    "samples a second",
    "GFLOP/s",
    "of the matrix product",
    "plain flax / jaxgan",
    "best peer, ms",
    "best peer / jaxgan",
    "every peer / jaxgan, same mathematics",
    "first step cold, cached",
)
NONE = "not measured"
COMMAND = "python -m benchmarks.run --suite={suite} --peers --startup --json=PATH"


def merge(results: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Results by kind of machine, the systems of several put together.

    Every system gets the `commit` and the `ceilings` of its result, and `commits` are all of them.

    Raises:
      UserError: results of one kind of machine are of different versions of jax.
    """
    kinds: dict[str, dict[str, Any]] = {}
    for result in results:
        kind = result["machine"]["kind"]
        before = kinds.get(kind, {"machine": result["machine"], "systems": {}})
        theirs, ours = before["machine"]["jax"], result["machine"]["jax"]
        if theirs != ours:
            raise UserError(f"results of {kind} are of jax {theirs} and {ours}; measure one again")
        systems = dict(before["systems"])
        for name, system in result["systems"].items():
            if "error" not in system or "error" in systems.get(name, {"error": ""}):
                about = {"commit": result["commit"], "ceilings": result["ceilings"]}
                systems[name] = {**system, **about}
        commits = list(dict.fromkeys(system["commit"] for system in systems.values()))
        kinds[kind] = {**result, "systems": systems, "commits": commits}
    return kinds


def best_peer(system: Mapping[str, Any], *, bfloat16: bool = False) -> str | None:
    """The label of the quickest contestant of that precision that is not jaxgan's own, if any."""
    times = {
        label: peer["milliseconds"]["median"]
        for label, peer in system["peers"].items()
        if label not in OWN and "milliseconds" in peer and label.endswith(" bf16") == bfloat16
    }
    return min(times, key=lambda label: times[label]) if times else None


def every_peer(system: Mapping[str, Any]) -> str:
    """'torch eager 1.80, keras tensorflow 2.10 (two fakes)': each peer's ratio to its equal."""
    cells = []
    for label, peer in system["peers"].items():
        if label in OWN or label.endswith(" bf16"):
            continue
        found = None if "error" in peer else same_mathematics(peer)
        said = f"{found['median']:.2f}" if found else why_not(peer)
        cells.append(f"{label} {said}" + " (two fakes)" * (peer.get("shares_fake") is False))
    return ", ".join(cells) or NONE


def plain_cell(system: Mapping[str, Any]) -> str:
    """How the step compares with flax's own layers, where those would be another program."""
    plain = system["peers"].get(PLAIN)
    if plain is None:
        return "no convolutions"
    return "failed" if "error" in plain else f"{plain['ratio']['median']:.2f}"


def short(milliseconds: float) -> str:
    """Three figures, and never an exponent."""
    decimals = max(0, 2 - math.floor(math.log10(max(milliseconds, 1e-9))))
    return f"{milliseconds:.{min(decimals, 2)}f}"


def rate(per_second: float) -> str:
    """Three figures at least, and never an exponent."""
    return f"{per_second:,.0f}" if per_second >= 100 else short(per_second)


def why_not(peer: Mapping[str, Any]) -> str:
    """Why a peer has no ratio."""
    if "not the same computation" in peer.get("error", ""):
        return "not timed (its losses differ)"
    return "failed" if "error" in peer else NONE


def row(name: str, system: Mapping[str, Any]) -> tuple[str, ...]:
    """The table's cells for one system, which has the label `name`."""
    if "error" in system:
        return (name, f"failed: {system['error']}", *[""] * (len(HEADER) - 2))
    own, peers = system["milliseconds"], system["peers"]
    best = best_peer(system)
    startup = system.get("startup")
    return (
        name,
        f"{short(own['median'])} ({short(own['spread'])})",
        rate(system["images_per_second"]),
        f"{system['gflops']:.3g}",
        f"{system['share_of_matmul']['median']:.0%}",
        plain_cell(system),
        f"{best}, {short(peers[best]['milliseconds']['median'])}" if best else NONE,
        f"{peers[best]['ratio']['median']:.2f}" if best else NONE,
        every_peer(system),
        f"{startup['cold']['first_step_seconds']:.1f} s, "
        f"{startup['cached']['first_step_seconds']:.1f} s"
        if startup
        else NONE,
    )


def bfloat16_row(name: str, system: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The cells for a system computed in bfloat16, where it was: a list of one row or none."""
    peers = system.get("peers", {})
    if "milliseconds" not in peers.get(BFLOAT16, {}):
        return []
    own = peers[BFLOAT16]["milliseconds"]
    best = best_peer(system, bfloat16=True)
    gflops = 1000 * system["gflop"] / own["median"]
    ceiling = system["ceilings"].get("matmul_gflops_bfloat16")
    ratios = {
        label: ratio(peer["milliseconds"]["groups"], own["groups"])["median"]
        for label, peer in peers.items()
        if label not in OWN and label.endswith(" bf16") and "milliseconds" in peer
    }
    return [
        (
            f"{name}, bfloat16",
            f"{short(own['median'])} ({short(own['spread'])})",
            rate(1000 * system["images_per_step"] / own["median"]),
            f"{gflops:.3g}",
            f"{gflops / ceiling['median']:.0%}" if ceiling else NONE,
            NONE,
            f"{best}, {short(peers[best]['milliseconds']['median'])}" if best else NONE,
            f"{ratios[best]:.2f}" if best else NONE,
            ", ".join(f"{label} {value:.2f}" for label, value in ratios.items()) or NONE,
            NONE,
        )
    ]


def section(suite: str, result: Mapping[str, Any]) -> str:
    """One machine's table, what it was measured on and with which command."""
    machine, systems = result["machine"], result["systems"]
    several = len(result["commits"]) > 1

    def median(name: str) -> float:
        found = [s["ceilings"][name]["median"] for s in systems.values() if name in s["ceilings"]]
        return statistics.median(found) if found else math.nan

    bfloat16 = median("matmul_gflops_bfloat16")

    def label(name: str) -> str:
        small = ", small scale" * ("--scale=small" in systems[name]["flags"])
        return f"`{name}`{small}" + f" ({systems[name]['commit']})" * several

    chip = f"{machine['cores']} cores of {machine['processor']}"
    if suite == "gpu":
        chip = machine["device"]
    lines = [
        f"**{chip}**, jax {machine['jax']}, commit {', '.join(result['commits'])}; the matrix "
        f"product reaches {median('matmul_gflops'):.0f} GFLOP/s, "
        + ("" if math.isnan(bfloat16) else f"in bfloat16 {bfloat16:.0f}, ")
        + f"a copy {median('copy_gigabytes_per_second'):.0f} GB/s "
        f"(`{COMMAND.format(suite=suite)}`):",
        "",
        "| " + " | ".join(HEADER) + " |",
        "|" + "---|" * len(HEADER),
    ]

    def alone(name: str) -> bool:
        return "error" in systems[name] or best_peer(systems[name]) is None

    rows = [
        cells
        for name, system in sorted(systems.items(), key=lambda item: (alone(item[0]), item[0]))
        for cells in (row(label(name), system), *bfloat16_row(label(name), system))
    ]
    lines += ["| " + " | ".join(cells) + " |" for cells in rows]
    found = [s for s in systems.values() if "error" not in s and best_peer(s)]
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
        new = replaced(old, text(map(read_result, sorted(options.results))))
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
