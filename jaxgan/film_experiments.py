"""Experiments that draw films: what they are measured by, shown as and written to."""

import functools
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np

from jaxgan.data.clips import Clips, fixed_windows
from jaxgan.errors import UserError
from jaxgan.experiment import Networks, SampleRequest
from jaxgan.films import FilmGrid, check_suffix, strip, write_film
from jaxgan.media import Exhibit, to_uint8
from jaxgan.metrics import own
from jaxgan.metrics.motion import motion_figures
from jaxgan.metrics.pictures import LEAST, PictureFigures, Reference
from jaxgan.metrics.stamp import Measured, enough
from jaxgan.provenance import write_synthetic
from jaxgan.systems.sampling import draw_samples

# Films drawn at a time.
_AT_ONCE = 16
# Frames of a generated film that are measured as pictures: neighbours are nearly the same.
_STILLS = 4
# Frames that the feature network learns from, and windows that motion is compared with.
_MOST_FRAMES, _MOST_WINDOWS = 4000, 256
# As FID and its kin are defined, but of frames.
_KEPT = ("fid", "kid", "precision", "recall", "density", "coverage")


def draw_films(networks: Networks, count: int, seed: int, latent_size: int) -> np.ndarray:
    """Generated films, uint8 [count, frames, height, width, channels]; the same for a seed."""
    parts, key = [], jax.random.fold_in(jax.random.key(0), seed)
    size = min(_AT_ONCE, count)
    for index in range(-(-count // size)):
        drawn = draw_samples(
            networks, jax.random.fold_in(key, index), count=size, latent_size=latent_size
        )
        parts.append(to_uint8(np.asarray(drawn)))
    return np.concatenate(parts)[:count]


def frames_of(clips: Clips, most: int = _MOST_FRAMES) -> tuple[np.ndarray, np.ndarray | None]:
    """Frames of some clips, evenly spaced over all: uint8 [n, side, side, 3], and their labels."""
    total = sum(map(len, clips.films))
    chosen = np.arange(total)[:: max(-(-total // most), 1)]
    pictures = np.concatenate(clips.films)[chosen]
    if clips.labels is None:
        return pictures, None
    return pictures, np.repeat(clips.labels, [len(film) for film in clips.films])[chosen]


def figures(
    train: Callable[[], Clips],
    judged: Callable[[], Clips],
    *,
    frames: int,
    every: int,
    count: int,
    latent_size: int,
    data_dir: str | None,
) -> Callable[[Networks], Measured]:
    """Makes the `evaluate` of an experiment that draws films.

    FID and its kin are those of frames, with features of a classifier that learned to tell the
    action of a frame (or, without classes, how a frame was turned). The published distance of films
    needs a network trained on Kinetics, which is not to be had here: motion is compared by itself
    (`metrics.motion`).

    Args:
      train: what the feature network learns from.
      judged: what is measured against.
      frames, every: of the windows, as `clips.windows` takes them.
      count: generated films.
      latent_size: of the generator.
      data_dir: where the feature network is kept.

    Raises:
      UserError: too few films for the figures.
    """
    enough("--eval_samples: measuring films", -(-LEAST // _STILLS), fake=count)

    def reference() -> Reference:
        pictures, labels = frames_of(train())
        network = own.own_features(pictures, labels, data_dir)
        return Reference(network, frames_of(judged())[0], judged().description)

    measure = PictureFigures(reference, count * _STILLS, draw_size=count * _STILLS)

    @functools.cache
    def real() -> np.ndarray:
        return fixed_windows(judged(), frames, every=every, most=_MOST_WINDOWS)

    def evaluate(networks: Networks) -> Measured:
        drawn = draw_films(networks, count, 0, latent_size)
        stills = np.linspace(0, drawn.shape[1] - 1, _STILLS).round().astype(int)

        def draw(size: int, seed: int) -> np.ndarray:
            return drawn[:, stills].reshape(-1, *drawn.shape[2:])[:size]

        found = measure(draw)
        kept = Measured(
            {f"frame_{name}": found.figures[name] for name in _KEPT},
            {f"frame_{name}": found.stamps[name] for name in _KEPT},
        )
        return kept | motion_figures(real(), drawn, judged().description)

    return evaluate


def preview(
    latent_size: int, *, count: int, columns: int, rate: float, magnify: int = 1
) -> Callable[[Networks], dict[str, Exhibit]]:
    """Makes the `preview`: always the same films, moving, and stills of four of them."""

    def exhibits(networks: Networks) -> dict[str, Exhibit]:
        films = draw_films(networks, count, 0, latent_size)
        return {
            "film": FilmGrid(films, columns, rate, magnify),
            "stills": strip(films[:4]),
        }

    return exhibits


def sample_file(
    latent_size: int, *, columns: int, rate: float
) -> Callable[[Networks, SampleRequest], Path]:
    """Makes the `sample`: `count` films in one, or each in a file of its own.

    `--output` is a .gif, .mp4, .mkv or .webm, a .png of stills, or a folder, which is made and gets
    a .gif for each film.
    """

    def sample(networks: Networks, request: SampleRequest) -> Path:
        output, suffix = request.output, request.output.suffix.lower()
        if output.is_file() and not suffix:
            raise UserError(f"--output={output}: there is a file of this name, and no folder")
        if suffix not in ("", ".png"):
            check_suffix(output)
        films = draw_films(networks, request.count, request.seed, latent_size)
        if suffix == ".png":
            return write_synthetic(output, np.asarray(strip(films).draw()), visible=False)
        if suffix:
            return write_film(output, FilmGrid(films, columns, rate).draw(), rate)
        for number, film in enumerate(films):
            write_film(output / f"{number:06d}.gif", film, rate)
        return output

    return sample
