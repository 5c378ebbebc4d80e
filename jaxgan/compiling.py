"""What happens before step 1: the state's shapes and places, the compiled steps, their price."""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import compilation_cache, flops, parallel, xla_flags
from jaxgan.console import human_bytes, human_count, table
from jaxgan.dispatch import make_group_step
from jaxgan.experiment import Data, Experiment
from jaxgan.game import Phase, System, rounds
from jaxgan.ops import onednn
from jaxgan.state import TrainState, count_parameters, create_state
from jaxgan.step import Rules, make_step


@functools.lru_cache(maxsize=1)
def _creation(system: System) -> Callable[[jax.Array], TrainState]:
    """Makes the state of a key. The same function each time, so that JAX traces it once."""
    return lambda key: create_state(system.players, system.memory, key)


def abstract_state(experiment: Experiment, mesh: jax.sharding.Mesh, *, fsdp: bool) -> TrainState:
    """The state's shapes, dtypes and shardings; nothing is computed."""
    key = jax.eval_shape(jax.random.key, 0)
    shapes = jax.eval_shape(_creation(experiment.system), key)
    shardings = parallel.state_sharding(shapes, mesh, fsdp=fsdp)
    return jax.tree.map(
        lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
        shapes,
        shardings,
    )


def new_state(experiment: Experiment, abstract: TrainState, seed: int) -> TrainState:
    """The state before step 1, made where it will lie."""
    shardings = jax.tree.map(lambda leaf: leaf.sharding, abstract)
    # Every leaf draws its own numbers: much code that runs once. With LLVM's best efforts it takes
    # a CPU seconds to compile, for the same bits; with none, large players take seconds to draw.
    on_cpu = all(device.platform == "cpu" for device in shardings.step.device_set)
    level = "xla_backend_optimization_level"
    create = jax.jit(
        _creation(experiment.system),
        out_shardings=shardings,
        compiler_options={level: 1} if on_cpu and not xla_flags.given(level) else None,
    )
    return create(jax.random.key(seed))


def abstract_batch(data: Data, mesh: jax.sharding.Mesh, batch_size: int) -> dict[str, Any]:
    """The shapes and dtypes of a batch, from loading a single row: bad data shows up here."""
    row = data.load(np.zeros(1, np.int64), np.zeros(1, np.uint64))
    sharding = parallel.batch_sharding(mesh)
    return {
        name: jax.ShapeDtypeStruct((batch_size, *leaf.shape[1:]), leaf.dtype, sharding=sharding)
        for name, leaf in row.items()
    }


@dataclasses.dataclass(frozen=True)
class CompiledStep:
    """What `compile_steps` makes; to be called as the function that it was made from.

    Attributes:
      executable: `jax.stages.Compiled`.
      flops: of one step, in its products and convolutions (see `jaxgan.flops`).
      onednn: whether convolutions are oneDNN's.
    """

    executable: Any
    flops: int
    onednn: bool

    def __call__(self, state: TrainState, *inputs: Any) -> tuple[TrainState, dict[str, jax.Array]]:
        return self.executable(state, *inputs)


def compile_steps(
    experiment: Experiment,
    rules: Rules,
    actives: Sequence[tuple[Phase, ...]],
    abstract: TrainState,
    batch: Mapping[str, Any],
    *,
    steps_per_dispatch: int = 1,
) -> dict[tuple[Phase, ...], CompiledStep]:
    """Compiles the step of every set of phases, ahead of time and side by side.

    Returns:
      By the phases that play: `make_step`'s function or, with several steps per dispatch,
      `make_group_step`'s, compiled.
    """
    shardings = jax.tree.map(lambda leaf: leaf.sharding, abstract)
    mesh = shardings.step.mesh
    replicated = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())

    def trace(active: tuple[Phase, ...]) -> Any:
        if steps_per_dispatch == 1:
            step: Any = make_step(experiment.system, active, rules)
            inputs: tuple = ([dict(batch)] * rounds(active),)
        else:
            step = make_group_step(experiment.system, active, rules, steps_per_dispatch)
            room = steps_per_dispatch * rounds(active)
            stack = {
                name: jax.ShapeDtypeStruct(
                    (room, *leaf.shape),
                    leaf.dtype,
                    sharding=parallel.batch_sharding(mesh, stacked=True),
                )
                for name, leaf in batch.items()
            }
            inputs = (stack, jax.ShapeDtypeStruct((), jnp.int32))
        jitted = jax.jit(step, donate_argnums=0, out_shardings=(shardings, replicated))
        return jitted.trace(abstract, *inputs)

    with onednn.allowed(onednn.suits(mesh)):
        traced = [trace(active) for active in actives]
    lowered = [step.lower() for step in traced]
    by_onednn = [flops.calls_onednn(step.jaxpr.jaxpr) for step in traced]
    # XLA cannot write a call of oneDNN down.
    writing = compilation_cache.paused() if any(by_onednn) else contextlib.nullcontext()
    with writing, ThreadPoolExecutor() as pool:
        executables = list(pool.map(lambda step: step.compile(), lowered))
    counts = [flops.count_jaxpr(step.jaxpr.jaxpr) for step in traced]
    compiled = map(CompiledStep, executables, counts, by_onednn)
    return dict(zip(actives, compiled, strict=True))


def describe(abstract: TrainState, compiled: Mapping[tuple[Phase, ...], CompiledStep]) -> str:
    """Tables of the players and of the compiled steps: parameters, memory, FLOPs."""
    players = [
        (name, human_count(count_parameters(player.params)), "no" if player.ema is None else "yes")
        for name, player in abstract.players.items()
    ]
    steps = []
    for active, step in compiled.items():
        memory = step.executable.memory_analysis()
        total = memory.argument_size_in_bytes + memory.temp_size_in_bytes
        steps.append(
            (
                " + ".join(phase.name for phase in active),
                human_count(step.flops),
                human_bytes(total),
                "oneDNN" if step.onednn else "XLA",
            )
        )
    return "\n\n".join(
        [
            table(("player", "parameters", "moving average"), players),
            table(("step", "FLOPs", "memory on a device", "convolutions"), steps),
        ]
    )
