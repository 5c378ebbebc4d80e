"""The command, `python -m jaxgan.main --experiment=NAME`: from flags to a run or its samples.

Exit codes: 0 all done; 2 a mistake, said in one line; 69 another process of the run was lost; 75
stopped by a signal and saved, the same command goes on (75 is the system's "try again later", so
schedulers restart it); 130 interrupted where there was nothing to save.
"""

import contextlib
import datetime
import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
from absl import flags

import jaxgan
from jaxgan import (
    compilation_cache,
    memory,
    parallel,
    processes,
    run_directory,
    trained,
    xla_flags,
)
from jaxgan import experiment as experiments
from jaxgan.compiling import abstract_state
from jaxgan.errors import UserError
from jaxgan.flags import PER_COMMAND
from jaxgan.state import count_parameters
from jaxgan.step import Rules
from jaxgan.train import Settings, check, train

FLAGS = flags.FLAGS

DONE, STOPPED = 0, 75
MISTAKE, LOST, INTERRUPTED = processes.MISTAKE, processes.LOST, processes.INTERRUPTED


def typed(argv: Sequence[str], name: str) -> str | None:
    """The value of a flag before flags are parsed: the experiment's file defines some of them."""
    found = None
    for word, following in zip(argv, [*argv[1:], ""], strict=True):
        stripped = word.lstrip("-")
        if word.startswith("-") and stripped == name:
            found = following
        if word.startswith("-") and stripped.startswith(f"{name}="):
            found = stripped.partition("=")[2]
    return found


def asks(argv: Sequence[str], *names: str) -> bool:
    """Whether one of these words without a value was typed."""
    return any(word.lstrip("-") in names for word in argv if word.startswith("-"))


def list_experiments() -> str:
    """Every experiment, a line each."""
    found = experiments.available()
    width = max(map(len, found))
    return "\n".join(f"{name:<{width}}  {line}" for name, line in found.items())


def help_text(loaded: experiments.Loaded | None) -> str:
    """The experiment's docstring and flags, then the engine's."""
    engine = "jaxgan.flags"
    parts = ["python -m jaxgan.main --experiment=NAME [--flag=value ...]"]
    modules = [("Flags of every experiment", engine)]
    if loaded is None:
        parts.append(f"Experiments (--experiment=NAME --help shows one):\n{list_experiments()}")
    else:
        parts.append((loaded.module.__doc__ or "").strip())
        modules.insert(0, (f"Flags of {loaded.name}", loaded.module.__name__))
    for title, module in modules:
        lines = []
        for flag in FLAGS.flags_by_module_dict().get(module, ()):
            if isinstance(flag, flags.BooleanFlag):
                shown = f"--[no]{flag.name}"
            else:
                shown = f"--{flag.name}={flag.default_as_str or '...'}".replace("'", "")
            lines.append(f"  {shown}\n      {flag.help}")
        if lines:
            parts.append(f"{title}:\n" + "\n".join(lines))
    return "\n\n".join(parts)


def load_experiment(argv: Sequence[str]) -> tuple[experiments.Loaded | None, dict[str, Any]]:
    """Runs the experiment's file, or the copy in the directory of a run that is to be used.

    Returns:
      The file, or None where none is named, and the flags of the run whose copy it is.
    """
    name, run_dir = typed(argv, "experiment"), typed(argv, "run_dir")
    uses_run = typed(argv, "mode") in ("eval", "sample")
    if uses_run and run_dir is None and name is None:
        raise UserError("say which run: --run_dir=DIRECTORY (or --experiment=NAME)")
    if not uses_run and (name is not None or run_dir is None):
        return (experiments.load(experiments.find(name)) if name else None), {}
    directory = Path(run_dir or Path("runs") / Path(str(name)).stem)
    config = run_directory.read_config(directory)
    if config is None:
        raise UserError(f"--run_dir={directory} holds no run; train one with --experiment=NAME")
    if name is not None and Path(name).stem != config["experiment"]:
        raise UserError(f"--run_dir={directory} holds a run of {config['experiment']}, not {name}")
    loaded = experiments.load(directory / run_directory.EXPERIMENT, config["experiment"])
    return loaded, config.get("flags", {})


def parse(argv: Sequence[str]) -> tuple[experiments.Loaded | None, dict[str, Any]]:
    """Loads the experiment and parses the flags: what was typed wins over a run's own flags."""
    loaded, trained_with = load_experiment(argv)
    if asks(argv, "help", "helpfull", "h", "?"):
        print(help_text(loaded))
        raise SystemExit(DONE)
    try:
        rest = FLAGS(list(argv))
    except flags.Error as error:
        raise UserError(" ".join(str(error).split())) from None
    if len(rest) > 1:
        raise UserError(f"{rest[1]!r} is not a flag; flags look like --steps=1000")
    for flag, value in trained_with.items():
        if flag in FLAGS and not FLAGS[flag].present:
            FLAGS[flag].value = value
    return loaded, trained_with


def prepare_machine() -> None:
    """Settles what must be settled before JAX touches a device."""
    memory.one_heap()
    xla_flags.settle(deterministic=FLAGS.deterministic)
    compilation_cache.enable()
    processes.start(FLAGS.coordinator, FLAGS.processes, FLAGS.process_index, FLAGS.join_timeout)


