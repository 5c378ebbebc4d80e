"""What identifies a run on disk: its directory, its configuration, a copy of its experiment."""

import contextlib
import fcntl
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jaxgan.errors import UserError
from jaxgan.flags import FIXED, MEASURED
from jaxgan.metrics.stamp import Stamp

CONFIG = "config.json"
EXPERIMENT = "experiment.py"
STAMPS = "stamps.json"
LOCK = ".lock"
# What a run that was killed while it began may have left.
BEGINNINGS = {LOCK, EXPERIMENT, f"{CONFIG}.new", f"{EXPERIMENT}.new", "checkpoints"}


def read_config(run_dir: Path) -> dict[str, Any] | None:
    """The configuration of the run in a directory, or None where there is no run."""
    try:
        config = json.loads((run_dir / CONFIG).read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (json.JSONDecodeError, UnicodeDecodeError, OSError) as error:
        raise UserError(f"{run_dir / CONFIG} cannot be read ({error}); restore it") from None
    if not isinstance(config, dict) or "experiment" not in config:
        raise UserError(f"{run_dir / CONFIG} is not of a run; choose another --run_dir")
    return config


@contextlib.contextmanager
def locked(run_dir: Path) -> Iterator[None]:
    """Makes the directory if need be and keeps other runs out of it, until closed or killed.

    Raises:
      UserError: it cannot be written, holds something that is no run, or a run is under way in it.
    """
    try:
        if run_dir.is_dir() and read_config(run_dir) is None:
            strange = sorted({path.name for path in run_dir.iterdir()} - BEGINNINGS)
            if strange:
                raise UserError(
                    f"--run_dir={run_dir} is not empty and holds no run ({strange[0]} is there); "
                    "choose another directory"
                )
        run_dir.mkdir(parents=True, exist_ok=True)
        file = (run_dir / LOCK).open("w")
    except OSError as error:
        raise unwritable(run_dir, error) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"--run_dir={run_dir}: a run is under way there; wait for it, or choose another"
            ) from None
        yield


def check_run(run_dir: Path, config: Mapping[str, Any], experiment_file: Path) -> list[str]:
    """Checks that the run in a directory can go on as `config` says. Writes nothing.

    Returns:
      What differs from the run as it was begun and is honoured, a sentence each.

    Raises:
      UserError: it is the run of another experiment, or cannot go on under these flags.
    """
    old = read_config(run_dir)
    if old is None:
        return []
    if old["experiment"] != config["experiment"]:
        raise UserError(
            f"--run_dir={run_dir} holds a run of {old['experiment']}, not of "
            f"{config['experiment']}; choose another directory"
        )
    if not checkpoint_names(run_dir):
        return []
    changed = changed_flags(old.get("flags", {}), config["flags"])
    fixed = [change for flag, change in changed.items() if flag in (*FIXED, *MEASURED)]
    if fixed:
        raise UserError(
            f"the run in {run_dir} cannot go on with {', '.join(fixed)}; "
            "go back to the first value, or begin a new run with another --run_dir"
        )
    notes = [f"goes on with {change}" for change in changed.values()]
    kept = run_dir / EXPERIMENT
    if kept.exists() and kept.read_bytes() != experiment_file.read_bytes():
        notes.append(f"{experiment_file.name} has changed since the run began")
    return notes


def checkpoint_names(run_dir: Path) -> list[str]:
    """The names of the checkpoints of the run in a directory, in order; there may be none."""
    return sorted(path.name for path in (run_dir / "checkpoints").glob("[0-9]*"))


def record_run(run_dir: Path, config: Mapping[str, Any], experiment_file: Path) -> None:
    """Writes what it takes to rebuild the run: the experiment's file, then the configuration.

    Raises:
      UserError: the directory cannot be written.
    """
    old = read_config(run_dir)
    started = (old or config).get("started", config["started"])
    text = json.dumps({**config, "started": started}, indent=2) + "\n"
    try:
        source = experiment_file.read_bytes()
        for name, content in ((EXPERIMENT, source), (CONFIG, text.encode())):
            replace_file(run_dir / name, content)
    except OSError as error:
        raise unwritable(run_dir, error) from None


def record_stamps(run_dir: Path, stamps: Mapping[str, Stamp]) -> None:
    """Writes what figures were measured with; those of other figures stay as they were.

    Raises:
      UserError: the directory cannot be written.
    """
    if not stamps:
        return
    known = {**read_stamps(run_dir), **stamps}
    text = json.dumps({name: stamp.as_dict() for name, stamp in known.items()}, indent=2) + "\n"
    try:
        replace_file(run_dir / STAMPS, text.encode())
    except OSError as error:
        raise unwritable(run_dir, error) from None


def read_stamps(run_dir: Path) -> dict[str, Stamp]:
    """What a run's figures were measured with; {} if nothing is known."""
    path = run_dir / STAMPS
    try:
        return {name: Stamp(**about) for name, about in json.loads(path.read_text()).items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError, OSError) as error:
        raise UserError(f"{path} cannot be read ({error}); remove it") from None


def replace_file(path: Path, content: bytes) -> None:
    """Writes a file in one piece: a reader sees the old one or the new one."""
    temporary = path.with_name(f"{path.name}.new")
    temporary.write_bytes(content)
    temporary.replace(path)


def unwritable(run_dir: Path, error: OSError) -> UserError:
    """The message about a directory that cannot be written."""
    reason = error.strerror or str(error)
    return UserError(
        f"--run_dir={run_dir} cannot be written ({reason}); make room or choose another directory"
    )


def changed_flags(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, str]:
    """The flags whose values differ, each with a phrase that says how."""
    return {
        flag: f"--{flag}={new.get(flag)} (it was {old.get(flag)})"
        for flag in sorted({*old, *new})
        if old.get(flag) != new.get(flag)
    }
