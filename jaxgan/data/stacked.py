"""Stacked digits: three digits as the channels of one picture, a thousand modes to find.

The test of mode collapse of Metz et al. (Unrolled GANs, arXiv 1611.02163, section 3.3.1) in the
form that VEEGAN (arXiv 1705.07761) and PacGAN (arXiv 1712.04086, section 4.2) report.
"""

from collections.abc import Callable

import numpy as np

from jaxgan.data.examples import Labelled
from jaxgan.errors import UserError

MODES = 1000


def stacked(labelled: Labelled) -> Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]]:
    """Three pictures of ten classes drawn at random for each row, as a pipeline's `load`.

    Which three comes from the row's seed alone, each uniform over all pictures: the indices are not
    looked at, so any number of examples may be claimed for the data.

    Args:
      labelled: grey pictures [n, side, side, 1] of ten classes.

    Returns:
      load(indices [b], seeds uint64 [b]) -> {'real': uint8 [b, side, side, 3], 'label': int32 [b]},
      where the label's three digits are the classes of the red, the green and the blue channel.

    Raises:
      UserError: pictures in colour, no labels, or another number of classes than ten.
    """
    pictures, labels = labelled.pictures, labelled.labels
    where = labelled.description.get("where", "these pictures")
    if labels is None or len(labelled.classes) != 10:
        found = "no labels" if labels is None else f"{len(labelled.classes)} classes"
        raise UserError(f"stacked digits need grey pictures of 10 classes, and {where} has {found}")
    if pictures.shape[3] != 1:
        raise UserError(f"stacked digits need grey pictures, and those of {where} are in colour")
    count = len(pictures)

    def load(indices: np.ndarray, seeds: np.ndarray) -> dict[str, np.ndarray]:
        chosen = np.stack(
            [np.random.default_rng(int(seed)).integers(count, size=3) for seed in seeds]
        )
        real = np.ascontiguousarray(np.moveaxis(pictures[chosen, ..., 0], 1, -1))
        digits = labels[chosen]
        return {"real": real, "label": (digits @ np.array([100, 10, 1], np.int32)).astype(np.int32)}

    return load
