"""What the steps send between devices, counted in what the compiler made of them.

    python -m benchmarks.scaling                                    # 1, 2, 4, 8 simulated devices
    python -m benchmarks.scaling --compilers=v5e:2x4                # the TPU's compiler, no TPU
    python -m benchmarks.scaling --systems=gaussians --devices=1,2 --json=counts.json
    python -m benchmarks.scaling --model                            # step times: a model
    python -m benchmarks.scaling --write                            # the tables of SCALING.md

Nothing runs: the step is compiled for so many devices and its HLO is read. With `pip install
libtpu` the TPU's own compiler can be asked, for any slice, on a machine that has none. Every
compilation has a process of its own. Results are added to what the JSON file holds already.
"""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import jax
from jax.experimental import topologies

from benchmarks import scaling_model
from benchmarks.building import build
from benchmarks.collectives import Collective, find_collectives
from benchmarks.contestant import run_python
from benchmarks.subjects import subjects
from jaxgan.console import human_bytes, human_count
from jaxgan.errors import UserError
from jaxgan.game import active_phases
from jaxgan.ops import onednn

HERE = Path(__file__).parent
COUNTS = HERE / "scaling.json"
DOCUMENT = HERE / "SCALING.md"
# Everything that the TPU's compiler would otherwise ask of the machine's metadata server.
NO_TPU = {
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_ACCELERATOR_TYPE": "v5litepod-8",
    "TPU_WORKER_HOSTNAMES": "localhost",
    # No device is opened, so several compilers may run side by side.
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
}


def compile_and_count(arguments: list[str], compiler: str, devices: int) -> dict[str, Any]:
    """Compiles the last step of a run and reads what it is made of; for a fresh process.

    Args:
      arguments: flags of `jaxgan.main`.
      compiler: "cpu", or a TPU topology such as "v5e:2x4".
      devices: how many simulated devices; a topology has its own number.

    Returns:
      The figures of one device's share of one step.
    """
    if compiler == "cpu":
        jax.config.update("jax_num_cpu_devices", devices)
        built, backend = build(arguments, jax.devices()), "cpu"
    else:
        built, backend = build(arguments, slice_devices(compiler)), "tpu"
    active = active_phases(built.experiment.phases, built.settings.steps - 1)
    # The lowering of a convolution depends on the backend, which is not the one that compiles, and
    # on one CPU alone it would be another than on two.
    with (
        mock.patch.object(jax, "default_backend", lambda: backend),
        mock.patch.object(onednn, "suits", lambda mesh: False),
    ):
        compiled = built.compile([active])[active].executable
    memory, cost = compiled.memory_analysis(), compiled.cost_analysis() or {}
    found = find_collectives(compiled.as_text())
    params = {name: player.params for name, player in built.state.players.items()}
    sizes = {name: _bytes(tree) for name, tree in params.items()}
    return {
        "devices": built.mesh.size,
        "batch_size": built.settings.rules.batch_size,
        "dtype": built.options.dtype,
        "phases": [phase.name for phase in active],
        "parameter_bytes": sizes,
        # What the aim allows: every player's gradients once for each of its updates.
        "aim_bytes": sum(phase.repeats * sizes[name] for phase in active for name in phase.players),
        "looped": built.settings.rules.accumulate > 1 or any(p.repeats > 2 for p in active),
        "flops": cost.get("flops", math.nan),
        "hbm_bytes": cost.get("bytes accessed", math.nan),
        "argument_bytes": memory.argument_size_in_bytes,
        "temporary_bytes": memory.temp_size_in_bytes,
        "kinds": totals({collective.kind: [] for collective in found}, found),
        "purposes": purposes(found, [leaf.shape for leaf in _leaves(params)]),
    }


