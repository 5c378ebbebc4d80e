"""The training loop. Its order is written down once, in `train`, and matters."""

import contextlib
import dataclasses
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import numpy as np

import jaxgan
from jaxgan import parallel, report
from jaxgan.checkpoints import Checkpoints
from jaxgan.console import human_bytes, human_count, table
from jaxgan.data.pipeline import make_batches
from jaxgan.errors import UserError
from jaxgan.experiment import Data, Experiment
from jaxgan.game import Phase, active_phases, distinct_steps, rounds, validate
from jaxgan.state import TrainState, count_parameters, create_state, trained_networks
from jaxgan.step import Rules, make_step
from jaxgan.telemetry import Telemetry


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a run is carried out, beside what its experiment says: see the flags of these names."""

    run_dir: Path
    steps: int
    seed: int
    rules: Rules
    fsdp: bool
    log_every: int
    eval_every: int
    checkpoint_every: int
    keep: int


def abstract_state(experiment: Experiment, mesh: jax.sharding.Mesh, *, fsdp: bool) -> TrainState:
    """The state's shapes, dtypes and shardings; nothing is computed."""
    system = experiment.system
    shapes = jax.eval_shape(lambda: create_state(system.players, system.memory, jax.random.key(0)))
    shardings = parallel.state_sharding(shapes, mesh, fsdp=fsdp)
    return jax.tree.map(
        lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
        shapes,
        shardings,
    )


def new_state(experiment: Experiment, abstract: TrainState, seed: int) -> TrainState:
    """The state before step 1, made where it will lie."""
    system = experiment.system
    shardings = jax.tree.map(lambda leaf: leaf.sharding, abstract)
    create = jax.jit(
        lambda key: create_state(system.players, system.memory, key), out_shardings=shardings
    )
    return create(jax.random.key(seed))


def open_checkpoints(experiment: Experiment, run_dir: Path, **options: Any) -> Checkpoints:
    """The run's checkpoints; the best one is kept if the experiment says what best means."""
    return Checkpoints(
        run_dir / "checkpoints",
        best_metric=experiment.best and f"eval/{experiment.best}",
        best_mode=experiment.best_mode,
        **options,
    )


def abstract_batch(data: Data, mesh: jax.sharding.Mesh, batch_size: int) -> dict[str, Any]:
    """The shapes and dtypes of a batch, from loading a single row: bad data shows up here."""
    row = data.load(np.zeros(1, np.int64), np.zeros(1, np.uint64))
    sharding = parallel.batch_sharding(mesh)
    return {
        name: jax.ShapeDtypeStruct((batch_size, *leaf.shape[1:]), leaf.dtype, sharding=sharding)
        for name, leaf in row.items()
    }


def compile_steps(
    experiment: Experiment,
    rules: Rules,
    actives: Sequence[tuple[Phase, ...]],
    abstract: TrainState,
    batch: Mapping[str, Any],
) -> dict[tuple[Phase, ...], Any]:
    """Compiles the step of every set of phases, ahead of time and side by side."""
    shardings = jax.tree.map(lambda leaf: leaf.sharding, abstract)
    replicated = jax.sharding.NamedSharding(shardings.step.mesh, jax.sharding.PartitionSpec())
    lowered = [
        jax.jit(
            make_step(experiment.system, active, rules),
            donate_argnums=0,
            out_shardings=(shardings, replicated),
        ).lower(abstract, [dict(batch)] * rounds(active))
        for active in actives
    ]
    with ThreadPoolExecutor() as pool:
        compiled = pool.map(lambda step: step.compile(), lowered)
    return dict(zip(actives, compiled, strict=True))


