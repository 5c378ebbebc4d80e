"""Distortion along a warping of time: nothing for a slower copy; the plain one without warping."""

import itertools

import numpy as np
import pytest

from jaxgan.metrics.mel_distance import mel_cepstral_distortion
from jaxgan.metrics.speech_distance import warped_cepstral_distortion


def utterance(frames, seed=0):
    return np.random.default_rng(seed).normal(size=(frames, 20))


def test_a_slower_copy_is_no_other():
    one = utterance(7)
    assert warped_cepstral_distortion(one, np.repeat(one, [1, 3, 2, 1, 1, 4, 2], axis=0)) == (
        pytest.approx(0, abs=1e-9)
    )


def test_the_path_is_the_best_of_all():
    a, b = utterance(4, 1), utterance(3, 2)
    apart = np.array([[mel_cepstral_distortion(x[None], y[None]) for y in b] for x in a])

    def paths(i, j):
        if (i, j) == (3, 2):
            yield [(i, j)]
        for di, dj in ((1, 1), (1, 0), (0, 1)):
            if i + di < 4 and j + dj < 3:
                yield from ([(i, j), *rest] for rest in paths(i + di, j + dj))

    best = min(paths(0, 0), key=lambda path: sum(apart[place] for place in path))
    wanted = np.mean([apart[place] for place in best])
    assert warped_cepstral_distortion(a, b) == pytest.approx(wanted)
    assert len(list(itertools.islice(paths(0, 0), 99))) == 25
