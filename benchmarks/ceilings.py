"""What this machine can do at most, measured in XLA as steps are: a contestant like the others.

    python -m benchmarks.ceilings

A large float32 matrix product gives the ceiling of arithmetic, adding one to a large array in place
(which reads and writes every byte of it once) that of memory.
"""

import json
import sys
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp

from benchmarks.machine import describe_machine

# Large enough to fill the device, small enough for a turn of half a second on two cores.
PRODUCT_SIDES = {"cpu": 2048}
PRODUCT_SIDE_ELSEWHERE = 8192
COPIED_FLOATS = 2**26


def rate(run: Callable[[], None], seconds: float) -> float:
    """How often something runs a second, at least once."""
    began, times = time.perf_counter(), 0
    while times == 0 or time.perf_counter() - began < seconds:
        run()
        times += 1
    return times / (time.perf_counter() - began)


class Ceilings:
    """The two programs with what they run on."""

    def __init__(self) -> None:
        platform = jax.devices()[0].platform
        self._side = PRODUCT_SIDES.get(platform, PRODUCT_SIDE_ELSEWHERE)
        self._types = ("float32",) if platform == "cpu" else ("float32", "bfloat16")
        self._factors = {
            name: jax.random.normal(jax.random.key(0), (self._side, self._side), jnp.dtype(name))
            for name in self._types
        }
        self._array = jnp.zeros(COPIED_FLOATS, jnp.float32)
        self._product = jax.jit(jnp.matmul)
        self._add = jax.jit(lambda array: array + 1, donate_argnums=0)
        self.measure(0.0)

    def _copy(self) -> None:
        self._array = jax.block_until_ready(self._add(self._array))

    def measure(self, seconds: float) -> dict[str, float]:
        """GFLOP/s of the product (by dtype where there are several) and GB/s of the copy."""
        found = {}
        share = seconds / (len(self._types) + 1)
        for name, factor in self._factors.items():
            key = "matmul_gflops" if name == "float32" else f"matmul_gflops_{name}"

            def multiply(factor: jax.Array = factor) -> None:
                jax.block_until_ready(self._product(factor, factor))

            found[key] = rate(multiply, share) * 2 * self._side**3 / 1e9
        found["copy_gigabytes_per_second"] = rate(self._copy, share) * 8 * COPIED_FLOATS / 1e9
        return found


def main() -> None:
    """Says ready and serves."""
    ceilings = Ceilings()
    print(json.dumps({"ready": True, "machine": describe_machine()}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "quit":
            return
        print(json.dumps(ceilings.measure(request["seconds"])), flush=True)


if __name__ == "__main__":
    main()
