"""Experiments: what one is, where its file is found, and how flags and scale settle its sizes."""

import ast
import dataclasses
import importlib.util
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import jax
from absl.flags import FlagValues

import jaxgan.flags  # noqa: F401 - defines the flags whose defaults an experiment changes
from jaxgan.data.prepared import is_prepared
from jaxgan.errors import UserError, did_you_mean
from jaxgan.game import Phase, System
from jaxgan.media import Exhibit
from jaxgan.metrics.stamp import Measured
from jaxgan.state import Network

Networks = dict[str, Network]


@dataclasses.dataclass(frozen=True)
class Data:
    """What a pipeline reads.

    Attributes:
      load: `(indices [n] int64, seeds [n] uint64) -> arrays [n, ...] by name`; a row depends on its
        index and its seed alone.
      size: how many examples there are.
      description: what they are, where from and how many; goes into config.json and the report.
    """

    load: Callable[[Any, Any], dict[str, Any]]
    size: int
    description: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class SampleRequest:
    """What a person asks `--mode=sample` for.

    Attributes:
      input: the file to work on, or None.
      output: the file to write.
      seed: decides what is drawn.
      count: how many samples, where they are drawn and not made from `input`.
    """

    input: Path | None
    output: Path
    seed: int
    count: int


@dataclasses.dataclass(frozen=True)
class Experiment:
    """What an experiment file's `experiment()` returns.

    Attributes:
      system: the players and what each loses.
      phases: when which players move.
      data: opens what they are trained on; called to train only, so that a run can be used where
        its data is not.
      evaluate: `(networks) -> Measured`, figures by name; they are logged as `eval/NAME`.
      conclude: figures that cost too much for every evaluation: at the last step and on request.
      preview: `(networks) -> exhibits by name`, of a fixed input, before step 1 and on a schedule.
      sample: answers a `SampleRequest` and returns the path it wrote.
      best: the figure of `evaluate` whose best checkpoint is kept; None keeps the newest only.
      best_mode: "max" or "min".
    """

    system: System
    phases: tuple[Phase, ...]
    data: Callable[[], Data]
    evaluate: Callable[[Networks], Measured] | None = None
    conclude: Callable[[Networks], Measured] | None = None
    preview: Callable[[Networks], Mapping[str, Exhibit]] | None = None
    sample: Callable[[Networks, SampleRequest], Path] | None = None
    best: str | None = None
    best_mode: Literal["max", "min"] = "max"


def measured(experiment: Experiment, networks: Networks, *, conclude: bool) -> Measured | None:
    """An experiment's figures, those that conclude it if asked; None if it has none of these."""
    found = None
    if experiment.evaluate is not None:
        found = experiment.evaluate(networks)
    if conclude and experiment.conclude is not None:
        found = (found or Measured({})) | experiment.conclude(networks)
    return found


@dataclasses.dataclass(frozen=True)
class Loaded:
    """An experiment's file once it has been run: its module, its name and the file."""

    module: ModuleType
    name: str
    path: Path


def experiments_folder() -> Path:
    """Where the experiments lie: beside the package in a checkout, inside it when installed."""
    package = Path(__file__).parent
    beside = package.parent / "experiments"
    return beside if (package.parent / "pyproject.toml").exists() else package / "experiments"


def available() -> dict[str, str]:
    """Every experiment that comes with jaxgan: its name, and the first line of its docstring."""
    files = sorted(experiments_folder().glob("[!_]*.py"))
    return {file.stem: first_line(file) for file in files}


def first_line(file: Path) -> str:
    """The first line of a Python file's docstring; the file is not run."""
    docstring = ast.get_docstring(ast.parse(file.read_text())) or ""
    return docstring.partition("\n")[0]


def find(name: str) -> Path:
    """The file of an experiment, given its name or a path; UserError if there is none."""
    if name.endswith(".py") or "/" in name:
        path = Path(name).expanduser()
        if not path.is_file():
            raise UserError(f"--experiment={name}: there is no such file")
        return path
    path = experiments_folder() / f"{name}.py"
    if name.startswith("_") or not path.is_file():
        raise UserError(f"--experiment={name}, {did_you_mean(name, available())}")
    return path


def load(path: Path, name: str | None = None) -> Loaded:
    """Runs an experiment's file, which sets and defines flags; do so before they are parsed.

    Args:
      path: the file.
      name: what the experiment is called; the file's stem if None.

    Raises:
      UserError: the file defines no function `experiment`.
    """
    name = name or path.stem
    spec = importlib.util.spec_from_file_location(f"experiments.{name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # absl finds the module that defines a flag by name.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    if not callable(getattr(module, "experiment", None)):
        raise UserError(f"{path}: defines no function `experiment()` that returns an Experiment")
    return Loaded(module, name, path)


def settle_scale(options: FlagValues, loaded: Loaded, before: str | None = None) -> tuple[str, str]:
    """Decides between small and full, and gives small's sizes to the flags nobody typed.

    An experiment's `SMALL` holds the flags that are other at small scale.

    Args:
      options: the flags, parsed.
      loaded: the experiment's file.
      before: the scale of the run that is to go on, if there is one: it stays unless one is typed.

    Returns:
      "small" or "full", and the reason in words.
    """
    small = getattr(loaded.module, "SMALL", None)
    if small is None:
        return "full", "the experiment has one scale"
    scale, reason = options.scale, "as asked"
    if scale == "auto" and before is not None:
        scale, reason = before, "as the run was begun"
    elif scale == "auto" and own_pictures(options.data):
        accelerated = jax.default_backend() != "cpu"
        scale = "full" if accelerated else "small"
        reason = f"the devices are {jax.default_backend()}s"
    elif scale == "auto":
        prepared = options.data != "sample" and is_prepared(options.data, options.data_dir)
        scale = "full" if prepared else "small"
        reason = f"{options.data} is {'' if prepared else 'not '}prepared"
    if scale == "small":
        for flag, value in {"data": "sample", **small}.items():
            if not options[flag].present:
                options[flag].value = value
    return scale, reason


def own_pictures(data: str) -> bool:
    """Whether `--data` names a folder or a file, and no data set."""
    prefixes = ("folder:", "zip:", "video:", "npz:", "csv:", "idx:")
    return data.startswith(prefixes) or Path(data).expanduser().exists()


def build(loaded: Loaded) -> Experiment:
    """Calls the file's `experiment()`; flags must be parsed and the scale settled."""
    experiment = loaded.module.experiment()
    if not isinstance(experiment, Experiment):
        raise UserError(f"{loaded.path}: experiment() returned {type(experiment).__name__}")
    return experiment
