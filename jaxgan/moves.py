"""What one phase does to its players: gradients of its loss, and the update they give.

A phase is differentiated with respect to its own players' parameters and, where they generate,
through the shared forward pass `System.generate`: the loss gives the gradient at the fake, the
generator's pullback takes it to the parameters. So one forward pass of the generator serves the
critic's phase and the generator's (exactly: the critic sees the fake as a constant, the generator
is differentiated through the critic as it is after its update), and a phase that moves no generator
never pays for the generator's backward pass. A loss that two players play against each other on
one pass of the critic says by what the gradient at the fake differs (`Outcome.fake_gain`).
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxgan import guarded
from jaxgan.game import Batch, Outcome, Phase, System, Turn
from jaxgan.state import Player, PlayerSpec, PyTree, fold, playing_networks

# A moving average forgets the untrained generator sooner: its half-life is at most this share of
# the images seen so far (Karras et al. 2020, arXiv 2006.06676, appendix C).
EMA_RAMPUP = 0.05


class Drawn(NamedTuple):
    """A forward pass of the generators, with its pullback and the parameters it was made with."""

    fake: PyTree
    pullback: Callable[[PyTree], tuple[dict[str, PyTree]]]
    variables: dict[str, PyTree]
    params: dict[str, PyTree]


class Moved(NamedTuple):
    """What one turn (or one part of it) gives: gradients and all that the loss left behind."""

    gradients: dict[str, PyTree]
    variables: dict[str, PyTree]
    memory: PyTree
    loss: jax.Array
    metrics: dict[str, jax.Array]


def draw(system: System, players: Mapping[str, Player], batch: Batch, key: jax.Array) -> Drawn:
    """Runs the generators once, keeping what is needed to differentiate them later."""
    params = {name: players[name].params for name in system.generators}

    def forward(params: dict[str, PyTree]) -> tuple[PyTree, dict[str, PyTree]]:
        networks = playing_networks(system.players, _with_params(players, params), key)
        fake, updated = system.generate(networks, batch, key)
        return fake, {name: network.variables for name, network in updated.items()}

    fake, pullback, variables = jax.vjp(forward, params, has_aux=True)
    return Drawn(fake, pullback, variables, params)


def move(
    system: System,
    phase: Phase,
    players: Mapping[str, Player],
    memory: PyTree,
    batch: Batch,
    drawn: Drawn,
    key: jax.Array,
    step: jax.Array,
) -> Moved:
    """The gradients of one phase's loss with respect to its players' parameters."""
    own = {name: players[name].params for name in phase.players}
    generating = [name for name in system.generators if name in phase.players]
    players = {
        name: player.replace(variables=drawn.variables.get(name, player.variables))
        if name in generating
        else player
        for name, player in players.items()
    }

    def loss(own: dict[str, PyTree], fake: PyTree) -> tuple[jax.Array, Outcome]:
        own_key = fold(key, "phase", phase.name)
        networks = playing_networks(system.players, _with_params(players, own), own_key)
        turn = Turn(networks, batch, fake, memory, own_key, step, players)
        outcome = system.losses[phase.loss](turn)
        return phase.gain * outcome.loss, outcome

    if generating:
        (gradients, at_fake), outcome = jax.grad(
            loss, argnums=(0, 1), has_aux=True, allow_int=True
        )(own, drawn.fake)
        if outcome.fake_gain is not None:
            at_fake = jax.tree.map(partial(_by_sample, outcome.fake_gain), at_fake)
        (through_fake,) = drawn.pullback(at_fake)
        for name in generating:
            gradients[name] = jax.tree.map(jnp.add, gradients[name], through_fake[name])
    else:
        gradients, outcome = jax.grad(loss, has_aux=True)(own, drawn.fake)
    variables = {name: players[name].variables for name in phase.players}
    for name, network in outcome.networks.items():
        if name in variables:
            variables[name] = network.variables
    return Moved(
        gradients,
        variables,
        memory if outcome.memory is None else outcome.memory,
        outcome.loss,
        {name: jnp.asarray(value, jnp.float32) for name, value in outcome.metrics.items()},
    )


def move_in_parts(
    system: System,
    phase: Phase,
    players: Mapping[str, Player],
    memory: PyTree,
    batch: Batch,
    key: jax.Array,
    step: jax.Array,
    parts: int,
) -> Moved:
    """As `move`, over `parts` equal parts of the batch one after the other: mean gradients, loss
    and metrics.

    Every device keeps its share of each part: part i is rows i, i + parts, i + 2 parts, ...
    """

    def split(leaf: jax.Array) -> jax.Array:
        return leaf.reshape(-1, parts, *leaf.shape[1:]).swapaxes(0, 1)

    def one_part(carry: tuple, numbered: tuple[jax.Array, Batch]) -> tuple[tuple, None]:
        variables, memory, totals = carry
        number, part = numbered
        current = {
            name: player.replace(variables=variables.get(name, player.variables))
            for name, player in players.items()
        }
        part_key = fold(key, "part", number)
        drawn = draw(system, current, part, fold(part_key, "generate"))
        moved = move(system, phase, current, memory, part, drawn, part_key, step)
        totals = jax.tree.map(
            lambda total, new: total + new,
            totals,
            (moved.gradients, moved.loss, moved.metrics),
        )
        return (moved.variables, moved.memory, totals), None

    part_batches = jax.tree.map(split, batch)
    first = jax.tree.map(lambda leaf: leaf[0], part_batches)
    variables = {name: players[name].variables for name in phase.players}

    def shapes() -> Moved:
        drawn = draw(system, players, first, key)
        return move(system, phase, players, memory, first, drawn, key, step)

    empty = jax.eval_shape(shapes)
    totals = jax.tree.map(
        lambda leaf: jnp.zeros(leaf.shape, leaf.dtype),
        (empty.gradients, empty.loss, empty.metrics),
    )
    (variables, memory, (gradients, loss, metrics)), _ = jax.lax.scan(
        one_part, (variables, memory, totals), (jnp.arange(parts), part_batches)
    )
    # Outside the loop, so that XLA can move the sums over the devices out of it where it knows how.
    gradients, loss, metrics = jax.tree.map(lambda s: s / parts, (gradients, loss, metrics))
    return Moved(gradients, variables, memory, loss, metrics)


def update_player(
    spec: PlayerSpec,
    player: Player,
    gradients: PyTree,
    variables: PyTree,
    finite: jax.Array | None = None,
) -> Player:
    """One optimiser step of one player, and its projection; none unless `finite`, if given."""
    # optax raises a float to the integer count of updates, which strict promotion forbids.
    with jax.numpy_dtype_promotion("standard"):
        if finite is None:
            updates, opt_state = spec.optimiser.update(gradients, player.opt_state, player.params)
        else:
            updates, opt_state = guarded.update(
                spec.optimiser, gradients, player.opt_state, player.params, finite
            )
    params = optax.apply_updates(player.params, updates)
    if spec.project is not None:
        params = spec.project(params)
    if finite is not None:
        keep = partial(jnp.where, finite)
        params = jax.tree.map(keep, params, player.params)
        variables = jax.tree.map(keep, variables, player.variables)
    return player.replace(params=params, variables=variables, opt_state=opt_state)


def average_player(
    spec: PlayerSpec, player: Player, step: jax.Array, batch_size: int, finite: jax.Array
) -> Player:
    """Moves a player's average towards its parameters, by one step's worth of images."""
    if spec.ema_halflife is None:
        return player
    seen = (step + 1).astype(jnp.float32) * batch_size
    halflife = jnp.minimum(spec.ema_halflife, EMA_RAMPUP * seen)
    rate = 1 - 0.5 ** (batch_size / halflife)
    average = optax.incremental_update(player.params, player.ema, rate)
    return player.replace(ema=jax.tree.map(partial(jnp.where, finite), average, player.ema))


def _by_sample(gain: jax.Array, leaf: jax.Array) -> jax.Array:
    """`leaf` [batch, ...], each sample multiplied by its `gain` [batch]; integers have none."""
    if not jnp.issubdtype(leaf.dtype, jnp.floating):
        return leaf
    return leaf * gain.astype(leaf.dtype).reshape(-1, *[1] * (leaf.ndim - 1))


def _with_params(players: Mapping[str, Player], params: Mapping[str, PyTree]) -> dict[str, Player]:
    return {
        name: player.replace(params=params[name]) if name in params else player
        for name, player in players.items()
    }
