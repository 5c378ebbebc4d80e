"""Using a run: its networks from a checkpoint, its figures, its samples."""

import json
from pathlib import Path

import jax

from jaxgan.checkpoints import Checkpoints
from jaxgan.console import table
from jaxgan.errors import UserError
from jaxgan.experiment import Experiment, Networks, SampleRequest
from jaxgan.state import trained_networks
from jaxgan.train import abstract_state, open_checkpoints


def restore(
    experiment: Experiment, run_dir: Path, mesh: jax.sharding.Mesh, checkpoint: str
) -> tuple[int, Networks]:
    """The networks of a run as sampling uses them.

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
    checkpoints = open_checkpoints(experiment, run_dir, read_only=True)
    try:
        step = choose(checkpoints, checkpoint)
        restored = checkpoints.restore(abstract_state(experiment, mesh, fsdp=False), step)
    finally:
        checkpoints.close()
    for sentence in restored.skipped:
        print(sentence)
    return restored.step, trained_networks(experiment.system.players, restored.state.players)


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


def evaluate(experiment: Experiment, run_dir: Path, step: int, networks: Networks) -> str:
    """Measures a run and writes `eval_STEP.json` beside its configuration; returns a table."""
    if experiment.evaluate is None:
        raise UserError("this experiment has no figures to measure; use --mode=sample")
    figures = experiment.evaluate(networks)
    path = run_dir / f"eval_{step:08d}.json"
    path.write_text(json.dumps({"step": step, **figures}, indent=2) + "\n")
    return table(("figure", "value"), [(name, f"{value:.4f}") for name, value in figures.items()])


def sample(experiment: Experiment, networks: Networks, request: SampleRequest) -> Path:
    """Makes samples as a person asked; returns the file that was written."""
    if experiment.sample is None:
        raise UserError("this experiment makes no samples on request")
    if not request.output.parent.is_dir():
        raise UserError(f"--output={request.output}: there is no folder {request.output.parent}")
    return experiment.sample(networks, request)
