"""A compiled step of an experiment with a state and batches to run it on: what is timed."""

import dataclasses
import itertools
import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.building import build
from benchmarks.collectives import count_collectives
from benchmarks.plain import plain_layers
from jaxgan import memory, parallel
from jaxgan.compiling import new_state
from jaxgan.data.pipeline import Batches, Stack, make_batches, row_seeds
from jaxgan.dispatch import Group, groups
from jaxgan.flops import count_flops
from jaxgan.game import Phase, active_phases, rounds
from jaxgan.state import count_parameters
from jaxgan.step import make_step

# Batches that the timed steps take in turns.
BATCHES = 2
# More than a measurement of seconds can draw.
MOST_STACKS = 100_000
# Real dispatches before waiting is measured, which use up the batches that lie ready: two on the
# device and one that is being loaded. And how many are measured at least.
DISPATCHES_BEFORE, LEAST_DISPATCHES = 4, 10


def steady_groups(phases: Sequence[Phase], steps: int, most: int) -> list[Group]:
    """The dispatches of a run's end, as many as it takes for the phases to repeat.

    They are cut as training cuts them where it neither logs, measures nor saves.

    Args:
      phases: of the experiment.
      steps: the number of steps of the run.
      most: how many steps a dispatch takes at most.
    """
    playing = [
        dataclasses.replace(phase, stop=None)
        for phase in phases
        if phase.start < steps and (phase.stop is None or phase.stop >= steps)
    ]
    last, cycle = steps - 1, math.lcm(*(phase.every for phase in playing))
    actives = [active_phases(playing, last + later) for later in range(cycle)]
    changes = [later for later in range(cycle) if actives[later] != actives[later - 1]]
    if not changes:
        return [Group(actives[0], most)]
    first = last + changes[0]
    return list(groups(playing, first, first + cycle, most, ()))


def step_name(active: Sequence[Phase]) -> str:
    """What a step with these phases is called in results."""
    return " + ".join(phase.name for phase in active)


