"""The README's comparison: what the adversarial phase does to photographs that it never saw.

    python docs/small.py runs/srgan_div2k docs/small.jpg

From left to right: low-res, bicubic, the generator with the best PSNR (the end of the pre-training
phase), the generator at the end, the original; the middle of each photograph, twice as large.
"""

import sys
from pathlib import Path

import numpy as np

from jaxgan import experiment as experiments
from jaxgan import main, parallel, trained
from jaxgan.media import Grid

CROP = 144


def middle(picture: np.ndarray) -> np.ndarray:
    """The CROP x CROP pixels in the middle."""
    top, left = ((side - CROP) // 2 for side in picture.shape[:2])
    return picture[top : top + CROP, left : left + CROP]


def compare(run_dir: Path, output: Path) -> None:
    """Writes the comparison of a run to a picture file."""
    loaded, _ = main.parse(["small", "--mode=sample", f"--run_dir={run_dir}"])
    experiment = experiments.build(loaded)
    captions, columns = [], []
    for which in ("best", "newest"):
        step, networks = trained.restore(experiment, run_dir, parallel.make_mesh(), which)
        grid = experiment.preview(networks)["preview"]
        columns.append([row[2] for row in grid.rows])
        captions.append(f"step {step}")
    rows = [
        [middle(picture) for picture in (low, bicubic, *made, original)]
        for (low, bicubic, _, original), *made in zip(grid.rows, *columns, strict=True)
    ]
    names = ("low-res", "bicubic", *captions, "original")
    Grid(rows, names, grid.labels, magnify=2).draw().save(output, quality=92)


if __name__ == "__main__":
    compare(*map(Path, sys.argv[1:]))
