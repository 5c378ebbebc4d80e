"""What a run is made of: players, and the state that one compiled step maps to the next.

Everything here is a pytree of arrays or a frozen description; nothing computes a loss.
"""

import dataclasses
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from flax import struct

PyTree = Any


class Network(struct.PyTreeNode):
    """A linen module bound to one player's parameters and variables: what a loss calls.

    Attributes:
      module: the linen module; its `__call__` takes the inputs and `train: bool`.
      params: the parameters, float32.
      variables: the other collections by name (batch statistics, spectral vectors), possibly empty.
      train: whether calls run in training mode.
      noise: the random key of modules that draw some while training (`make_rng("noise")`), or None.
        All calls of one turn draw the same, so that real and fake samples meet the same noise
        unless one call takes both.
    """

    module: nn.Module = struct.field(pytree_node=False)
    params: PyTree
    variables: PyTree
    train: bool = struct.field(pytree_node=False, default=True)
    noise: jax.Array | None = None

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """The network's outputs, floating ones in float32; variables that it changed are dropped.

        A penalty must call the network this way: variables updated inside a nested gradient could
        not leave it.
        """
        return self.update(*inputs, **options)[0]

    def update(self, *inputs: Any, **options: Any) -> tuple[Any, "Network"]:
        """The outputs, and the network with the variables that the call left behind."""
        if self.noise is not None and self.train:
            options["rngs"] = {"noise": self.noise, **options.get("rngs", {})}
        outputs, variables = self.module.apply(
            {"params": self.params, **self.variables},
            *inputs,
            train=self.train,
            mutable=list(self.variables) if self.train else [],
            **options,
        )
        return as_float32(outputs), self.replace(variables={**self.variables, **variables})


class Player(struct.PyTreeNode):
    """One network's parameters and all that training it needs.

    Attributes:
      params: the parameters, float32.
      variables: the network's other collections, updated by forward passes.
      opt_state: the optimiser's state.
      ema: a moving average of `params`, or None where none is kept.
    """

    params: PyTree
    variables: PyTree
    opt_state: PyTree
    ema: PyTree


class TrainState(struct.PyTreeNode):
    """All that a run needs to go on, bit for bit, beside the position of its data.

    Attributes:
      step: how many steps have been taken, int32.
      key: the run's random key. It never changes: a step folds its number in, and every use its
        name.
      players: the players by name.
      memory: what a system keeps between steps beside its players (image pools, augmentation
        strength).
      skipped: how many steps the guard against non-finite values has skipped, int32.
    """

    step: jax.Array
    key: jax.Array
    players: dict[str, Player]
    memory: PyTree
    skipped: jax.Array


@dataclasses.dataclass(frozen=True)
class PlayerSpec:
    """How a player is made and trained.

    Attributes:
      network: the linen module.
      inputs: shapes and dtypes of the module's inputs, for initialisation (a batch of one will do).
      optimiser: an optax transformation.
      ema_halflife: half-life, in images, of the moving average of the parameters; None keeps none.
      project: applied to the parameters after every update, for example `penalties.clip_weights`.
    """

    network: nn.Module
    inputs: tuple[jax.ShapeDtypeStruct, ...]
    optimiser: optax.GradientTransformation
    ema_halflife: float | None = None
    project: Callable[[PyTree], PyTree] | None = None


def fold(key: jax.Array, *names: str | int | jax.Array) -> jax.Array:
    """The random key of one use: `key` with each name (or number) folded in, in order."""
    for name in names:
        if isinstance(name, str):
            name = zlib.crc32(name.encode())
        key = jax.random.fold_in(key, name)
    return key


def as_float32(tree: PyTree) -> PyTree:
    """Casts the floating leaves of a tree to float32 and leaves the others alone."""

    def cast(leaf: jax.Array) -> jax.Array:
        return leaf.astype(jnp.float32) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    return jax.tree.map(cast, tree)


def create_player(spec: PlayerSpec, key: jax.Array) -> Player:
    """Initialises a player; meant to run inside a jit, so that no copy of it exists on the host."""
    inputs = [jnp.zeros(i.shape, i.dtype) for i in spec.inputs]
    keys = {name: fold(key, name) for name in ("params", "dropout", "noise")}
    variables = dict(spec.network.init(keys, *inputs, train=True))
    params = variables.pop("params")
    return Player(
        params=params,
        variables=variables,
        opt_state=spec.optimiser.init(params),
        # A copy: two leaves that share a buffer could not both be donated.
        ema=None if spec.ema_halflife is None else jax.tree.map(jnp.copy, params),
    )


def create_state(
    specs: Mapping[str, PlayerSpec], memory: Callable[[], PyTree], key: jax.Array
) -> TrainState:
    """The state before step 1. Run it inside one jit with `out_shardings`."""
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        key=key,
        players={
            name: create_player(spec, fold(key, "initialise", name)) for name, spec in specs.items()
        },
        memory=memory(),
        skipped=jnp.zeros((), jnp.int32),
    )


def playing_networks(
    specs: Mapping[str, PlayerSpec], players: Mapping[str, Player], key: jax.Array | None = None
) -> dict[str, Network]:
    """The players' networks, in training mode; `key` is the turn's, for what they draw in it."""
    return {
        name: Network(
            specs[name].network,
            player.params,
            player.variables,
            noise=None if key is None else fold(key, "noise", name),
        )
        for name, player in players.items()
    }


def trained_networks(
    specs: Mapping[str, PlayerSpec], players: Mapping[str, Player]
) -> dict[str, Network]:
    """The players' networks for sampling: the moving average where one is kept."""
    return {
        name: Network(
            specs[name].network,
            player.params if player.ema is None else player.ema,
            player.variables,
            train=False,
        )
        for name, player in players.items()
    }


def count_parameters(params: PyTree) -> int:
    """How many numbers a tree of arrays (or of their shapes) holds."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))
