"""Drawn fronts of houses with a label map each: what stands in for facades without a network.

The map says what every pixel belongs to; the picture shows it in paint, brick, glass and light that
the map does not tell, so that one map fits many pictures. No camera took them.
"""

import numpy as np
from scipy.ndimage import gaussian_filter

NAMES = ("sky", "wall", "roof", "window", "door", "balcony", "ledge", "shutter", "shop")
SKY, WALL, ROOF, WINDOW, DOOR, BALCONY, LEDGE, SHUTTER, SHOP = range(len(NAMES))


def facades(side: int, count: int, first: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Drawn facades, always the same ones, no two alike.

    Args:
      side: of the pictures, in pixels, at least 32.
      count: how many.
      first: the number of the first one.

    Returns:
      The pictures, uint8 [count, side, side, 3], and what they show, uint8 [count, side, side]:
      numbers of `NAMES`.
    """
    pictures = np.empty((count, side, side, 3), np.uint8)
    labels = np.empty((count, side, side), np.uint8)
    for row in range(count):
        random = np.random.default_rng((1886, first + row))
        labels[row] = _plan(side, random)
        pictures[row] = _paint(labels[row], random)
    return pictures, labels


def _plan(side: int, random: np.random.Generator) -> np.ndarray:
    """The label map, drawn from back to front; places are shares of the picture."""
    plan = np.full((side, side), SKY, np.uint8)

    def box(left: float, top: float, right: float, bottom: float, label: int) -> None:
        x0, y0, x1, y1 = (round(place * side) for place in (left, top, right, bottom))
        # What is drawn shows, if only by a pixel.
        plan[max(y0, 0) : max(y1, y0 + 1), max(x0, 0) : max(x1, x0 + 1)] = label

    uniform = random.uniform
    left, right = uniform(-0.02, 0.1), uniform(0.9, 1.02)
    top = uniform(0.06, 0.2)
    roof = uniform(0.05, 0.13)
    lean = uniform(0, 0.12)
    for y in range(round(top * side), round((top + roof) * side)):
        inset = lean * (1 - (y / side - top) / roof)
        plan[y, round(max(left + inset, 0) * side) : round((right - inset) * side)] = ROOF
    wall = top + roof
    box(left, wall, right, 1, WALL)
    box(left - 0.01, wall - 0.01, right + 0.01, wall + 0.015, LEDGE)
    storeys, bays = int(random.integers(2, 5)), int(random.integers(2, 6))
    ground = uniform(0.74, 0.8)
    height, width = (ground - wall - 0.02) / storeys, (right - left) / bays
    tall, wide = uniform(0.5, 0.68), uniform(0.36, 0.52)
    shuttered, ledged = random.random() < 0.4, random.random() < 0.5
    balconies = random.random((storeys, bays)) < random.choice([0.0, 0.2, 0.5])
    for storey in range(storeys):
        over = wall + 0.02 + storey * height
        for bay in range(bays):
            middle = left + (bay + 0.5) * width
            x0, x1 = middle - wide * width / 2, middle + wide * width / 2
            y0 = over + (1 - tall) * height / 2
            y1 = y0 + tall * height
            box(x0, y0, x1, y1, WINDOW)
            if shuttered:
                half = (x1 - x0) * 0.38
                box(x0 - half, y0, x0, y1, SHUTTER)
                box(x1, y0, x1 + half, y1, SHUTTER)
            if balconies[storey, bay]:
                box(x0 - 0.02, y1 - 0.3 * (y1 - y0), x1 + 0.02, y1 + 0.02, BALCONY)
            else:
                box(x0 - 0.01, y1, x1 + 0.01, y1 + 0.012, LEDGE)
        if ledged and storey:
            box(left, over - 0.008, right, over + 0.004, LEDGE)
    box(left, ground - 0.012, right, ground + 0.006, LEDGE)
    door = int(random.integers(bays))
    shops = random.random() < 0.6
    for bay in range(bays):
        x0 = left + (bay + 0.5) * width - 0.32 * width
        x1 = x0 + 0.64 * width
        if bay == door:
            box(x0 + 0.1 * width, ground + 0.05, x1 - 0.1 * width, 1, DOOR)
        elif shops:
            box(x0, ground + 0.045, x1, 0.96, SHOP)
        else:
            box(x0 + 0.08 * width, ground + 0.06, x1 - 0.08 * width, 0.93, WINDOW)
    return plan


def _paint(plan: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A picture of what the map says: uint8 [side, side, 3]."""
    side = len(plan)
    uniform = random.uniform
    down, across = (np.arange(side) + 0.5)[:, None] / side, (np.arange(side) + 0.5)[None] / side
    smooth = gaussian_filter(random.standard_normal((side, side)), side / 24) * side / 8
    grain = random.standard_normal((side, side))
    surfaces = np.empty((len(NAMES), side, side, 3))

    def tinted(colour: np.ndarray, light: np.ndarray | float) -> np.ndarray:
        """A colour under a light of each pixel, around 1."""
        return np.clip(colour, 0, 255) * np.broadcast_to(light, (side, side))[..., None]

    air = np.array([120, 165, 220]) + random.normal(0, 15, 3)
    clouds = np.clip(0.25 * smooth + 0.35 * down, 0, 1)[..., None]
    surfaces[SKY] = air * (1 - clouds) + 240 * clouds
    paint = np.array([uniform(150, 235), uniform(110, 205), uniform(80, 180)])
    # Courses of brick, or plaster with stains.
    course = uniform(0.022, 0.036)
    row = np.floor(down / course)
    joint = (down / course % 1 < 0.2) | ((across / course / 2 + 0.5 * (row % 2)) % 1 < 0.1)
    brick = 1 - 0.25 * joint + 0.05 * grain
    plaster = 1 + 0.05 * smooth + 0.02 * grain
    surfaces[WALL] = tinted(paint, brick if random.random() < 0.5 else plaster)
    tiles = 1 - 0.3 * (down * side / max(side / 40, 2) % 1 < 0.35) + 0.06 * grain
    surfaces[ROOF] = tinted(np.array([uniform(70, 160), 75, uniform(60, 80)]), tiles)
    # Glass shows the sky, brighter towards one corner, and what hangs behind it.
    reflected = 0.45 + 0.5 * np.clip(down * uniform(-1, 1) + across * uniform(-1, 1), 0, 1)
    glass = tinted(air * 0.5 + 20, reflected + 0.22 * smooth)
    surfaces[WINDOW] = glass
    surfaces[SHOP] = 0.7 * glass + 0.3 * np.array([255, 214, 140]) * uniform(0.4, 1.1)
    wood = np.array([uniform(60, 140), uniform(45, 95), uniform(30, 80)])
    surfaces[DOOR] = tinted(wood, 1 - 0.25 * (across * side / max(side / 32, 3) % 1 < 0.3))
    bars = across * side / max(side / 48, 2) % 1 < 0.45
    iron = np.array([45.0, 45, 50])
    surfaces[BALCONY] = np.where(bars[..., None], iron, glass * 0.8)
    surfaces[LEDGE] = tinted(np.full(3, uniform(185, 235)), 1 + 0.04 * grain)
    slats = down * side / max(side / 64, 2) % 1 < 0.5
    surfaces[SHUTTER] = tinted(random.uniform([30, 70, 40], [150, 150, 170]), 1 - 0.3 * slats)
    picture = np.take_along_axis(surfaces, plan[None, ..., None].astype(np.int64), axis=0)[0]
    picture = _frames(picture, plan, uniform(0.75, 1.15) * np.array([225.0, 220, 205]))
    # The sun from the left or the right, and a shadow under all that stands out.
    out = np.isin(plan, (LEDGE, BALCONY, ROOF))
    reach = max(side // 48, 1)
    under = np.zeros_like(out)
    under[reach:] = out[:-reach]
    picture = picture * np.where(under & ~out & (plan != SKY), 0.72, 1.0)[..., None]
    light = uniform(0.8, 1.1) + uniform(-0.25, 0.25) * (across - 0.5)
    picture = picture * np.where(plan == SKY, 1.0, light)[..., None]
    picture = picture + random.normal(0, 4, (side, side, 1))
    return np.rint(np.clip(picture, 0, 255)).astype(np.uint8)


def _frames(picture: np.ndarray, plan: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Frames around panes of glass: the window's pixels next to something else."""
    glass = np.isin(plan, (WINDOW, SHOP))
    inner = np.pad(glass, 1)
    inside = inner[:-2, 1:-1] & inner[2:, 1:-1] & inner[1:-1, :-2] & inner[1:-1, 2:]
    return np.where((glass & ~inside)[..., None], colour, picture)
