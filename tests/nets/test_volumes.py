"""Networks of films and volumes: shapes, parameter counts by the papers' layers, the mask."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.nets.mocogan import MotionContentGenerator, SequenceCritic
from jaxgan.nets.vgan import FilmGenerator
from jaxgan.nets.volumes import VolumeCritic, VoxelGenerator
from jaxgan.ops.activity import with_l1_cost
from jaxgan.state import count_parameters


def described(network, *shape):
    """The output's shape, and how many parameters there are."""
    given = jax.ShapeDtypeStruct(shape, jnp.float32)
    out, variables = jax.eval_shape(
        lambda key, x: network.init_with_output(key, x, train=True), jax.random.key(0), given
    )
    return out.shape, count_parameters(variables["params"])


@functools.partial(jax.jit, static_argnums=0)
def drawn(network, x):
    return network.init(jax.random.key(1), x, train=True)


@functools.partial(jax.jit, static_argnums=0)
def made(network, variables, x):
    return network.apply(variables, x, train=True, mutable=["batch_stats"])[0]


def norms(*channels):
    return sum(2 * c for c in channels)


def chain(taps, *channels):
    """The kernels of a chain of convolutions."""
    return sum(taps * a * b for a, b in itertools.pairwise(channels))


@pytest.mark.parametrize(("side", "stages"), [(32, 3), (64, 4)])
def test_voxel_networks_are_those_of_3d_gan(side, stages):
    widths = [64 * 2**stage for stage in range(stages)]
    shape, count = described(VoxelGenerator(stages=stages), 2, 200)
    kernels = 200 * 64 * widths[-1] + chain(64, *widths[::-1], 1)
    assert shape == (2, side, side, side, 1)
    assert count == kernels + norms(*widths) + 1
    shape, count = described(VolumeCritic(stages=stages), 2, side, side, side, 1)
    assert shape == (2,)
    assert count == chain(64, 1, *widths) + 64 + norms(*widths[1:]) + 64 * widths[-1] + 1


@pytest.mark.parametrize("frames", [16, 32])
def test_the_film_generator_is_vgans(frames):
    widths = (512, 256, 128, 64)
    shape, count = described(FilmGenerator(first=(frames // 16, 4, 4)), 2, 100)
    moving = 100 * frames // 16 * 16 * 512 + chain(64, *widths, 4) + norms(*widths) + 4
    still = 100 * 16 * 512 + chain(16, *widths, 3) + norms(*widths) + 3
    assert shape == (2, frames, 64, 64, 3)
    assert count == moving + still


def test_the_background_stands_still_where_the_mask_is_empty():
    network = FilmGenerator(first=(1, 1, 1), width=2, stages=2)
    latent = jax.random.normal(jax.random.key(0), (3, 5))
    variables = drawn(network, latent)
    params = dict(variables["params"])
    name = max(n for n in params if n.startswith("ConvTranspose"))
    bias = jnp.asarray([0.0, 0.0, 0.0, -100.0])
    params[name] = {**params[name], "bias": bias}
    film = made(network, {**variables, "params": params}, latent)
    np.testing.assert_array_equal(film, jnp.broadcast_to(film[:, :1], film.shape))
    assert film.std() > 0


def test_the_cost_of_a_mask_is_that_of_its_mean():
    x = jnp.asarray([[0.2, 0.9], [0.4, -0.5]])

    def stated(x):
        return jnp.square(x).sum() + 0.1 * jnp.abs(x).mean()

    charged = jax.grad(lambda x: jnp.square(with_l1_cost(x, 0.1)).sum())(x)
    np.testing.assert_allclose(charged, jax.grad(stated)(x), rtol=1e-6)


def test_mocogan_is_as_large_as_its_layers():
    network = MotionContentGenerator()
    assert network.latent_size == 50 + 10 + 16 * 10
    shape, count = described(network, 2, network.latent_size)
    widths = (512, 256, 128, 64)
    unit = 3 * (10 * 10 + 10) + 3 * 10 * 10 + 10
    frames = 60 * 16 * 512 + chain(16, *widths, 3) + norms(*widths) + 3
    assert shape == (2, 16, 64, 64, 3)
    assert count == unit + frames
    critic = SequenceCritic()
    shape, count = described(critic, 2, 64, 64, 3)
    assert (shape, count) == ((2, 4, 4), chain(16, 3, 64, 128, 256, 1) + norms(128, 256))
    shape, count = described(critic, 2, 16, 64, 64, 3)
    assert (shape, count) == ((2, 4, 4, 4), chain(64, 3, 64, 128, 256, 1) + norms(128, 256))
    assert described(critic, 2, critic.least_frames, 64, 64, 3)[0] == (2, 1, 4, 4)


def test_motion_changes_the_frames_of_one_content():
    network = MotionContentGenerator(frames=3, side=8, width=2, stages=2, content=4, motion=2)
    latent = jax.random.normal(jax.random.key(0), (2, network.latent_size))
    variables = drawn(network, latent)
    film = made(network, variables, latent)
    changed = made(network, variables, latent.at[:, -2:].set(0.0))
    assert film.shape == (2, 3, 8, 8, 3)
    # The noise of the last frame moves the last frame alone, but for the batch's statistics.
    apart = np.abs(np.asarray(film - changed)).mean((0, 2, 3, 4))
    assert apart[2] > 3 * max(apart[0], apart[1])
