"""Drawn faces of two people who do not exist, as frames of two films would show them.

They stand in for films of two people where there is no network. Pose, expression, light and
background vary alike in both; hair, beard, glasses and skin tell the two apart.
"""

import math
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

_FINER = 4  # drawn this much larger than asked for, so that edges are smooth


class Person(NamedTuple):
    """What does not change from frame to frame; colours are RGB, lengths in half faces."""

    skin: tuple[int, int, int]
    hair: tuple[int, int, int]
    iris: tuple[int, int, int]
    width: float
    long_hair: bool
    beard: bool
    glasses: bool


PEOPLE = {
    "Ada": Person((233, 190, 160), (62, 34, 22), (74, 110, 60), 0.78, True, False, False),
    "Ben": Person((196, 140, 105), (40, 40, 44), (60, 90, 140), 0.92, False, True, True),
}


def people(side: int, each: int, first: int = 0) -> dict[str, np.ndarray]:
    """Frames of both, always the same ones, no two alike.

    Args:
      side: of the frames, in pixels.
      each: how many of each person.
      first: the number of the first one.

    Returns:
      uint8 [each, side, side, 3] by name.
    """
    return {
        name: np.stack(
            [
                _frame(person, side, np.random.default_rng((1888, index, first + row)))
                for row in range(each)
            ]
        )
        for index, (name, person) in enumerate(PEOPLE.items())
    }


def _frame(person: Person, side: int, random: np.random.Generator) -> np.ndarray:
    large = side * _FINER
    low, high = np.sort(random.integers(60, 200, (2, 3)), axis=0)
    share = np.linspace(0, 1, large)[:, None, None]
    ground = (low + (high - low) * share).astype(np.uint8)
    image = Image.fromarray(np.broadcast_to(ground, (large, large, 3)).copy())
    pen = ImageDraw.Draw(image)
    half = 0.34 * large * random.uniform(0.9, 1.1)
    x, y = (large * (0.5 + random.uniform(-0.05, 0.05)) for _ in range(2))
    turn, smile, open_eyes = (random.uniform(-1, 1) for _ in range(3))

    def oval(dx: float, dy: float, rx: float, ry: float, fill: tuple[int, ...]) -> None:
        box = (
            x + (dx - rx) * half,
            y + (dy - ry) * half,
            x + (dx + rx) * half,
            y + (dy + ry) * half,
        )
        pen.ellipse(box, fill)

    if person.long_hair:
        oval(0, 0.15, person.width + 0.28, 1.3, person.hair)
    oval(0, 0, person.width, 1.0, person.skin)
    if person.beard:
        chin = tuple((2 * h + s) // 3 for h, s in zip(person.hair, person.skin, strict=True))
        oval(0.05 * turn, 0.6, 0.62 * person.width, 0.42, chin)
    top = 0.62 if person.long_hair else 0.45
    oval(0.1 * turn, -0.78, person.width * 0.98, top, person.hair)
    oval(0.12 * turn, -0.12, person.width * 0.86, 0.5, person.skin)
    shade = tuple(int(0.8 * value) for value in person.skin)
    oval(0.22 * turn, 0.22, 0.1, 0.17, shade)
    for eye in (-1, 1):
        place = 0.36 * eye * person.width / 0.85 + 0.15 * turn
        tall = 0.1 + 0.035 * open_eyes
        oval(place, -0.12, 0.16, tall, (245, 245, 240))
        oval(place + 0.05 * turn, -0.12, 0.075, min(tall, 0.075), person.iris)
        oval(place, -0.34, 0.19, 0.035, person.hair)
        if person.glasses:
            box = [
                (x + (place - 0.24) * half, y - 0.3 * half),
                (x + (place + 0.24) * half, y + 0.08 * half),
            ]
            pen.rectangle(box, outline=(20, 20, 20), width=max(large // 64, 1))
    mouth = x + 0.16 * turn * half, y + 0.55 * half
    bend = 0.16 * smile * half
    points = [
        (mouth[0] + t * 0.32 * half, mouth[1] + bend * (1 - t * t)) for t in np.linspace(-1, 1, 15)
    ]
    pen.line(points, (150, 60, 60), max(round(0.07 * half), 1), joint="curve")
    image = image.rotate(random.uniform(-12, 12), Image.Resampling.BILINEAR, fillcolor=tuple(low))
    image = image.filter(ImageFilter.GaussianBlur(large / 200)).resize(
        (side, side), Image.Resampling.LANCZOS
    )
    # Light from one side.
    angle = random.uniform(0, 2 * math.pi)
    rows, columns = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    light = 1 + 0.25 * (np.sin(angle) * rows + np.cos(angle) * columns)
    lit = np.asarray(image, np.float64) * light[..., None] * random.uniform(0.8, 1.15)
    grain = random.normal(0, 2, lit.shape)
    return np.clip(np.rint(lit + grain), 0, 255).astype(np.uint8)
