"""The embedded samples: what the wheels of scikit-image and scikit-learn hold, and drawings.

They need no network. scikit-image's other pictures are fetched on demand and are never used, nor
are its drawings, text pages and stacks.
"""

import functools
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxgan.data import letters, scans, scenes
from jaxgan.data.examples import Examples
from jaxgan.data.images import read_image
from jaxgan.data.pictures import ArraySource
from jaxgan.data.resize import imresize
from jaxgan.errors import UserError, did_you_mean

# Of the natural colour photographs three are held out: fur (chelsea), architecture and foliage
# (china), smooth surfaces and print (coffee). None shows a scene of the other list, where
# motorcycle_right is missing because it is motorcycle_left from a step aside.
HELD_OUT = ("chelsea.png", "china.jpg", "coffee.png")
TRAIN = (
    "astronaut.png",
    "flower.jpg",
    "rocket.jpg",
    "motorcycle_left.png",
    "hubble_deep_field.jpg",
    "retina.jpg",
    "ihc.png",
    "brick.png",
    "camera.png",
    "grass.png",
    "gravel.png",
)
# Shorter sides of a photograph, in sides of the squares that are cut from it.
_CROP_SCALES = (1.25, 1.5, 2.0, 3.0)
DIGITS = tuple("0123456789")
LETTERS = letters.NAMES
_OF_SCIKIT_LEARN = frozenset({"china.jpg", "flower.jpg", "digits.csv.gz"})


def photographs() -> tuple[ArraySource, ArraySource]:
    """The photographs to train on and the held-out ones, always the same, with no scene in both.

    Returns:
      (train, held out): 11 and 3 pictures, uint8 [height, width, 3] RGB, sides from 300 to 1411.
      brick, camera, grass and gravel are grey.

    Raises:
      UserError: the installed scikit-image or scikit-learn lacks one of the files.
    """
    return _load(TRAIN, "train"), _load(HELD_OUT, "held out")


def digits(side: int = 28) -> Examples:
    """Handwritten digits, white on black: those of scikit-learn, 8x8, in the manner of MNIST.

    They are enlarged (bicubic) to five sevenths of `side` and have a black frame, as MNIST's digits
    are 20 of 28 pixels large.

    Args:
      side: of the pictures, in pixels, at least 8.

    Returns:
      1797 pictures [side, side, 1], and which digit each is.
    """
    table = np.loadtxt(_locate("digits.csv.gz"), np.uint8, delimiter=",")
    small = table[:, :64].reshape(-1, 8, 8)
    # One picture of 1797 channels: the values 0 to 16 are widened first, so nothing is lost.
    wide = np.rint(small * (255 / 16)).astype(np.uint8).transpose(1, 2, 0)
    inner = side * 5 // 7
    large = imresize(wide, size=(inner, inner)).transpose(2, 0, 1)
    before = (side - inner) // 2
    around = (before, side - inner - before)
    pictures = np.pad(large, ((0, 0), around, around))[..., None]
    return Examples(pictures, table[:, 64].astype(np.int64))


def faces(side: int = 64) -> Examples:
    """Grey faces of 25x25 pixels, enlarged: scikit-image's part of Labeled Faces in the Wild.

    Args:
      side: of the pictures, in pixels.

    Returns:
      100 pictures [side, side, 1], without labels.
    """
    # The other hundred are no faces.
    small = np.load(_locate("lfw_subset.npy"))[:100]
    wide = np.rint(small * 255).astype(np.uint8).transpose(1, 2, 0)
    return Examples(imresize(wide, size=(side, side)).transpose(2, 0, 1)[..., None])


def crops(side: int = 64) -> tuple[Examples, Examples]:
    """Square cuts from the photographs, always the same ones, with no scene in both parts.

    Each photograph is resampled so that its shorter side is 1.25, 1.5, 2 and 3 times `side`; the
    larger it is, the more is cut from it.

    Args:
      side: of the squares, in pixels.

    Returns:
      (train, held out): 1474 and 402 pictures [side, side, 3], without labels.
    """
    train, held_out = photographs()
    return _crops(train, side, 1), _crops(held_out, side, 2)


def _crops(source: ArraySource, side: int, seed: int) -> Examples:
    random = np.random.default_rng(seed)
    found = []
    for number in range(len(source)):
        for larger in _CROP_SCALES:
            scale = larger * side / min(source.size(number))
            height, width = (max(round(size * scale), side) for size in source.size(number))
            picture = imresize(source[number], size=(height, width))
            for _ in range(round(8 * larger**2)):
                top = random.integers(height - side + 1)
                left = random.integers(width - side + 1)
                found.append(picture[top : top + side, left : left + side])
    # Batches would show one photograph after the other to whoever looks at the first rows.
    return Examples(np.stack(found)[random.permutation(len(found))])


class Embedded(NamedTuple):
    """An embedded sample.

    Attributes:
      train: the pictures and the numbers of their classes, if they have any.
      held_out: others to judge by, where the sample divides itself; else None.
      classes: the names of the classes; () without labels.
      where: what they are, in words.
    """

    train: Examples
    held_out: Examples | None
    classes: tuple[str, ...]
    where: str


def _of(examples: Examples, classes: tuple[str, ...], where: str) -> Embedded:
    return Embedded(examples, None, classes, where)


EMBEDDED: dict[str, Callable[[int], Embedded]] = {
    "digits": lambda side: _of(digits(side), DIGITS, "the digits of scikit-learn"),
    "letters": lambda side: _of(
        Examples(*letters.letters(side)), LETTERS, "drawn letters, no person's hand"
    ),
    "photographs": lambda side: Embedded(
        *crops(side), (), "squares from photographs of scikit-image and scikit-learn"
    ),
    "faces": lambda side: _of(faces(side), (), "100 small faces of scikit-image"),
    "scans": lambda side: _of(
        Examples(*scans.scans(side)), scans.NAMES, "drawn scans, no patient's"
    ),
    "scenes": lambda side: _of(
        Examples(*scenes.scenes(side)), scenes.NAMES, "drawn streets, no camera's"
    ),
}


# Some take seconds, and a command opens its data more than once.
@functools.lru_cache(maxsize=8)
def embedded(name: str, side: int) -> Embedded:
    """One of `EMBEDDED` at a size; its arrays must not be written into.

    Raises:
      UserError: there is no such sample.
    """
    if name not in EMBEDDED:
        raise UserError(f"there is no sample {name!r}, {did_you_mean(name, EMBEDDED)}")
    found = EMBEDDED[name](side)
    for part in (found.train, found.held_out):
        for array in part or ():
            if array is not None:
                array.flags.writeable = False
    return found


def _load(files: tuple[str, ...], part: str) -> ArraySource:
    names = [Path(file).stem for file in files]
    about = {
        "kind": "sample",
        "where": "photographs of scikit-image and scikit-learn",
        "part": part,
        "names": names,
    }
    return ArraySource([read_image(_locate(file)) for file in files], names, about)


def _locate(file: str) -> Path:
    package, folder = ("skimage", "data")
    if file in _OF_SCIKIT_LEARN:
        package, folder = ("sklearn", f"datasets/{'images' if file.endswith('.jpg') else 'data'}")
    # The file itself, not the package's loader: that one may download and makes cache folders.
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"the sample needs {package}: pip install jaxgan again")
    path = Path(spec.submodule_search_locations[0]) / folder / file
    if not path.is_file():
        raise UserError(f"the installed {package} lacks {file} of the sample: {path} is missing")
    return path
