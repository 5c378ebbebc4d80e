"""Pairs of pictures for image-to-image translation: opened, cropped to train, framed to measure."""

import os
from collections.abc import Callable

import numpy as np

from jaxgan.data.framing import middle, pad_to_multiple, shorter_side
from jaxgan.data.pairs import Direction, Pair, Pairs, check_direction
from jaxgan.data.pictures import Kept, default_memory_limit
from jaxgan.errors import UserError


def pair_crops(
    pairs: Pairs, *, side: int, jitter: float = 1.117, mirror: bool = True
) -> Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]]:
    """Both pictures of a pair resized, cropped and mirrored alike, as `load` of `make_batches`.

    The random jitter of pix2pix (arXiv 1611.07004, section 6.2: 256 to 286, and a crop of 256).
    Pictures that are no squares keep their aspect. What was resized is kept in memory while that
    lasts.

    Args:
      pairs: of any sizes; small ones are enlarged.
      side: of the crops, in pixels.
      jitter: how many times `side` the shorter side is made before the crop, at least 1.
      mirror: turn half of the pairs left to right.

    Returns:
      load(indices [b], seeds uint64 [b]) -> {'input': uint8 [b, side, side, 3], or class numbers
      uint8 [b, side, side] where `pairs.labels` is set, 'target': uint8 [b, side, side, 3]}. Place
      and turn of a row come from its seed alone.

    Raises:
      UserError: `side` or `jitter` is out of range.
    """
    if side < 1 or jitter < 1:
        raise UserError(
            f"crops of {side} pixels out of {jitter} times as many: take at least 1 of each"
        )
    larger = max(round(side * jitter), side)
    kept = [Kept(default_memory_limit() // 2) for _ in range(2)]

    def resized(index: int) -> Pair:
        read: list[Pair] = []

        def make(which: int) -> np.ndarray:
            # One file may hold both, so that neither is read twice.
            if not read:
                read.append(pairs[index])
            return shorter_side(read[0][which], larger)

        return kept[0].get(index, lambda: make(0)), kept[1].get(index, lambda: make(1))

    def load(indices: np.ndarray, seeds: np.ndarray) -> dict[str, np.ndarray]:
        depth = () if pairs.labels else (3,)
        given = np.empty((len(indices), side, side, *depth), np.uint8)
        target = np.empty((len(indices), side, side, 3), np.uint8)
        for row, (index, seed) in enumerate(zip(indices, seeds, strict=True)):
            both = resized(int(index))
            random = np.random.default_rng(int(seed))
            top, left = (int(random.integers(size - side + 1)) for size in both[0].shape[:2])
            step = -1 if mirror and random.integers(2) else 1
            for batch, picture in zip((given, target), both, strict=True):
                batch[row] = picture[top : top + side, left : left + side][:, ::step]
        return {"input": given, "target": target}

    return load


def held_out_pairs(
    pairs: Pairs, *, side: int | None = None, multiple: int = 1
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Every pair, the same each time, to measure by: (name, input, target).

    Args:
      pairs: of any sizes.
      side: makes each pair the square in its middle, resized to so many pixels a side; None leaves
        the pictures whole.
      multiple: what the network needs sides to be a multiple of. A whole input is mirrored at its
        bottom and right edges up to that, its target is not: what the network makes is cut to the
        target's size by `[:height, :width]`.

    Raises:
      UserError: `side` is no multiple of `multiple`.
    """
    if side is not None and (side < 1 or side % multiple):
        raise UserError(f"pictures of {side} pixels are no multiple of {multiple}, as they must be")
    found = []
    for index in range(len(pairs)):
        given, target = pairs[index]
        if side is None:
            given = pad_to_multiple(given, multiple)
        else:
            given, target = (middle(shorter_side(part, side), side) for part in (given, target))
        found.append((pairs.name(index), given, target))
    return found


def open_pairs(
    data: str,
    *,
    direction: Direction = "AtoB",
    data_dir: str | os.PathLike[str] | None = None,
    skip_broken: bool = False,
    sample: str = "facades",
    side: int = 256,
    label_count: int | None = None,
    held_out: str | None = None,
) -> tuple[Pairs, Pairs]:
    """The pairs that `--data` names: those to train on, and those to judge by.

    Args:
      data: 'sample'; folder:PATH or zip:PATH (or such a path) with two folders of pictures of
        matching names (`sides`: A/ and B/, train/ and trainannot/, images/ and labels/, ...) or
        with pictures that hold A in their left half and B in the right; tfds:NAME of a prepared
        set with two pictures in an example, such as cityscapes.
      direction: which side is the input.
      data_dir: where TFDS sets are prepared; TFDS's own default when None.
      skip_broken: leave out the pairs that cannot be decoded and list them in
        `description['skipped']`.
      sample: what 'sample' is: one of `sample_pairs.PAIRS`.
      side: of the embedded sample's pictures; other data has sizes of its own.
      label_count: as in `label_maps.find_code`: None decides whether the inputs are label maps, 0
        says that they are pictures, a number of classes that they are maps. Targets are pictures
        always: where they hold class numbers, these are painted.
      held_out: other data of the same kind to judge by. Without it that is what the data itself
        holds out (val/ or test/ beside train/, a TFDS split), or else a tenth of the pairs, evenly
        spaced.

    Raises:
      UserError: nothing is there, an unknown direction or sample, broken pictures, pictures
        without a partner or of another size than it, or labels outside the palette.
    """
    # Not at the top: they import this module.
    from jaxgan.data import pair_files, sample_pairs

    check_direction(direction)

    def embedded() -> tuple[Pairs, Pairs]:
        return sample_pairs.embedded(sample, side, direction)

    if held_out is None:
        if data == "sample":
            return embedded()
        return pair_files.find(data, data_dir).open(direction, skip_broken, label_count)
    if data == "sample":
        train = embedded()[0]
    else:
        files = pair_files.find(data, data_dir)
        train = files.open_train(direction, skip_broken, label_count)
    if held_out == "sample":
        return train, embedded()[1]
    # What is judged by is read as what is learned from.
    other = pair_files.find(held_out, data_dir)
    return train, other.open_held_out(direction, skip_broken, train.labels)
