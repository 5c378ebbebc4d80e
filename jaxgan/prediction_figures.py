"""Using a network that continues films: its figures, its preview, its samples."""

import functools
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxgan.data.clip_files import read_film
from jaxgan.data.clips import Clips, fixed_windows
from jaxgan.errors import UserError
from jaxgan.experiment import Networks, SampleRequest
from jaxgan.films import FilmGrid, check_suffix, write_film
from jaxgan.media import Exhibit, Grid, to_uint8
from jaxgan.metrics.psnr import psnr
from jaxgan.metrics.ssim import ssim
from jaxgan.metrics.stamp import Measured, Stamp, enough
from jaxgan.ops.pixels import from_uint8
from jaxgan.state import Network

# Where nothing moves a frame is predicted without an error, and its PSNR would be infinite.
_MOST_PSNR = 60.0
_AT_ONCE = 16
_SHOWN = 4


@jax.jit
def _apply(network: Network, past: Array) -> Array:
    return network(from_uint8(past))


def predict(networks: Networks, past: np.ndarray) -> np.ndarray:
    """What follows, uint8 [n, future, side, side, 3], of uint8 [n, past, side, side, 3]."""
    made = []
    for start in range(0, len(past), _AT_ONCE):
        some = past[start : start + _AT_ONCE]
        # Always as many at a time: another number would be compiled anew.
        missing = min(_AT_ONCE, len(past)) - len(some)
        whole = np.concatenate([some, np.zeros((missing, *some.shape[1:]), np.uint8)])
        predicted = _apply(networks["generator"], jnp.asarray(whole))
        made.append(to_uint8(np.asarray(predicted))[: len(some)])
    return np.concatenate(made)


def figures(
    held_out: Callable[[], Clips], past: int, future: int, every: int, most: int
) -> Callable[[Networks], Measured]:
    """Makes the `evaluate`: predicted frames against real ones, beside the last frame repeated.

    Args:
      held_out: the clips to predict.
      past, future, every: of the windows.
      most: windows that are measured.

    Returns:
      A function whose figures are `psnr` in dB (at most 60 a frame) and `ssim` over RGB, means over
      frames, and the same of the last frame repeated, `psnr_last` and `ssim_last`.
    """

    @functools.cache
    def windows() -> np.ndarray:
        return fixed_windows(held_out(), past + future, every=every, most=most)

    def evaluate(networks: Networks) -> Measured:
        enough("measuring predictions", 1, **{"held-out": len(windows())})
        given, wanted = windows()[:, :past], windows()[:, past:]
        candidates = {
            "": predict(networks, given),
            "_last": np.broadcast_to(given[:, -1:], wanted.shape),
        }
        measures: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
            "psnr": lambda a, b: min(psnr(a, b, channel="rgb"), _MOST_PSNR),
            "ssim": lambda a, b: ssim(a, b, channel="rgb"),
        }
        found = {}
        for name, measure in measures.items():
            for suffix, films in candidates.items():
                values = [
                    measure(real, made)
                    for one, other in zip(wanted, films, strict=True)
                    for real, made in zip(one, other, strict=True)
                ]
                found[f"{name}{suffix}"] = float(np.mean(values))
        about, count = held_out().description, len(wanted)
        words = {
            "psnr": f"PSNR over RGB of {future} predicted frames, at most {_MOST_PSNR:g} dB each; "
            "_last: the last frame repeated",
            "ssim": f"SSIM over RGB of {future} predicted frames; _last: the last frame repeated",
        }
        stamps = {name: Stamp(word, count, count, about) for name, word in words.items()}
        return Measured(found, stamps)

    return evaluate


def preview(
    held_out: Callable[[], Clips], past: int, future: int, every: int, rate: float
) -> Callable[[Networks], dict[str, Exhibit]]:
    """Makes the `preview`: what followed and what was predicted, moving and as stills."""

    @functools.cache
    def windows() -> np.ndarray:
        return fixed_windows(held_out(), past + future, every=every, most=_SHOWN)

    def exhibits(networks: Networks) -> dict[str, Exhibit]:
        given, wanted = windows()[:, :past], windows()[:, past:]
        made = predict(networks, given)
        continued = np.concatenate([given, made], axis=1)
        both = np.concatenate([windows(), continued])
        rows = []
        for one, other in zip(wanted, made, strict=True):
            rows += [list(one), list(other)]
        captions = ["real", "predicted"] * len(given)
        return {
            "film": FilmGrid(both, len(given), rate),
            "stills": Grid(rows, labels=captions),
        }

    return exhibits


def sample_film(
    side: int, past: int, every: int, rate: float
) -> Callable[[Networks, SampleRequest], Path]:
    """Makes the `sample`: the end of the film `--input`, and what could follow, as `--output`."""

    def sample(networks: Networks, request: SampleRequest) -> Path:
        if request.input is None:
            raise UserError("--mode=sample needs --input=FILM (.gif, .mp4, a strip of frames)")
        check_suffix(request.output)
        film = read_film(request.input, side)
        least = (past - 1) * every + 1
        if len(film) < least:
            frames = "1 frame" if len(film) == 1 else f"{len(film)} frames"
            raise UserError(f"--input={request.input} has {frames}, and {least} are needed")
        given = film[len(film) - least :: every]
        made = predict(networks, given[None])[0]
        return write_film(request.output, np.concatenate([given, made]), rate)

    return sample
