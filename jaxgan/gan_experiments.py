"""Experiments with plain GANs, built as their flags say: pictures, and points in the plane.

Their files are left with what is their own: networks, data, sizes.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import flax.linen as nn
import jax
import numpy as np
from absl import flags

from jaxgan.data.arrays import gather, open_grey_squares
from jaxgan.data.sources import open_source
from jaxgan.data.squares import squares
from jaxgan.errors import UserError
from jaxgan.experiment import Data, Experiment, Networks
from jaxgan.gan_flags import game
from jaxgan.media import Scatter
from jaxgan.systems.sampling import draw_samples, sample_file, sample_grid

FLAGS = flags.FLAGS

# Sizes for a test of an experiment that draws pictures.
TINY = {"steps": 4, "batch_size": 4, "latent_size": 4, "scale": "small"}

# How many points `plane` judges, and how many it shows: so few that all series can be seen.
POINTS, SHOWN = 2500, 500


def grey_squares(side: int) -> Data:
    """What `--data` names, as grey squares that stay in memory; the sample is digits."""
    pictures, about = open_grey_squares(
        FLAGS.data, side, data_dir=FLAGS.data_dir, skip_broken=FLAGS.skip_broken
    )
    return Data(gather(pictures), len(pictures), about)


def colour_squares(side: int, *, mirror: bool = True) -> Data:
    """What `--data` names, as colour squares, decoded when asked for; the sample is photographs."""
    source = open_source(FLAGS.data, data_dir=FLAGS.data_dir, skip_broken=FLAGS.skip_broken)
    return Data(squares(source, side, mirror=mirror), len(source), source.description)


def pictures(
    generator: nn.Module,
    critic: nn.Module,
    sample_shape: tuple[int, int, int],
    data: Callable[[], Data],
    *,
    columns: int = 8,
    magnify: int = 1,
) -> Experiment:
    """An experiment that draws pictures.

    Args:
      generator, critic, sample_shape: as in `game`.
      data: as in `Experiment`.
      columns: of the grids.
      magnify: enlarges the preview's pictures by this whole factor.
    """
    system, phases = game(generator, critic, sample_shape)
    return Experiment(
        system=system,
        phases=phases,
        data=data,
        preview=sample_grid(FLAGS.latent_size, columns=columns, magnify=magnify),
        sample=sample_file(FLAGS.latent_size, columns=columns),
    )


def plane(
    generator: nn.Module,
    critic: nn.Module,
    points: np.ndarray,
    about: str,
    figures: Callable[[np.ndarray], Mapping[str, float]],
    *,
    limit: float,
    best: str,
    best_mode: Literal["max", "min"] = "max",
    b2: float = 0.999,
) -> Experiment:
    """An experiment that draws points in the plane.

    Args:
      generator, critic, b2: as in `game`, for samples of two numbers.
      points: float32 [n, 2], to train on.
      about: what they are, for the report.
      figures: of `POINTS` generated points, float32 [POINTS, 2]; always of the same latents.
      limit: of the plot, on either side of 0.
      best, best_mode: as in `Experiment`.

    Raises:
      UserError: `--data` or `--held_out` is given.
    """
    if FLAGS.data != "sample" or FLAGS.held_out:
        raise UserError("this experiment draws its own points; leave --data and --held_out alone")
    system, phases = game(generator, critic, (2,), b2=b2)

    def fake(networks: Networks) -> np.ndarray:
        key, size = jax.random.key(FLAGS.seed), FLAGS.latent_size
        return np.asarray(draw_samples(networks, key, count=POINTS, latent_size=size))

    def data() -> Data:
        description: dict[str, Any] = {"kind": "drawn", "where": about, "count": len(points)}
        return Data(lambda indices, seeds: {"real": points[indices]}, len(points), description)

    def preview(networks: Networks) -> dict[str, Scatter]:
        series = {"real": points[:SHOWN], "fake": fake(networks)[:SHOWN]}
        return {"preview": Scatter(series, (-limit, limit))}

    return Experiment(
        system=system,
        phases=phases,
        data=data,
        evaluate=lambda networks: dict(figures(fake(networks))),
        preview=preview,
        best=best,
        best_mode=best_mode,
    )
