"""Capital letters as if by hand, drawn here: white on black, in the manner of MNIST.

Each is a few strokes of a pen whose slant, width, proportions and path differ from one drawing to
the next. No person wrote them.
"""

import functools

import numpy as np

NAMES = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
EACH = 150

# Points that a pen passes, x to the right and y downwards in [0, 1]: two make a straight stroke,
# more a curve.
_RIGHT_BOWL = "10,0 65,2 92,26 65,53 10,55"
_ROUND = "50,0 12,18 2,50 12,82 50,100 88,82 98,50 88,18 50,0"
_STROKES = {
    "A": "0,100 50,0; 50,0 100,100; 18,64 82,64",
    "B": "10,0 10,100; 10,0 55,2 80,22 55,45 10,48; 10,48 62,52 90,74 62,97 10,100",
    "C": "92,20 55,0 15,20 3,50 15,80 55,100 92,80",
    "D": "10,0 10,100; 10,0 55,6 92,32 92,68 55,94 10,100",
    "E": "10,0 10,100; 10,0 90,0; 10,50 75,50; 10,100 90,100",
    "F": "10,0 10,100; 10,0 90,0; 10,50 75,50",
    "G": "92,20 55,0 15,20 3,50 15,80 55,100 88,85 92,58; 92,58 55,58",
    "H": "8,0 8,100; 92,0 92,100; 8,50 92,50",
    "I": "50,0 50,100; 22,0 78,0; 22,100 78,100",
    "J": "70,0 71,68 55,96 25,96 8,74; 36,0 100,0",
    "K": "10,0 10,100; 90,0 10,55; 32,40 92,100",
    "L": "10,0 10,100; 10,100 85,100",
    "M": "3,100 12,0; 12,0 50,70; 50,70 88,0; 88,0 97,100",
    "N": "8,100 8,0; 8,0 92,100; 92,100 92,0",
    "O": _ROUND,
    "P": f"10,0 10,100; {_RIGHT_BOWL}",
    "Q": f"{_ROUND}; 58,68 100,106",
    "R": f"10,0 10,100; {_RIGHT_BOWL}; 40,55 92,100",
    "S": "88,14 50,0 14,16 20,40 50,50 82,62 88,85 50,100 8,86",
    "T": "0,0 100,0; 50,0 50,100",
    "U": "8,0 9,62 24,94 50,100 76,94 91,62 92,0",
    "V": "3,0 50,100; 50,100 97,0",
    "W": "0,0 25,100; 25,100 50,30; 50,30 75,100; 75,100 100,0",
    "X": "5,0 95,100; 95,0 5,100",
    "Y": "3,0 50,50; 97,0 50,50; 50,50 50,100",
    "Z": "5,0 95,0; 95,0 5,100; 5,100 95,100",
}
_SPACING = 0.02  # of the points along a stroke


def letters(side: int = 28, each: int = EACH) -> tuple[np.ndarray, np.ndarray]:
    """Drawn letters, always the same ones.

    Args:
      side: of the pictures, in pixels.
      each: how many of every letter.

    Returns:
      uint8 [26 * each, side, side, 1], the letters in turn (A, B, ..., Z, A, ...), and their
      numbers, int64 [26 * each].
    """
    pictures = np.empty((each, len(NAMES), side, side, 1), np.uint8)
    for number, name in enumerate(NAMES):
        random = np.random.default_rng((2016, number))
        paths = _vary(*_path(_STROKES[name]), each, random)
        widths = random.uniform(0.045, 0.09, each)
        for row in range(each):
            pictures[row, number, ..., 0] = _ink(paths[row], widths[row], side)
    values = np.tile(np.arange(len(NAMES)), each)
    return pictures.reshape(-1, side, side, 1), values


def _path(strokes: str) -> tuple[np.ndarray, np.ndarray]:
    """Points along the strokes, the middle of the letter at 0, and each point's stroke.

    Returns:
      float64 [points, 2], int64 [points].
    """
    from scipy.interpolate import CubicSpline  # it takes long to import, for letters alone

    along = []
    for stroke in strokes.split(";"):
        passed = np.array([point.split(",") for point in stroke.split()], float) / 100 - 0.5
        at = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(passed, axis=0).T))])
        ends = "natural" if len(at) > 2 else "not-a-knot"
        steps = np.linspace(0, at[-1], int(np.ceil(at[-1] / _SPACING)) + 1)
        along.append(CubicSpline(at, passed, bc_type=ends)(steps))
    return np.concatenate(along), np.repeat(np.arange(len(along)), [len(part) for part in along])


def _vary(
    path: np.ndarray, stroke: np.ndarray, count: int, random: np.random.Generator
) -> np.ndarray:
    """Drawings of a path by different hands: float64 [count, points, 2]."""
    points = np.broadcast_to(path, (count, *path.shape)).copy()

    def each(low: float, high: float) -> np.ndarray:
        return random.uniform(low, high, (count, 1))

    # A slow wave through the plane bends strokes and keeps them joined.
    for axis in (0, 1):
        wave = each(0.5, 1.6) * points[..., 1 - axis] + each(0.0, 1.0) + 0.4 * points[..., axis]
        points[..., axis] += each(0.0, 0.07) * np.sin(2 * np.pi * wave)
    points += random.normal(0, 0.018, (count, stroke[-1] + 1, 2))[:, stroke]
    x = points[..., 0] * each(0.62, 1.0) + points[..., 1] * each(-0.3, 0.12)
    y = points[..., 1] * each(0.85, 1.1)
    angle = each(-0.14, 0.14)
    turned = np.stack(
        [x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)], axis=-1
    )
    low, high = turned.min(axis=1, keepdims=True), turned.max(axis=1, keepdims=True)
    fitted = (turned - (low + high) / 2) / np.maximum((high - low).max(axis=2, keepdims=True), 1)
    return fitted + random.uniform(-0.03, 0.03, (count, 1, 2))


def _ink(path: np.ndarray, width: float, side: int) -> np.ndarray:
    """A drawing five sevenths of the picture high, with a soft edge: uint8 [side, side]."""
    x, y = path.T
    across = _centres(side)
    squared = np.square(across[:, None] - x)[None] + np.square(across[:, None] - y)[:, None]
    # Distances in pixels of a picture of 28, so that larger ones show the same pen.
    depth = (width - np.sqrt(squared.min(axis=2))) * 20
    return np.rint(255 * np.clip(depth / 1.4 + 0.6, 0, 1)).astype(np.uint8)


@functools.cache
def _centres(side: int) -> np.ndarray:
    return ((np.arange(side) + 0.5) / side - 0.5) * (7 / 5)
