"""The figures of sounds: what they say of equal and of other sounds, and what they state."""

import numpy as np
import pytest

from jaxgan.errors import UserError
from jaxgan.metrics.sounds import SoundFigures, SoundReference, as_pictures, statistics

ABOUT = {"kind": "drawn", "where": "noise"}


def spectra(count, seed, level=0.0):
    """[count, 12, 32], each louder or fainter as a whole."""
    random = np.random.default_rng(seed)
    loudness = random.uniform(-0.2, 0.2, (count, 1, 1))
    noise = random.normal(0, 0.1, (count, 12, 32))
    return (level + loudness + noise).clip(-1, 1).astype(np.float32)


def figures(fakes, count=80):
    return SoundFigures(lambda: SoundReference(spectra(80, 0), None, ABOUT), count)(
        lambda wanted: fakes[:wanted]
    )


def test_statistics_are_means_and_deviations_of_bands_in_ten_decibels():
    mel = spectra(3, 1)
    found = statistics(mel)
    tens = (mel.astype(np.float64) + 1) * 6
    bands = tens.reshape(3, 12, 16, 2).mean(3)
    np.testing.assert_allclose(found[:, :16], bands.mean(1))
    np.testing.assert_allclose(found[:, 16:], bands.std(1))


def test_alike_is_near_and_louder_is_far():
    near, far = figures(spectra(80, 2)), figures(spectra(80, 2, level=0.3))
    assert near.figures["fad"] < 1.5 and far.figures["fad"] > 20 * near.figures["fad"]
    # 0.3 of the range of -80 to 40 dB.
    assert far.figures["spectrum_l1"] == pytest.approx(0.3 * 60, abs=3)
    assert "mean and deviation over time of 16 log-mel bands" in near.stamps["fad"].features
    assert near.stamps["fad"].warning.startswith("own features")


def test_few_samples_are_refused_or_warned_of():
    assert "32 features: the figure is high" in figures(spectra(20, 2), 20).stamps["fad"].warning
    with pytest.raises(UserError, match="at least 10 fake samples"):
        figures(spectra(9, 2), 9)


def test_pictures_are_levels():
    assert as_pictures(np.array([[[-1.0, 0.0, 2.0]]])).tolist() == [[[[0], [128], [255]]]]
