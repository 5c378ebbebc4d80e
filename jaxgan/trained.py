"""Using a run: its networks from a checkpoint, its figures, its samples."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

from jaxgan import processes
from jaxgan.checkpoints import Checkpoints
from jaxgan.compiling import abstract_state
from jaxgan.console import figures_table
from jaxgan.errors import UserError
from jaxgan.experiment import Experiment, Networks, SampleRequest, measured
from jaxgan.metrics.stamp import in_words
from jaxgan.run_directory import unwritable
from jaxgan.state import Player, trained_networks
from jaxgan.train import open_checkpoints


def restore(
    experiment: Experiment, run_dir: Path, mesh: jax.sharding.Mesh, checkpoint: str
) -> tuple[int, Networks]:
    """The networks of a run as sampling uses them; optimisers stay on the disk.

    Args:
      experiment: as the run was trained.
      run_dir: the run's directory.
      mesh: where the networks shall lie, replicated.
      checkpoint: "newest", "best", or the number of a step.

    Returns:
      The step they were saved at, and the networks.

    Raises:
      UserError: there is no such checkpoint.
    """
    abstract = abstract_state(experiment, mesh, fsdp=False)
    wanted = {
        name: {"params": player.params, "variables": player.variables, "ema": player.ema}
        for name, player in abstract.players.items()
    }
    checkpoints = open_checkpoints(experiment, run_dir, read_only=True)
    try:
        step = choose(checkpoints, checkpoint)
        restored = checkpoints.restore({"players": wanted}, step, partial=True)
    finally:
        checkpoints.close()
    for sentence in restored.skipped:
        processes.say(sentence)
    players = {
        name: Player(opt_state=(), **parts) for name, parts in restored.state["players"].items()
    }
    return restored.step, trained_networks(experiment.system.players, players)


def choose(checkpoints: Checkpoints, checkpoint: str) -> int | None:
    """The step that "best" or a number names; None for "newest", whichever can be read."""
    if checkpoint == "newest":
        return None
    if checkpoint != "best" and not checkpoint.isdecimal():
        raise UserError(f"--checkpoint={checkpoint}: say `newest`, `best`, or a step's number")
    step = checkpoints.best_step() if checkpoint == "best" else int(checkpoint)
    if step not in checkpoints.all_steps():
        held = ", ".join(map(str, checkpoints.all_steps())) or "none"
        raise UserError(
            f"--checkpoint={checkpoint}: the run has no such checkpoint; it has: {held}"
        )
    return step


def evaluate(
    experiment: Experiment, run_dir: Path, step: int, networks: Networks, measured_on: Mapping
) -> str:
    """Measures a run; adds a row to `evaluations.jsonl` beside its configuration.

    Args:
      experiment: as the run was trained.
      run_dir: the run's directory.
      step: of the checkpoint.
      networks: as `restore` returns them.
      measured_on: what says which data the figures are of; goes into the row.

    Returns:
      A table of the figures, and their stamps.
    """
    found = measured(experiment, networks, conclude=True)
    if found is None:
        raise UserError("this experiment has no figures to measure; use --mode=sample")
    figures = found.figures
    row: dict[str, Any] = {"step": step, **measured_on}
    row |= {name: value if math.isfinite(value) else None for name, value in figures.items()}
    if found.stamps:
        row["stamps"] = {name: stamp.as_dict() for name, stamp in found.stamps.items()}

    def note() -> None:
        try:
            with (run_dir / "evaluations.jsonl").open("a") as rows:
                rows.write(json.dumps(row) + "\n")
        except OSError as error:
            raise unwritable(run_dir, error) from None

    processes.first_does(note)
    return "\n".join([figures_table(figures), *in_words(found.stamps)])


def sample(experiment: Experiment, networks: Networks, request: SampleRequest) -> Path:
    """Makes samples as a person asked; returns the file that was written."""
    if experiment.sample is None:
        raise UserError("this experiment makes no samples on request")
    if not request.output.parent.is_dir():
        raise UserError(f"--output={request.output}: there is no folder {request.output.parent}")
    return experiment.sample(networks, request)
