"""The embedded sample: photographs and digits from the wheels of scikit-image and scikit-learn.

They need no network. scikit-image's other pictures are fetched on demand and are never used, nor
are its drawings, text pages and stacks.
"""

import importlib.util
from pathlib import Path

import numpy as np

from jaxgan.data.images import read_image
from jaxgan.data.pictures import ArraySource
from jaxgan.data.resize import imresize
from jaxgan.errors import UserError

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


def digits(side: int = 28) -> np.ndarray:
    """Handwritten digits, white on black: those of scikit-learn, 8x8, in the manner of MNIST.

    They are enlarged (bicubic) to five sevenths of `side` and have a black frame, as MNIST's digits
    are 20 of 28 pixels large.

    Args:
      side: of the pictures, in pixels, at least 8.

    Returns:
      uint8 [1797, side, side, 1].
    """
    table = np.loadtxt(_locate("digits.csv.gz"), np.uint8, delimiter=",")
    small = table[:, :64].reshape(-1, 8, 8)
    # One picture of 1797 channels: the values 0 to 16 are widened first, so nothing is lost.
    wide = np.rint(small * (255 / 16)).astype(np.uint8).transpose(1, 2, 0)
    inner = side * 5 // 7
    large = imresize(wide, size=(inner, inner)).transpose(2, 0, 1)
    before = (side - inner) // 2
    around = (before, side - inner - before)
    return np.pad(large, ((0, 0), around, around))[..., None]


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
