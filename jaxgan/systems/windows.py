"""Working on what is long in parts, with the same result as on the whole."""


def windows(length: int, tile: int, reach: int) -> list[tuple[int, int, int]]:
    """Where windows begin on an axis, and which part of the axis each one is kept for.

    Every window has the same length, so that one compiled function serves all: at the ends it is
    moved inward instead of padded.

    Args:
      length: of the axis.
      tile: how much of a window is kept, at most.
      reach: how far the function looks to either side.

    Returns:
      (first, start, stop) of each: the window is `[first, first + min(length, tile + 2 * reach))`,
      and `[start, stop)` of the axis is kept of it.
    """
    window = min(length, tile + 2 * reach)
    kept = [(start, min(start + tile, length)) for start in range(0, length, tile)]
    if window == length:
        return [(0, 0, length)]
    return [(min(max(start - reach, 0), length - window), start, stop) for start, stop in kept]
