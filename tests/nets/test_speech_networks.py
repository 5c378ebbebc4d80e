"""Speech networks: padding changes nothing, sizes, and texts of any length."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.data.phonemes import PAD
from jaxgan.nets.speech import SpeechCritic, SpeechGenerator
from jaxgan.state import count_parameters

SYMBOLS, SPEAKERS, MELS, LATENT = 9, 3, 6, 4
GENERATOR = SpeechGenerator(SYMBOLS, SPEAKERS, MELS, 8, encoder_blocks=1, decoder_blocks=2)
CRITIC = SpeechCritic(SYMBOLS, SPEAKERS, 8, layers=3)


def text(batch, symbols, padded_to, random):
    out = np.full((batch, padded_to), PAD, np.int32)
    out[:, :symbols] = random.integers(1, SYMBOLS, (batch, symbols))
    return jnp.asarray(out)


def spoken(frames, padded_to, batch=2):
    return jnp.asarray(np.tile(np.arange(padded_to) < frames, (batch, 1)))


@pytest.fixture(scope="module")
def inputs():
    random = np.random.default_rng(0)
    speaker = jnp.asarray([0, 2], jnp.int32)
    latent = jnp.asarray(random.standard_normal((2, LATENT)), jnp.float32)
    return text(2, 5, 5, random), speaker, latent, spoken(11, 11)


@pytest.fixture(scope="module")
def generator(inputs):
    return jax.jit(GENERATOR.init)(jax.random.key(0), *inputs)


def test_padding_changes_nothing_in_speech(generator, inputs):
    phonemes, speaker, latent, room = inputs
    speak = jax.jit(GENERATOR.apply)
    short = speak(generator, phonemes, speaker, latent, room)
    wide = jnp.pad(phonemes, ((0, 0), (0, 3)), constant_values=PAD)
    long = speak(generator, wide, speaker, latent, spoken(11, 16))
    np.testing.assert_allclose(long.mel[:, :11], short.mel, atol=2e-6)
    np.testing.assert_allclose(long.lengths[:, :5], short.lengths, atol=2e-6)
    np.testing.assert_allclose(long.weights[:, :11, :5], short.weights, atol=2e-6)
    assert np.all(np.asarray(long.mel[:, 11:]) == -1)
    assert np.all(np.asarray(long.lengths[:, 5:]) == 0)


def test_padding_changes_nothing_in_an_opinion(generator, inputs):
    phonemes, speaker, latent, room = inputs
    made = jax.jit(GENERATOR.apply)(generator, phonemes, speaker, latent, room)
    critic = jax.jit(CRITIC.init)(
        jax.random.key(1), made.mel, phonemes, made.weights, speaker, room
    )
    judge = jax.jit(CRITIC.apply)
    short = judge(critic, made.mel, phonemes, made.weights, speaker, room)

    def wider(values, *axes, fill=0.0):
        beyond = [(0, 0)] * values.ndim
        for axis, more in axes:
            beyond[axis] = (0, more)
        return jnp.pad(values, beyond, constant_values=fill)

    long = judge(
        critic,
        wider(made.mel, (1, 5), fill=0.7),
        wider(phonemes, (1, 2), fill=PAD),
        wider(made.weights, (1, 5), (2, 2), fill=0.3),
        speaker,
        spoken(11, 16),
    )
    count = short.logits.shape[1]
    assert np.all(np.asarray(short.shown))
    np.testing.assert_array_equal(np.asarray(long.shown).sum(1), [count, count])
    np.testing.assert_allclose(long.logits[:, :count], short.logits, atol=2e-6)
    for a, b in zip(long.features, short.features, strict=True):
        np.testing.assert_allclose(a[:, : b.shape[1]], b, atol=2e-6)
        assert np.all(np.asarray(a[:, b.shape[1] :]) == 0)


def test_texts_of_any_length_are_spoken_by_the_same_network(generator):
    random = np.random.default_rng(1)
    for symbols, frames in ((2, 4), (17, 60)):
        made = jax.jit(GENERATOR.apply)(
            generator,
            text(1, symbols, symbols, random),
            jnp.zeros(1, jnp.int32),
            jnp.zeros((1, LATENT)),
            spoken(frames, frames, 1),
        )
        assert made.mel.shape == (1, frames, MELS) and np.all(np.abs(made.mel) <= 1)
        assert np.all(np.asarray(made.lengths) > 0)
        # Untrained, a symbol lasts about as long as `pace` says.
        assert 0.2 * symbols * 4 < float(made.lengths.sum()) < 3 * symbols * 4


def test_critic_hears_text_and_speaker(generator, inputs):
    phonemes, speaker, latent, room = inputs
    made = jax.jit(GENERATOR.apply)(generator, phonemes, speaker, latent, room)
    critic = CRITIC.init(jax.random.key(1), made.mel, phonemes, made.weights, speaker, room)
    judge = jax.jit(CRITIC.apply)
    first = judge(critic, made.mel, phonemes, made.weights, speaker, room).logits
    other_text = judge(critic, made.mel, phonemes[::-1], made.weights, speaker, room).logits
    other_speaker = judge(critic, made.mel, phonemes, made.weights, speaker[::-1], room).logits
    assert float(jnp.abs(first - other_text).min()) > 0
    assert float(jnp.abs(first - other_speaker).min()) > 0


def test_parameters_are_as_many_as_the_layers_have(generator):
    c, half = 8, 4

    def conv(taps, i, o):
        return taps * i * o + o

    block = (c * 2 * c + 2 * c) + 2 * conv(5, c, c)
    wanted = (
        SYMBOLS * c + SPEAKERS * half + (half + LATENT) * c + c
        + block * 3 + 2 * 2 * c
        + conv(3, c, c) + conv(3, c, 1) + (2 * c + c) + conv(5, c, MELS)
    )  # fmt: skip
    assert count_parameters(generator["params"]) == wanted
