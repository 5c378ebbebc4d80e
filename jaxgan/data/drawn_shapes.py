"""Drawn shapes with sentences that say what they are: the sample of pictures with captions.

One shape on a plain ground, anywhere it fits. Nothing in the pictures but the shape's place, its
exact size and the exact shade of its colour is left unsaid.
"""

import itertools

import numpy as np
from PIL import Image, ImageDraw

COLOURS = {
    "red": (214, 48, 42),
    "green": (38, 156, 66),
    "blue": (44, 84, 214),
    "yellow": (240, 206, 48),
}
SHAPES = ("circle", "square", "triangle")
# Half of the side or of the diameter, in shares of the picture.
SIZES = {"small": (0.11, 0.15), "large": (0.26, 0.32)}
GROUNDS = {"white": 245, "black": 16}
EACH = 48
SENTENCES = (
    "a {size} {colour} {shape} on a {ground} background",
    "on a {ground} background there is a {size} {colour} {shape}",
    "one {colour} {shape}, which is {size}, in front of {ground}",
)
# The classes in the order of their numbers.
KINDS = tuple(itertools.product(COLOURS, SHAPES, SIZES))
NAMES = tuple(f"{size} {colour} {shape}" for colour, shape, size in KINDS)
# For each class the number of its colour, of its shape and of its size.
ASPECTS = {
    "colour": np.array([list(COLOURS).index(colour) for colour, _, _ in KINDS]),
    "shape": np.array([SHAPES.index(shape) for _, shape, _ in KINDS]),
    "size": np.array([list(SIZES).index(size) for _, _, size in KINDS]),
}

_FINER = 4  # drawn this much larger than asked for, so that edges are smooth


def shapes(
    side: int = 64, each: int = EACH
) -> tuple[np.ndarray, np.ndarray, tuple[tuple[str, ...], ...]]:
    """Drawn shapes, always the same ones.

    Args:
      side: of the pictures, in pixels.
      each: how many of each class.

    Returns:
      uint8 [24 * each, side, side, 3], the classes in turn, on white and on black in turn; their
      numbers, int32 [24 * each]; and the sentences of each.
    """
    labels = (np.arange(len(KINDS) * each) % len(KINDS)).astype(np.int32)
    pictures = np.empty((len(labels), side, side, 3), np.uint8)
    captions = []
    for row, label in enumerate(labels):
        colour, shape, size = KINDS[label]
        ground = list(GROUNDS)[row // len(KINDS) % 2]
        random = np.random.default_rng((2016, row))
        pictures[row] = _draw(side, colour, shape, size, ground, random)
        told = {"colour": colour, "shape": shape, "size": size, "ground": ground}
        captions.append(tuple(sentence.format(**told) for sentence in SENTENCES))
    return pictures, labels, tuple(captions)


def _draw(
    side: int, colour: str, shape: str, size: str, ground: str, random: np.random.Generator
) -> np.ndarray:
    whole = side * _FINER
    paint = np.clip(np.array(COLOURS[colour]) + random.normal(0, 8, 3), 0, 255).astype(int)
    grey = GROUNDS[ground]
    image = Image.new("RGB", (whole, whole), (grey, grey, grey))
    half = random.uniform(*SIZES[size]) * whole
    x, y = random.uniform(half, whole - half, 2)
    box = (x - half, y - half, x + half, y + half)
    pen = ImageDraw.Draw(image)
    fill = (int(paint[0]), int(paint[1]), int(paint[2]))
    if shape == "circle":
        pen.ellipse(box, fill)
    elif shape == "square":
        pen.rectangle(box, fill)
    else:
        pen.polygon([(x, y - half), (x + half, y + half), (x - half, y + half)], fill)
    return np.asarray(image.resize((side, side), Image.Resampling.BOX))
