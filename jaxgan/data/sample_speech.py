"""Synthesised speech: the ten digits, said by four voices that do not exist.

A formant synthesiser: each phoneme has resonances (for vowels the averages of Peterson and Barney
1952, "Control methods used in a study of the vowels") and a share of voice and of noise; between
phonemes they glide. Voices differ in pitch and in the length of the vocal tract, takes in speed,
melody and loudness.
"""

import functools
from typing import NamedTuple

import numpy as np

from jaxgan.data.audio import resampled
from jaxgan.data.examples import Sounds
from jaxgan.data.phonemes import transcribe

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
# Name: pitch in Hz, and what the resonances are multiplied by.
VOICES = {"alto": (190.0, 1.12), "bass": (95.0, 0.92), "soprano": (225.0, 1.2), "tenor": (130.0, 1)}
EACH = 10
# Synthesised at this rate, whatever rate is asked for; nothing in it lies above half of 8 kHz.
_RATE = 8000
_STEP = 40  # samples from one spectrum to the next
_BANDWIDTHS = np.array([80.0, 110.0, 160.0])


class _Sound(NamedTuple):
    formants: tuple[float, float, float]
    voice: float
    noise: float
    noise_at: float
    seconds: float


def _vowel(first: float, second: float, third: float, seconds: float = 0.11) -> _Sound:
    return _Sound((first, second, third), 1.0, 0.0, 2500.0, seconds)


# Diphthongs are two sounds, a stop its closure and its burst.
_SOUNDS: dict[str, tuple[_Sound, ...]] = {
    "AH": (_vowel(640, 1190, 2390, 0.09),),
    "AO": (_vowel(570, 840, 2410),),
    "EH": (_vowel(530, 1840, 2480, 0.09),),
    "IH": (_vowel(390, 1990, 2550, 0.08),),
    "IY": (_vowel(270, 2290, 3010),),
    "UW": (_vowel(300, 870, 2240, 0.14),),
    "AY": (_vowel(730, 1090, 2440), _vowel(330, 2100, 2700, 0.07)),
    "EY": (_vowel(500, 1900, 2500), _vowel(310, 2200, 2800, 0.06)),
    "OW": (_vowel(550, 900, 2400), _vowel(340, 850, 2250, 0.07)),
    "R": (_vowel(400, 1150, 1500, 0.06),),
    "W": (_vowel(300, 650, 2200, 0.06),),
    "N": (_Sound((250.0, 1400.0, 2500.0), 0.45, 0.0, 2500.0, 0.07),),
    "V": (_Sound((250.0, 1200.0, 2300.0), 0.35, 0.1, 2200.0, 0.05),),
    "Z": (_Sound((250.0, 1500.0, 2500.0), 0.25, 0.4, 3400.0, 0.09),),
    "S": (_Sound((300.0, 1500.0, 2500.0), 0.0, 0.6, 3500.0, 0.12),),
    "F": (_Sound((300.0, 1200.0, 2400.0), 0.0, 0.2, 2000.0, 0.1),),
    "TH": (_Sound((300.0, 1400.0, 2400.0), 0.0, 0.15, 2900.0, 0.09),),
    "T": (
        _Sound((300.0, 1600.0, 2600.0), 0.0, 0.0, 3000.0, 0.04),
        _Sound((300.0, 1600.0, 2600.0), 0.0, 0.7, 3000.0, 0.025),
    ),
    "K": (
        _Sound((300.0, 1800.0, 2400.0), 0.0, 0.0, 1900.0, 0.045),
        _Sound((300.0, 1800.0, 2400.0), 0.0, 0.6, 1900.0, 0.03),
    ),
}
_SILENCE = _Sound((500.0, 1500.0, 2500.0), 0.0, 0.0, 2500.0, 0.03)