def configuration(
    loaded: experiments.Loaded,
    experiment: experiments.Experiment,
    data: experiments.Data,
    scale: str,
    mesh: jax.sharding.Mesh,
) -> dict[str, Any]:
    """All that is needed to rebuild the run, and what it ran on."""
    chosen = {
        flag.name: flag.value
        for module in ("jaxgan.flags", loaded.module.__name__)
        for flag in FLAGS.flags_by_module_dict().get(module, ())
        if flag.name not in PER_COMMAND
    }
    abstract = abstract_state(experiment, mesh, fsdp=False)
    packages = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "numpy")
    return {
        "experiment": loaded.name,
        "command": ["python", "-m", "jaxgan.main", *sys.argv[1:]],
        "flags": {**chosen, "experiment": loaded.name, "scale": scale},
        "scale": scale,
        "data": dict(data.description),
        "phases": [{"name": phase.name, "start": phase.start} for phase in experiment.phases],
        "versions": {
            "jaxgan": jaxgan.__version__,
            "python": platform.python_version(),
            **{package: importlib.metadata.version(package) for package in packages},
        },
        "devices": [f"{device.device_kind} {device.id}" for device in mesh.devices.flat],
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "players": {
            name: count_parameters(player.params) for name, player in abstract.players.items()
        },
    }


def command(argv: Sequence[str]) -> int:
    """Carries out one command; returns its exit code."""
    if asks(argv, "list"):
        print(list_experiments())
        return DONE
    loaded, trained_with = parse(argv)
    if loaded is None:
        raise UserError("say what to train: --experiment=NAME (--list shows them all)")
    prepare_machine()
    run_dir = Path(FLAGS.run_dir or Path("runs") / loaded.name)
    scale = trained_with.get("scale")
    if scale is None:
        old = run_directory.read_config(run_dir)
        goes_on = old is not None and old["experiment"] == loaded.name
        before = old.get("flags", {}).get("scale") if old and goes_on else None
        scale, reason = experiments.settle_scale(FLAGS, loaded, before)
        processes.say(f"{loaded.name}: {scale} scale ({reason})")
    experiment = experiments.build(loaded)
    if FLAGS.mode == "train":
        return train_command(loaded, experiment, scale, run_dir, parallel.make_mesh())
    # A run is used by each process on its own devices, and the first one's answer counts.
    mesh = parallel.make_mesh(jax.local_devices()) if processes.several() else parallel.make_mesh()
    step, networks = trained.restore(experiment, run_dir, mesh, FLAGS.checkpoint)
    if FLAGS.mode == "eval":
        measured_on = {"data": FLAGS.data, "held_out": FLAGS.held_out}
        figures = trained.evaluate(experiment, run_dir, step, networks, measured_on)
        processes.say(f"step {step}\n{figures}")
        return DONE
    if FLAGS.output is None:
        raise UserError("--mode=sample needs --output=FILE")
    source = Path(FLAGS.input) if FLAGS.input else None
    request = experiments.SampleRequest(source, Path(FLAGS.output), FLAGS.seed, FLAGS.count)
    processes.first_does(lambda: print(trained.sample(experiment, networks, request)))
    return DONE


def train_command(
    loaded: experiments.Loaded,
    experiment: experiments.Experiment,
    scale: str,
    run_dir: Path,
    mesh: jax.sharding.Mesh,
) -> int:
    """Begins a run or goes on with it; returns the exit code."""
    chosen = settings(run_dir)
    check(experiment, chosen, mesh)
    for phase in experiment.phases:
        if phase.start >= chosen.steps or phase.stop == phase.start:
            processes.say(f"note: phase {phase.name!r} does not play in these {chosen.steps} steps")
    data = experiment.data()
    for part in (data.description, data.description.get("held_out") or {}):
        if skipped := part.get("skipped"):
            names = ", ".join(map(str, skipped))
            processes.say(f"left out {len(skipped)} files that cannot be read: {names}")
    config = configuration(loaded, experiment, data, scale, mesh)
    processes.check_same(
        "process {} has other flags, data or checkpoints than process 0; use the same flags for "
        "all processes, and a --run_dir that all of them see",
        json.dumps([config["flags"], data.size, run_directory.checkpoint_names(run_dir)]),
    )
    with contextlib.ExitStack() as held:

        def claim() -> None:
            held.enter_context(run_directory.locked(run_dir))
            for note in run_directory.check_run(run_dir, config, loaded.path):
                print(note, flush=True)

        def begin() -> None:
            processes.first_does(
                lambda: run_directory.record_run(run_dir, config, loaded.path),
            )

        processes.first_does(claim)
        return DONE if train(experiment, data, chosen, mesh, begin) else STOPPED


def settings(run_dir: Path) -> Settings:
    """How the flags ask for the run to be carried out."""
    return Settings(
        run_dir=run_dir,
        steps=FLAGS.steps,
        seed=FLAGS.seed,
        rules=Rules(
            batch_size=FLAGS.batch_size,
            simultaneous=FLAGS.update == "simultaneous",
            share_fake=FLAGS.share_fake,
            accumulate=FLAGS.accumulate,
        ),
        fsdp=FLAGS.fsdp,
        steps_per_dispatch=FLAGS.steps_per_dispatch,
        log_every=FLAGS.log_every,
        eval_every=FLAGS.eval_every,
        checkpoint_every=FLAGS.checkpoint_every,
        keep=FLAGS.keep,
    )


def run() -> None:
    """The entry point: a mistake is one line and exit code 2, never a traceback."""
    try:
        with processes.no_waiting_for_the_lost():
            code = command(sys.argv)
    except UserError as error:
        print(f"jaxgan: {error}", file=sys.stderr)
        code = MISTAKE
    except KeyboardInterrupt:
        print("jaxgan: interrupted; what is saved is as it was", file=sys.stderr)
        code = INTERRUPTED
    except BrokenPipeError:
        # As after `| head`. Python would complain once more when it closes its output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = INTERRUPTED
    sys.exit(code)


if __name__ == "__main__":
    run()
