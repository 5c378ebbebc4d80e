"""The training loop. Its order is written down once, in `train`, and matters."""

import contextlib
import dataclasses
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

import jaxgan
from jaxgan import memory, parallel, processes, report, run_directory
from jaxgan.checkpoints import Checkpoints
from jaxgan.compiling import abstract_batch, abstract_state, compile_steps, describe, new_state
from jaxgan.console import figures_table
from jaxgan.data.pipeline import Stack, make_batches
from jaxgan.dispatch import groups
from jaxgan.errors import UserError
from jaxgan.experiment import Data, Experiment, measured
from jaxgan.game import distinct_steps, rounds, validate
from jaxgan.metrics.stamp import in_words
from jaxgan.state import TrainState, trained_networks
from jaxgan.step import Rules
from jaxgan.telemetry import Telemetry

# A run whose losses or gradients have not been finite for so many steps will not recover.
PATIENCE = 20


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a run is carried out, beside what its experiment says: see the flags of these names."""

    run_dir: Path
    steps: int
    seed: int
    rules: Rules
    fsdp: bool
    steps_per_dispatch: int
    log_every: int
    eval_every: int
    checkpoint_every: int
    keep: int


def open_checkpoints(experiment: Experiment, run_dir: Path, **options: Any) -> Checkpoints:
    """The run's checkpoints; the best one is kept if the experiment says what best means."""
    return Checkpoints(
        run_dir / "checkpoints",
        best_metric=experiment.best and f"eval/{experiment.best}",
        best_mode=experiment.best_mode,
        **options,
    )


@contextlib.contextmanager
def stop_signals() -> Iterator[Callable[[], str | None]]:
    """While open, SIGTERM and Ctrl-C are noted instead of obeyed; a second one is obeyed.

    Yields:
      A function that says which signal has come, or None.
    """
    received: list[str] = []
    before: dict[signal.Signals, Any] = {}

    def note(number: int, frame: Any) -> None:
        received.append(signal.Signals(number).name)
        for caught, handler in before.items():
            signal.signal(caught, handler)

    for number in (signal.SIGTERM, signal.SIGINT):
        before[number] = signal.signal(number, note)
    try:
        yield lambda: received[0] if received else None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def check(experiment: Experiment, settings: Settings, mesh: jax.sharding.Mesh) -> None:
    """Raises UserError for what can be known to fail before anything is written."""
    rules = settings.rules
    validate(experiment.system, experiment.phases, settings.steps)
    parallel.check_batch_size(rules.batch_size, mesh)
    if rules.batch_size % (rules.accumulate * mesh.size):
        raise UserError(
            f"--accumulate={rules.accumulate} does not divide the batch of {rules.batch_size} "
            f"over {mesh.size} devices into equal parts"
        )


@dataclasses.dataclass
class Progress:
    """Notices that a run has stopped learning, from its count of skipped steps.

    Attributes:
      learned: the last step at which some step since the note before was not skipped.
      noted: the step of the last note.
      skipped: the count of skipped steps then.
    """

    learned: int
    noted: int
    skipped: float

    def note(self, step: int, skipped: float, *, patience: int = PATIENCE) -> None:
        """Raises UserError if nothing was learned for so many steps."""
        if skipped - self.skipped < step - self.noted:
            self.learned = step
        self.noted, self.skipped = step, skipped
        if step - self.learned >= patience:
            raise UserError(
                f"the losses or gradients of the steps from {self.learned} to {step} were not "
                "finite and all of them were skipped; lower the learning rate or the penalty, and "
                "go on from the last checkpoint with the same command"
            )


