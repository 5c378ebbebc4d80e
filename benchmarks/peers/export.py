"""Writes a subject's weights and data, and what jaxgan's own step loses on them.

    python -m benchmarks.peers.export --directory=DIR dcgan_mnist --experiment=dcgan_mnist ...

An experiment defines flags when it is loaded, so `export` runs this in a process of its own; on the
CPU, whose float32 is the same for every contestant.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.building import build
from benchmarks.contestant import run_python
from benchmarks.peers.describe import describe, in_turns
from benchmarks.peers.draws import draws
from benchmarks.peers.exchange import Subject, write
from jaxgan import compilation_cache, parallel
from jaxgan.compiling import new_state
from jaxgan.data.pipeline import row_seeds
from jaxgan.errors import UserError
from jaxgan.game import active_phases, rounds
from jaxgan.ops.spectrogram import MelScale, mel_filters
from jaxgan.state import TrainState, count_parameters, fold


def export(subject: str, directory: Path, flags: Sequence[str], steps: int = 2) -> dict[str, Any]:
    """Writes `subject.json`, `subject.npz` and `expected.json` into a directory.

    Args:
      subject: its name.
      directory: made if need be.
      flags: of the engine, `--experiment` included.
      steps: how many steps are checked.

    Returns:
      What expected.json holds: `losses` of every step by phase, `moves`, the players by phase, and
      `parameters` by player.

    Raises:
      UserError: the engine refuses the flags, or no peer could play that game.
    """
    directory = Path(directory).absolute()
    arguments = [f"--directory={directory}", f"--checked_steps={steps}", subject, *flags]
    words = ["-m", "benchmarks.peers.export", *arguments]
    run_python(words, {"JAX_PLATFORMS": "cpu"}, f"exporting {subject}")
    return json.loads((directory / "expected.json").read_text())


def write_subject(subject: str, directory: Path, flags: Sequence[str], steps: int) -> None:
    """`export` without the process around it: flags can be parsed once in a process only."""
    compilation_cache.enable()
    built = build(flags, jax.devices()[:1])
    system, settings, data = built.experiment.system, built.settings, built.data
    size = settings.rules.batch_size
    active = active_phases(built.experiment.phases, settings.steps - 1)
    played = in_turns(active)
    reads = jax.eval_shape(system.prepare, built.batch, jax.random.key(0))
    memory = built.state.memory
    about = describe(
        built.options, subject, built.loaded, system, active, settings.rules, reads, memory
    )

    state = new_state(built.experiment, built.state, settings.seed)
    number = jax.device_put(jnp.int32(settings.steps - 1), state.step.sharding)
    state = state.replace(step=number)
    compiled = built.compile([active])[active]
    arrays = {**player_arrays(state), **constants(about)}
    losses = []
    for step in range(steps):
        batches = []
        for index in range(rounds(active)):
            number = step * rounds(active) + index
            rows = (np.arange(size, dtype=np.int64) + number * size) % data.size
            batch = data.load(rows, row_seeds(settings.seed, number, size))
            batches.append(parallel.global_batch(batch, built.mesh))
            key = fold(state.key, "step", state.step, "round", index)
            given = system.prepare(batches[-1], fold(key, "prepare"))
            drawn = draws(about, system, state, given, key)
            for name, values in {**given, **drawn}.items():
                arrays[f"step{step}/round{index}/{name}"] = np.asarray(values)
        state, metrics = compiled(state, batches)
        losses.append({phase.name: float(metrics[f"{phase.name}_loss"]) for phase in played})
    write(directory, Subject(about, arrays))
    counts = {name: count_parameters(player.params) for name, player in built.state.players.items()}
    moves = {phase.name: sorted(phase.players) for phase in played}
    expected = {"losses": losses, "moves": moves, "parameters": counts}
    (directory / "expected.json").write_text(json.dumps(expected, indent=2) + "\n")


def constants(about: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """What the losses of a game are made of beside weights and data, by name."""
    if not about["spectrogram"]:
        return {}
    # Real and fake are compared by bands up to half of the rate.
    return {"constants/filters": mel_filters(MelScale(**about["spectrogram"]))}


def player_arrays(state: TrainState) -> dict[str, np.ndarray]:
    """Parameters and variables of all players by their paths."""
    found = {}
    for name, player in state.players.items():
        for kind in ("params", "variables"):
            for path, leaf in jax.tree_util.tree_leaves_with_path(getattr(player, kind)):
                joined = "/".join(part.key for part in path)
                found[f"{kind}/{name}/{joined}"] = np.array(leaf)
    return found


def main() -> int:
    """Parses the arguments and writes the directory."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("subject")
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--checked_steps", type=int, default=2)
    arguments, flags = parser.parse_known_args()
    try:
        write_subject(arguments.subject, arguments.directory, flags, arguments.checked_steps)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
