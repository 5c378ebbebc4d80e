"""What the players of text to speech lose, written out; padding weighs nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgan import losses
from jaxgan.game import Turn
from jaxgan.nets.speech import SpeechCritic, SpeechGenerator
from jaxgan.state import PlayerSpec, create_state, playing_networks
from jaxgan.systems.speech import speech

FRAMES, MELS, SYMBOLS = np.array([9, 5]), 3, np.array([4, 2])


def game(loss, **weights):
    generator = SpeechGenerator(6, 2, MELS, 4, encoder_blocks=1, decoder_blocks=1)
    critic = SpeechCritic(6, 2, 2, layers=2)
    row = jax.ShapeDtypeStruct
    text, who = row((1, 4), jnp.int32), row((1,), jnp.int32)
    spoken, mel = row((1, 9), jnp.bool_), row((1, 9, MELS), jnp.float32)
    inputs = (mel, text, row((1, 9, 4), jnp.float32), who, spoken)
    return speech(
        PlayerSpec(generator, (text, who, row((1, 2), jnp.float32), spoken), optax.sgd(1.0)),
        PlayerSpec(critic, inputs, optax.sgd(1.0)),
        loss,
        latent_size=2,
        **weights,
    )


def batch(wider=0):
    random = np.random.default_rng(0)
    mel = random.integers(0, 256, (2, 9, MELS), np.uint8)
    phonemes = random.integers(1, 6, (2, 4)).astype(np.int32)
    phonemes[1, 2:] = 0
    # What stands behind the end must not matter.
    mel = np.pad(mel, ((0, 0), (0, wider), (0, 0)), constant_values=99)
    return {
        "mel": jnp.asarray(mel),
        "frames": jnp.asarray(FRAMES, jnp.int32),
        "phonemes": jnp.asarray(np.pad(phonemes, ((0, 0), (0, wider)))),
        "speaker": jnp.asarray([0, 1], jnp.int32),
    }


def turn_of(system, given):
    @jax.jit
    def make(given):
        state = create_state(system.players, system.memory, jax.random.key(0))
        networks = playing_networks(system.players, state.players)
        prepared = system.prepare(given, jax.random.key(1))
        fake, _ = system.generate(networks, prepared, jax.random.key(2))
        return Turn(networks, prepared, fake, {}, jax.random.key(3), state.step)

    return make(given)


def lost(system, name, turn):
    return float(jax.jit(system.losses[name])(turn).loss)


def test_losses_are_as_described():
    system = game(
        losses.lsgan(), l1_weight=3.0, adversarial_weight=0.5, feature_matching=2.0,
        length_weight=4.0,
    )  # fmt: skip
    turn = turn_of(system, batch())
    real, fake = np.asarray(turn.batch["mel"], np.float64), np.asarray(turn.fake.mel, np.float64)
    spoken = np.arange(9)[None] < FRAMES[:, None]
    distance = np.abs(real - fake)[spoken].mean()
    total = np.asarray(turn.fake.lengths).sum(1)
    length = 0.5 * np.mean((total / FRAMES - 1) ** 2)
    content = lost(system, "content", turn)
    assert content == pytest.approx(3 * distance + 4 * length, rel=1e-5)

    critic = turn.networks["critic"]
    words = (turn.batch["phonemes"], turn.fake.weights, turn.batch["speaker"], jnp.asarray(spoken))
    judge = jax.jit(lambda mel: critic(mel, *words))
    known, heard = judge(turn.batch["mel"]), judge(turn.fake.mel)
    patches = np.arange(5)[None] < np.array([[5], [3]])
    np.testing.assert_array_equal(known.shown, patches)
    r, f = (np.asarray(one.logits, np.float64)[patches] for one in (known, heard))
    wanted = (0.5 * (r - 1) ** 2 + 0.5 * f**2).mean()
    assert lost(system, "critic", turn) == pytest.approx(wanted, rel=1e-5)
    apart = []
    for a, b, mask in zip(known.features, heard.features, (spoken, patches), strict=True):
        apart.append(np.abs(np.asarray(a, np.float64) - np.asarray(b))[mask].mean())
    wanted = content + 0.5 * (0.5 * (f - 1) ** 2).mean() + 2 * np.mean(apart)
    assert lost(system, "generator", turn) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("loss", ["bce", "relativistic"])
def test_padding_weighs_nothing_in_any_loss(loss):
    system = game(losses.by_name(loss))
    tight, wide = (turn_of(system, batch(wider)) for wider in (0, 5))
    for name in system.losses:
        wanted = pytest.approx(lost(system, name, tight), rel=1e-5)
        assert lost(system, name, wide) == wanted, name


def test_the_critic_does_not_move_the_text_about():
    system = game(losses.lsgan(), l1_weight=0.0, length_weight=0.0, feature_matching=0.0)
    turn = turn_of(system, batch())

    def opinion(weights):
        fake = turn.fake._replace(weights=weights)
        return system.losses["generator"](turn.replace(fake=fake)).loss

    assert not np.asarray(jax.jit(jax.grad(opinion))(turn.fake.weights)).any()
