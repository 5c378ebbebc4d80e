"""Experiments with plain GANs, built as their flags say: pictures, and points in the plane.

Their files are left with what is their own: networks, data, sizes.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import flax.linen as nn
import jax
import numpy as np
from absl import flags

from jaxgan.data.labelled import Labelled, class_list, gather, open_labelled
from jaxgan.data.sources import open_source
from jaxgan.data.squares import Channels, squares
from jaxgan.errors import UserError
from jaxgan.experiment import Data, Experiment, Networks
from jaxgan.gan_flags import game
from jaxgan.media import Scatter
from jaxgan.systems.sampling import draw_samples, sample_file, sample_grid

FLAGS = flags.FLAGS

# As in `gan_flags`: flags belong to the file that has them defined.
flags.disclaim_key_flags()

# Sizes for a test of an experiment that draws pictures.
TINY = {"steps": 4, "batch_size": 4, "latent_size": 4, "scale": "small"}

# How many points `plane` judges, and how many it shows: so few that all series can be seen.
POINTS, SHOWN = 2500, 500


def define_classes(default: int) -> None:
    """Defines the flag of conditional experiments, whose networks must know how many classes."""
    flags.DEFINE_integer("class_count", default, "Classes that the networks know.", lower_bound=1)


def labelled(side: int, channels: Channels, *, sample: str, class_count: int = 0) -> Labelled:
    """What `--data` names, as squares in memory, of the classes that `--classes` names.

    Args:
      side: of the squares, in pixels.
      channels: 1 for grey, 3 for colour.
      sample: what `--data=sample` is, one of `data.sample.EMBEDDED`.
      class_count: how many classes there must be; 0 where labels are of no use.

    Raises:
      UserError: no such data, no labels, or another number of classes.
    """
    found = open_labelled(
        FLAGS.data,
        side,
        channels=channels,
        sample=sample,
        data_dir=FLAGS.data_dir,
        skip_broken=FLAGS.skip_broken,
        classes=class_list(FLAGS.classes),
        require_labels=class_count > 0,
    )
    if class_count and len(found.classes) != class_count:
        raise UserError(
            f"--data={FLAGS.data} has {len(found.classes)} classes ({', '.join(found.classes)}), "
            f"and the networks know {class_count}: choose with --classes, or give "
            f"--class_count={len(found.classes)}"
        )
    return found


def labelled_squares(
    side: int,
    channels: Channels = 1,
    *,
    sample: str = "digits",
    class_count: int = 0,
    mirror: bool = False,
) -> Data:
    """`labelled` as an experiment's data; `mirror` turns half of the pictures left to right."""
    found = labelled(side, channels, sample=sample, class_count=class_count)
    return Data(gather(found, mirror=mirror), len(found), found.description)


def colour_squares(side: int, *, sample: str) -> Data:
    """What `--data` names, as colour squares, half of them turned left to right.

    They are decoded when asked for, so that a large set begins at once; the sample lies in memory.
    """
    if FLAGS.data == "sample":
        return labelled_squares(side, 3, sample=sample, mirror=True)
    source = open_source(FLAGS.data, data_dir=FLAGS.data_dir, skip_broken=FLAGS.skip_broken)
    return Data(squares(source, side), len(source), source.description)


def pictures(
    generator: nn.Module,
    critic: nn.Module,
    sample_shape: tuple[int, int, int],
    data: Callable[[], Data],
    *,
    class_count: int = 0,
    columns: int = 8,
    magnify: int = 1,
) -> Experiment:
    """An experiment that draws pictures.

    Args:
      generator, critic, sample_shape: as in `gan_flags.game`.
      data: as in `Experiment`.
      class_count: how many classes the networks know, if they are told one.
      columns: of the grids.
      magnify: enlarges the preview's pictures by this whole factor.
    """
    system, phases = game(generator, critic, sample_shape, classes=class_count)
    return Experiment(
        system=system,
        phases=phases,
        data=data,
        preview=sample_grid(
            FLAGS.latent_size, columns=columns, magnify=magnify, classes=class_count
        ),
        sample=sample_file(FLAGS.latent_size, columns=columns, classes=class_count),
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
