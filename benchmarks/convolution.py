"""What the closed convolution family gains over lax's own derivatives, on this machine.

    python -m benchmarks.convolution [--json=PATH]

For shapes out of real networks, at a small batch, the table gives the time of the value, of both
gradients and of the gradients of a gradient penalty (second order), each alone and as the body of
a `lax.scan`, for `jaxgan.ops.conv` as a step on one device has it and for the plain `lax`
operations that flax's layers call, under the same XLA flags. Times are medians in milliseconds per
application, with the spread between the quartiles; slow cells are timed fewer times.
"""

import argparse
import functools
import json
import pathlib
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from benchmarks.machine import describe_machine
from jaxgan import memory, parallel, xla_flags
from jaxgan.ops import onednn
from jaxgan.ops.conv import conv, conv_transpose

SCANNED = 2  # applications per scan
SECONDS_PER_CELL = 0.25
MOST_REPEATS = 15


class Case(NamedTuple):
    """One layer: `[batch, side, side, inputs]` images, a square kernel, SAME padding."""

    name: str
    transposed: bool
    batch: int
    side: int
    inputs: int
    outputs: int
    taps: int
    stride: int


CASES = (
    Case("SRResNet body, 3x3", False, 4, 24, 64, 64, 3, 1),
    Case("SRResNet head, 9x9", False, 1, 24, 3, 64, 9, 1),
    Case("SRResNet tail, 9x9", False, 1, 48, 64, 3, 9, 1),
    Case("DCGAN critic, 4x4 / 2", False, 8, 32, 64, 128, 4, 2),
    Case("DCGAN generator, 4x4 * 2", True, 8, 8, 256, 128, 4, 2),
    Case("MNIST generator, 5x5 * 2", True, 8, 7, 128, 64, 5, 2),
)


class Timing(NamedTuple):
    """Milliseconds: the median, and the distance between the quartiles."""

    median: float
    spread: float
    repeats: int


def plain(case: Case, x: Array, kernel: Array) -> Array:
    """The layer as flax's `nn.Conv` and `nn.ConvTranspose` compute it."""
    numbers = ("NHWC", "HWIO", "NHWC")
    strides = (case.stride, case.stride)
    if case.transposed:
        return lax.conv_transpose(x, kernel, strides, "SAME", dimension_numbers=numbers)
    return lax.conv_general_dilated(x, kernel, strides, "SAME", dimension_numbers=numbers)


def closed(case: Case, x: Array, kernel: Array) -> Array:
    """The layer as jaxgan computes it."""
    operation = conv_transpose if case.transposed else conv
    return operation(x, kernel, stride=case.stride)


def orders(layer: Callable[[Array, Array], Array]) -> dict[str, Callable]:
    """Functions of (x, kernel) that return a tree: the value and the first two orders."""

    def energy(x, kernel):
        return jnp.sum(jnp.square(layer(x, kernel)))

    def penalty(x, kernel):
        return jnp.sum(jnp.square(jax.grad(energy)(x, kernel)))

    return {
        "forward": layer,
        "backward": jax.grad(energy, (0, 1)),
        "second order": jax.grad(penalty, (0, 1)),
    }


def scanned(function: Callable) -> Callable:
    """`function` on each of a stack of images, in a loop that XLA cannot hoist it out of."""

    def run(images, kernel):
        return lax.scan(lambda _, x: (None, function(x, kernel)), None, images)[1]

    return run


def measure(function: Callable, x: Array, kernel: Array, applications: int) -> Timing:
    """Times the compiled function; the first run, which warms it up, also sets the repeats."""
    with onednn.allowed(onednn.suits(parallel.make_mesh(jax.devices()[:1]))):
        compiled = jax.jit(function).lower(x, kernel).compile()

    def run() -> float:
        start = time.perf_counter()
        jax.block_until_ready(compiled(x, kernel))
        return 1e3 * (time.perf_counter() - start) / applications

    estimate = run() * applications / 1e3
    repeats = max(3, min(MOST_REPEATS, int(SECONDS_PER_CELL / max(estimate, 1e-6))))
    times = [run() for _ in range(repeats)]
    low, median, high = statistics.quantiles(times, n=4)
    return Timing(median, high - low, repeats)


def measure_case(case: Case) -> list[dict]:
    """Rows of the table: one for every order, alone and inside a scan."""
    keys = jax.random.split(jax.random.key(0))
    shape = (case.batch, case.side, case.side, case.inputs)
    images = jax.random.normal(keys[0], (SCANNED, *shape))
    kernel = 0.1 * jax.random.normal(keys[1], (case.taps, case.taps, case.inputs, case.outputs))
    rows = []
    for order in ("forward", "backward", "second order"):
        row: dict = {"case": case.name, "shape": shape, "outputs": case.outputs, "order": order}
        for name, layer in (("closed", closed), ("plain", plain)):
            function = orders(functools.partial(layer, case))[order]
            row[name] = measure(function, images[0], kernel, 1)._asdict()
            in_scan = measure(scanned(function), images, kernel, SCANNED)
            row[f"{name} in scan"] = in_scan._asdict()
        rows.append(row)
    return rows


def format_row(row: dict) -> str:
    cells = [f"{row['case']:<26}{row['order']:<14}"]
    for place in ("", " in scan"):
        ours, theirs = row[f"closed{place}"], row[f"plain{place}"]
        for timing in (ours, theirs):
            cells.append(f"{timing['median']:9.2f} ±{timing['spread']:6.2f}")
        cells.append(f"{theirs['median'] / ours['median']:7.1f}x")
    return " ".join(cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", metavar="PATH", help="also write the figures to this file")
    options = parser.parse_args()
    memory.one_heap()
    xla_flags.settle()

    machine = describe_machine()
    print("  ".join(f"{name} {value}" for name, value in machine.items()))
    print("milliseconds, median ± distance between the quartiles; gain = plain / closed")
    heads = ("closed", "plain", "gain", "scan: closed", "scan: plain", "gain")
    widths = (17, 17, 8, 17, 17, 8)
    print(f"{'':<40} " + " ".join(f"{h:>{w}}" for h, w in zip(heads, widths, strict=True)))
    rows = []
    for case in CASES:
        for row in measure_case(case):
            rows.append(row)
            print(format_row(row), flush=True)
    if options.json:
        figures = {"machine": machine, "milliseconds": rows}
        pathlib.Path(options.json).write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
