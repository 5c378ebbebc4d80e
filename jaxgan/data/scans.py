"""Drawn scans: slices of heads that nobody has, half of them with a bright lesion.

They stand in for medical pictures where there is no network: ellipses, smoothed noise and blobs.
Nothing about a patient can be learned from them.
"""

import numpy as np
from scipy.ndimage import gaussian_filter

NAMES = ("clear", "lesion")
EACH = 400


def scans(side: int = 64, each: int = EACH) -> tuple[np.ndarray, np.ndarray]:
    """Drawn slices of heads, always the same ones.

    Both classes have small bright vessels, so that brightness alone does not tell them apart.

    Args:
      side: of the pictures, in pixels.
      each: how many of each class.

    Returns:
      uint8 [2 * each, side, side, 1], the classes in turn, and their numbers, int64 [2 * each].
    """
    pictures = np.empty((2 * each, side, side, 1), np.uint8)
    values = np.arange(2 * each) % 2
    for row, value in enumerate(values):
        random = np.random.default_rng((1971, row))
        pictures[row, ..., 0] = _scan(side, bool(value), random)
    return pictures, values


def _scan(side: int, lesion: bool, random: np.random.Generator) -> np.ndarray:
    uniform = random.uniform
    across = (np.arange(side) + 0.5) / side * 2 - 1
    angle = uniform(-0.15, 0.15)
    x0, y0 = across[None] - uniform(-0.05, 0.05), across[:, None] - uniform(-0.05, 0.05)
    x = x0 * np.cos(angle) + y0 * np.sin(angle)
    y = y0 * np.cos(angle) - x0 * np.sin(angle)
    half_width, half_height = uniform(0.64, 0.76), uniform(0.8, 0.92)

    def ellipse(cx: float, cy: float, a: float, b: float, soft: float) -> np.ndarray:
        distance = np.sqrt(np.square((x - cx) / a) + np.square((y - cy) / b))
        return 1 / (1 + np.exp(np.clip((distance - 1) / soft, -50, 50)))

    head = ellipse(0, 0, half_width, half_height, 0.02)
    inside = ellipse(0, 0, half_width * 0.88, half_height * 0.9, 0.02)
    brain = ellipse(0, 0, half_width * 0.84, half_height * 0.86, 0.03)
    noise = random.standard_normal((side, side))
    folds = gaussian_filter(noise, side / 40) * side / 12
    tissue = 0.42 + 0.07 * np.tanh(folds) - 0.08 * np.exp(-np.square(x / 0.02))
    spread, size = uniform(0.09, 0.16), uniform(0.12, 0.26)
    for sign in (-1, 1):
        hollow = ellipse(sign * spread, uniform(-0.12, 0.0), size * 0.42, size, 0.15)
        tissue = tissue * (1 - hollow) + 0.1 * hollow
    for _ in range(random.integers(2, 6)):
        cx, cy = uniform(-0.5, 0.5), uniform(-0.6, 0.6)
        tissue = tissue + uniform(0.1, 0.3) * ellipse(cx, cy, 0.025, 0.025, 0.3)
    if lesion:
        turn, away = uniform(0, 2 * np.pi), uniform(0.25, 0.62)
        cx, cy = away * half_width * np.cos(turn), away * half_height * np.sin(turn)
        a, b = uniform(0.08, 0.2, 2)
        blob = ellipse(cx + 0.02 * folds, cy, a, b, 0.18)
        core = ellipse(cx, cy, a * 0.5, b * 0.5, 0.25) * uniform(0, 0.6)
        tissue = tissue + uniform(0.18, 0.45) * blob * (1 - core)
    picture = 0.88 * (head - inside) + tissue * brain
    picture = picture * uniform(0.85, 1.1) + 0.02
    # A scanner's noise is that of a magnitude: it does not vanish where there is nothing.
    real, imaginary = random.normal(0, uniform(0.015, 0.04), (2, side, side))
    return np.rint(255 * np.clip(np.hypot(picture + real, imaginary), 0, 1)).astype(np.uint8)
