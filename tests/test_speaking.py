"""Texts to sounds with an untrained network, and what a person can get wrong."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import soundfile

from jaxgan.borrowed_vocoder import open_vocoder
from jaxgan.data.phonemes import SYMBOLS, transcribe
from jaxgan.errors import UserError
from jaxgan.experiment import SampleRequest
from jaxgan.nets.speech import SpeechGenerator
from jaxgan.ops.spectrogram import MelScale
from jaxgan.state import Network
from jaxgan.systems.speaking import PEAK, read_aloud, speak, waveforms

SCALE = MelScale(8000, 256, 128, 16)


@pytest.fixture(scope="module")
def networks():
    module = SpeechGenerator(len(SYMBOLS), 2, 16, 4, encoder_blocks=1, decoder_blocks=1)
    text, who = jnp.ones((1, 8), jnp.int32), jnp.zeros(1, jnp.int32)
    made = jax.jit(module.init)(
        jax.random.key(0), text, who, jnp.zeros((1, 2)), jnp.ones((1, 8), bool)
    )
    return {"generator": Network(module, made["params"], {}, train=False)}


@pytest.fixture
def say(networks, tmp_path):
    def said(text=None, speaker=None, output="out.wav", given=None, speed=1.0):
        sample = read_aloud(
            lambda: ("ann", "bob"), SCALE, latent_size=2, text=text, speaker=speaker, speed=speed
        )
        return sample(networks, SampleRequest(given, tmp_path / output, 0, 1))

    return said


def test_a_text_becomes_a_sound_with_the_text_beside_it(say, tmp_path, capsys):
    path = say("seven blorf", "bob")
    samples, rate = soundfile.read(path)
    assert path == tmp_path / "out.wav" and rate == 8000
    assert 0.89 < np.abs(samples).max() < 0.91
    assert (tmp_path / "out.txt").read_text() == "seven blorf\n"
    out = capsys.readouterr().out
    assert "phonemes: S EH1 V AH0 N | B L AO1 R F" in out and "said by rules: blorf" in out


def test_a_text_may_come_from_a_file_and_speed_shortens_it(say, tmp_path):
    given = tmp_path / "text.txt"
    given.write_text("Two and three.")
    slow = len(soundfile.read(say(given=given))[0])
    fast = len(soundfile.read(say("Two and three.", "1", "fast.wav", speed=2.0))[0])
    assert 1.6 < slow / fast < 2.5


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({}, "needs --text"),
        ({"text": " "}, "--text is empty"),
        ({"text": "\u6f22!"}, "no word that could be said"),
        ({"text": "one", "speaker": "bab"}, "did you mean 'bob'"),
        ({"text": "one", "speaker": "7"}, "this run knows 2 speakers"),
        ({"text": "one", "output": "out.mp3"}, "written as .wav"),
    ],
)
def test_mistakes_are_one_line(say, wrong, message):
    with pytest.raises(UserError, match=message):
        say(**wrong)


def test_what_is_said_beside_a_text_does_not_change_it(networks):
    texts = [transcribe(text).ids() for text in ("two", "seventeen million and twenty")]
    who, latent = np.array([0, 1], np.int32), np.ones((2, 2), np.float32)
    both = speak(networks["generator"], texts, who, latent)
    alone = speak(networks["generator"], texts[:1], who[:1], latent[:1])
    np.testing.assert_allclose(alone[0], both[0], atol=1e-5)
    assert len(both[1]) > 2 * len(both[0])
    sounds = waveforms(both, SCALE)
    assert [len(sound) for sound in sounds] == [128 * (len(mel) - 1) for mel in both]


@pytest.mark.usefixtures("idle_steps")
def test_another_runs_vocoder_makes_the_sound_anew(networks, command, tiny_flags, tmp_path):
    """As if Griffin-Lim's file had been copied by that run."""
    run, request = tmp_path / "run", SampleRequest(None, tmp_path / "plain.wav", 0, 1)
    asked = {"latent_size": 2, "text": "two", "speaker": "1"}
    plain = read_aloud(lambda: (), SCALE, **asked)(networks, request)
    flags = tiny_flags("hifigan_vocoder", steps=1, eval_samples=0, ema_halflife=8)
    code, _, error = command("--experiment=hifigan_vocoder", f"--run_dir={run}", *flags)
    assert code == 0, error
    copy = tmp_path / "copy.wav"
    where = ("--mode=sample", f"--run_dir={run}", f"--input={plain}", f"--output={copy}")
    assert command(*where)[0] == 0
    vocoder = functools.partial(open_vocoder, run, SCALE.rate)
    request = SampleRequest(None, tmp_path / "anew.wav", 0, 1)
    anew = read_aloud(lambda: (), SCALE, **asked, vocoder=vocoder)(networks, request)
    expected, found = soundfile.read(copy)[0], soundfile.read(anew)[0]
    expected *= PEAK / np.abs(expected).max()
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert np.abs(found - soundfile.read(plain)[0]).max() > 0.1
    with pytest.raises(UserError, match="makes sounds of 8000 Hz, and this run has 22050"):
        open_vocoder(run, 22050)
    with pytest.raises(UserError, match=r"holds nothing trained, where a run of hifigan_vocoder"):
        open_vocoder(tmp_path, SCALE.rate)
