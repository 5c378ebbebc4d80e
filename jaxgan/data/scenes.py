"""Drawn streets by day, in fog, at night and in rain, as a driver would see them.

They stand in for a driving data set where there is no network: polygons in perspective. No camera
took them.
"""

import itertools
import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

NAMES = ("day", "fog", "night", "rain")
EACH = 200

_FINER = 2  # drawn this much larger than asked for, so that edges are smooth


def scenes(side: int = 64, each: int = EACH) -> tuple[np.ndarray, np.ndarray]:
    """Drawn streets, always the same ones.

    Args:
      side: of the pictures, in pixels.
      each: how many of each class.

    Returns:
      uint8 [4 * each, side, side, 3], the classes in turn, and their numbers, int64 [4 * each].
    """
    values = np.arange(len(NAMES) * each) % len(NAMES)
    pictures = np.empty((len(values), side, side, 3), np.uint8)
    for row, value in enumerate(values):
        pictures[row] = _Scene(side, NAMES[value], np.random.default_rng((2007, row))).draw()
    return pictures, values


class _Scene:
    """One street, drawn from far to near; heights and widths are shares of the picture."""

    def __init__(self, side: int, weather: str, random: np.random.Generator):
        self.side, self.weather, self.random = side, weather, random
        self.size = side * _FINER
        self.horizon = random.uniform(0.4, 0.52)
        self.vanishing = random.uniform(0.4, 0.6)
        self.air = {
            "day": np.array([150, 190, 235]) + random.normal(0, 12, 3),
            "fog": np.full(3, random.uniform(170, 205)),
            "night": np.array([14, 16, 34]) + random.uniform(0, 14),
            "rain": np.full(3, random.uniform(105, 140)) + np.array([-4, 0, 8]),
        }[weather]
        low, high = {
            "day": (0.0, 0.15),
            "fog": (0.7, 1.6),
            "night": (0.0, 0.2),
            "rain": (0.2, 0.5),
        }[weather]
        self.thickness = random.uniform(low, high)
        self.light = {"day": 1.0, "fog": 0.85, "night": 0.2, "rain": 0.62}[weather]
        self.light *= random.uniform(0.85, 1.15)
        self.image = Image.new("RGB", (self.size, self.size))
        self.pen = ImageDraw.Draw(self.image)
        self.lamps: list[tuple[float, float, float, np.ndarray]] = []

    def draw(self) -> np.ndarray:
        """uint8 [side, side, 3]."""
        self._sky()
        self._ground()
        # What stands beside the road and what drives on it, the farthest first.
        for near in np.sort(self.random.uniform(0.03, 1.0, 9)):
            for hand in (-1, 1):
                self._beside(near, hand)
        for near in np.sort(self.random.uniform(0.1, 0.75, self.random.integers(0, 4))):
            self._car(near)
        picture = np.asarray(self.image, np.float64)
        if self.lamps:
            picture = picture + self._glow()
        if self.weather == "rain":
            picture = picture + self._streaks()
        blurred = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).reduce(_FINER)
        noisy = np.asarray(blurred, np.float64) + self.random.normal(0, 4, (self.side,) * 2 + (3,))
        return np.rint(np.clip(noisy, 0, 255)).astype(np.uint8)

    def _seen(self, colour: np.ndarray, near: float) -> tuple[int, int, int]:
        """A colour under this light through this air; `near` is 0 at the horizon and 1 here."""
        clear = math.exp(-self.thickness * (1 / max(near, 0.05) - 1) * 0.6)
        # Plain numbers: NumPy takes longer to begin than three of them take.
        red, green, blue = (
            min(max(int(own * self.light * clear + air * (1 - clear)), 0), 255)
            for own, air in zip(colour.tolist(), self.air.tolist(), strict=True)
        )
        return red, green, blue

    def _place(self, across: float, up: float, near: float) -> tuple[float, float]:
        """Where a point is seen: `across` 1 is the road's edge, `up` in widths of half a road."""
        scale = 0.75 * near
        x = self.vanishing + across * scale + (0.5 - self.vanishing) * near
        y = self.horizon + (1 - self.horizon) * near - up * scale
        return x * self.size, y * self.size

    def _polygon(self, points: list[tuple[float, float]], colour: tuple[int, int, int]) -> None:
        self.pen.polygon(points, fill=colour)

    def _sky(self) -> None:
        below = self.air * (0.9 if self.weather == "night" else 1.0)
        above = self.air * {"day": 0.72, "night": 0.5}.get(self.weather, 0.95)
        if self.weather == "day":
            below = below + self.random.uniform(10, 60) * np.array([1, 0.6, 0.2])
        for y in range(int(self.size * self.horizon) + 1):
            share = y / (self.size * self.horizon)
            colour = np.clip(above * (1 - share) + below * share, 0, 255).astype(int)
            self.pen.line([(0, y), (self.size, y)], fill=tuple(colour))

    def _ground(self) -> None:
        grass = np.array([80, 110, 60]) * self.random.uniform(0.7, 1.2)
        pavement = np.full(3, 130.0)
        beside = grass if self.random.random() < 0.5 else pavement
        road = np.full(3, self.random.uniform(70, 105))
        if self.weather == "rain":
            road = road * 0.75 + self.air * 0.35
        edges = np.linspace(0, 1, 17)
        for far, near in itertools.pairwise(edges):
            for reach, colour in ((30.0, beside), (1.0, road)):
                corners = [self._place(s * reach, 0, n) for s, n in self._corners(far, near)]
                self._polygon(corners, self._seen(colour, near))
        white = np.full(3, 225.0)
        offset = self.random.uniform(0.5, 1.0)
        for number in range(12):
            far, near = (1 / (1 + 0.55 * (number + offset + part)) for part in (0.45, 0.0))
            for middle in (-0.93, 0.0, 0.93):
                corners = [
                    self._place(middle + 0.03 * s, 0, n) for s, n in self._corners(far, near)
                ]
                self._polygon(corners, self._seen(white, near))

    @staticmethod
    def _corners(far: float, near: float) -> tuple[tuple[float, float], ...]:
        return (-1.0, far), (1.0, far), (1.0, near), (-1.0, near)

    def _beside(self, near: float, hand: int) -> None:
        kind = self.random.choice(["house", "house", "tree", "lamp", "nothing"])
        if kind == "house":
            self._house(near, hand)
        elif kind == "tree":
            self._tree(near, hand)
        elif kind == "lamp":
            self._lamp(near, hand)

    def _house(self, near: float, hand: int) -> None:
        wall = self.random.uniform(90, 210) * np.array([1, self.random.uniform(0.75, 1), 0.75])
        inner, outer = hand * 1.45, hand * self.random.uniform(2.4, 3.6)
        height = self.random.uniform(0.9, 2.4)
        corners = [(inner, 0.0), (outer, 0.0), (outer, height), (inner, height)]
        self._polygon([self._place(a, up, near) for a, up in corners], self._seen(wall, near))
        for column in np.linspace(0.15, 0.75, 3):
            for storey in np.arange(0.35, height - 0.25, 0.5):
                lit = self.weather == "night" and self.random.random() < 0.5
                pane = np.array([255, 215, 130]) / self.light if lit else wall * 0.45
                left = inner + (outer - inner) * column
                right = left + (outer - inner) * 0.13
                low, high = storey - 0.12, storey + 0.16
                window = [(left, low), (right, low), (right, high), (left, high)]
                self._polygon(
                    [self._place(a, up, near) for a, up in window], self._seen(pane, near)
                )

    def _tree(self, near: float, hand: int) -> None:
        at, height = hand * self.random.uniform(1.2, 1.6), self.random.uniform(0.5, 1.0)
        trunk = [(at - 0.04, 0.0), (at + 0.04, 0.0), (at + 0.04, height), (at - 0.04, height)]
        brown = self._seen(np.array([85.0, 60, 40]), near)
        self._polygon([self._place(a, up, near) for a, up in trunk], brown)
        leaves = np.array([50, 110, 45]) * self.random.uniform(0.7, 1.4)
        width = self.random.uniform(0.25, 0.45)
        left, top = self._place(at - width, height + 2 * width, near)
        right, bottom = self._place(at + width, height - 0.3 * width, near)
        self.pen.ellipse([left, top, right, bottom], fill=self._seen(leaves, near))

    def _lamp(self, near: float, hand: int) -> None:
        at, height = hand * 1.15, 1.5
        post = [(at - 0.02, 0.0), (at + 0.02, 0.0), (at + 0.02, height), (at - 0.02, height)]
        grey = self._seen(np.full(3, 60.0), near)
        self._polygon([self._place(a, up, near) for a, up in post], grey)
        if self.weather == "night":
            self._shine(at - hand * 0.1, height, near, 0.09, np.array([255.0, 220, 150]))

    def _car(self, near: float) -> None:
        comes = self.random.random() < 0.5
        at = (-0.5 if comes else 0.5) + self.random.uniform(-0.1, 0.1)
        paint = self.random.uniform(30, 230, 3)
        width, height = 0.3, 0.42
        for low, high, narrow, colour in (
            (0.0, 0.09, 0.95, np.full(3, 25.0)),
            (0.06, 0.26, 1.0, paint),
            (0.26, height, 0.78, paint * 0.85),
            (0.28, height - 0.04, 0.68, np.array([70.0, 85, 100])),
        ):
            left, right = at - width * narrow, at + width * narrow
            corners = [(left, low), (right, low), (right, high), (left, high)]
            self._polygon([self._place(a, up, near) for a, up in corners], self._seen(colour, near))
        light = np.array([255.0, 245, 215]) if comes else np.array([255.0, 40, 30])
        for side in (-0.75, 0.75):
            dark = self.weather in ("night", "fog", "rain")
            self._shine(at + side * width, 0.19, near, 0.05 if dark else 0.03, light, dark)

    def _shine(
        self,
        across: float,
        up: float,
        near: float,
        radius: float,
        colour: np.ndarray,
        glows: bool = True,
    ) -> None:
        x, y = self._place(across, up, near)
        reach = max(radius * 0.75 * near * self.size, 0.6)
        shown = tuple(int(value) for value in (colour if glows else colour * 0.75))
        self.pen.ellipse([x - reach, y - reach, x + reach, y + reach], fill=shown)
        if glows:
            self.lamps.append((x, y, reach, colour))

    def _glow(self) -> np.ndarray:
        glow = Image.new("RGB", self.image.size)
        pen = ImageDraw.Draw(glow)
        for x, y, reach, colour in self.lamps:
            box = [x - 2 * reach, y - 2 * reach, x + 2 * reach, y + 2 * reach]
            pen.ellipse(box, fill=tuple(int(value) for value in colour))
        return 0.8 * np.asarray(glow.filter(ImageFilter.GaussianBlur(self.size / 24)), np.float64)

    def _streaks(self) -> np.ndarray:
        rain = Image.new("L", self.image.size)
        pen = ImageDraw.Draw(rain)
        lean = self.random.uniform(-0.3, 0.3)
        for _ in range(self.random.integers(40, 110)):
            x, y = self.random.uniform(0, self.size, 2)
            length = self.random.uniform(0.05, 0.14) * self.size
            pen.line(
                [(x, y), (x + lean * length, y + length)], fill=int(self.random.uniform(25, 90))
            )
        return np.asarray(rain, np.float64)[..., None]
