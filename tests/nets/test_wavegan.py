"""WaveGAN against its paper's tables, and phase shuffle against NumPy."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.errors import UserError
from jaxgan.nets.wavegan import (
    DenseCritic,
    DenseGenerator,
    WaveCritic,
    WaveGenerator,
    phase_shuffle,
    plan,
)
from jaxgan.state import Network, count_parameters


def parameters(network, *shape):
    init = jax.eval_shape(
        lambda: network.init(jax.random.key(0), jnp.zeros((1, *shape)), train=True)
    )
    return count_parameters(init["params"])


def test_parameter_counts_are_those_of_the_papers_tables():
    def layers(*sizes):
        return sum(25 * a * b + b for a, b in itertools.pairwise(sizes))

    made = 100 * 16384 + 16384 + layers(1024, 512, 256, 128, 64, 1)
    judged = layers(1, 64, 128, 256, 512, 1024) + 16 * 1024 + 1
    assert (made, judged) == (19_065_345, 17_427_969)
    assert parameters(WaveGenerator(), 100) == made
    assert parameters(WaveCritic(), 16384, 1) == judged
    # Four times as long: a layer more, and 2048 channels inside.
    longer = layers(1, 64, 128, 256, 512, 1024, 2048) + 16 * 2048 + 1
    assert parameters(WaveCritic(), 65536, 1) == longer


def test_the_dense_reference_is_the_tutorials():
    sizes = (100, 256, 512, 1024, 2048, 44100)
    count = sum(a * b + b for a, b in itertools.pairwise(sizes))
    assert parameters(DenseGenerator(), 100) == count
    sizes = (*reversed(sizes[1:]), 1)
    count = sum(a * b + b for a, b in itertools.pairwise(sizes))
    assert parameters(DenseCritic(), 44100, 1) == count


@pytest.mark.parametrize(
    ("length", "first", "stages"), [(16384, 16, 5), (65536, 16, 6), (44100, 44, 5), (8192, 32, 4)]
)
def test_any_length_has_a_plan(length, first, stages):
    found = plan(length)
    assert found == (first, stages) and found.whole >= length > found.whole - 4**stages


def test_lengths_that_are_no_power_are_cut_and_filled_up():
    made = WaveGenerator(250, width=2)
    sound, _ = jax.jit(functools.partial(made.init_with_output, train=False))(
        jax.random.key(0), jnp.ones((2, 3))
    )
    assert sound.shape == (2, 250, 1) and np.abs(sound).max() <= 1
    critic = WaveCritic(2)
    logits, params = jax.jit(functools.partial(critic.init_with_output, train=False))(
        jax.random.key(0), sound
    )
    assert logits.shape == (2,)
    filled = jnp.pad(sound, ((0, 0), (0, plan(250).whole - 250), (0, 0)))
    np.testing.assert_allclose(critic.apply(params, filled, train=False), logits, atol=1e-6)
    with pytest.raises(UserError, match="a sound of 60 samples is too short for WaveGAN"):
        plan(60)


def test_phase_shuffle_moves_rows_and_mirrors_their_ends():
    x = np.random.default_rng(0).standard_normal((64, 9, 3)).astype(np.float32)
    moved = np.asarray(phase_shuffle(jnp.asarray(x), jax.random.key(3), 2))
    wide = np.pad(x, ((0, 0), (2, 2), (0, 0)), mode="reflect")
    shifts = []
    for row in range(64):
        fits = [o for o in range(5) if np.array_equal(moved[row], wide[row, o : o + 9])]
        assert len(fits) == 1
        shifts += fits
    assert set(shifts) == {0, 1, 2, 3, 4}


def test_a_critic_shuffles_only_while_it_learns_and_alike_within_a_turn():
    critic = WaveCritic(2)
    samples = jax.random.normal(jax.random.key(1), (4, 300, 1))
    params = critic.init(jax.random.key(0), samples, train=True)["params"]
    one = Network(critic, params, {}, noise=jax.random.key(2))
    other = one.replace(noise=jax.random.key(3))
    np.testing.assert_array_equal(one(samples), one(samples))
    assert np.abs(one(samples) - other(samples)).max() > 0
    still = one.replace(train=False), other.replace(train=False)
    np.testing.assert_array_equal(still[0](samples), still[1](samples))
