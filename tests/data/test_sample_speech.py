"""The synthesised voices: voiced, unvoiced and silent in turn, and always the same."""

import numpy as np

from jaxgan.data.sample_speech import utterances


def test_voices_are_voiced_unvoiced_and_silent():
    rate = 22_050
    sounds = utterances(rate, 6)
    assert len(sounds) == len(sounds.clips) == 6
    kinds = []
    for clip in sounds.clips:
        assert clip.shape == (2 * rate,)
        assert clip.dtype == np.float32
        assert 0.85 < np.abs(clip).max() < 0.95
        frames = clip[: len(clip) // 1024 * 1024].reshape(-1, 1024)
        spectra = np.square(np.abs(np.fft.rfft(frames * np.hanning(1024))))
        hertz = np.fft.rfftfreq(1024, 1 / rate)
        power = spectra.sum(1)
        low = spectra[:, hertz < 1500].sum(1)
        loud = power > 1e-3 * power.max()
        voiced = loud & (low > 0.7 * power)
        hissing = loud & (low < 0.3 * power)
        kinds.append([voiced.mean(), hissing.mean(), (~loud).mean()])
    voiced, hissing, silent = np.mean(kinds, axis=0)
    assert voiced > 0.25 and hissing > 0.01 and silent > 0.1


def test_the_same_number_is_the_same_voice_at_any_count():
    first, more = utterances(8000, 2), utterances(8000, 3)
    for one, other in zip(first.clips, more.clips, strict=False):
        assert one.shape == (16_000,)
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(more.clips[1], more.clips[2])