class Stepper:
    """The steps that an experiment takes at the end of its training, compiled.

    Attributes:
      experiment: the experiment.
      data: its data.
      settings: what the flags say.
      compile_seconds: how long compiling took.
      parameters: how many each player has.
      images_per_step: how many examples a step reads, all its rounds together.
      period: the dispatches after which the phases repeat: who plays, and for how many steps.
    """

    def __init__(self, flags: Sequence[str], devices: int = 1):
        """Builds and compiles what flags of `python -m jaxgan.main` describe.

        Args:
          flags: as typed, `--experiment` included.
          devices: how many devices the step is spread over.

        Raises:
          UserError: what the flags, the experiment or its data do not allow.
        """
        built = build(flags, jax.devices()[:devices])
        self.experiment, self.settings, self.mesh = built.experiment, built.settings, built.mesh
        self.data, self._abstract, self._abstract_batch = built.data, built.state, built.batch
        self._most = self.settings.steps_per_dispatch
        self.period = steady_groups(self.experiment.phases, self.settings.steps, self._most)
        self._steps = sum(group.length for group in self.period)
        self._groups: Iterator[Group] = itertools.cycle(self.period)
        self.parameters = {
            name: count_parameters(player.params) for name, player in self._abstract.players.items()
        }
        reads = sum(group.length * rounds(group.active) for group in self.period)
        self.images_per_step = self.settings.rules.batch_size * reads / self._steps
        began = time.monotonic()
        distinct = list(dict.fromkeys(group.active for group in self.period))
        self._compiled = built.compile(distinct, steps_per_dispatch=self._most)
        self.compile_seconds = time.monotonic() - began
        if jax.default_backend() == "cpu":
            memory.keep()
        self._state: Any = None
        self._inputs: dict[Group, tuple] = {}

    def take(self, drawn: tuple[Group, tuple] | None = None) -> dict[str, jax.Array]:
        """Dispatches the next group of steps: on fixed batches, or one drawn with its inputs.

        Returns their metrics, which may still be being computed.
        """
        if self._state is None:
            self._prepare()
        if drawn is None:
            group = next(self._groups)
            drawn = group, self._inputs[group]
        group, inputs = drawn
        self._state, metrics = self._compiled[group.active](self._state, *inputs)
        return metrics

    def finish(self) -> None:
        """Waits for the device."""
        jax.block_until_ready(self._state)

    def facts(self) -> dict[str, Any]:
        """FLOPs, temporary memory and collectives of each compiled step, by its name.

        `needed_flops` are those of the same step with plain convolutions: what the mathematics
        asks for, however the convolutions are lowered; `convolutions` says how many layers there
        are.
        """
        found = {}
        rules = self.settings.rules
        for active, step in self._compiled.items():
            arguments = self._abstract, [self._abstract_batch] * rounds(active)
            with plain_layers() as convolutions:
                needed = count_flops(make_step(self.experiment.system, active, rules), *arguments)
            found[step_name(active)] = {
                "flops": step.flops,
                "needed_flops": needed,
                "convolutions": convolutions(),
                "share_of_steps": sum(g.length for g in self.period if g.active == active)
                / self._steps,
                "temporary_bytes": step.executable.memory_analysis().temp_size_in_bytes,
                "collectives": count_collectives(step.executable.as_text()),
            }
        return found

    def dispatch_milliseconds(self, seconds: float) -> float:
        """What the host needs for a step: its share of a dispatch that computes nothing.

        It takes the same state and batches and returns the same trees, so arguments are flattened,
        checked and donated and results are wrapped as in a real step.
        """
        metrics = {name: jnp.zeros_like(value) for name, value in self.take().items()}
        self.finish()
        inputs = self._inputs[self.period[0]]

        def nothing(state, *inputs):
            return state.replace(step=state.step + 1), jax.tree.map(lambda leaf: leaf + 0, metrics)

        empty = jax.jit(nothing, donate_argnums=0, keep_unused=True)
        compiled = empty.lower(self._state, *inputs).compile()
        times: list[float] = []
        until = time.perf_counter() + seconds
        while not times or time.perf_counter() < until:
            began = time.perf_counter()
            self._state, results = compiled(self._state, *inputs)
            jax.block_until_ready((self._state, results))
            times.append(time.perf_counter() - began)
        return 1000 * float(np.median(times)) * len(self.period) / self._steps

    def pipeline(self, seconds: float) -> dict[str, float]:
        """The experiment's own data, alone and under the step.

        Returns:
          `images_per_second` that the pipeline makes when nothing else runs; and `wait_share`, the
          share of the time that a loop like the engine's spends waiting for its batches. Such a
          loop is one dispatch ahead of the device, so part of that waiting may cost nothing: the
          share is an upper bound of what is lost.
        """
        size = self.settings.rules.batch_size
        batches = make_batches(
            self.data.load,
            self.data.size,
            batch_size=size,
            seed=self.settings.seed,
            mesh=self.mesh,
        )
        try:
            drawn = self._draw(batches)
            for _ in range(4):
                jax.block_until_ready(next(drawn)[1])
            began, made = time.perf_counter(), 0
            while made == 0 or time.perf_counter() - began < seconds:
                group, inputs = next(drawn)
                jax.block_until_ready(inputs)
                made += group.length * rounds(group.active)
            alone = made * size / (time.perf_counter() - began)
            previous: Any = None
            for _ in range(DISPATCHES_BEFORE):
                metrics = self.take(next(drawn))
                jax.block_until_ready(previous)
                previous = metrics
            began, waited, dispatches = time.perf_counter(), 0.0, 0
            while dispatches < LEAST_DISPATCHES or time.perf_counter() - began < seconds:
                waiting = time.perf_counter()
                given = next(drawn)
                waited += time.perf_counter() - waiting
                metrics = self.take(given)
                jax.block_until_ready(previous)
                previous = metrics
                dispatches += 1
            self.finish()
            return {
                "images_per_second": alone,
                "wait_share": waited / (time.perf_counter() - began),
            }
        finally:
            batches.close()

    def _draw(self, batches: Batches) -> Iterator[tuple[Group, tuple]]:
        """The groups that come next, with what the engine hands to their steps beside the state."""
        if self._most == 1:
            for group in self._groups:
                yield group, ([next(batches) for _ in range(rounds(group.active))],)
        ahead = list(itertools.islice(self._groups, MOST_STACKS))
        batches.start(
            Stack(group.length * rounds(group.active), self._most * rounds(group.active))
            for group in ahead
        )
        for group, stack in zip(ahead, batches, strict=True):
            yield group, (stack, np.int32(group.length))

    def _prepare(self) -> None:
        size = self.settings.rules.batch_size
        loaded = []
        for number in range(BATCHES):
            rows = (np.arange(size, dtype=np.int64) + number * size) % self.data.size
            loaded.append(self.data.load(rows, row_seeds(self.settings.seed, number, size)))
        placed = [parallel.global_batch(batch, self.mesh) for batch in loaded]
        for group in dict.fromkeys(self.period):
            if self._most == 1:
                batches = [placed[number % BATCHES] for number in range(rounds(group.active))]
                self._inputs[group] = (batches,)
                continue
            room = range(self._most * rounds(group.active))
            stack = {
                name: np.stack([loaded[number % BATCHES][name] for number in room])
                for name in loaded[0]
            }
            self._inputs[group] = (
                parallel.global_batch(stack, self.mesh, stacked=True),
                np.int32(group.length),
            )
        state = new_state(self.experiment, self._abstract, self.settings.seed)
        number = jax.device_put(jnp.int32(self.settings.steps - 1), state.step.sharding)
        self._state = state.replace(step=number)
