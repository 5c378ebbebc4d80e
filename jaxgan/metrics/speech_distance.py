"""How far two utterances of the same text are apart when one may be slower than the other."""

import math

import numpy as np

from jaxgan.metrics.mel_distance import COEFFICIENTS, mel_cepstra


def warped_cepstral_distortion(
    real: np.ndarray, fake: np.ndarray, coefficients: int = COEFFICIENTS
) -> float:
    """Mel-cepstral distortion along the best warping of time, in dB: MCD-DTW.

    Kubichek 1993's distance of frames, as in `mel_distance.mel_cepstral_distortion`, its mean over
    the path of dynamic time warping (Sakoe and Chiba 1978, symmetric, no slope constraint) that
    makes the sum least.

    Args:
      real, fake: [frames, mels], natural logarithms of magnitudes, of any two numbers of frames.
      coefficients: of the cepstrum, after the zeroth.
    """
    a, b = (mel_cepstra(one, coefficients) / math.sqrt(2.0 * one.shape[-1]) for one in (real, fake))
    apart = np.sqrt(2.0 * np.square(a[:, None] - b[None]).sum(-1)) * (10.0 / math.log(10.0))
    rows, columns = apart.shape
    # The least sum up to each cell, and how many cells its path has.
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0.0
    steps = np.zeros((rows + 1, columns + 1), np.int64)
    for i in range(1, rows + 1):
        for j in range(1, columns + 1):
            before = min(((i - 1, j - 1), (i - 1, j), (i, j - 1)), key=lambda place: total[place])
            total[i, j] = total[before] + apart[i - 1, j - 1]
            steps[i, j] = steps[before] + 1
    return float(total[-1, -1] / steps[-1, -1])
