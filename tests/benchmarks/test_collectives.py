"""Counting the collectives of a compiled program."""

import jax
import jax.numpy as jnp

from benchmarks.collectives import count_collectives
from jaxgan import parallel


def test_kinds_are_told_apart_and_pairs_count_once():
    text = """
  %all-reduce.1 = f32[8]{0} all-reduce(%p.1), channel_id=1, to_apply=%add
  %ar = (f32[8]{0}, f32[2]{0}) all-reduce(%a, %b), to_apply=%add
  %start = f32[8]{0} all-reduce-start(%p.2), to_apply=%add
  %done = f32[8]{0} all-reduce-done(%start)
  ROOT %g = f32[16]{0} all-gather(%all-reduce.1), dimensions={0}
  %fusion = f32[16]{0} fusion(%g), calls=%all-reduce-like
"""
    assert count_collectives(text) == {"all-gather": 1, "all-reduce": 3}


def test_a_mean_over_two_devices_is_one_all_reduce():
    mesh = parallel.make_mesh(jax.devices()[:2])
    rows = jax.ShapeDtypeStruct((8, 3), jnp.float32, sharding=parallel.batch_sharding(mesh))
    compiled = jax.jit(lambda x: jnp.mean(x)).lower(rows).compile()
    assert count_collectives(compiled.as_text()) == {"all-reduce": 1}
    assert count_collectives(jax.jit(jnp.mean).lower(jnp.ones(3)).compile().as_text()) == {}
