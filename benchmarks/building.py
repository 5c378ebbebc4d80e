"""From flags of the command to the steps that it would compile."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
from absl.flags import FlagValues

from jaxgan import experiment as experiments
from jaxgan import main, parallel
from jaxgan.compiling import CompiledStep, abstract_batch, abstract_state, compile_steps
from jaxgan.errors import UserError
from jaxgan.experiment import Data, Experiment, Loaded
from jaxgan.game import Phase
from jaxgan.state import TrainState
from jaxgan.train import Settings, check


@dataclasses.dataclass(frozen=True)
class Built:
    """What flags describe, up to the shapes of the state and of a batch.

    Attributes:
      options: the flags' values.
      loaded: the experiment's file.
      experiment: the experiment.
      settings: what the flags say.
      mesh: the devices that the step is spread over.
      data: the experiment's.
      state: shapes, dtypes and shardings of the state.
      batch: the same of a batch.
    """

    options: FlagValues
    loaded: Loaded
    experiment: Experiment
    settings: Settings
    mesh: jax.sharding.Mesh
    data: Data
    state: TrainState
    batch: dict[str, Any]

    def compile(
        self, actives: Sequence[tuple[Phase, ...]], *, steps_per_dispatch: int = 1
    ) -> dict[tuple[Phase, ...], CompiledStep]:
        """The steps with these phases; see `jaxgan.compiling.compile_steps`."""
        return compile_steps(
            self.experiment,
            self.settings.rules,
            actives,
            self.state,
            self.batch,
            steps_per_dispatch=steps_per_dispatch,
        )


def build(flags: Sequence[str], devices: Sequence[jax.Device]) -> Built:
    """Builds what flags of `python -m jaxgan.main` describe; once in a process.

    Args:
      flags: as typed, `--experiment` included.
      devices: what the step is spread over; they need not exist if it is only compiled.

    Raises:
      UserError: what the flags, the experiment or its data do not allow.
    """
    loaded, _ = main.parse(["benchmarks", *flags])
    if loaded is None:
        raise UserError("say which game: --experiment=NAME")
    experiments.settle_scale(main.FLAGS, loaded)
    experiment = experiments.build(loaded)
    settings = main.settings(Path("unused"))
    mesh = parallel.make_mesh(devices)
    check(experiment, settings, mesh)
    data = experiment.data()
    return Built(
        main.FLAGS,
        loaded,
        experiment,
        settings,
        mesh,
        data,
        abstract_state(experiment, mesh, fsdp=settings.fsdp),
        abstract_batch(data, mesh, settings.rules.batch_size),
    )
