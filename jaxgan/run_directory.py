"""What identifies a run on disk: its directory, its configuration, a copy of its experiment."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxgan.errors import UserError
from jaxgan.flags import FIXED

CONFIG = "config.json"
EXPERIMENT = "experiment.py"


def read_config(run_dir: Path) -> dict[str, Any] | None:
    """The configuration of the run in a directory, or None where there is no run."""
    try:
        return json.loads((run_dir / CONFIG).read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{run_dir / CONFIG} is not JSON ({error}); restore or remove it") from None


def open_run(run_dir: Path, config: Mapping[str, Any], experiment_file: Path) -> list[str]:
    """Makes a new run's directory, or checks that an old one can go on as `config` says.

    Args:
      run_dir: the run's directory.
      config: the configuration to run with; its `flags` are compared with those of the run.
      experiment_file: copied into a new run's directory.

    Returns:
      What differs from the run as it was begun and is honoured, a sentence each.

    Raises:
      UserError: the directory cannot be written, holds something else, or holds a run that cannot
        go on under these flags. Nothing has been written then.
    """
    old = read_config(run_dir)
    try:
        if old is None:
            if run_dir.is_dir() and any(run_dir.iterdir()):
                raise UserError(
                    f"--run_dir={run_dir} is not empty and holds no run; choose another directory"
                )
            run_dir.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(experiment_file, run_dir / EXPERIMENT)
            write_config(run_dir, config)
            return []
        if not os.access(run_dir, os.W_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            f"--run_dir={run_dir} cannot be written ({reason}); choose another directory"
        ) from None
    if old["experiment"] != config["experiment"]:
        raise UserError(
            f"--run_dir={run_dir} holds a run of {old['experiment']}, not of "
            f"{config['experiment']}; choose another directory"
        )
    changed = changed_flags(old["flags"], config["flags"])
    fixed = [change for flag, change in changed.items() if flag in FIXED]
    if fixed:
        raise UserError(
            f"the run in {run_dir} cannot go on with {', '.join(fixed)}; "
            "go back to the first value, or begin a new run with another --run_dir"
        )
    notes = [f"goes on with {change}" for change in changed.values()]
    if (run_dir / EXPERIMENT).read_bytes() != experiment_file.read_bytes():
        notes.append(f"{experiment_file.name} has changed since the run began")
        shutil.copyfile(experiment_file, run_dir / EXPERIMENT)
    write_config(run_dir, {**config, "started": old["started"]})
    return notes


def changed_flags(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, str]:
    """The flags whose values differ, each with a phrase that says how."""
    return {
        flag: f"--{flag}={new.get(flag)} (it was {old.get(flag)})"
        for flag in sorted({*old, *new})
        if old.get(flag) != new.get(flag)
    }


def write_config(run_dir: Path, config: Mapping[str, Any]) -> None:
    """Writes the configuration in one piece: a reader sees the old one or the new one."""
    temporary = run_dir / f"{CONFIG}.new"
    temporary.write_text(json.dumps(config, indent=2) + "\n")
    temporary.replace(run_dir / CONFIG)
