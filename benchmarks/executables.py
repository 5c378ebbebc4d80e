"""Counts what a short real run compiles, and whether it compiles anything after its second step.

    python -m benchmarks.executables --experiment=NAME [--flag=value ...]

The run has the sizes of the experiment's smoke test: how often a program is traced does not depend
on them. Prints `{"executables": N, "after_step_2": M}` as its last line. An executable that is
found in the compilation cache counts as one that is compiled.
"""

import json
import sys
import tempfile
from unittest import mock

import jax

from jaxgan import experiment as experiments
from jaxgan import main
from jaxgan.telemetry import Telemetry

COMPILED = "/jax/core/compile/backend_compile_duration"
STEPS = 6


def count_executables(flags: list[str]) -> dict[str, int]:
    """Runs the command; the counts of all of it, and of the time from step 2 to the last one."""
    name = main.typed(flags, "experiment")
    assert name is not None
    tiny = experiments.load(experiments.find(name)).module.TINY
    # Figures are measured beside the steps, by networks of their own.
    figures = [flag for flag in ("eval_samples", "eval_pictures") if flag in tiny]
    tiny = {**tiny, **dict.fromkeys(figures, 0)}
    compiled: list[str] = []
    at_step: dict[int, int] = {}

    def listen(event: str, duration_secs: float, **about: str | int) -> None:
        if event == COMPILED:
            compiled.append(str(about))

    noted = Telemetry.train

    def note(self: Telemetry, step: int, *arguments: object, **options: object) -> None:
        noted(self, step, *arguments, **options)  # type: ignore[arg-type]
        at_step[step] = len(compiled)

    jax.monitoring.register_event_duration_secs_listener(listen)
    with tempfile.TemporaryDirectory() as directory, mock.patch.object(Telemetry, "train", note):
        sizes = [f"--{flag}={value}" for flag, value in tiny.items()]
        schedule = [f"--steps={STEPS}", "--log_every=1", f"--run_dir={directory}/run"]
        code = main.command(["benchmarks", *flags, *sizes, *schedule])
    if code != main.DONE:
        raise RuntimeError(f"the run ended with code {code}")
    return {"executables": len(compiled), "after_step_2": at_step[STEPS] - at_step[2]}


if __name__ == "__main__":
    print(json.dumps(count_executables(sys.argv[1:])))
