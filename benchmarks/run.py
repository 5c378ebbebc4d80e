"""Times every experiment's training step, beside plain flax layers and beside other frameworks.

    python -m benchmarks.run --json=result.json
    python -m benchmarks.run --systems=dcgan_mnist,wgan_gp --peers --startup

Suites: `cpu` and `gpu` run on that device, on the second jaxgan also in bfloat16; `all` runs both,
the second where there is one; `gate` is what `python -m benchmarks.gate` runs. Contestants are
processes of their own, ready and warm, that take their turns one after the other, group by group,
and so do the machine's ceilings; a ratio is the median of the ratios within a group. What the
columns mean:

- ms: milliseconds of a step as at the end of training, the device finished before the next
  dispatch (of as many steps as training takes in one); the median of the groups, and from the least
  to the largest.
- ratio: to jaxgan's own step, whose phases share one forward pass of the generator; same
  mathematics: to the jaxgan that makes as many forward passes as the peer, which differs for those
  that do not share it (Keras' `predict` and `train_on_batch`).
- images/s: examples read, all rounds of a step together.
- GFLOP/s: of the matrix products and convolutions that the mathematics asks for
  (`jaxgan.flops`), and their share of what a large float32 matrix product reaches here.
- dispatch: what the host needs for a step of the same arguments that computes nothing.
- memory: the most that the process held: resident on CPUs, on the device elsewhere.
- waiting: share of a training loop's time spent waiting for the pipeline, an upper bound of what is
  lost, since the device may be busy meanwhile; pipeline: its images/s alone.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import peers as frameworks
from benchmarks.contestant import JAXGAN, Contestant, run_python
from benchmarks.machine import commit
from benchmarks.measure import measure_subject, same_mathematics, summary
from benchmarks.subjects import SUITES, Subject, subjects
from jaxgan.console import human_bytes, table
from jaxgan.errors import UserError

# No more of a contestant's waiting time than this may be spent on a core, or it disturbs the turns
# of the others.
IDLE_SHARE = 0.05

PLATFORMS: dict[str, dict[str, str]] = {
    "cpu": {"JAX_PLATFORMS": "cpu"},
    # Several processes share the device, so none may take it all.
    "gpu": {"JAX_PLATFORMS": "cuda", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"},
}


# What PyTorch calls them.
DEVICES = {"cpu": "cpu", "gpu": "cuda"}


def peers_of(subject: Subject, platform: str) -> dict[str, list[str]]:
    """The other frameworks' contestants for a subject: arguments after `python`, by label."""
    return frameworks.contestants(subject.name, DEVICES[platform])


def run_suite(
    platform: str,
    chosen: Sequence[Subject],
    *,
    groups: int,
    seconds: float,
    peers: bool = False,
    startup: bool = False,
) -> dict[str, Any]:
    """Measures subjects on one platform; returns what the result file holds.

    A subject that fails is recorded with its error, and the others go on.
    """
    changes = PLATFORMS[platform]
    systems: dict[str, Any] = {}
    limits: list[dict[str, float]] = []
    with Contestant("ceilings", ["-m", "benchmarks.ceilings"], changes) as ceilings:
        machine = ceilings.ready["machine"]
        for subject in chosen:
            print(f"{subject.name} ...", file=sys.stderr, flush=True)
            try:
                systems[subject.name], measured = measure_subject(
                    subject,
                    ceilings,
                    changes,
                    groups=groups,
                    seconds=seconds,
                    peers=peers_of(subject, platform) if peers else None,
                    startup=startup,
                )
                limits += measured
            except UserError as error:
                systems[subject.name] = {"flags": list(subject.flags), "error": str(error)}
    names = limits[0] if limits else []
    return {
        "machine": machine,
        "commit": commit(),
        "ceilings": {name: summary([one[name] for one in limits]) for name in names},
        "systems": systems,
    }


