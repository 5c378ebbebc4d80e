"""jaxgan as a contestant: one experiment's step, in a process of its own.

    python -m benchmarks.worker [--plain] [--devices=N] --experiment=NAME [--flag=value ...]

With `--plain` the convolution layers are flax's. Beside what every contestant answers (see
`benchmarks.contestant`) it knows "facts", "dispatch" and "pipeline". "check" has no meaning here:
what others are checked against is this very step.
"""

import contextlib
import json
import os
import sys
import time
from typing import Any, TextIO

import jax

from benchmarks.machine import peak_memory_bytes, versions
from benchmarks.plain import plain_layers
from benchmarks.stepper import Stepper
from jaxgan import memory, xla_flags
from jaxgan.errors import UserError


def time_steps(stepper: Stepper, seconds: float) -> dict[str, Any]:
    """Takes steps for about so many seconds, in whole periods of the phases and at least one."""
    began, steps = time.perf_counter(), 0
    while steps == 0 or time.perf_counter() - began < seconds:
        for group in stepper.period:
            jax.block_until_ready(stepper.take())
            stepper.finish()
            steps += group.length
    return {"milliseconds": 1000 * (time.perf_counter() - began) / steps, "steps": steps}


def answer(stepper: Stepper, request: dict[str, Any]) -> dict[str, Any]:
    """What a request gets; ValueError if it is none."""
    match request["do"]:
        case "time":
            return time_steps(stepper, request["seconds"])
        case "memory":
            return {"peak_memory_bytes": peak_memory_bytes()}
        case "dispatch":
            return {"milliseconds": stepper.dispatch_milliseconds(request["seconds"])}
        case "pipeline":
            return stepper.pipeline(request["seconds"])
        case "facts":
            return {"steps": stepper.facts()}
    raise ValueError(f"a request to {request['do']!r} has no meaning here")


def serve(stepper: Stepper, requests: TextIO, say: Any) -> None:
    """Answers requests until one says quit or there are no more."""
    for line in requests:
        request = json.loads(line)
        if request["do"] == "quit":
            return
        say(answer(stepper, request))


def main(arguments: list[str]) -> int:
    """Builds, says ready, serves; returns the exit code."""
    # Whatever a library prints must not come between the lines that are the protocol.
    lines = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def say(line: dict[str, Any]) -> None:
        print(json.dumps(line), file=lines, flush=True)

    own = [a for a in arguments if a == "--plain" or a.startswith("--devices=")]
    flags = [a for a in arguments if a not in own]
    devices = int(next((a.partition("=")[2] for a in own if a.startswith("--devices=")), "1"))
    if devices > 1:
        jax.config.update("jax_num_cpu_devices", devices)
    plain = "--plain" in own
    if not plain:
        memory.one_heap()
        xla_flags.settle()
    with plain_layers() if plain else contextlib.nullcontext():
        try:
            stepper = Stepper(flags, devices)
        except UserError as error:
            say({"error": str(error)})
            return 1
        say(
            {
                "ready": True,
                "versions": versions(),
                "parameters": stepper.parameters,
                "compile_seconds": stepper.compile_seconds,
                "batch_size": stepper.settings.rules.batch_size,
                "images_per_step": stepper.images_per_step,
            }
        )
        serve(stepper, sys.stdin, say)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
