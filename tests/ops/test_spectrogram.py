"""Spectrograms and their inverses against librosa."""

import jax
import jax.numpy as jnp
import librosa
import numpy as np
import pytest

from jaxgan.errors import UserError
from jaxgan.ops.fourier import frames, inverse_stft, overlap_add, stft
from jaxgan.ops.griffin_lim import griffin_lim, inverse_mel
from jaxgan.ops.spectrogram import (
    HIFI_GAN,
    MelScale,
    decibels,
    denormalised,
    log_mel,
    magnitudes,
    mel_filters,
    mel_spectrogram,
    normalised,
    power_of_decibels,
)


def chirp(count=9000, rate=22050):
    """Two gliding tones that fade, and a little noise: float32 [2, count]."""
    time = np.arange(count) / rate
    noise = np.random.default_rng(0).standard_normal((2, count))
    tones = [np.sin(2 * np.pi * (f + 900 * time) * time) * np.exp(-3 * time) for f in (220, 1300)]
    return (0.4 * np.stack(tones) + 0.01 * noise).astype(np.float32)


@pytest.mark.parametrize(("length", "hop"), [(64, 16), (64, 64), (60, 25), (7, 3)])
def test_frames_are_slices_and_overlap_add_is_their_transpose(length, hop):
    samples = np.random.default_rng(1).standard_normal((2, 301)).astype(np.float32)
    pieces = frames(jnp.asarray(samples), length, hop)
    count = 1 + (301 - length) // hop
    wanted = np.stack([samples[:, t * hop : t * hop + length] for t in range(count)], 1)
    np.testing.assert_array_equal(pieces, wanted)
    added = np.zeros((2, length + (count - 1) * hop))
    for t in range(count):
        added[:, t * hop : t * hop + length] += wanted[:, t]
    np.testing.assert_allclose(overlap_add(pieces, hop), added, atol=1e-5)


def test_a_sound_shorter_than_the_window_is_refused():
    with pytest.raises(ValueError, match="100 samples are too few for a window of 101"):
        frames(jnp.zeros((1, 100)), 101, 10)


@pytest.mark.parametrize(("fft", "hop"), [(512, 128), (400, 160)])
def test_transform_and_inverse_are_librosas(fft, hop):
    samples = chirp(4000)
    ours = stft(jnp.asarray(samples), fft=fft, hop=hop)
    theirs = librosa.stft(samples, n_fft=fft, hop_length=hop).swapaxes(1, 2)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    # Of a spectrum that no sound has, too.
    bent = theirs * np.linspace(0.5, 2.0, theirs.shape[2])[None, None]
    bent = bent.astype(np.complex64)
    for length in (None, 3500, 4000):
        back = librosa.istft(bent.swapaxes(1, 2), n_fft=fft, hop_length=hop, length=length)
        np.testing.assert_allclose(
            inverse_stft(jnp.asarray(bent), hop=hop, length=length), back, atol=1e-4
        )


def test_magnitudes_have_a_derivative_in_silence():
    samples = jnp.zeros((1, 600)).at[0, 500].set(1.0)
    slope = jax.grad(lambda x: magnitudes(x, fft=128, hop=32).sum())(samples)
    assert np.isfinite(slope).all()
    assert (np.asarray(slope)[0, :300] == 0).all() and np.asarray(slope).any()


@pytest.mark.parametrize(
    "scale",
    [
        MelScale(),
        HIFI_GAN,
        MelScale(rate=8000, fft=512, hop=128, mels=64),
        MelScale(rate=16000, fft=1024, hop=256, mels=40, low=60.0, high=7600.0),
    ],
)
def test_filters_are_librosas(scale):
    theirs = librosa.filters.mel(
        sr=scale.rate, n_fft=scale.fft, n_mels=scale.mels, fmin=scale.low, fmax=scale.high
    )
    np.testing.assert_allclose(mel_filters(scale), theirs.T, atol=1e-6)


def test_mel_spectrogram_is_librosas():
    samples, scale = chirp(), MelScale()
    theirs = librosa.feature.melspectrogram(y=samples, sr=scale.rate).swapaxes(1, 2)
    ours = mel_spectrogram(jnp.asarray(samples), scale)
    assert ours.dtype == jnp.float32 and theirs.max() > 1
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    db = librosa.power_to_db(theirs, top_db=None)
    np.testing.assert_allclose(decibels(ours), db, atol=1e-4 * np.abs(db).max())


