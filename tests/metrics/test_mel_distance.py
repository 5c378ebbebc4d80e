"""Mel-cepstral distortion and log-mel L1 against their formulas, written out."""

import math

import numpy as np
import pytest

from jaxgan.metrics.mel_distance import log_mel_l1, mel_cepstra, mel_cepstral_distortion


def spectra():
    random = np.random.default_rng(0)
    return random.standard_normal((2, 7, 40)), random.standard_normal((2, 7, 40))


def cepstrum(log_mel, number):
    """c_d of log X_m = c_0 + 2 sum_d c_d cos(pi d (m + 1/2) / M)."""
    bands = log_mel.shape[-1]
    waves = np.cos(np.pi * number * (np.arange(bands) + 0.5) / bands)
    return (log_mel * waves).sum(-1) / bands


def test_distortion_is_kubicheks():
    real, fake = spectra()
    squares = sum((cepstrum(real, d) - cepstrum(fake, d)) ** 2 for d in range(1, 14))
    wanted = np.mean(10 / math.log(10) * np.sqrt(2 * squares))
    assert mel_cepstral_distortion(real, fake) == pytest.approx(wanted, rel=1e-12)
    assert mel_cepstral_distortion(real, real) == 0


def test_distortion_does_not_hear_loudness():
    real, _ = spectra()
    assert mel_cepstral_distortion(real, real + 2.5) == pytest.approx(0, abs=1e-12)
    assert log_mel_l1(real, real + 2.5) == pytest.approx(2.5)


def test_cepstra_keep_lengths():
    real, _ = spectra()
    whole = mel_cepstra(real, 39)
    zeroth = real.sum(-1) ** 2 / 40
    np.testing.assert_allclose((whole**2).sum(-1) + zeroth, (real**2).sum(-1))


def test_other_shapes_are_refused():
    real, fake = spectra()
    for measure in (mel_cepstral_distortion, log_mel_l1):
        with pytest.raises(ValueError, match="cannot be compared"):
            measure(real, fake[:, 1:])
    with pytest.raises(ValueError, match="have no 40 cepstra"):
        mel_cepstra(real, 40)
