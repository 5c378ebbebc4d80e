"""Synthesised speech-like sounds: the embedded sample of experiments with voices.

A source and a filter, as in Klatt's synthesiser (1980): the harmonics of a gliding pitch under
formants that move from vowel to vowel, breath between them, hisses and bursts before the vowels.
It says nothing, but it is voiced, unvoiced and silent as speech is. The same number gives the same
utterance on every machine.
"""

import functools

import numpy as np
from scipy.signal import butter, sosfilt

from jaxgan.data.audio import resampled
from jaxgan.data.examples import Sounds

COUNT = 60
SECONDS = 2.0
# Synthesised at this rate where a lower one is asked for, or what lies above half of that would be
# folded down.
_RATE = 22050
# Hz of the first three formants of American English vowels, men's means (Peterson and Barney 1952,
# table 2); two more lie where they hardly move.
_VOWELS = (
    (270, 2290, 3010),
    (390, 1990, 2550),
    (530, 1840, 2480),
    (660, 1720, 2410),
    (730, 1090, 2440),
    (570, 840, 2410),
    (440, 1020, 2240),
    (300, 870, 2240),
    (640, 1190, 2390),
    (490, 1350, 1690),
)
_ABOVE = (3500, 4500)
_WIDTHS = (70, 100, 140, 220, 300)
# Bands in Hz of the noise of s, sh, f and h; seconds; loudness.
_HISSES = ((4500, 9500, 0.11, 0.20), (2200, 7000, 0.11, 0.22), (1500, 9500, 0.09, 0.06))
_BURSTS = ((300, 3000, 0.012, 0.5), (2500, 8000, 0.018, 0.5), (1200, 4500, 0.022, 0.5))
# Control points a second, of pitch, formants and loudness.
_CONTROLS = 200


@functools.lru_cache(maxsize=4)
def utterances(rate: int, count: int = COUNT) -> Sounds:
    """Utterances of two seconds, always the same ones.

    Args:
      rate: samples a second.
      count: how many.

    Returns:
      So many clips float32 [2 * rate] in [-1, 1], by speakers with pitches from 85 to 255 Hz.
    """
    made = max(rate, _RATE)
    clips = [
        resampled(_utterance(made, np.random.default_rng((1980, row))), made, rate)[
            : int(SECONDS * rate)
        ]
        for row in range(count)
    ]
    for clip in clips:
        clip.flags.writeable = False
    about = {
        "kind": "sample",
        "where": "synthesised voices, nobody's recording",
        "count": count,
        "classes": [],
        "rate": rate,
    }
    names = tuple(f"utterance {row}" for row in range(count))
    return Sounds(clips, names, rate, None, (), None, None, about)


def _utterance(rate: int, random: np.random.Generator) -> np.ndarray:
    """One utterance, float64 [2 * rate], its loudest sample 0.9."""
    total = int(SECONDS * rate)
    times = np.arange(int(SECONDS * _CONTROLS) + 1) / _CONTROLS
    # A longer throat has lower formants, and usually a lower pitch.
    size = random.uniform(0, 1)
    pitch = 85 * 3 ** (0.8 * size + 0.2 * random.uniform(0, 1))
    length = 1 + 0.17 * size
    at, loud, targets = [0.0], [0.0], [random.integers(len(_VOWELS))]
    noise = np.zeros(total)
    now = float(random.uniform(0.04, 0.12))
    while now < SECONDS - 0.35:
        now = _consonant(noise, now, rate, random)
        span = random.uniform(0.10, 0.24)
        vowels = random.integers(len(_VOWELS), size=2)
        level = random.uniform(0.5, 1.0)
        at += [now, now + 0.03, now + 0.7 * span, now + span]
        loud += [0.0, level, 0.8 * level, 0.0]
        targets += [vowels[0], vowels[0], vowels[1], vowels[1]]
        now += span
        if random.uniform() < 0.2:
            now += random.uniform(0.08, 0.2)
    at, loud, targets = [*at, SECONDS], [*loud, 0.0], [*targets, targets[-1]]
    formants = np.array([(*_VOWELS[vowel], *_ABOVE) for vowel in targets]) * length
    moving = np.stack([np.interp(times, at, track) for track in formants.T])
    loudness = np.interp(times, at, loud)
    voice = _voice(rate, _melody(pitch, times, random), moving, loudness)
    breath = sosfilt(_band(1500, 7000, rate), random.standard_normal(total))
    seconds = np.arange(total) / rate
    voice += 0.004 * breath * np.interp(seconds, times, loudness)
    both = voice / np.abs(voice).max() + noise
    return 0.9 * both / np.abs(both).max()


def _melody(pitch, times, random):
    """Hz at the control points: it falls over the utterance, with accents and a slow tremor."""
    accents = sum(
        random.uniform(-0.15, 0.25)
        * np.exp(-np.square((times - random.uniform(0, SECONDS)) / 0.15))
        for _ in range(4)
    )
    tremor = 0.012 * np.sin(2 * np.pi * random.uniform(4, 6) * times)
    return pitch * (1.1 - 0.2 * times / SECONDS) * (1 + accents + tremor)


def _voice(rate, pitch, formants, level):
    """Harmonics of a pitch, each as loud as the throat makes its frequency at the time."""
    seconds = np.arange(int(SECONDS * rate)) / rate
    times = np.arange(len(pitch)) / _CONTROLS
    phase = 2 * np.pi * np.cumsum(np.interp(seconds, times, pitch)) / rate
    voice = np.zeros(len(seconds))
    # A harmonic is the one before it, turned by the phase once more: cheaper than a sine.
    once = np.exp(1j * phase)
    turned = np.ones_like(once)
    for harmonic in range(1, int(0.47 * rate / pitch.min()) + 1):
        hertz = harmonic * pitch
        # Poles in cascade; the folds' own spectrum falls by 12 dB an octave, the lips add 6.
        gain = np.asarray(level * (pitch / hertz))
        for centre, width in zip(formants, _WIDTHS, strict=True):
            half = (width / 2) ** 2
            below = (hertz - centre) ** 2 + half
            above = (hertz + centre) ** 2 + half
            gain *= (centre**2 + half) / np.sqrt(below * above)
        gain = np.where(hertz < 0.47 * rate, gain, 0.0)
        turned *= once
        voice += np.interp(seconds, times, gain) * turned.imag
    return voice


def _consonant(noise, start, rate, random):
    """Adds a hiss or a stop with its burst, or nothing, and returns when it is over."""
    kind = random.integers(3)
    if kind == 2:
        return start + 0.01
    if kind == 1:
        start += random.uniform(0.04, 0.09)
    choices = (_HISSES, _BURSTS)[kind]
    low, high, seconds, loudness = choices[random.integers(len(choices))]
    count = int(seconds * rate * random.uniform(0.8, 1.3))
    made = sosfilt(_band(low, high, rate), random.standard_normal(count))
    shape = np.hanning(count) if kind == 0 else np.linspace(1, 0, count) ** 2
    first = int(start * rate)
    made = (loudness * made / np.abs(made).max() * shape)[: len(noise) - first]
    noise[first : first + len(made)] += made
    return start + count / rate


def _band(low, high, rate):
    return butter(2, (low, min(high, 0.47 * rate)), "bandpass", fs=rate, output="sos")