@functools.lru_cache(maxsize=4)
def digits(rate: int, each: int = EACH) -> Sounds:
    """Digits said by every voice, always the same ones.

    Args:
      rate: samples a second.
      each: takes of every word by every voice.

    Returns:
      `10 * 4 * each` clips float32 [n] in [-1, 1] of a third of a second to a second, by word, then
      by take, then by voice; `labels` are the digits.
    """
    clips, names, speakers, texts = [], [], [], []
    for number, word in enumerate(WORDS):
        for take in range(each):
            for voice, name in enumerate(VOICES):
                random = np.random.default_rng((1952, number, take, voice))
                clip = resampled(_say(word, *VOICES[name], random), _RATE, rate)
                clip.flags.writeable = False
                clips.append(clip)
                names.append(f"{number}_{name}_{take}")
                speakers.append(name)
                texts.append(word)
    about = {
        "kind": "sample",
        "where": "synthesised digits, nobody's voice",
        "count": len(clips),
        "classes": list(WORDS),
        "rate": rate,
    }
    labels = np.repeat(np.arange(len(WORDS), dtype=np.int32), each * len(VOICES))
    return Sounds(clips, tuple(names), rate, labels, WORDS, tuple(texts), tuple(speakers), about)


def _say(word: str, pitch: float, tract: float, random: np.random.Generator) -> np.ndarray:
    """One take, float64 [n] at `_RATE`, its loudest sample between 0.3 and 0.9."""
    parts = [_SILENCE]
    for symbol in transcribe(word).symbols[1:-1]:
        parts += _SOUNDS[symbol.rstrip("012")]
    parts.append(_SILENCE)
    speed = random.uniform(0.8, 1.3)
    counts = [
        max(round(part.seconds * random.uniform(0.85, 1.15) * speed * _RATE / _STEP), 1)
        for part in parts
    ]
    table = np.array([(*p.formants, p.voice, p.noise, p.noise_at) for p in parts])
    tracks = np.repeat(table, counts, axis=0)
    # The tongue does not jump: a window of about 25 ms.
    window = np.hanning(7)[1:-1] / np.hanning(7)[1:-1].sum()
    around = np.pad(tracks, ((2, 2), (0, 0)), mode="edge")
    tracks = np.stack([np.convolve(column, window, "valid") for column in around.T], axis=1)
    steps = len(tracks)
    tracks[:, :3] *= tract * random.uniform(0.96, 1.04, 3)
    along = np.linspace(0.0, 1.0, steps)
    tone = pitch * random.uniform(0.92, 1.08) * (1.08 - 0.2 * along)
    tone *= 1.0 + 0.02 * np.sin(2 * np.pi * (random.uniform(2, 4) * along + random.random()))

    # Harmonics of the pitch, each as loud as the resonances make it.
    moments = np.arange(steps * _STEP) / _STEP
    phase = 2 * np.pi * np.cumsum(np.interp(moments, np.arange(steps), tone)) / _RATE
    count = int(0.475 * _RATE / tone.min())
    hertz = tone[:, None] * np.arange(1, count + 1)
    loud = tracks[:, 3:4] * _resonance(hertz, tracks[:, :3]) / np.sqrt(np.arange(1, count + 1))
    loud[hertz >= 0.475 * _RATE] = 0.0
    before = np.minimum(moments.astype(np.int64), steps - 1)
    share = (moments - before)[:, None]
    loud = loud[before] * (1 - share) + loud[np.minimum(before + 1, steps - 1)] * share
    turns = np.cumprod(np.broadcast_to(np.exp(1j * phase)[:, None], loud.shape), axis=1)
    sound = (loud * turns.imag).sum(axis=1)

    # Noise, coloured window by window.
    white = random.standard_normal((steps + 3, _STEP * 4))
    bins = np.fft.rfftfreq(_STEP * 4, 1 / _RATE)
    noise = np.zeros((steps + 6) * _STEP)
    bell = np.hanning(_STEP * 4)
    for step in range(steps):
        shape = np.exp(-(((bins - tracks[step, 5]) / 900.0) ** 2)) * tracks[step, 4]
        piece = np.fft.irfft(np.fft.rfft(white[step]) * shape) * bell
        noise[step * _STEP : (step + 4) * _STEP] += piece
    sound = sound / max(np.abs(sound).max(), 1e-9) + 0.6 * noise[_STEP : _STEP + len(sound)]
    sound += random.uniform(0.0005, 0.003) * random.standard_normal(len(sound))
    return sound * random.uniform(0.3, 0.9) / np.abs(sound).max()


def _resonance(hertz: np.ndarray, formants: np.ndarray) -> np.ndarray:
    """How loud frequencies [n, m] come through resonances [n, 3]: the higher the fainter."""
    apart = (hertz[:, :, None] - formants[:, None, :]) / _BANDWIDTHS
    return (np.array([1.0, 0.6, 0.3]) / (1.0 + apart**2)).sum(axis=2) + 0.01
