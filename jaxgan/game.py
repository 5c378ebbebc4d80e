"""The words a GAN is described in: systems, phases, and what a loss is handed and hands back."""

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import jax
from flax import struct

from jaxgan.errors import UserError, did_you_mean
from jaxgan.state import Network, Player, PlayerSpec, PyTree

Batch = dict[str, jax.Array]


class Turn(struct.PyTreeNode):
    """What a loss sees when a phase's players are to move.

    Attributes:
      networks: every player's network, in training mode.
      batch: the real data, as `System.prepare` left it.
      fake: what `System.generate` made of this batch (None where the system generates nothing).
      memory: what the system keeps between steps.
      key: a random key of this phase's own.
      step: the number of the step, int32.
      players: every player as it is now, for a loss that looks ahead at what an optimiser will do.
        Gradients flow through `networks` and `fake`, not through these.
    """

    networks: dict[str, Network]
    batch: Batch
    fake: PyTree
    memory: PyTree
    key: jax.Array
    step: jax.Array
    players: Mapping[str, Player] = struct.field(default_factory=dict)


class Outcome(struct.PyTreeNode):
    """What a loss hands back.

    Attributes:
      loss: float32 scalar, minimised over the parameters of the phase's players.
      metrics: scalars to log, by name.
      networks: the networks whose variables the loss updated. The step keeps those of the phase's
        own players and drops the others: a phase changes nothing but the players it names.
      memory: the system's memory after the turn; None leaves it as it was.
      fake_gain: `[batch]`, what the gradient of `loss` at each sample of the fake is multiplied by
        before it goes back through the generators: so a critic's loss can move the generator, too,
        on a loss of its own. None leaves it as it is. Phases that move no generator ignore it.
    """

    loss: jax.Array
    metrics: dict[str, jax.Array] = struct.field(default_factory=dict)
    networks: dict[str, Network] = struct.field(default_factory=dict)
    memory: PyTree = None
    fake_gain: jax.Array | None = None


Loss = Callable[[Turn], Outcome]
Generate = Callable[[dict[str, Network], Batch, jax.Array], tuple[PyTree, dict[str, Network]]]


def nothing_generated(
    networks: dict[str, Network], batch: Batch, key: jax.Array
) -> tuple[None, dict[str, Network]]:
    """The `generate` of a system without a shared forward pass."""
    return None, {}


@dataclasses.dataclass(frozen=True, eq=False)
class System:
    """Which players there are, what each loses on a batch, and how fakes are made: pure functions.

    Attributes:
      players: how each player is made, by name.
      losses: the losses that phases name.
      generate: `(networks, batch, key) -> (fake, networks with new variables)`, the forward pass
        that phases may share. The step differentiates a generator's loss through it, so a loss only
        has to read `turn.fake`.
      generators: the players whose parameters `generate` uses.
      prepare: `(batch, key) -> batch`, on the device: from the pipeline's bytes to what the losses
        read.
      memory: makes what the system keeps between steps (a pytree of arrays).
    """

    players: Mapping[str, PlayerSpec]
    losses: Mapping[str, Loss]
    generate: Generate = nothing_generated
    generators: tuple[str, ...] = ()
    prepare: Callable[[Batch, jax.Array], Batch] = lambda batch, key: batch
    memory: Callable[[], PyTree] = dict


@dataclasses.dataclass(frozen=True)
class Phase:
    """These players step on this loss, every k-th step, n times, with this gain.

    Attributes:
      name: what the phase is called in metrics (`NAME_loss`).
      players: the players whose parameters move.
      loss: the name of one of the system's losses.
      every: the phase takes part in every k-th step only, counted from `start` (lazy
        regularisation).
      repeats: how often it moves within a step, each time on fresh data (a critic's n steps a
        generator's one).
      gain: multiplies the loss; k keeps the strength of a regulariser that runs every k-th step.
      start: the first step in which the phase takes part.
      stop: the first step in which it no longer does; None means never.
    """

    name: str
    players: tuple[str, ...]
    loss: str
    every: int = 1
    repeats: int = 1
    gain: float = 1.0
    start: int = 0
    stop: int | None = None

    def plays(self, step: int) -> bool:
        """Whether the phase takes part in step number `step` (the first one is 0)."""
        before_stop = self.stop is None or step < self.stop
        return self.start <= step and before_stop and (step - self.start) % self.every == 0


def active_phases(phases: Sequence[Phase], step: int) -> tuple[Phase, ...]:
    """The phases of one step, in the order in which they move."""
    return tuple(phase for phase in phases if phase.plays(step))


def rounds(active: Sequence[Phase]) -> int:
    """How many fresh batches a step with these phases reads."""
    return max((phase.repeats for phase in active), default=0)


def distinct_steps(
    phases: Sequence[Phase], steps: int, *, first: int = 0
) -> list[tuple[Phase, ...]]:
    """Every set of phases that plays together from step `first` up to `steps`, by first use."""
    stops = (phase.stop for phase in phases if phase.stop is not None)
    edges = {first, steps, *(phase.start for phase in phases), *stops}
    ordered = sorted(edge for edge in edges if first <= edge <= steps)
    found: dict[tuple[Phase, ...], None] = {}
    for begin, end in itertools.pairwise(ordered):
        cycle = math.lcm(*(phase.every for phase in phases if phase.start <= begin))
        for step in range(begin, min(end, begin + cycle)):
            found[active_phases(phases, step)] = None
    return list(found)


def _problems(system: System, phases: Sequence[Phase], steps: int) -> Iterator[str]:
    if not phases:
        yield "there are no phases; name at least one"
    for phase in phases:
        for player in phase.players:
            if player not in system.players:
                hint = did_you_mean(player, system.players)
                yield f"phase {phase.name!r} moves {player!r}, {hint}"
        if not phase.players:
            yield f"phase {phase.name!r} moves no player; name at least one"
        if phase.loss not in system.losses:
            hint = did_you_mean(phase.loss, system.losses)
            yield f"phase {phase.name!r} has loss {phase.loss!r}, {hint}"
        if phase.every < 1 or phase.repeats < 1:
            yield f"phase {phase.name!r} needs `every` and `repeats` of at least 1"
    if len({phase.name for phase in phases}) < len(phases):
        yield "two phases have the same name; metrics could not tell them apart"
    for generator in system.generators:
        if generator not in system.players:
            yield f"`generators` names {generator!r}, {did_you_mean(generator, system.players)}"
    if phases and () in distinct_steps(phases, steps):
        yield f"in some of the {steps} steps no phase plays; mend `start`, `stop` or `every`"


def validate(system: System, phases: Sequence[Phase], steps: int) -> None:
    """Raises UserError on the first thing in the phases that could not be played."""
    for problem in _problems(system, phases, steps):
        raise UserError(f"experiment: {problem}")
