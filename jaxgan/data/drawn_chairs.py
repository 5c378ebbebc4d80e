"""Chairs and tables built of boxes: the embedded sample of solid shapes."""

import numpy as np

CLASSES = ("chair", "table")
# Of both kinds together.
COUNT = 600


def furniture(side: int, count: int = COUNT, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Drawn chairs and tables in turn, of proportions that the seed decides.

    Args:
      side: of the volumes, in voxels, at least 8.
      count: how many.
      seed: another one draws others.

    Returns:
      bool [count, side, side, side], axes x (depth), y (width), z (height, upwards); and which of
      `CLASSES` each is, int64 [count].
    """
    kinds = np.arange(count, dtype=np.int64) % len(CLASSES)
    draw = (_chair, _table)
    random = np.random.default_rng(seed)
    return np.stack([draw[kind](side, random) for kind in kinds]), kinds


def _box(shape: np.ndarray, *ranges: tuple[float, float]) -> None:
    """Fills a box given in shares of the side; no box is thinner than a voxel."""
    side = len(shape)
    place = []
    for low, high in ranges:
        first = min(int(np.clip(round(low * side), 0, side)), side - 1)
        place.append(slice(first, max(int(np.clip(round(high * side), 0, side)), first + 1)))
    shape[tuple(place)] = True


def _legs(
    shape: np.ndarray,
    depth: tuple[float, float],
    width: tuple[float, float],
    top: float,
    thick: float,
) -> None:
    for x in (depth[0], depth[1] - thick):
        for y in (width[0], width[1] - thick):
            _box(shape, (x, x + thick), (y, y + thick), (0.0, top))


def _chair(side: int, random: np.random.Generator) -> np.ndarray:
    shape = np.zeros((side,) * 3, bool)
    half_depth, half_width = random.uniform(0.22, 0.36, 2)
    depth, width = (0.5 - half_depth, 0.5 + half_depth), (0.5 - half_width, 0.5 + half_width)
    seat, back, thick = (
        random.uniform(0.34, 0.48),
        random.uniform(0.8, 1.0),
        random.uniform(0.05, 0.1),
    )
    _legs(shape, depth, width, seat, thick)
    _box(shape, depth, width, (seat, seat + thick))
    if random.random() < 0.5:
        _box(shape, (depth[0], depth[0] + thick), width, (seat, back))
    else:  # two posts and rails between them
        for y in (width[0], width[1] - thick):
            _box(shape, (depth[0], depth[0] + thick), (y, y + thick), (seat, back))
        for z in np.linspace(seat + 0.2, back - thick, int(random.integers(2, 4))):
            _box(shape, (depth[0], depth[0] + thick), width, (z, z + thick))
    if random.random() < 0.35:
        arm = seat + random.uniform(0.14, 0.22)
        for y in (width[0], width[1] - thick):
            _box(shape, depth, (y, y + thick), (arm, arm + thick))
            _box(shape, (depth[1] - thick, depth[1]), (y, y + thick), (seat, arm))
    return shape


def _table(side: int, random: np.random.Generator) -> np.ndarray:
    shape = np.zeros((side,) * 3, bool)
    half_depth, half_width = random.uniform(0.25, 0.4), random.uniform(0.35, 0.5)
    depth, width = (0.5 - half_depth, 0.5 + half_depth), (0.5 - half_width, 0.5 + half_width)
    top, thick = random.uniform(0.4, 0.65), random.uniform(0.05, 0.1)
    _box(shape, depth, width, (top, top + thick))
    if random.random() < 0.7:
        _legs(shape, depth, width, top, thick)
    else:  # one foot
        _box(shape, (0.5 - thick, 0.5 + thick), (0.5 - thick, 0.5 + thick), (0.0, top))
        _box(shape, (0.3, 0.7), (0.3, 0.7), (0.0, thick))
    return shape