def slice_devices(topology: str) -> list[jax.Device]:
    """The devices of a TPU slice that need not exist: "v5e:2x4", "v4:2x2x1"."""
    sides = [int(side) for side in topology.partition(":")[2].split("x")]
    # A host has four chips or more, but for the smallest slice.
    options = {"chips_per_host_bounds": (1, 1, 1)} if math.prod(sides) == 1 else {}
    described = topologies.get_topology_desc(topology_name=topology, platform="tpu", **options)
    return list(described.devices)


def _leaves(tree: Any) -> list[jax.ShapeDtypeStruct]:
    return jax.tree.leaves(tree)


def _bytes(tree: Any) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in _leaves(tree))


def totals(
    groups: dict[str, list[Collective]], found: list[Collective]
) -> dict[str, dict[str, int]]:
    """Number and bytes of the collectives of each kind."""
    for collective in found:
        groups[collective.kind].append(collective)
    return {name: _total(group) for name, group in sorted(groups.items())}


def purposes(
    found: list[Collective], parameters: list[tuple[int, ...]]
) -> dict[str, dict[str, int]]:
    """Number and bytes of collectives by what they are for.

    Args:
      found: those of a step.
      parameters: the shapes of all players' parameters.

    Returns:
      `gradients`: all-reduces that carry an array of a parameter's sizes, in any order, that is
      more than a vector (whatever else they carry); `statistics`: other all-reduces that a batch
      normalisation asked for; `other`: the rest, which the aim has no place for.
    """
    matrices = {_sizes(shape) for shape in parameters if len(_sizes(shape)) > 1}
    groups: dict[str, list[Collective]] = {"gradients": [], "statistics": [], "other": []}
    for collective in found:
        if collective.kind != "all-reduce":
            purpose = "other"
        elif any(_sizes(array.shape) in matrices for array in collective.arrays):
            purpose = "gradients"
        else:
            purpose = "statistics" if "BatchNorm" in collective.source else "other"
        groups[purpose].append(collective)
    return {name: _total(group) for name, group in groups.items()}


def _sizes(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(size for size in shape if size > 1))


def _total(group: list[Collective]) -> dict[str, int]:
    return {
        "count": sum(collective.times for collective in group),
        "bytes": sum(collective.times * collective.bytes for collective in group),
    }


def in_own_process(name: str, compiler: str, devices: int, dtype: str) -> dict[str, Any]:
    """`compile_and_count` of one system, in a process of its own.

    Raises:
      UserError: that process failed; the message has its last words.
    """
    worker = ["-m", "benchmarks.scaling", f"--worker={name}"]
    chosen = [f"--compilers={compiler}", f"--devices={devices}", f"--dtype={dtype}"]
    # Neither compiler needs a device, and a job's TPU or GPU is somebody else's.
    changes = {"JAX_PLATFORMS": "cpu", **({} if compiler == "cpu" else NO_TPU)}
    printed = run_python([*worker, *chosen], changes, f"compiling {name} for {compiler}")
    return json.loads(printed.splitlines()[-1])


def label_of(compiler: str, devices: int, dtype: str) -> str:
    """What counts are kept under: "2 x cpu float32", "v5e:2x4 bfloat16"."""
    return f"{devices} x cpu {dtype}" if compiler == "cpu" else f"{compiler} {dtype}"


def counts_table(counts: dict[str, Any]) -> str:
    """The counts as a table in Markdown."""
    lines = [
        "| system | compiled for | dtype | batch | all-reduces: gradients | statistics | other "
        "| bytes / gradients' bytes | other collectives | GFLOP on a device "
        "| x devices / one device | memory on a device |",
        f"|{'---|' * 12}",
    ]
    for name, records in counts.items():
        for label, record in records.items():
            compiler = label.removesuffix(f" {record['dtype']}")
            alone = records.get(label_of("cpu", 1, record["dtype"])) if "cpu" in label else None
            lines.append(f"| {name} | {compiler} | {' | '.join(_row(record, alone))} |")
    return "\n".join(lines)


