"""Synthesised drums: the embedded sample of experiments with short sounds.

Each hit has a pitch, a decay and a colour of its own, as if struck on another instrument; the same
number gives the same hit on every machine.
"""

import functools

import numpy as np
from scipy.signal import butter, resample_poly, sosfilt

from jaxgan.data.examples import Sounds

NAMES = ("kick", "snare", "hat", "tom", "bell")
EACH = 50
SECONDS = 1.0
# Synthesised at this rate or above where a lower one is asked for, or what lies above half of that
# would be folded down.
_RATE = 16000


@functools.lru_cache(maxsize=4)
def hits(rate: int, each: int = EACH) -> Sounds:
    """Hits of one second, always the same ones.

    Args:
      rate: samples a second.
      each: how many of each class of `NAMES`.

    Returns:
      `len(NAMES) * each` clips float32 [rate] in [-1, 1], the classes in turn.
    """
    # A whole multiple: to divide by it takes a short filter.
    divisor = max(-(-_RATE // rate), 1)
    labels = np.arange(len(NAMES) * each) % len(NAMES)
    whole = np.empty((len(labels), round(SECONDS * rate)), np.float32)
    for row, label in enumerate(labels):
        hit = _hit(NAMES[label], rate * divisor, np.random.default_rng((808, row)))
        hit = resample_poly(hit, 1, divisor)
        # What the lower rate lacks would leave some hits faint.
        whole[row] = 0.9 * hit / np.abs(hit).max()
    whole.flags.writeable = False
    clips = list(whole)
    names = tuple(f"{NAMES[label]} {row // len(NAMES)}" for row, label in enumerate(labels))
    about = {
        "kind": "sample",
        "where": "synthesised drums, nobody's recording",
        "count": len(clips),
        "classes": list(NAMES),
        "rate": rate,
    }
    return Sounds(clips, names, rate, labels.astype(np.int32), NAMES, None, None, about)


def _hit(name: str, rate: int, random: np.random.Generator) -> np.ndarray:
    """One hit of a class, float64 [rate], its loudest sample 1 at this rate."""
    time = np.arange(int(SECONDS * rate)) / rate
    uniform = random.uniform
    noise = random.standard_normal(len(time), np.float32).astype(np.float64)

    def falling(seconds: float) -> np.ndarray:
        return np.exp(-time / seconds)

    def tone(hertz: np.ndarray | float) -> np.ndarray:
        steps = np.broadcast_to(np.asarray(hertz, np.float64), time.shape) / rate
        return np.sin(2 * np.pi * np.cumsum(steps))

    def band(low: float, high: float) -> np.ndarray:
        limits = [low, min(high, 0.49 * rate)]
        return sosfilt(butter(2, limits, "bandpass", fs=rate, output="sos"), noise)

    if name == "kick":
        end = uniform(42, 70)
        pitch = end + uniform(90, 260) * falling(uniform(0.012, 0.04))
        sound = tone(pitch) * falling(uniform(0.09, 0.22))
        sound += uniform(0.05, 0.25) * band(1000, 5000) * falling(0.004)
    elif name == "snare":
        body = tone(uniform(160, 260)) + 0.5 * tone(uniform(270, 400))
        sound = uniform(0.4, 0.9) * body * falling(uniform(0.03, 0.07))
        sound += uniform(1.0, 2.0) * band(uniform(700, 1600), 8000) * falling(uniform(0.05, 0.13))
    elif name == "hat":
        # Open ones ring, closed ones do not.
        decay = uniform(0.12, 0.25) if random.random() < 0.3 else uniform(0.012, 0.05)
        sound = band(uniform(2200, 3600), 10_000) * falling(decay)
    elif name == "tom":
        start = uniform(100, 240)
        pitch = start * (1 + uniform(0.2, 0.6) * falling(uniform(0.03, 0.08)))
        sound = tone(pitch) * falling(uniform(0.12, 0.28))
        sound += 0.1 * band(300, 2000) * falling(0.015)
    else:
        first = uniform(450, 900)
        parts = [(1.0, 1.0), (uniform(1.45, 1.55), 0.7), (uniform(2.1, 2.9), 0.3)]
        sound = sum(
            weight * tone(first * ratio) * falling(uniform(0.08, 0.2)) for ratio, weight in parts
        )
    rise = np.minimum(time / uniform(0.0005, 0.002), 1.0)
    # The end falls to nothing: a hit that is cut off would click.
    fade = np.minimum((SECONDS - time) / 0.05, 1.0)
    sound = sound * rise * fade
    return sound / np.abs(sound).max()
