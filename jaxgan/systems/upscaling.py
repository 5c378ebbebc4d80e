"""Using a trained super-resolution generator: pictures of any size, figures, comparisons."""

import functools
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
from jax import Array

from jaxgan.data.images import read_image, write_image
from jaxgan.data.resize import imresize
from jaxgan.errors import UserError
from jaxgan.experiment import Networks, SampleRequest
from jaxgan.media import Grid, to_uint8
from jaxgan.metrics.psnr import psnr
from jaxgan.metrics.ssim import ssim
from jaxgan.metrics.stamp import Measured
from jaxgan.ops.pixels import from_uint8
from jaxgan.state import Network
from jaxgan.systems.windows import windows

# Low-resolution pixels on the side of a tile: a picture larger than that is worked on in parts.
TILE = 192

# A held-out photograph: its name, and uint8 [height, width, 3] at low and at high resolution.
Pair = tuple[str, np.ndarray, np.ndarray]


@jax.jit
def _enlarge(generator: Network, low: Array) -> Array:
    return generator(from_uint8(low))


def upscale(generator: Network, low: np.ndarray, *, tile: int = TILE) -> np.ndarray:
    """Enlarges a picture of any size with a trained generator.

    Args:
      generator: a network whose module says its `factor` and its `reach`.
      low: uint8 [height, width, 3].
      tile: a picture larger than this is worked on in tiles of this many pixels and their
        surroundings as far as the generator looks, so the result is that of the whole picture.

    Returns:
      uint8 [factor height, factor width, 3].
    """
    factor, reach = generator.module.factor, generator.module.reach
    high = np.empty((low.shape[0] * factor, low.shape[1] * factor, 3), np.uint8)
    for top, upper, lower in windows(low.shape[0], tile, reach):
        for left, leftmost, rightmost in windows(low.shape[1], tile, reach):
            size = tuple(min(side, tile + 2 * reach) for side in low.shape[:2])
            window = low[top : top + size[0], left : left + size[1]]
            enlarged = to_uint8(np.asarray(_enlarge(generator, window[None]))[0])
            rows = slice((upper - top) * factor, (lower - top) * factor)
            columns = slice((leftmost - left) * factor, (rightmost - left) * factor)
            high[upper * factor : lower * factor, leftmost * factor : rightmost * factor] = (
                enlarged[rows, columns]
            )
    return high


def figures(pairs: Callable[[], list[Pair]], *, border: int) -> Callable[[Networks], Measured]:
    """Makes the `evaluate` of an experiment: mean PSNR and SSIM over held-out photographs.

    Args:
      pairs: gives the photographs; called often, so it should remember them.
      border: pixels of the high-resolution picture left out at each side.

    Returns:
      A function of the trained networks that gives `psnr_rgb`, `psnr_y`, `ssim_rgb`, `ssim_y`
      (decibels; SSIM up to 1), each beside the same of bicubic interpolation (`_bicubic`) and, for
      PSNR, the gain over it (`_gain`).
    """
    metrics = {"psnr": psnr, "ssim": ssim}

    def measure(enlarged: list[np.ndarray]) -> dict[str, float]:
        return {
            f"{name}_{channel}": float(
                np.mean(
                    [
                        metric(high, fake, channel=channel, border=border)
                        for (_, _, high), fake in zip(pairs(), enlarged, strict=True)
                    ]
                )
            )
            for name, metric in metrics.items()
            for channel in ("rgb", "y")
        }

    @functools.cache
    def bicubic() -> dict[str, float]:
        return measure([imresize(low, size=high.shape[:2]) for _, low, high in pairs()])

    def evaluate(networks: Networks) -> Measured:
        figures = measure([upscale(networks["generator"], low) for _, low, _ in pairs()])
        both: dict[str, float] = {}
        for name, value in figures.items():
            both |= {name: value, f"{name}_bicubic": bicubic()[name]}
            if name.startswith("psnr"):
                both[f"{name}_gain"] = value - bicubic()[name]
        return Measured(both)

    return evaluate


def comparison(
    pairs: Callable[[], list[Pair]], *, crop: int = 192, most: int = 6
) -> Callable[[Networks], dict[str, Grid]]:
    """Makes the `preview` of an experiment: low-res, bicubic, generated and original, side by side.

    Args:
      pairs: gives the photographs; called often, so it should remember them.
      crop: high-resolution pixels on the side of the middle part that is shown.
      most: how many of the photographs are shown.
    """

    def preview(networks: Networks) -> dict[str, Grid]:
        rows = []
        shown = pairs()[:most]
        for _, low, high in shown:
            generated = upscale(networks["generator"], low)
            bicubic = imresize(low, size=high.shape[:2])
            factor = high.shape[0] // low.shape[0]
            nearest = low.repeat(factor, 0).repeat(factor, 1)
            rows.append([_middle(p, crop) for p in (nearest, bicubic, generated, high)])
        captions = ("low-res", "bicubic", "generated", "original")
        return {"preview": Grid(rows, captions, [name for name, _, _ in shown])}

    return preview


def _middle(picture: np.ndarray, crop: int) -> np.ndarray:
    top, left = (max((side - crop) // 2, 0) for side in picture.shape[:2])
    return picture[top : top + crop, left : left + crop]


def upscale_file(networks: Networks, request: SampleRequest) -> Path:
    """The `sample` of an experiment: enlarges the picture in one file into another."""
    if request.input is None:
        raise UserError("--mode=sample needs --input=PHOTO, the picture to enlarge")
    if not request.input.is_file():
        raise UserError(f"--input={request.input}: there is no such file")
    write_image(request.output, upscale(networks["generator"], read_image(request.input)))
    return request.output
