"""Sounds on request: one file, or a folder of them."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
import soundfile

from jaxgan.errors import UserError
from jaxgan.experiment import SampleRequest
from jaxgan.ops.spectrogram import MelScale
from jaxgan.provenance import says_synthetic
from jaxgan.systems import sounding


@pytest.fixture(autouse=True)
def drawn(monkeypatch):
    """A generator whose sounds are its latents' first number, 100 times."""

    def draw(networks, key, *, count, latent_size):
        levels = np.linspace(0.1, 0.9, count, dtype=np.float32)
        return jnp.asarray(np.broadcast_to(levels[:, None, None], (count, 100, 1)))

    monkeypatch.setattr(sounding, "draw_samples", draw)


def ask(output, count):
    return sounding.sound_file(4, 1000)({}, SampleRequest(None, Path(output), 0, count))


def test_a_file_holds_all_sounds_with_pauses(tmp_path):
    values, rate = soundfile.read(ask(tmp_path / "a.wav", 3))
    assert rate == 1000 and len(values) == 3 * 100 + 2 * 250
    np.testing.assert_allclose(values[::350], [0.1, 0.5, 0.9], atol=1e-4)
    assert says_synthetic(tmp_path / "a.wav") and not values[100:350].any()


def test_a_folder_holds_a_file_of_each(tmp_path):
    folder = ask(tmp_path / "all", sounding.AT_ONCE + 2)
    files = sorted(folder.iterdir())
    assert len(files) == sounding.AT_ONCE + 2 and files[0].name == "000000.wav"
    assert soundfile.info(files[-1]).frames == 100


def test_other_files_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"a\.mp3: give the name of a \.wav, or of a folder"):
        ask(tmp_path / "a.mp3", 1)


def test_the_preview_shows_real_and_fake_and_lets_them_be_heard():
    real = np.zeros((3, 100), np.float32)
    scale = MelScale(rate=1000, fft=32, hop=16, mels=4)
    shown = sounding.sound_preview(4, scale, lambda: real, rows=2, columns=3, heard=2)({})
    assert [len(row) for row in shown["preview"].rows] == [3, 3, 3]
    assert list(shown["preview"].labels) == ["real", "fake", "fake"]
    assert shown["sounds"].samples.shape == (100 + 250 + 100,)