def test_decibels_and_their_range():
    power = np.array([0.0, 1e-12, 1e-8, 1.0, 50.0], np.float32)
    np.testing.assert_allclose(
        decibels(jnp.asarray(power)), librosa.power_to_db(power, top_db=None), atol=1e-4
    )
    db = jnp.asarray([-100.0, -80.0, -20.0, 40.0, 50.0])
    np.testing.assert_allclose(normalised(db), [-1, -1, 0, 1, 1], atol=1e-6)
    np.testing.assert_allclose(denormalised(normalised(db))[1:4], db[1:4], atol=1e-4)
    np.testing.assert_allclose(power_of_decibels(db), 10 ** (np.asarray(db) / 10), rtol=1e-4)


def test_log_mel_is_hifi_gans():
    samples = chirp(256 * 20)
    padded = np.pad(samples, ((0, 0), (384, 384)), mode="reflect")
    spectrum = librosa.stft(padded, n_fft=1024, hop_length=256, center=False)
    size = np.sqrt(np.abs(spectrum) ** 2 + 1e-9)
    bands = librosa.filters.mel(sr=22050, n_fft=1024, n_mels=80, fmin=0, fmax=8000) @ size
    wanted = np.log(np.maximum(bands, 1e-5)).swapaxes(1, 2)
    assert wanted.shape == (2, 20, 80)
    np.testing.assert_allclose(log_mel(jnp.asarray(samples)), wanted, atol=1e-4)


@pytest.mark.parametrize("change", [{"high": 12000.0}, {"low": 5000.0, "high": 4000.0}])
def test_bands_beyond_half_the_rate_are_refused(change):
    with pytest.raises(UserError, match="do not lie between 0 and half of the rate"):
        MelScale(**change)


def test_a_window_must_be_even_and_hold_a_hop():
    with pytest.raises(UserError, match="fft=512, hop=513"):
        MelScale(fft=512, hop=513)


def test_inverse_mel_fits_the_bands_as_well_as_librosas():
    scale = MelScale(rate=22050, fft=1024, hop=256, mels=64)
    mel = np.asarray(mel_spectrogram(jnp.asarray(chirp()), scale))
    found = np.asarray(inverse_mel(jnp.asarray(mel), scale))
    assert found.min() >= 0
    theirs = librosa.feature.inverse.mel_to_stft(mel[0].T, sr=22050, n_fft=1024).T

    def missed(size):
        return np.linalg.norm(size**2 @ mel_filters(scale) - mel[0]) / np.linalg.norm(mel[0])

    assert missed(found[0]) < max(1.05 * missed(theirs), 0.01)
    single = np.asarray(inverse_mel(jnp.asarray(np.sqrt(mel)), scale, power=1.0))
    np.testing.assert_allclose(
        (single @ mel_filters(scale)), np.sqrt(mel), atol=0.05 * np.sqrt(mel).max()
    )


def test_griffin_lim_converges_as_librosas_does():
    samples, options = chirp(8192), {"n_fft": 512, "hop_length": 128}
    wanted = np.abs(librosa.stft(samples[0], **options))

    def convergence(found):
        made = [np.abs(librosa.stft(np.asarray(one), **options)) for one in found]
        return np.mean([np.linalg.norm(m - wanted) for m in made]) / np.linalg.norm(wanted)

    # By how much depends on the phases to begin with: the mean of a few.
    theirs = [librosa.griffinlim(wanted, n_iter=32, random_state=i, **options) for i in range(8)]
    size = jnp.repeat(jnp.asarray(wanted.T)[None], 8, axis=0)
    key = jax.random.key(0)
    ours = griffin_lim(size, fft=512, hop=128, iterations=32, key=key)
    assert ours.shape == (8, 8192)
    assert convergence(ours) < 1.1 * convergence(theirs)
    slow = griffin_lim(size, fft=512, hop=128, iterations=32, key=key, momentum=0.0)
    assert convergence(ours) < 0.7 * convergence(slow)
