"""How far one sound's spectrum is from another's: mel-cepstral distortion and log-mel L1."""

import math

import numpy as np
from scipy.fft import dct

# Cepstral coefficients that are compared; the one before them is the loudness, which is not.
COEFFICIENTS = 13


def mel_cepstra(log_mel: np.ndarray, coefficients: int = COEFFICIENTS) -> np.ndarray:
    """Mel cepstra: the orthonormal cosine transform (DCT-II) of each frame's natural log bands.

    Args:
      log_mel: [..., frames, mels], any float dtype, natural logarithms of magnitudes.
      coefficients: how many, after the zeroth.

    Returns:
      float64 [..., frames, coefficients], the zeroth left out.

    Raises:
      ValueError: there are not as many bands.
    """
    if log_mel.shape[-1] <= coefficients:
        raise ValueError(f"{log_mel.shape[-1]} bands have no {coefficients} cepstra and a zeroth")
    whole = dct(np.asarray(log_mel, np.float64), type=2, norm="ortho", axis=-1)
    return whole[..., 1 : coefficients + 1]


def mel_cepstral_distortion(
    real: np.ndarray, fake: np.ndarray, coefficients: int = COEFFICIENTS
) -> float:
    """The mean over frames of `10 / ln 10 * sqrt(2 sum_d (c_d - c'_d)^2)`, in dB.

    Kubichek 1993, "Mel-cepstral distance measure for objective speech quality assessment", with
    d = 1 ... `coefficients`; frames are compared one to one, so that both must say the same at the
    same time. Cepstra are those of `mel_cepstra`; their scale depends on it, so that figures of
    other cepstra (all-pole, other numbers of bands) do not compare.

    Args:
      real, fake: [..., frames, mels] of one shape, natural logarithms of magnitudes.
      coefficients: of the cepstrum.

    Raises:
      ValueError: for different shapes.
    """
    _check(real, fake)
    apart = mel_cepstra(real, coefficients) - mel_cepstra(fake, coefficients)
    # The cosine series of a log spectrum is c_0 + 2 sum c_d cos(...); the orthonormal transform
    # holds sqrt(2 bands) c_d.
    apart = apart / math.sqrt(2.0 * real.shape[-1])
    return float(10.0 / math.log(10.0) * np.sqrt(2.0 * np.square(apart).sum(-1)).mean())


def log_mel_l1(real: np.ndarray, fake: np.ndarray) -> float:
    """The mean absolute difference of two log-mel spectrograms of one shape, in their unit.

    Raises:
      ValueError: for different shapes.
    """
    _check(real, fake)
    apart = np.asarray(real, np.float64) - np.asarray(fake, np.float64)
    return float(np.abs(apart).mean())


def _check(real: np.ndarray, fake: np.ndarray) -> None:
    if real.shape != fake.shape or not real.size:
        raise ValueError(f"spectrograms {real.shape} and {fake.shape} cannot be compared by frame")