def describe(abstract: TrainState, compiled: Mapping[tuple[Phase, ...], Any]) -> str:
    """Tables of the players and of the compiled steps: parameters, memory, FLOPs."""
    players = [
        (name, human_count(count_parameters(player.params)), "no" if player.ema is None else "yes")
        for name, player in abstract.players.items()
    ]
    steps = []
    for active, executable in compiled.items():
        memory = executable.memory_analysis()
        costs = executable.cost_analysis() or {}
        total = memory.argument_size_in_bytes + memory.temp_size_in_bytes
        steps.append(
            (
                " + ".join(phase.name for phase in active),
                human_count(costs.get("flops", float("nan"))),
                human_bytes(total),
            )
        )
    return "\n\n".join(
        [
            table(("player", "parameters", "moving average"), players),
            table(("step", "FLOPs", "memory on a device"), steps),
        ]
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


def train(experiment: Experiment, data: Data, settings: Settings, mesh: jax.sharding.Mesh) -> bool:
    """Trains an experiment to its last step, from its newest checkpoint if it has one.

    Returns:
      Whether the last step was reached; False if a signal stopped the run, which is saved then.

    Raises:
      UserError: what the experiment, the data or the disk do not allow.
    """
    rules = settings.rules
    batch = abstract_batch(data, mesh, rules.batch_size)
    abstract = abstract_state(experiment, mesh, fsdp=settings.fsdp)

    with contextlib.ExitStack() as closing:
        stopped = closing.enter_context(stop_signals())
        checkpoints = open_checkpoints(experiment, settings.run_dir, keep=settings.keep)
        closing.callback(checkpoints.close)
        restored = None
        if checkpoints.latest_step() is not None:
            restored = checkpoints.restore(abstract)
        first = 0 if restored is None else restored.step
        telemetry = Telemetry(
            settings.run_dir,
            total_steps=settings.steps,
            batch_size=rules.batch_size,
            start_step=first,
            log_every=settings.log_every,
            primary=jax.process_index() == 0,
        )
        closing.callback(telemetry.close)
        batches = make_batches(
            data.load, data.size, batch_size=rules.batch_size, seed=settings.seed, mesh=mesh
        )
        closing.callback(batches.close)
        if restored is None:
            state = new_state(experiment, abstract, settings.seed)
        else:
            state = restored.state
            batches.set_state(restored.position["data"])
            for sentence in restored.skipped:
                telemetry.say(sentence)
            telemetry.say(f"goes on from step {first}")
            if first >= settings.steps:
                telemetry.say(f"all {settings.steps} steps are done; --steps takes it further")
                return True
            del restored

        ahead = distinct_steps(experiment.phases, settings.steps)
        began = time.monotonic()
        compiled = compile_steps(experiment, rules, ahead, abstract, batch)
        telemetry.say(describe(abstract, compiled))
        telemetry.say(f"compiled in {time.monotonic() - began:.1f} s")

        # The order matters: measurements see the state that is saved, the data's position is taken
        # before the next batch is drawn, and nothing waits for the step that is under way.
        step, metrics, previous = first, None, None
        skipped_before = None
        while True:
            ended = step == settings.steps
            stop = stopped()
            resumed_here = step == first and first > 0
            figures = None
            if (step % settings.eval_every == 0 or ended) and not resumed_here:
                with telemetry.paused():
                    figures = measure(experiment, state, settings.run_dir, step, telemetry)
            save = step % settings.checkpoint_every == 0 or figures is not None or ended or stop
            if save and step > 0 and not resumed_here:
                telemetry.flush()
                position = {"data": batches.get_state()}
                with telemetry.paused():
                    checkpoints.save(step, state, position, figures, wait=bool(ended or stop))
            if ended or stop:
                break
            active = active_phases(experiment.phases, step)
            waiting = time.monotonic()
            drawn = [next(batches) for _ in range(rounds(active))]
            waited = time.monotonic() - waiting
            state, metrics = compiled[active](state, drawn)
            step += 1
            # The host stays one step ahead of the device, and no further: it must not pile up
            # batches, and a signal must find the run where it says it is.
            jax.block_until_ready(previous)
            if step == first + 1:
                jax.block_until_ready(metrics)
                telemetry.say(f"first step after {time.monotonic() - jaxgan.STARTED:.1f} s")
            previous = metrics
            telemetry.train(step, metrics, wait_seconds=waited)
            if step % settings.log_every == 0:
                skipped_before = check_progress(step, skipped_before, metrics, settings.log_every)

        telemetry.flush()
        checkpoints.wait()
        if jax.process_index() == 0:
            telemetry.say(f"report: {report.write_report(settings.run_dir)}")
        if stop and not ended:
            telemetry.say(f"{stop}: saved at step {step}; the same command goes on from there")
        return ended


def measure(
    experiment: Experiment, state: TrainState, run_dir: Path, step: int, telemetry: Telemetry
) -> dict[str, float] | None:
    """Evaluates and shows the state as it is; returns the figures, if the experiment has any."""
    networks = trained_networks(experiment.system.players, state.players)
    figures = None
    if experiment.evaluate is not None:
        figures = {f"eval/{name}": value for name, value in experiment.evaluate(networks).items()}
        telemetry.evaluation(step, figures)
    exhibits = experiment.preview(networks) if experiment.preview is not None else {}
    if jax.process_index() == 0:
        for name, exhibit in exhibits.items():
            path = exhibit.save(run_dir / "samples" / f"{name}_{step:08d}")
            telemetry.picture(step, name, path)
    return figures


def check_progress(
    step: int, before: jax.Array | None, metrics: Mapping[str, jax.Array], every: int
) -> jax.Array:
    """Ends a run that has stopped learning: UserError if every step of an interval was skipped."""
    now = metrics["skipped"]
    if before is not None and float(now) - float(before) >= every:
        raise UserError(
            f"step {step}: the losses or gradients of the last {every} steps were not finite and "
            "all of them were skipped; lower the learning rate or the penalty, and go on from the "
            "last checkpoint with the same command"
        )
    return now
