"""Several steps in one dispatch, for networks so small that the host would be the limit.

A group of steps is one call of one compiled loop over a stack of batches. How many steps it takes
is an argument, so one executable takes any number of them and the bits of a step do not depend on
where groups were cut: not by a signal, a checkpoint, or another --steps.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgan.game import Batch, Phase, System, active_phases, rounds
from jaxgan.state import TrainState
from jaxgan.step import Rules, make_step

GroupStep = Callable[[TrainState, Batch, jax.Array | int], tuple[TrainState, dict[str, jax.Array]]]


class Group(NamedTuple):
    """Steps that are taken together: the phases that play in each, and how many steps they are."""

    active: tuple[Phase, ...]
    length: int


def groups(
    phases: Sequence[Phase], first: int, steps: int, most: int, stops: Sequence[int]
) -> Iterator[Group]:
    """Cuts the steps from `first` up to `steps` into groups of at most `most`.

    Args:
      phases: of the experiment; other phases playing begin another group.
      first: the number of the first step.
      steps: the number of steps of the whole run.
      most: of a group.
      stops: a group ends where a multiple of one of these steps is done, for what happens there.

    Yields:
      The groups, in order.
    """
    step = first
    while step < steps:
        active = active_phases(phases, step)
        end = min(step + most, steps, *(step + every - step % every for every in stops))
        length = 1
        while step + length < end and active_phases(phases, step + length) == active:
            length += 1
        yield Group(active, length)
        step += length


def make_group_step(system: System, active: Sequence[Phase], rules: Rules, most: int) -> GroupStep:
    """The function of up to `most` steps; jit it with the state donated.

    Args:
      system: the players and their losses.
      active: the phases that play in every one of the steps, in order.
      rules: how they are played.
      most: how many steps the stack of batches has room for.

    Returns:
      A pure function `(state, batches, length) -> (state, metrics)`. `batches` holds leaves
      [most * rounds(active), batch, ...], of which the first `length` steps' are read; `length` is
      an int32 scalar in [1, most]. Metrics are those of `make_step`, float32 [most], of which the
      first `length` are set.
    """
    one, count = make_step(system, active, rules), rounds(active)

    def draw(batches: Batch, number: jax.Array) -> list[Batch]:
        def at(index: jax.Array) -> Batch:
            return jax.tree.map(
                lambda leaf: jax.lax.dynamic_index_in_dim(leaf, index, keepdims=False), batches
            )

        return [at(number * count + offset) for offset in range(count)]

    def steps(
        state: TrainState, batches: Batch, length: jax.Array | int
    ) -> tuple[TrainState, dict[str, jax.Array]]:
        def body(number: jax.Array, carry: tuple) -> tuple:
            state, history = carry
            state, metrics = one(state, draw(batches, number))
            # One array and not one for each metric: every update is an operation of its own.
            row = jnp.stack([metrics[name] for name in names])
            history = jax.lax.dynamic_update_index_in_dim(history, row, number, 0)
            return state, history

        _, shapes = jax.eval_shape(one, state, draw(batches, jnp.int32(0)))
        names = sorted(shapes)
        history = jnp.zeros((most, len(names)), jnp.float32)
        state, history = jax.lax.fori_loop(0, length, body, (state, history))
        return state, {name: history[:, column] for column, name in enumerate(names)}

    return steps