def show(result: Mapping[str, Any]) -> str:
    """The result for people."""
    lines = [", ".join(f"{name} {value}" for name, value in result["machine"].items())]
    for name, ceiling in result["ceilings"].items():
        lines.append(f"{name} {ceiling['median']:.4g} (spread {ceiling['spread']:.2g})")
    rows, more = [], []
    for name, system in result["systems"].items():
        if "error" in system:
            rows.append((name, JAXGAN, system["error"], *[""] * 5))
            continue
        share = system["share_of_matmul"]["median"]
        rows.append(
            (
                name,
                JAXGAN,
                shown(system["milliseconds"]),
                f"{system['images_per_second']:.4g}",
                f"{system['gflops']:.4g}",
                f"{share:.0%}",
                "1",
                "",
            )
        )
        for label, peer in system["peers"].items():
            if "error" in peer:
                rows.append((name, label, peer["error"], *[""] * 5))
                continue
            ratios = (
                f"{found['median']:.2f}" if found else ""
                for found in (peer.get("ratio"), same_mathematics(peer))
            )
            rows.append((name, label, shown(peer["milliseconds"]), "", "", "", *ratios))
            if peer["idle_cpu_share"] > IDLE_SHARE:
                lines.append(f"{name}: {label} keeps a core busy while it should wait")
        more.append(describe(name, system))
    first = (
        "system",
        "contestant",
        "ms (spread)",
        "images/s",
        "GFLOP/s",
        "share",
        "ratio",
        "same mathematics",
    )
    second = (
        "system",
        "GFLOP",
        "dispatch ms",
        "memory",
        "executables",
        "pipeline",
        "waiting",
        "first step",
        "cached",
    )
    return "\n\n".join(["\n".join(lines), table(first, rows), table(second, more)])


def describe(name: str, system: Mapping[str, Any]) -> tuple[str, ...]:
    """What concerns jaxgan's step alone."""
    startup = system.get("startup")
    return (
        name,
        f"{system['gflop']:.4g}",
        f"{system['dispatch_milliseconds']:.3g}",
        human_bytes(system["peak_memory_bytes"]),
        str(system["executables"]),
        f"{system['pipeline']['images_per_second']:.4g}/s",
        f"{system['pipeline']['wait_share']:.1%}",
        *(
            f"{startup[how]['first_step_seconds']:.1f} s" if startup else ""
            for how in ("cold", "cached")
        ),
    )


def shown(milliseconds: Mapping[str, Any]) -> str:
    """'315 (104)': the median and the spread."""
    return f"{milliseconds['median']:.4g} ({milliseconds['spread']:.2g})"


def has_gpu() -> bool:
    """Whether JAX finds a GPU; asked in a process of its own, which lets go of it again."""
    try:
        run_python(["-c", "import jax; jax.devices()"], PLATFORMS["gpu"])
    except UserError:
        return False
    return True


def check_destination(path: Path | None) -> None:
    """Raises UserError if a result could not be written there: measuring it takes long."""
    if path is not None and not path.parent.is_dir():
        raise UserError(f"--json={path}: there is no folder {path.parent}; make it first")


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses the arguments, measures, prints; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--suite", choices=SUITES, default="cpu", help="what to time, and where")
    parser.add_argument("--systems", default="", help="only these, separated by commas")
    parser.add_argument("--peers", action="store_true", help="also other frameworks")
    parser.add_argument("--groups", type=int, default=5, help="turns of each contestant")
    parser.add_argument("--seconds", type=float, default=2.0, help="of a turn")
    parser.add_argument("--startup", action="store_true", help="also start the real command")
    parser.add_argument("--json", type=Path, help="write the result there")
    options = parser.parse_args(arguments)
    names = [name for name in options.systems.split(",") if name]
    failed = False
    try:
        check_destination(options.json)
        if options.groups < 1:
            raise UserError(f"--groups={options.groups}: each contestant needs a turn at least")
        gpu = options.suite in ("gpu", "all") and has_gpu()
        if options.suite == "gpu" and not gpu:
            raise UserError("--suite=gpu: JAX finds no GPU here; pip install -e '.[cuda]'")
        platforms = {"gpu": ["gpu"], "all": ["cpu", *(["gpu"] if gpu else [])]}
        for platform in platforms.get(options.suite, ["cpu"]):
            if options.peers:
                for reason in frameworks.missing(DEVICES[platform]):
                    print(f"without {reason}", file=sys.stderr)
            suite = platform if options.suite == "all" else options.suite
            result = run_suite(
                platform,
                subjects(suite, names),
                groups=options.groups,
                seconds=options.seconds,
                peers=options.peers,
                startup=options.startup,
            )
            print(show(result), flush=True)
            failed |= any("error" in system for system in result["systems"].values())
            if options.json:
                several = options.suite == "all" and platform != "cpu"
                path = options.json.with_suffix(f".{platform}.json") if several else options.json
                path.write_text(json.dumps(result, indent=1) + "\n")
    except UserError as error:
        print(f"benchmarks.run: {error}", file=sys.stderr)
        return 2
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
