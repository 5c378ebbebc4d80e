"""Drawn figures that move: the embedded sample of films.

A figure of sticks walks, waves, jumps or does jumping jacks in front of a coloured wall. Looks,
pace and size differ from one film to the next.
"""

import numpy as np
from PIL import Image, ImageDraw

CLASSES = ("walk", "wave", "jump", "jumping_jack")
# Films in all, and frames of each.
COUNT, FRAMES = 80, 48
# Drawn at so many times its size and reduced, which smooths every edge.
_OVER = 3


def films(
    side: int, count: int = COUNT, frames: int = FRAMES, seed: int = 0
) -> tuple[list[np.ndarray], np.ndarray]:
    """Drawn films, the actions in turn.

    Args:
      side: of the frames, in pixels.
      count: how many films.
      frames: of each.
      seed: another one draws others.

    Returns:
      uint8 [frames, side, side, 3] each, and which of `CLASSES` each shows, int64 [count].
    """
    random = np.random.default_rng(seed)
    kinds = np.arange(count, dtype=np.int64) % len(CLASSES)
    return [_film(CLASSES[kind], side, frames, random) for kind in kinds], kinds


def _film(action: str, side: int, frames: int, random: np.random.Generator) -> np.ndarray:
    wall, floor = random.integers(140, 230, (2, 3))
    clothes, legs = random.integers(0, 120, (2, 3))
    skin = np.array([200, 150, 120]) + random.integers(-40, 30, 3)
    size = random.uniform(0.62, 0.8)
    start = random.uniform(0.0, 1.0)
    pace = random.uniform(0.8, 1.3) / 16
    first = random.uniform(0.3, 0.7)
    ahead = random.choice((-1.0, 1.0))
    pictures = []
    for frame in range(frames):
        phase = 2 * np.pi * (start + frame * pace)
        swing, x, lift = np.sin(phase), first, 0.0
        arms, thighs = (0.25, -0.25), (0.1, -0.1)
        if action == "walk":
            # Out of the picture on one side and in again on the other.
            x = (first + ahead * frame * pace * 0.35 + 0.05) % 1.1 - 0.05
            arms, thighs = (0.6 * swing, -0.6 * swing), (-0.5 * swing, 0.5 * swing)
        elif action == "wave":
            arms = (2.4 + 0.5 * swing, -0.2)
        elif action == "jump":
            lift = 0.16 * max(swing, 0.0)
            arms = (0.9 + 0.6 * swing, -0.9 - 0.6 * swing)
        else:
            open_ = (1 - np.cos(phase)) / 2
            arms, thighs = (0.2 + 2.6 * open_, -0.2 - 2.6 * open_), (0.45 * open_, -0.45 * open_)
            lift = 0.05 * abs(swing)
        large = Image.new("RGB", (side * _OVER,) * 2, tuple(int(c) for c in wall))
        pen = ImageDraw.Draw(large)
        pen.rectangle(
            (0, 0.86 * side * _OVER, side * _OVER, side * _OVER), tuple(int(c) for c in floor)
        )
        colours = [tuple(int(c) for c in part) for part in (clothes, legs, skin)]
        _figure(pen, side * _OVER, x, 0.92 - lift, size, arms, thighs, colours)
        pictures.append(np.asarray(large.reduce(_OVER)))
    return np.stack(pictures)


def _figure(
    pen: ImageDraw.ImageDraw,
    side: int,
    x: float,
    floor: float,
    size: float,
    arms: tuple[float, float],
    thighs: tuple[float, float],
    colours: list[tuple[int, ...]],
) -> None:
    """A figure whose limbs hang at angles from straight down, positive to the right."""
    clothes, trousers, skin = colours
    thick = max(round(0.07 * size * side), 2)

    def limb(start: tuple[float, float], angle: float, length: float, colour: tuple) -> None:
        end = (start[0] + length * np.sin(angle), start[1] + length * np.cos(angle))
        points = [(px * side, py * side) for px, py in (start, end)]
        pen.line(points, colour, thick)
        for px, py in points:
            pen.ellipse((px - thick / 2, py - thick / 2, px + thick / 2, py + thick / 2), colour)

    hips, shoulders = (x, floor - 0.45 * size), (x, floor - 0.8 * size)
    for angle in thighs:
        limb(hips, angle, 0.44 * size, trousers)
    for angle in arms:
        limb(shoulders, angle, 0.36 * size, clothes)
    width = 0.09 * size * side
    pen.rectangle(
        (x * side - width, shoulders[1] * side, x * side + width, hips[1] * side), clothes
    )
    head = (x * side, (floor - 0.9 * size) * side)
    radius = 0.1 * size * side
    pen.ellipse((head[0] - radius, head[1] - radius, head[0] + radius, head[1] + radius), skin)
