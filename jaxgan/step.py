"""From phases to one compiled step: `(TrainState, batches) -> (TrainState, metrics)`."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxgan.game import Batch, Phase, System, rounds
from jaxgan.moves import Drawn, average_player, draw, move, move_in_parts, update_player
from jaxgan.state import Player, PyTree, TrainState, fold

Players = dict[str, Player]
Step = Callable[[TrainState, Sequence[Batch]], tuple[TrainState, dict[str, jax.Array]]]


@dataclasses.dataclass(frozen=True)
class Rules:
    """How the phases of a step are played.

    Attributes:
      batch_size: images in one batch over all devices.
      simultaneous: every phase sees the other players as they were before the step, instead of
        alternating updates.
      share_fake: phases of one step reuse a forward pass of the generator while its parameters have
        not moved.
      accumulate: a batch is worked through in this many equal parts, their gradients averaged; for
        device memory. The parts draw fakes of their own, so nothing is shared then, and a system
        whose own memory has the size of a batch cannot be played so.
    """

    batch_size: int
    simultaneous: bool = False
    share_fake: bool = True
    accumulate: int = 1


class Table(NamedTuple):
    """What stays the same while the phases of one step are played."""

    system: System
    rules: Rules
    before: Mapping[str, Player]
    step: jax.Array


class Played(NamedTuple):
    """The players and the memory so far, and whether all that led there was finite."""

    players: Players
    memory: PyTree
    finite: jax.Array


def make_step(system: System, active: Sequence[Phase], rules: Rules) -> Step:
    """The function of one step in which the phases `active` play; jit it with the state donated.

    Args:
      system: the players and their losses.
      active: the phases that take part, in order.
      rules: how they are played.

    Returns:
      A pure function `(state, batches) -> (state, metrics)`. `batches` holds `rounds(active)`
      batches: a phase of n repeats reads the last n, so the last round is everyone's. Metrics are
      float32 scalars: `PHASE_loss`, `PHASE_grad_norm`, `skipped`, and what the losses report. If
      any loss or gradient is not finite the whole state stays as it was, but for the step number
      and the count of skipped steps.
    """
    count = rounds(active)
    moved = {name for phase in active for name in phase.players}
    earlier = {name for phase in active[:-1] for name in phase.players}
    kept_there = set(active[-1].players) - earlier if active[-1].repeats == 1 else set()

    def step(
        state: TrainState, batches: Sequence[Batch]
    ) -> tuple[TrainState, dict[str, jax.Array]]:
        table = Table(system, rules, state.players, state.step)
        key = fold(state.key, "step", state.step)
        last_key = fold(key, "round", count - 1)
        last = system.prepare(batches[count - 1], fold(last_key, "prepare"))
        now = Played(dict(state.players), state.memory, jnp.array(True))
        drawn: list[Drawn] = []
        metrics: dict[str, jax.Array] = {}
        for phase in active:
            first = count - phase.repeats
            if phase.repeats > 1:
                now = play_early_rounds(table, phase, now, batches[first : count - 1], first, key)
            now, reported = play(table, phase, now, last, drawn, last_key)
            if twice := metrics.keys() & reported.keys():
                raise ValueError(f"two phases of one step report {sorted(twice)}: rename one")
            metrics |= reported
        keep = partial(jnp.where, now.finite)
        players = dict(now.players)
        for name, player in now.players.items():
            if name not in moved:
                continue
            # A player whose one move was the last phase's was kept there, by the same rule.
            if name not in kept_there:
                player = jax.tree.map(keep, player, state.players[name])
            players[name] = average_player(
                system.players[name], player, state.step, rules.batch_size, now.finite
            )
        skipped = state.skipped + jnp.where(now.finite, 0, 1).astype(jnp.int32)
        after = TrainState(
            step=state.step + 1,
            key=state.key,
            players=players,
            memory=jax.tree.map(keep, now.memory, state.memory),
            skipped=skipped,
        )
        return after, {**metrics, "skipped": skipped.astype(jnp.float32)}

    return step


def play(
    table: Table, phase: Phase, now: Played, batch: Batch, drawn: list[Drawn], key: jax.Array
) -> tuple[Played, dict[str, jax.Array]]:
    """One phase moves its players once.

    Args:
      table: the step that is being played.
      phase: the phase whose turn it is.
      now: what the phases before it have left.
      batch: prepared data of this round.
      drawn: forward passes already made in this round; one that is made here is added.
      key: this round's.

    Returns:
      What it leaves, and its metrics.
    """
    system, rules = table.system, table.rules
    own = {name: now.players[name] for name in phase.players}
    seen = {**(table.before if rules.simultaneous else now.players), **own}
    if rules.accumulate > 1:
        own_key = fold(key, phase.name)
        moved = move_in_parts(
            system, phase, seen, now.memory, batch, own_key, table.step, rules.accumulate
        )
    else:
        made = find_drawn(system, drawn, seen) if rules.share_fake else None
        if made is None:
            draw_key = key if rules.share_fake else fold(key, phase.name)
            made = draw(system, seen, batch, fold(draw_key, "generate"))
            drawn.append(made)
        moved = move(system, phase, seen, now.memory, batch, made, key, table.step)
    # Adam squares gradients as well, and XLA would write these down to square each only once.
    norm = optax.tree.norm(jax.lax.optimization_barrier(moved.gradients))
    finite = now.finite & jnp.isfinite(moved.loss) & jnp.isfinite(norm)
    for name, gradients in moved.gradients.items():
        own[name] = update_player(
            system.players[name], own[name], gradients, moved.variables[name], finite
        )
    metrics = {f"{phase.name}_loss": moved.loss, f"{phase.name}_grad_norm": norm, **moved.metrics}
    return Played({**now.players, **own}, moved.memory, finite), metrics


def find_drawn(
    system: System, drawn: Sequence[Drawn], players: Mapping[str, Player]
) -> Drawn | None:
    """A forward pass that the generators' parameters, as they are now, would only repeat."""
    for made in drawn:
        if all(made.params[name] is players[name].params for name in system.generators):
            return made
    return None


def play_early_rounds(
    table: Table,
    phase: Phase,
    now: Played,
    batches: Sequence[Batch],
    first: int,
    key: jax.Array,
) -> Played:
    """All rounds of a phase but the last, in one loop, so that n repeats compile once.

    Args:
      table: the step that is being played.
      phase: a phase with several repeats.
      now: what the phases before it have left.
      batches: the pipeline's, one for each of these rounds.
      first: the number of the first of these rounds.
      key: the step's.

    Returns:
      What the rounds leave.
    """

    def one(carry: tuple[Players, PyTree, jax.Array], numbered: tuple) -> tuple[tuple, None]:
        own, memory, finite = carry
        number, batch = numbered
        round_key = fold(key, "round", number)
        batch = table.system.prepare(batch, fold(round_key, "prepare"))
        current = Played({**now.players, **own}, memory, finite)
        after, _ = play(table, phase, current, batch, [], round_key)
        own = {name: after.players[name] for name in phase.players}
        return (own, after.memory, after.finite), None

    own = {name: now.players[name] for name in phase.players}
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *batches)
    numbers = jnp.arange(first, first + len(batches))
    (own, memory, finite), _ = jax.lax.scan(one, (own, now.memory, now.finite), (numbers, stacked))
    return Played({**now.players, **own}, memory, finite)
