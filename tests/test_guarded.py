"""Guarded optimiser steps against optax's own, chosen afterwards."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgan import guarded, penalties
from jaxgan.moves import update_player
from jaxgan.state import Player, PlayerSpec

PARAMS = {"kernel": np.float32([[0.5, -2.0], [1.0, 0.25]]), "bias": np.float32([0.0, 3.0])}


def remembering():
    """Its state is a constant, the gradients themselves, and twice one and the same sum."""

    def update(updates, state, params):
        del params
        total = jax.tree.map(jnp.add, state["total"], updates)
        return updates, {"told": jnp.int32(7), "last": updates, "total": total, "again": total}

    def init(params):
        empty = jax.tree.map(jnp.zeros_like, params)
        return {"told": jnp.int32(0), "last": empty, "total": empty, "again": params}

    return optax.GradientTransformation(init, update)


OPTIMISERS = {
    "adam": optax.adam(0.1, b1=0.5),
    "decaying": optax.adam(optax.linear_schedule(0.1, 0.0, 4)),
    "lazy": penalties.lazy_adam(optax.linear_schedule(0.1, 0.0, 4), every=2),
    "rmsprop": optax.rmsprop(0.1, momentum=0.9),
    "clipped": optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(0.1)),
    "several": optax.MultiSteps(optax.adam(0.1), 2),
    "sgd": optax.sgd(0.1),
    "remembering": remembering(),
}


@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_step_is_the_optimisers_own_or_none(name):
    optimiser = OPTIMISERS[name]

    @jax.jit
    def own(gradients, state, params):
        with jax.numpy_dtype_promotion("standard"):
            return optimiser.update(gradients, state, params)

    @jax.jit
    def ours(gradients, state, params, finite):
        with jax.numpy_dtype_promotion("standard"):
            return guarded.update(optimiser, gradients, state, params, finite)

    params, state = PARAMS, optimiser.init(jax.tree.map(jnp.asarray, PARAMS))
    for step in range(5):
        gradients = jax.tree.map(lambda leaf, step=step: np.cos(leaf + step), params)
        broken = jax.tree.map(lambda leaf: leaf * np.float32(np.nan), gradients)
        _, after = ours(broken, state, params, np.False_)
        jax.tree.map(np.testing.assert_array_equal, after, state)
        expected = own(gradients, state, params)
        got = ours(gradients, state, params, np.True_)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, 1e-6, 1e-7), got, expected)
        assert jax.tree.structure(got) == jax.tree.structure(expected)
        state = got[1]


def test_adams_step_takes_no_memory_of_its_own():
    """Neither a copy of a mean, nor a mean that is made a second time."""
    params = {"kernel": jax.ShapeDtypeStruct((512, 512), np.float32)}
    spec = PlayerSpec(nn.Module(), (), optax.adam(0.1))
    player = Player(params, {}, jax.eval_shape(spec.optimiser.init, params), None)

    def step(player, gradients, finite):
        return update_player(spec, player, gradients, {}, finite)

    compiled = jax.jit(step, donate_argnums=0).lower(player, params, np.True_).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < 512 * 512 * 4
