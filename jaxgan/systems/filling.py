"""Using a trained inpainting generator: pictures with holes, and figures inside the holes."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import numpy as np
from skimage.restoration import inpaint_biharmonic

from jaxgan.data.images import read_hole, read_image
from jaxgan.errors import UserError
from jaxgan.experiment import Networks
from jaxgan.metrics.ssim import ssim
from jaxgan.metrics.stamp import Measured, Stamp
from jaxgan.ops.masks import square_holes
from jaxgan.ops.pixels import from_uint8
from jaxgan.systems.translating import Example, Translate, translate

# Shares of the picture that are cut out when measuring.
SHARES = (0.1, 0.25, 0.4)


def hole_of(index: int, side: int, share: float) -> np.ndarray:
    """The hole of held-out picture number `index`: bool [side, side], always the same."""
    key = jax.random.fold_in(jax.random.key(0), index)
    return np.asarray(square_holes(key, 1, side, side, share))[0, ..., 0] > 0


def with_hole(picture: np.ndarray, hole: np.ndarray, name: str = "") -> Example:
    """A picture, uint8 [height, width, 3], whose hole, bool [height, width], is to be filled."""
    mask = hole[..., None].astype(np.float32)
    given = from_uint8(picture) * (1 - mask)
    shown = np.where(hole[..., None], np.uint8(128), picture)
    return Example(name, (given, mask), shown, picture)


def by(player: str, multiple: int) -> Translate:
    """Filling by one player's network; around the hole the picture stays as it is, to the bit."""

    def through(networks: Networks, example: Example) -> np.ndarray:
        made = translate(networks[player], *example.given, multiple=multiple)
        return np.where(example.given[1] > 0, made, example.shown)

    return through


def read(path: Path, mask: Path | None) -> Example:
    """A user's picture and its hole.

    Args:
      path: of the picture; where it is transparent, it has its hole.
      mask: of another picture of the same size, white in the hole; instead of transparency.

    Raises:
      UserError: there is no hole, nothing but a hole, or a mask of another size.
    """
    picture = read_image(path)
    hole = read_hole(path) if mask is None else read_image(mask).mean(-1) > 127
    if hole is None:
        raise UserError(
            f"--input={path}: nothing says where its hole is; make it transparent there, or give "
            "--mask=PICTURE, white in the hole"
        )
    if hole.shape != picture.shape[:2]:
        raise UserError(
            f"--mask={mask} is {hole.shape[1]}x{hole.shape[0]} pixels and the picture "
            f"{picture.shape[1]}x{picture.shape[0]}: give them one size"
        )
    if not hole.any() or hole.all():
        found = "covers everything" if hole.any() else "is empty"
        raise UserError(f"--input={path}: its hole {found}, so there is nothing to go by or to do")
    return with_hole(picture, hole, path.name)


def inside(real: np.ndarray, made: np.ndarray, hole: np.ndarray) -> float:
    """PSNR in dB over the pixels of the hole alone, RGB; infinite where they are equal."""
    error = np.square(real[hole].astype(np.float64) - made[hole]).mean()
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def mean_fill(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The hole in the mean colour of the rest."""
    filled = picture.copy()
    filled[hole] = np.rint(picture[~hole].mean(0)).astype(np.uint8)
    return filled


def biharmonic(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The hole as scikit-image's biharmonic equation fills it, from its edges."""
    filled = inpaint_biharmonic(picture, hole, channel_axis=-1)
    return np.rint(np.clip(filled, 0, 1) * 255).astype(np.uint8)


def figures(
    pictures: Callable[[], Sequence[np.ndarray]], through: Translate, about: Callable[[], dict]
) -> Callable[[Networks], Measured]:
    """Makes the `evaluate` of an experiment: PSNR in holes of several sizes, beside baselines.

    Args:
      pictures: held-out squares, uint8 [side, side, 3]; called often, so it should remember them.
      through: fills one.
      about: describes them.

    Returns:
      A function of the networks that gives `psnr_hole_PERCENT` (dB, mean over the pictures; RGB,
      the hole alone) and `ssim_hole_PERCENT` (of the whole filled picture) for each of `SHARES`,
      each beside the same of `mean_fill` (`_mean`) and `biharmonic` (`_biharmonic`).
    """
    baselines = {"mean": mean_fill, "biharmonic": biharmonic}

    def measure(share: float, fill: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> list[float]:
        rows = []
        for index, picture in enumerate(pictures()):
            hole = hole_of(index, len(picture), share)
            made = fill(picture, hole)
            rows.append((inside(picture, made, hole), ssim(picture, made, channel="rgb")))
        return [float(value) for value in np.mean(rows, axis=0)]

    @functools.cache
    def baseline(name: str, share: float) -> list[float]:
        return measure(share, baselines[name])

    def evaluate(networks: Networks) -> Measured:
        found: dict[str, float] = {}
        stamps: dict[str, Stamp] = {}
        for share in SHARES:
            percent = round(100 * share)

            def fill(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
                return through(networks, with_hole(picture, hole))

            values = measure(share, fill)
            for place, (figure, word) in enumerate(
                (("psnr_hole", "PSNR, RGB, in the hole"), ("ssim_hole", "SSIM, RGB, of the whole"))
            ):
                name = f"{figure}_{percent}"
                found[name] = values[place]
                found |= {f"{name}_{b}": baseline(b, share)[place] for b in baselines}
                metric = f"{word}; one square hole of {percent} % of the picture; mean"
                stamps[name] = Stamp(metric, len(pictures()), len(pictures()), about())
        return Measured(found, stamps)

    return evaluate
