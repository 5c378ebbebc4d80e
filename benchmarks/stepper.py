"""A compiled step of an experiment with a state and batches to run it on: what is timed."""

import itertools
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.collectives import count_collectives
from benchmarks.flops import count_flops
from benchmarks.plain import plain_layers
from jaxgan import experiment as experiments
from jaxgan import main, parallel
from jaxgan.compiling import abstract_batch, abstract_state, compile_steps, new_state
from jaxgan.data.pipeline import Batches, Stack, make_batches, row_seeds
from jaxgan.game import Phase, active_phases, rounds
from jaxgan.state import count_parameters
from jaxgan.step import make_step
from jaxgan.train import check

# Batches that the timed steps take in turns.
BATCHES = 2
# More than a measurement of seconds can draw.
MOST_STACKS = 100_000


def steady_steps(phases: Sequence[Phase], steps: int) -> list[int]:
    """The numbers of the last steps of a run, as many as it takes for the phases to repeat."""
    playing = [p for p in phases if p.start < steps and (p.stop is None or p.stop >= steps)]
    cycle = math.lcm(*(phase.every for phase in playing))
    return list(range(max(steps - cycle, 0), steps))


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
      length: how many steps a dispatch takes.
    """

    def __init__(self, flags: Sequence[str], devices: int = 1):
        """Builds and compiles what flags of `python -m jaxgan.main` describe.

        Args:
          flags: as typed, `--experiment` included.
          devices: how many devices the step is spread over.

        Raises:
          UserError: what the flags, the experiment or its data do not allow.
        """
        loaded, _ = main.parse(["benchmarks", *flags])
        assert loaded is not None
        experiments.settle_scale(loaded)
        self.experiment = experiments.build(loaded)
        self.settings = main.settings(Path("unused"))
        self.mesh = parallel.make_mesh(jax.devices()[:devices])
        check(self.experiment, self.settings, self.mesh)
        self.data = self.experiment.data()
        rules = self.settings.rules
        self._abstract = abstract_state(self.experiment, self.mesh, fsdp=self.settings.fsdp)
        self._abstract_batch = abstract_batch(self.data, self.mesh, rules.batch_size)
        self.cycle = steady_steps(self.experiment.phases, self.settings.steps)
        self.actives = [active_phases(self.experiment.phases, number) for number in self.cycle]
        self.parameters = {
            name: count_parameters(player.params) for name, player in self._abstract.players.items()
        }
        reads = sum(rounds(active) for active in self.actives)
        self.images_per_step = rules.batch_size * reads / len(self.actives)
        began = time.monotonic()
        distinct = list(dict.fromkeys(self.actives))
        self._most = self.settings.steps_per_dispatch
        self.length = self._most if len(self.cycle) == 1 else 1
        self._compiled = compile_steps(
            self.experiment,
            rules,
            distinct,
            self._abstract,
            self._abstract_batch,
            steps_per_dispatch=self._most,
        )
        self.compile_seconds = time.monotonic() - began
        self._state: Any = None
        self._inputs: dict[Any, tuple] = {}
        self._taken = 0

    def take(self, inputs: tuple | None = None) -> dict[str, jax.Array]:
        """Dispatches the next `length` steps of the cycle, on fixed batches unless some are given.

        Returns their metrics, which may still be being computed.
        """
        if self._state is None:
            self._prepare()
        active = self.next_active()
        self._taken += self.length
        self._state, metrics = self._compiled[active](
            self._state, *(inputs or self._inputs[active])
        )
        return metrics

    def next_active(self) -> tuple[Phase, ...]:
        """The phases of the step that comes next."""
        return self.actives[self._taken % len(self.actives)]

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
        for active, executable in self._compiled.items():
            arguments = self._abstract, [self._abstract_batch] * rounds(active)
            memory = executable.memory_analysis()
            flops = count_flops(make_step(self.experiment.system, active, rules), *arguments)
            with plain_layers() as convolutions:
                needed = count_flops(make_step(self.experiment.system, active, rules), *arguments)
            found[step_name(active)] = {
                "flops": flops,
                "needed_flops": needed,
                "convolutions": convolutions(),
                "share_of_steps": self.actives.count(active) / len(self.actives),
                "temporary_bytes": memory.temp_size_in_bytes,
                "collectives": count_collectives(executable.as_text()),
            }
        return found

    def dispatch_milliseconds(self, seconds: float) -> float:
        """What the host needs for a step: its share of a dispatch that computes nothing.

        It takes the same state and batches and returns the same trees, so arguments are flattened,
        checked and donated and results are wrapped as in a real step.
        """
        metrics = {name: jnp.zeros_like(value) for name, value in self.take().items()}
        self.finish()
        inputs = self._inputs[self.actives[0]]

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
        return 1000 * float(np.median(times)) / self.length

    def pipeline(self, seconds: float) -> dict[str, float]:
        """The experiment's own data, alone and under the step.

        Returns:
          `images_per_second` that the pipeline makes when nothing else runs; and `wait_share`, the
          share of the time that a loop like the engine's spends waiting for its batches.
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
                jax.block_until_ready(next(drawn))
            began, made = time.perf_counter(), 0
            while made == 0 or time.perf_counter() - began < seconds:
                inputs = next(drawn)
                jax.block_until_ready(inputs)
                made += self.length * rounds(self.next_active())
            alone = made * size / (time.perf_counter() - began)
            # The batches that lie ready would be a head start.
            for _ in range(2):
                self.take()
            self.finish()
            began, waited, previous, dispatches = time.perf_counter(), 0.0, None, 0
            while dispatches < 3 or time.perf_counter() - began < seconds:
                waiting = time.perf_counter()
                inputs = next(drawn)
                waited += time.perf_counter() - waiting
                metrics = self.take(inputs)
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

    def _draw(self, batches: Batches) -> Iterator[tuple]:
        """What the engine hands to the compiled steps beside the state."""
        if self._most == 1:
            while True:
                yield ([next(batches) for _ in range(rounds(self.next_active()))],)
        kinds = [Stack(self.length * rounds(a), self._most * rounds(a)) for a in self.actives]
        batches.start(itertools.islice(itertools.cycle(kinds), MOST_STACKS))
        for stack in batches:
            yield stack, np.int32(self.length)

    def _prepare(self) -> None:
        size = self.settings.rules.batch_size
        loaded = []
        for number in range(BATCHES):
            rows = (np.arange(size, dtype=np.int64) + number * size) % self.data.size
            loaded.append(self.data.load(rows, row_seeds(self.settings.seed, number, size)))
        placed = [parallel.global_batch(batch, self.mesh) for batch in loaded]
        for active in dict.fromkeys(self.actives):
            if self._most == 1:
                batches = [placed[number % BATCHES] for number in range(rounds(active))]
                self._inputs[active] = (batches,)
                continue
            room = range(self._most * rounds(active))
            stack = {
                name: np.stack([loaded[number % BATCHES][name] for number in room])
                for name in loaded[0]
            }
            self._inputs[active] = (
                parallel.global_batch(stack, self.mesh, stacked=True),
                np.int32(self.length),
            )
        state = new_state(self.experiment, self._abstract, self.settings.seed)
        number = jax.device_put(jnp.int32(self.cycle[0]), state.step.sharding)
        self._state = state.replace(step=number)
