"""Counting the collectives of a compiled program."""

import jax
import jax.numpy as jnp

from benchmarks.collectives import count_collectives
from jaxgan import parallel


def test_a_mean_over_two_devices_is_one_all_reduce():
    mesh = parallel.make_mesh(jax.devices()[:2])
    rows = jax.ShapeDtypeStruct((8, 3), jnp.float32, sharding=parallel.batch_sharding(mesh))
    compiled = jax.jit(lambda x: jnp.mean(x)).lower(rows).compile()
    assert count_collectives(compiled.as_text()) == {"all-reduce": 1}
    assert count_collectives(jax.jit(jnp.mean).lower(jnp.ones(3)).compile().as_text()) == {}