def _row(record: dict[str, Any], alone: dict[str, Any] | None) -> list[str]:
    purposes, kinds = record["purposes"], record["kinds"]
    sent = sum(kind["bytes"] for kind in kinds.values())
    others = [f"{kind['count']} {name}" for name, kind in kinds.items() if name != "all-reduce"]
    share = f"{record['devices'] * record['flops'] / alone['flops']:.2f}" if alone else "-"
    return [
        record["dtype"],
        f"{record['batch_size']}",
        *(f"{purposes[name]['count']}" for name in ("gradients", "statistics", "other")),
        f"{sent / record['aim_bytes']:.4f}" if record["devices"] > 1 else "-",
        ", ".join(others) or "none",
        ("at least " if record["looped"] else "") + f"{record['flops'] / 1e9:.3g}",
        share,
        human_bytes(record["argument_bytes"] + record["temporary_bytes"]),
    ]


def model_table(counts: dict[str, Any]) -> str:
    """The modelled step times as tables in Markdown.

    For every system that was compiled for eight chips and has no loop in its step; see
    `scaling_model.work_of`.
    """
    parts = []
    for name, records in counts.items():
        work = scaling_model.work_of(records)
        if work is not None:
            about = (
                f"batch {work.batch_size}, {work.dtype}, "
                f"{human_count(work.flops_per_image)}FLOP an image, "
                f"{human_bytes(work.gradient_bytes)} of gradients, "
                f"{work.small_all_reduces} small all-reduces"
            )
            parts.append(f"**{name}** ({about})\n\n{scaling_model.tables(work)}")
    return "\n\n".join(parts)


def write_document(counts: dict[str, Any], document: str) -> str:
    """The document with the tables between its markers replaced."""
    for marker, table in (("counts", counts_table(counts)), ("model", model_table(counts))):
        begin, end = f"<!-- {marker} -->\n", f"<!-- end of {marker} -->"
        before, _, rest = document.partition(begin)
        _, _, after = rest.partition(end)
        document = f"{before}{begin}\n{table}\n\n{end}{after}"
    return document


def main() -> None:
    """Parses the arguments, compiles and counts, prints a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--systems", help="of benchmarks.run's, after commas (default: all)")
    parser.add_argument("--devices", default="1,2,4,8", help="numbers of simulated devices")
    parser.add_argument("--compilers", default="cpu", help="cpu, or TPU slices such as v5e:2x4")
    parser.add_argument("--dtype", help="default: float32 on cpu, bfloat16 on TPUs")
    parser.add_argument("--json", type=Path, default=COUNTS, help="where the counts are kept")
    parser.add_argument("--model", action="store_true", help="print the model of step times")
    parser.add_argument("--write", action="store_true", help="bring SCALING.md up to date")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    compilers = arguments.compilers.split(",")
    numbers = [int(number) for number in arguments.devices.split(",")]
    if arguments.worker:
        (system,) = subjects("all", [arguments.worker])
        typed = [*system.flags, f"--dtype={arguments.dtype}"]
        print(json.dumps(compile_and_count(typed, compilers[0], numbers[0])))
        return
    counts = json.loads(arguments.json.read_text()) if arguments.json.exists() else {}
    if arguments.model:
        print("A model, not a measurement; SCALING.md says what it assumes.\n")
        print(model_table(counts))
        return
    if arguments.write:
        DOCUMENT.write_text(write_document(counts, DOCUMENT.read_text()))
        return
    named = arguments.systems.split(",") if arguments.systems else ()
    names = [system.name for system in subjects("all", named)]
    for name in names:
        for compiler in compilers:
            for devices in numbers if compiler == "cpu" else [0]:
                dtype = arguments.dtype or ("float32" if compiler == "cpu" else "bfloat16")
                label = label_of(compiler, devices, dtype)
                found = in_own_process(name, compiler, devices, dtype)
                counts.setdefault(name, {})[label] = found
                arguments.json.write_text(json.dumps(counts, indent=1) + "\n")
                print(name, label, json.dumps(counts[name][label]["purposes"]), flush=True)
    print(counts_table({name: counts[name] for name in names}))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"scaling: {error}")
