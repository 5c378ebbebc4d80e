"""What generated solid shapes have in common with real ones, in voxels."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import ndimage

from jaxgan.metrics.neighbours import density_coverage
from jaxgan.metrics.stamp import Measured, Stamp, enough

NEAREST = 5
# Sides that shapes are brought to before they are compared as wholes.
_COARSE = 8


def connected_share(volume: np.ndarray) -> float:
    """The share of a shape's voxels that are in its largest part; 0 for an empty one.

    Args:
      volume: bool [side, side, side]; voxels that share a face are one part.
    """
    parts, count = ndimage.label(volume)
    if not count:
        return 0.0
    return float(np.bincount(parts.ravel())[1:].max() / volume.sum())


def coarse(volumes: np.ndarray) -> np.ndarray:
    """Shares filled of 8x8x8 blocks, bool [n, side, side, side] to float64 [n, 512].

    Sides that do not divide by 8 stay as they are.
    """
    count, side = volumes.shape[:2]
    blocks = _COARSE if side % _COARSE == 0 else side
    f = side // blocks
    means = volumes.reshape(count, blocks, f, blocks, f, blocks, f).mean((2, 4, 6))
    return means.reshape(count, -1)


def shape_figures(real: np.ndarray, fake: np.ndarray, about: Mapping[str, Any]) -> Measured:
    """How generated shapes compare with real ones.

    Args:
      real, fake: bool [n, side, side, side].
      about: the real ones, as a data set describes itself.

    Returns:
      `occupancy`, the share of voxels that are filled, and `occupancy_real`; `correlation` over
      the voxels of how often each is filled, 1 at best, 0 where either is the same everywhere;
      `connected`, the mean share in the largest part, and `connected_real`; `density` and
      `coverage` (arXiv 2002.09797) of shapes reduced to 8x8x8.

    Raises:
      UserError: for fewer shapes than neighbours need.
    """
    enough("measuring shapes", NEAREST + 1, real=len(real), fake=len(fake))
    often = [volumes.mean(0).ravel() for volumes in (real, fake)]
    varied = min(values.std() for values in often) > 0
    balls = density_coverage(coarse(real), coarse(fake), nearest=NEAREST)
    figures = {
        "occupancy": float(fake.mean()),
        "occupancy_real": float(real.mean()),
        "correlation": float(np.corrcoef(*often)[0, 1]) if varied else 0.0,
        "connected": float(np.mean([connected_share(one) for one in fake])),
        "connected_real": float(np.mean([connected_share(one) for one in real])),
        **balls._asdict(),
    }
    around = f"of 8x8x8 averages (balls of {NEAREST} neighbours)"
    words = {
        "occupancy": "share of voxels that are filled",
        "correlation": "correlation of how often each voxel is filled",
        "connected": "mean share of a shape in its largest connected part",
        "density": f"density {around}",
        "coverage": f"coverage {around}",
    }
    stamps = {name: Stamp(word, len(real), len(fake), about) for name, word in words.items()}
    return Measured(figures, stamps)
