"""The random numbers that the engine draws in a round, to be drawn by a peer as well.

See `jaxgan.moves` and `jaxgan.step` for the names that are folded into the keys. What a layer or a
pool does with its key is asked of the layer or the pool itself.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from jaxgan.game import Batch, System
from jaxgan.ops.pool import Pool, exchange
from jaxgan.state import TrainState, fold, playing_networks
from jaxgan.systems.text2image import wrong_text


def draws(
    about: Mapping[str, Any], system: System, state: TrainState, batch: Batch, key: Array
) -> dict[str, Array]:
    """What a round with this key draws, by the names that `exchange` gives it.

    Args:
      about: what `describe` has found.
      system: the players.
      state: as it is before the step, or of the same shapes.
      batch: prepared.
      key: the round's.
    """
    rows, networks = about["batch_size"], about["networks"]
    found = {}
    if about["game"] in ("noise", "films"):
        shape = (rows, networks["generator"]["inputs"])
        found["latent"] = jax.random.normal(fold(key, "generate"), shape)
    if about["game"] == "text":
        shape = (rows, networks["generator"]["inputs"])
        found["latent"] = jax.random.normal(fold(key, "generate", "latent"), shape)
        chosen = fold(key, "phase", "critic", "wrong")
        wrong = wrong_text(batch["text"], batch["meaning"], chosen)
        found["wrong"], found["wrong_found"] = wrong
    if "gradient_penalty" in about["weights"]:
        found["mix"] = jax.random.uniform(fold(key, "phase", "critic"), (rows, 1, 1, 1))
    if any(network.get("dropout") for network in networks.values()):
        factors = dropout_factors(system, state, batch, fold(key, "generate"))
        found |= {f"dropout{number}": factor for number, factor in enumerate(factors)}
    for kind, size in about["pools"].items():
        if size:
            found[f"shown_{kind}"] = shown(size, rows, fold(key, "phase", "critics", "pool", kind))
    return found


def dropout_factors(system: System, state: TrainState, batch: Batch, key: Array) -> Sequence[Array]:
    """What every dropout layer of a forward pass of the generators multiplies its input by.

    Returns:
      By the order in which the layers are called, the input's shape: 0, or 1 / (1 - rate).
    """

    @jax.jit
    def pass_through(state: TrainState, batch: Batch, key: Array) -> list[Array]:
        factors: list[Array] = []

        def keep(call: Callable, inputs: tuple, options: dict, context: Any) -> Any:
            if not isinstance(context.module, nn.Dropout) or context.method_name != "__call__":
                return call(*inputs, **options)
            factors.append(call(jnp.ones_like(inputs[0]), **options))
            return inputs[0] * factors[-1]

        with nn.intercept_methods(keep):
            system.generate(playing_networks(system.players, state.players), batch, key)
        # XLA leaves out all else that was traced.
        return factors

    return pass_through(state, batch, key)


def shown(size: int, rows: int, key: Array) -> Array:
    """What a full pool of `size` shows in the place of `rows` new fakes.

    Returns:
      int32 [rows]: the place of the older fake that is shown and replaced, or -1 where the new one
      is shown and not kept.
    """
    places = jnp.arange(size, dtype=jnp.float32)
    news, _ = exchange(Pool(places, jnp.int32(size)), jnp.full((rows,), -1.0), key)
    return news.astype(jnp.int32)
