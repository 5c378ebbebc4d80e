"""Semantic label maps: which files are such maps, their classes as numbers, and colours for them.

A map is stored as class numbers in one channel (or as the indices of one common palette), or as a
colour for each class. `find_code` tells them from pictures and says how a set of them is read.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.ndimage import binary_erosion, distance_transform_edt, label

from jaxgan.data.images import Stored
from jaxgan.errors import UserError

# The number for "no class", as Cityscapes and Pascal VOC have it: one-hot it is all zeros.
VOID = 255
# Without being told, files with more classes than these are taken for pictures.
MOST = 64
# Differences in the worst channel. Classes of lossy maps are farther apart than the first; beyond
# the second compression has not changed a colour, but mixed two.
_APART, _NEAR = 40, 60
# Within a class neighbours differ by no more.
_FLAT = 12
# The share of a lossy map that may lie farther than that from every class: its blurred edges (18 %
# of the most delicate of the CMP facades, as pix2pix has them).
_FAR_SHARE = 0.5
# One pixel in so many is looked at first.
_SOME = 97
# Colours that are compared with a palette at a time.
_CHUNK = 1 << 14


@dataclasses.dataclass(frozen=True, eq=False)
class LabelCode:
    """How the label maps of one data set are read, and shown.

    Attributes:
      count: of classes; maps hold the numbers 0 to count - 1, and `VOID`.
      palette: uint8 [count, 3], the colour in which each is shown (of maps in colour, stored).
      by_colour: whether files hold colours, not numbers.
    """

    count: int
    palette: np.ndarray
    by_colour: bool

    def read(self, stored: Stored, name: str) -> np.ndarray:
        """The class numbers of a file: uint8 [height, width].

        Raises:
          UserError: the file holds colours instead of numbers, or a label outside the palette.
        """
        look = Look(stored, self.count)
        self.check(look, name)
        if not self.by_colour:
            assert stored.numbers is not None
            return stored.numbers
        assert look.colours is not None
        colours = look.colours[0]
        classes = self._nearest(colours)
        places = np.searchsorted(colours, _packed(stored.picture))
        numbers = classes[places]
        off = self._off(colours, classes)[places]
        if off.any():
            # Half red and half blue is neither violet nor dark red, but an edge between the two:
            # what is far from all classes, or too thin to be anything, is as what is next to it.
            mixed = (off > _NEAR) | _thin(numbers)
            if not mixed.all():
                rows, columns = distance_transform_edt(
                    mixed, return_distances=False, return_indices=True
                )
                numbers = numbers[rows, columns]
        return numbers

    def check(self, look: "Look", name: str) -> None:
        """Raises UserError where `read` would, once `look` has been taken at the file."""
        if not self.by_colour:
            if look.numbers is None:
                raise UserError(f"{name} is a picture in colour, where class numbers are expected")
            outside = np.flatnonzero(look.numbers[self.count : VOID])
            if len(outside):
                raise UserError(
                    f"{name} holds the label {self.count + outside[-1]}, and there are "
                    f"{self.count} classes, 0 to {self.count - 1}; mend it or give another label "
                    "count"
                )
            return
        if look.colours is None:
            raise UserError(f"{name} holds class numbers, where colours are expected")
        colours, times, _ = look.colours
        off = self._off(colours, self._nearest(colours))
        if look.lossless and off.any():
            raise UserError(
                f"{name} holds the colour #{colours[off.argmax()]:06x}, which is none of the "
                f"{self.count} of the palette; mend it or give another label count"
            )
        share = times[off > _NEAR].sum() / times.sum()
        if share > _FAR_SHARE:
            raise UserError(
                f"{name}: {share:.0%} of it is far from all {self.count} colours of the palette; "
                "it is no such label map, or the label count is another"
            )

    def paint(self, numbers: np.ndarray) -> np.ndarray:
        """A map as a person looks at it: uint8 [...] to [..., 3], `VOID` in black."""
        colours = np.zeros((256, 3), np.uint8)
        colours[: self.count] = self.palette
        return colours[numbers]

    def to_json(self) -> dict[str, Any]:
        """The code as JSON can hold it; `from_json` gives it back."""
        palette = [f"#{value:06x}" for value in _packed(self.palette)]
        return {"count": self.count, "palette": palette, "by_colour": self.by_colour}

    @staticmethod
    def from_json(saved: dict[str, Any]) -> "LabelCode":
        """The code that `to_json` described."""
        palette = _unpacked(np.array([int(colour[1:], 16) for colour in saved["palette"]]))
        return LabelCode(saved["count"], palette, saved["by_colour"])

    def _off(self, colours: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """How far packed colours are from those of their classes, in the worst channel: [n]."""
        return np.abs(_unpacked(colours) - self.palette.astype(np.int32)[classes]).max(axis=1)

    def _nearest(self, colours: np.ndarray) -> np.ndarray:
        """The classes of packed colours: compression moves them a little. uint8 [n]."""
        palette = self.palette.astype(np.int32)
        found = np.empty(len(colours), np.uint8)
        for start in range(0, len(colours), _CHUNK):
            apart = _unpacked(colours[start : start + _CHUNK])[:, None] - palette
            found[start : start + _CHUNK] = np.square(apart).sum(axis=2).argmin(axis=1)
        return found


class Look:
    """What `find_code` needs to know of one file, once the file itself is let go.

    Attributes:
      numbers: int64 [256], how often each number comes; None without numbers.
      colours: packed colours, ascending, how often each comes, and how often in the midst of its
        like (of a lossy file; else the same); None where they are too many.
    """

    def __init__(self, stored: Stored, label_count: int | None):
        self.palette = stored.palette
        self.lossless = stored.lossless
        self.numbers = None
        self.colours: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
        if stored.numbers is not None:
            self.numbers = np.bincount(stored.numbers.ravel(), minlength=256)
        # A palette picture's colours count where each file has a palette of its own.
        shows = stored.numbers is None or stored.palette is not None
        if shows and (label_count or (label_count is None and stored.lossless)):
            packed = _packed(stored.picture)
            # Some of the pixels tell a photograph, and take no time.
            if label_count or len(np.unique(packed.ravel()[::_SOME])) <= MOST:
                found, times = np.unique(packed, return_counts=True)
                if label_count or len(found) <= MOST:
                    self.colours = found, times, times
                if label_count and not stored.lossless:
                    inside = packed[_calm(stored.picture)]
                    inner = np.bincount(np.searchsorted(found, inside), minlength=len(found))
                    self.colours = found, times, inner


def find_code(looks: Sequence[Look], label_count: int | None) -> LabelCode | None:
    """Whether files are label maps, and how they are read then.

    Without a `label_count` they are where all of them are in a lossless format and hold either one
    channel with numbers that end below `MOST` (`VOID` apart), or together at most `MOST` colours;
    at least 2 classes either way. Palette pictures hold numbers where they share one palette, and
    colours otherwise. With a `label_count` they are label maps, whatever they hold.

    Args:
      looks: at all the files.
      label_count: the number of classes; 0: these are pictures; None: decide by the rule above.

    Returns:
      None for pictures. Colours are numbered in ascending order of red, green, blue; of files in a
      lossy format (facades are such), the `label_count` ones count that are apart and most frequent
      where neighbours are alike.

    Raises:
      UserError: `label_count` is beyond 255, or some files hold numbers and others colours.
    """
    if label_count == 0:
        return None
    if label_count is not None and not 2 <= label_count <= VOID:
        raise UserError(f"a label count of {label_count} is out of range: take one from 2 to 255")
    by_number = [look.numbers is not None for look in looks]
    alike = len({look.palette for look in looks}) == 1
    if all(by_number) and alike:
        return _numbered(looks, label_count)
    if any(look.colours is None and look.numbers is not None for look in looks):
        if label_count is None:
            return None
        raise UserError("some label maps hold class numbers and others colours: make them alike")
    return _coloured(looks, label_count)


def _numbered(looks: Sequence[Look], label_count: int | None) -> LabelCode | None:
    times = sum(look.numbers for look in looks if look.numbers is not None)
    used = np.flatnonzero(np.asarray(times)[:VOID])
    count = label_count or (int(used.max()) + 1 if len(used) else 0)
    if label_count is None and not (all(look.lossless for look in looks) and 2 <= count <= MOST):
        return None
    colours = default_palette(count)
    if looks[0].palette is not None:
        stored = np.frombuffer(looks[0].palette, np.uint8).reshape(-1, 3)[:count]
        colours[: len(stored)] = stored
    return LabelCode(count, colours, by_colour=False)


def _coloured(looks: Sequence[Look], label_count: int | None) -> LabelCode | None:
    if any(look.colours is None for look in looks):
        return None
    found = [look.colours for look in looks if look.colours is not None]
    colours, inverse = np.unique(np.concatenate([c for c, _, _ in found]), return_inverse=True)
    times = np.bincount(inverse, np.concatenate([inner for _, _, inner in found]))
    if label_count is None:
        if not 2 <= len(colours) <= MOST:
            return None
        return LabelCode(len(colours), _unpacked(colours), by_colour=True)
    lossless = all(look.lossless for look in looks)
    chosen: list[int] = []
    left = times.astype(np.float64)
    values = _unpacked(colours).astype(np.int32)
    while len(chosen) < label_count and left.max() > 0:
        chosen.append(int(left.argmax()))
        near = 0 if lossless else _APART
        left[np.abs(values - values[chosen[-1]]).max(axis=1) <= near] = 0
    if len(chosen) < label_count:
        raise UserError(
            f"the label maps hold {len(chosen)} colours, and the label count is {label_count}"
        )
    return LabelCode(label_count, _unpacked(colours[np.sort(chosen)]), by_colour=True)


def default_palette(count: int) -> np.ndarray:
    """Colours that are far apart, for class numbers that come without: uint8 [count, 3].

    Those of the Pascal VOC development kit: the bits of a number go to the highest bits of red,
    green and blue in turn.
    """
    numbers = np.arange(count)
    palette = np.zeros((count, 3), np.int64)
    for bit in range(8):
        for channel in range(3):
            palette[:, channel] |= ((numbers >> (3 * bit + channel)) & 1) << (7 - bit)
    return palette.astype(np.uint8)


def _calm(picture: np.ndarray) -> np.ndarray:
    """Pixels whose 8 neighbours have nearly their colour: bool [height, width], False at rims."""
    wide = picture.astype(np.int16)
    flat = np.zeros(picture.shape[:2], bool)
    height, width = max(picture.shape[0] - 2, 0), max(picture.shape[1] - 2, 0)
    middle = wide[1 : 1 + height, 1 : 1 + width]
    differences = (
        np.abs(wide[down : down + height, right : right + width] - middle).max(axis=2)
        for down in range(3)
        for right in range(3)
    )
    flat[1 : 1 + height, 1 : 1 + width] = np.max([*differences], axis=0) <= _FLAT
    return flat


def _thin(numbers: np.ndarray) -> np.ndarray:
    """Whatever hangs together in one class without 3x3 pixels of it anywhere: bool [h, w]."""
    thin = np.ones(numbers.shape, bool)
    for value in np.unique(numbers):
        pieces, count = label(numbers == value)
        inside = binary_erosion(numbers == value, np.ones((3, 3)), border_value=1)
        thick = np.zeros(count + 1, bool)
        thick[pieces[inside]] = True
        thin &= ~thick[pieces]
    return thin


def _packed(picture: np.ndarray) -> np.ndarray:
    """uint8 [..., 3] to int32 [...], red first."""
    wide = picture.astype(np.int32)
    return (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]


def _unpacked(packed: np.ndarray) -> np.ndarray:
    """The inverse: int32 [...] to uint8 [..., 3]."""
    return np.stack([packed >> 16, packed >> 8, packed], axis=-1).astype(np.uint8)