def train(
    experiment: Experiment,
    data: Data,
    settings: Settings,
    mesh: jax.sharding.Mesh,
    begin: Callable[[], None],
) -> bool:
    """Trains an experiment to its last step, from its newest checkpoint if it has one.

    Args:
      experiment: what to train.
      data: what `experiment.data()` returned.
      settings: how to carry it out.
      mesh: the devices.
      begin: called once it is sure that the run can go on as asked; writes its record.

    Returns:
      Whether the last step was reached; False if a signal stopped the run, which is saved then.

    Raises:
      UserError: what the experiment, the data or the disk do not allow.
    """
    rules = settings.rules
    batch = abstract_batch(data, mesh, rules.batch_size)
    abstract = abstract_state(experiment, mesh, fsdp=settings.fsdp)

    with contextlib.ExitStack() as closing:
        signals = processes.stop_together() if processes.several() else stop_signals()
        stopped = closing.enter_context(signals)
        checkpoints = open_checkpoints(experiment, settings.run_dir, keep=settings.keep)
        closing.callback(checkpoints.close)
        batches = make_batches(
            data.load, data.size, batch_size=rules.batch_size, seed=settings.seed, mesh=mesh
        )
        closing.callback(batches.close)
        first, restored = 0, None
        if checkpoints.latest_step() is not None:
            restored = checkpoints.restore(abstract)
            first = restored.step
            batches.set_state(restored.position["data"])
        begin()
        telemetry = Telemetry(
            settings.run_dir,
            total_steps=settings.steps,
            batch_size=rules.batch_size,
            start_step=first,
            log_every=settings.log_every,
            primary=jax.process_index() == 0,
        )
        closing.callback(telemetry.close)
        closing.enter_context(processes.no_waiting_for_the_lost(telemetry.flush))
        if restored is not None:
            for sentence in restored.skipped:
                telemetry.say(sentence)
            telemetry.say(f"goes on from step {first}")
        if first >= settings.steps:
            telemetry.say(f"all {settings.steps} steps are done; --steps takes it further")
            show_report(settings.run_dir, telemetry)
            return True
        if restored is None:
            state = new_state(experiment, abstract, settings.seed)
        else:
            state = restored.state
        # A second reference would keep the first state alive through its donation.
        del restored

        most = settings.steps_per_dispatch
        stops = (settings.log_every, settings.eval_every, settings.checkpoint_every)
        cut = (experiment.phases, first, settings.steps, most, stops)
        # Data is loaded while the steps compile.
        batches.start(
            None
            if most == 1
            else (
                Stack(length * rounds(active), most * rounds(active))
                for active, length in groups(*cut)
            )
        )
        ahead = distinct_steps(experiment.phases, settings.steps, first=first)
        began = time.monotonic()
        compiled = compile_steps(experiment, rules, ahead, abstract, batch, steps_per_dispatch=most)
        telemetry.say(describe(abstract, compiled))
        telemetry.say(f"compiled in {time.monotonic() - began:.1f} s")
        if jax.default_backend() == "cpu":
            memory.keep()

        # The order matters: measurements see the state that is saved, the data's position is taken
        # before the next batch is drawn, and nothing waits for the step that is under way.
        step, previous, last = first, None, 0
        progress = Progress(first, first, float(state.skipped))
        to_come = groups(*cut)
        while True:
            ended, stop = step == settings.steps, stopped()
            resumed_here = step == first and first > 0
            figures = None
            if (step % settings.eval_every == 0 or ended) and not resumed_here:
                with telemetry.paused():
                    figures = measure(
                        experiment, state, settings.run_dir, step, telemetry, conclude=ended
                    )
            save = step % settings.checkpoint_every == 0 or figures is not None or ended or stop
            if save and step > 0 and not resumed_here:
                telemetry.flush()
                position = {"data": batches.get_state()}
                with telemetry.paused():
                    checkpoints.save(step, state, position, figures, wait=bool(ended or stop))
            if ended or stop:
                break
            active, length = next(to_come)
            waiting = time.monotonic()
            if most == 1:
                inputs: tuple = ([next(batches) for _ in range(rounds(active))],)
            else:
                inputs = (next(batches), np.int32(length))
            waited = time.monotonic() - waiting
            state, metrics = compiled[active](state, *inputs)
            # The host stays one dispatch ahead of the device, and no further: it must not pile up
            # batches, and a signal must find the run where it says it is.
            jax.block_until_ready(previous)
            if previous is None:
                jax.block_until_ready(metrics)
                telemetry.say(f"first step after {time.monotonic() - jaxgan.STARTED:.1f} s")
            elif step % settings.log_every == 0:
                progress.note(step, float(np.ravel(previous["skipped"])[last]))
            step, previous, last = step + length, metrics, length - 1
            telemetry.train(step, metrics, steps=length, wait_seconds=waited)

        telemetry.flush()
        show_report(settings.run_dir, telemetry)
        if previous is not None and progress.learned == first:
            progress.note(step, float(np.ravel(previous["skipped"])[last]), patience=1)
        if stop and not ended:
            where = f"saved at step {step}" if step else "before step 1, there was nothing to save"
            telemetry.say(f"{stop}: {where}; the same command goes on from there")
        return ended


def measure(
    experiment: Experiment,
    state: TrainState,
    run_dir: Path,
    step: int,
    telemetry: Telemetry,
    *,
    conclude: bool,
) -> dict[str, float] | None:
    """Evaluates and shows the state as it is; returns the figures, if the experiment has any."""
    networks = processes.local(trained_networks(experiment.system.players, state.players))
    found, figures = measured(experiment, networks, conclude=conclude), None
    if found is not None:
        figures = {f"eval/{name}": value for name, value in found.figures.items()}
        telemetry.evaluation(step, figures)
        if conclude:
            telemetry.say("\n".join([figures_table(found.figures), *in_words(found.stamps)]))
    if processes.is_first():
        if found is not None:
            run_directory.record_stamps(run_dir, found.stamps)
        exhibits = experiment.preview(networks) if experiment.preview is not None else {}
        for name, exhibit in exhibits.items():
            path = exhibit.save(run_dir / "samples" / f"{name}_{step:08d}")
            telemetry.picture(step, name, path)
        report.write_report(run_dir)
    return figures


def show_report(run_dir: Path, telemetry: Telemetry) -> None:
    """Writes the report with all that is logged, and says where it is."""
    if jax.process_index() == 0:
        telemetry.say(f"report: {report.write_report(run_dir)}")
