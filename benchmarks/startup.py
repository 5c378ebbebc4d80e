"""How long a newcomer, and somebody who comes back, waits for the first step: real commands."""

import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.contestant import environment
from jaxgan.errors import UserError

COMPILED = re.compile(r"compiled in ([0-9.]+) s")
FIRST_STEP = re.compile(r"first step after ([0-9.]+) s")


def start(flags: Sequence[str], changes: Mapping[str, str]) -> dict[str, float]:
    """Runs `python -m jaxgan.main` up to its first step.

    Returns:
      `compile_seconds` and `first_step_seconds`, as the command prints them.

    Raises:
      UserError: it ended before.
    """
    with tempfile.TemporaryDirectory() as directory:
        process = subprocess.Popen(
            [sys.executable, "-m", "jaxgan.main", *flags, f"--run_dir={directory}/run"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(changes),
        )
        assert process.stdout is not None
        found: dict[str, float] = {}
        line = ""
        try:
            for line in process.stdout:
                for name, pattern in (("compile", COMPILED), ("first_step", FIRST_STEP)):
                    if match := pattern.search(line):
                        found[f"{name}_seconds"] = float(match.group(1))
                if "first_step_seconds" in found:
                    return found
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
    raise UserError(f"{' '.join(flags)} ended before its first step: {line.strip()}")


def measure_startup(
    flags: Sequence[str], changes: Mapping[str, str], repeats: int = 3
) -> dict[str, dict[str, float]]:
    """The first start with nothing compiled before, and the medians of some that follow it."""
    with tempfile.TemporaryDirectory() as cache:
        own = {**changes, "JAX_COMPILATION_CACHE_DIR": str(Path(cache) / "xla")}
        cold = start(flags, own)
        warm = [start(flags, own) for _ in range(repeats)]
    cached = {name: statistics.median(one[name] for one in warm) for name in cold}
    return {"cold": cold, "cached": cached}
