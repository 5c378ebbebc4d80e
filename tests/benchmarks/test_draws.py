"""The random numbers that peers are given are those that the engine draws."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.peers.draws import draws, dropout_factors, shown
from jaxgan import losses
from jaxgan.nets.patch import PatchCritic
from jaxgan.nets.text2image import WordCritic, WordGenerator
from jaxgan.nets.unet import UNet
from jaxgan.ops.pool import Pool, exchange
from jaxgan.state import PlayerSpec, create_state, fold, playing_networks
from jaxgan.systems.paired import paired
from jaxgan.systems.text2image import text2image


def pix2pix():
    """A small system of pix2pix, its state and a batch of two."""

    def player(network, *channels):
        inputs = tuple(jax.ShapeDtypeStruct((1, 32, 32, c), jnp.float32) for c in channels)
        return PlayerSpec(network, inputs, optax.adam(2e-4))

    system = paired(
        player(UNet(depth=5, channels=2), 3),
        player(PatchCritic(layers=1, channels=2), 3, 3),
        losses.bce(),
    )
    state = jax.jit(lambda key: create_state(system.players, system.memory, key))(jax.random.key(0))
    given = jax.random.uniform(jax.random.key(1), (2, 32, 32, 3), minval=-1.0)
    return system, state, {"input": given, "target": given}


def test_dropout_by_the_factors_is_the_dropout_of_the_engine():
    system, state, batch = pix2pix()
    key = jax.random.key(7)
    networks = playing_networks(system.players, state.players)
    wanted, _ = jax.jit(system.generate)(networks, batch, key)
    factors = dropout_factors(system, state, batch, key)
    assert [factor.shape for factor in factors] == [(2, 2, 2, 16), (2, 4, 4, 8), (2, 8, 8, 4)]
    assert {0.0, 2.0} == {*np.unique(np.concatenate([np.ravel(factor) for factor in factors]))}
    left = [*factors]

    def multiply(call, inputs, options, context):
        if isinstance(context.module, nn.Dropout):
            return inputs[0] * left.pop(0)
        return call(*inputs, **options)

    @jax.jit
    def generate(networks, batch, key):
        with nn.intercept_methods(multiply):
            return system.generate(networks, batch, key)[0]

    found = generate(networks, batch, jax.random.key(8))
    assert not left
    np.testing.assert_array_equal(found, wanted)
    other, _ = jax.jit(system.generate)(networks, batch, jax.random.key(8))
    assert not np.array_equal(other, wanted)


def test_a_round_is_given_the_numbers_of_its_key():
    system, state, batch = pix2pix()
    about = {
        "game": "paired",
        "batch_size": 2,
        "weights": {"l1": 100.0},
        "networks": {"generator": {"dropout": 0.5}, "critic": {}},
        "pools": {},
    }
    key = jax.random.key(3)
    found = draws(about, system, state, batch, key)
    wanted = dropout_factors(system, state, batch, fold(key, "generate"))
    assert [*found] == ["dropout0", "dropout1", "dropout2"]
    for one, other in zip(found.values(), wanted, strict=True):
        np.testing.assert_array_equal(one, other)


def words():
    """A small game of texts, its state and a batch, a row of which has the only other meaning."""

    def player(network, *inputs):
        return PlayerSpec(network, inputs, optax.adam(2e-4))

    text = jax.ShapeDtypeStruct((1, 2), jnp.int32)
    latent, picture = (
        jax.ShapeDtypeStruct((1, *shape), jnp.float32) for shape in ((3,), (28, 28, 1))
    )
    small = {"size": 8, "embedding": 4, "features": 4}
    system = text2image(
        player(WordGenerator(**small, start=2, channels=(2, 2)), latent, text),
        player(WordCritic(**small, width=1), picture, text),
        losses.bce(),
        latent_size=3,
    )
    state = jax.jit(lambda key: create_state(system.players, system.memory, key))(jax.random.key(0))
    batch = {
        "real": jnp.zeros((3, 28, 28, 1)),
        "text": jnp.array([[2, 0], [3, 4], [2, 0]], jnp.int32),
        "meaning": jnp.array([0, 1, 0], jnp.int32),
    }
    return system, state, batch


def test_a_round_of_texts_is_given_its_latent_its_dropout_and_its_wrong_texts():
    system, state, batch = words()
    about = {
        "game": "text",
        "batch_size": 3,
        "weights": {"l1": 100.0, "wrong_share": 0.5},
        "networks": {"generator": {"inputs": 3, "dropout": 0.5}, "critic": {}},
        "pools": {},
    }
    key = jax.random.key(5)
    found = draws(about, system, state, batch, key)
    assert {*found} == {"latent", "wrong", "wrong_found", "dropout0"}
    assert found["wrong_found"].all()
    np.testing.assert_array_equal(found["wrong"][::2], [[3, 4], [3, 4]])
    np.testing.assert_array_equal(found["wrong"][1], [2, 0])
    networks = playing_networks(system.players, state.players)
    wanted, _ = jax.jit(system.generate)(networks, batch, fold(key, "generate"))

    def multiply(call, inputs, options, context):
        if isinstance(context.module, nn.Dropout):
            return inputs[0] * found["dropout0"]
        return call(*inputs, **options)

    @jax.jit
    def generate(network, latent, text):
        with nn.intercept_methods(multiply):
            return network.update(latent, text)[0]

    made = generate(networks["generator"], found["latent"], batch["text"])
    np.testing.assert_allclose(made, wanted, rtol=1e-5, atol=1e-6)


def test_what_a_full_pool_shows():
    random = np.random.default_rng(0)
    pictures = jnp.asarray(random.normal(size=(6, 2, 2, 1)), jnp.float32)
    seen = set()
    for key in jax.random.split(jax.random.key(0), 8):
        fakes = jnp.asarray(random.normal(size=(3, 2, 2, 1)), jnp.float32)
        wanted, after = exchange(Pool(pictures, jnp.int32(6)), fakes, key)
        kept = np.array(pictures)
        for row, place in enumerate(shown(6, 3, key).tolist()):
            seen.add(place)
            picture = fakes[row] if place < 0 else pictures[place]
            np.testing.assert_array_equal(wanted[row], picture)
            if place >= 0:
                kept[place] = fakes[row]
        np.testing.assert_array_equal(after.pictures, kept)
    assert -1 in seen and len(seen) > 3
