"""Experiments with plain GANs, built as their flags say: pictures, and points in the plane.

Their files are left with what is their own: networks, data, sizes. `options` are the flags' values.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from absl.flags import FlagValues

from jaxgan import gan_data, gan_figures, gan_flags
from jaxgan.data.squares import Channels
from jaxgan.errors import UserError
from jaxgan.experiment import Data, Experiment, Networks
from jaxgan.gan_data import Pictures
from jaxgan.media import Scatter
from jaxgan.metrics.stamp import Measured, Stamp
from jaxgan.nets.conditional import ConditionalGenerator, ProjectionCritic
from jaxgan.systems.sampling import draw_samples, sample_file, sample_grid

# As in `gan_flags`: flags belong to the file that has them defined.
flags.disclaim_key_flags()

# Sizes for a test of an experiment that draws pictures.
TINY = {"steps": 4, "batch_size": 4, "latent_size": 4, "scale": "small", "eval_samples": 12}

# How many points `plane` judges, and how many it shows: so few that all series can be seen.
POINTS, SHOWN = 2500, 500


def define(*, class_count: int = 0, eval_samples: int = 2000, **defaults: Any) -> None:
    """Defines the flags of an experiment that draws pictures.

    Args:
      class_count: how many classes the networks know, where they are told one.
      eval_samples: how many samples figures are measured on.
      defaults: as `gan_flags.define` takes them.
    """
    gan_flags.define(**defaults)
    if class_count:
        flags.DEFINE_integer(
            "class_count", class_count, "Classes that the networks know.", lower_bound=1
        )
    flags.DEFINE_integer(
        "eval_samples", eval_samples, "Samples to measure figures on; 0: none.", lower_bound=0
    )
    flags.DEFINE_string(
        "feature_weights",
        None,
        "Inception-v3 weights (.pth, .npz) to measure figures with, as published ones are; without "
        "them, with a small classifier that is trained on the data.",
    )
    flags.DEFINE_string("feature_weights_sha256", None, "The hash that they must have.")


def pictures(
    options: FlagValues,
    generator: nn.Module,
    critic: nn.Module,
    sample_shape: tuple[int, int, int],
    source: Pictures,
    *,
    class_count: int = 0,
    columns: int = 8,
    magnify: int = 1,
    faces: bool = False,
    evaluate: Callable[[Networks], Measured] | None = None,
    conclude: Callable[[Networks], Measured] | None = None,
    best: str = "fid",
    best_mode: Literal["max", "min"] = "min",
) -> Experiment:
    """An experiment that draws pictures.

    Args:
      options, generator, critic, sample_shape: as in `gan_flags.game`.
      source: what it trains on and is measured against.
      class_count: how many classes the networks know, if they are told one.
      columns: of the grids.
      magnify: enlarges the preview's pictures by this whole factor.
      faces: as in `sampling.sample_file`.
      evaluate: as in `Experiment`; FID and its kin (`gan_figures.figures`) where None. With
        --eval_samples=0 nothing is measured.
      conclude, best, best_mode: as in `Experiment`.
    """
    system, phases = gan_flags.game(options, generator, critic, sample_shape, classes=class_count)
    measures = options.eval_samples > 0
    figures_of = None
    if measures:
        figures_of = evaluate or gan_figures.figures(options, source, class_count)

    def data() -> Data:
        found = source.data()
        if measures:
            # Here, where nothing has been written yet.
            gan_figures.check(source, options.feature_weights, options.feature_weights_sha256)
        return found

    return Experiment(
        system=system,
        phases=phases,
        data=data,
        evaluate=figures_of,
        conclude=conclude if measures else None,
        preview=sample_grid(
            options.latent_size, columns=columns, magnify=magnify, classes=class_count
        ),
        sample=sample_file(options.latent_size, columns=columns, classes=class_count, faces=faces),
        best=best if measures else None,
        best_mode=best_mode,
    )


def define_to_train_others(options: FlagValues, class_count: int) -> None:
    """Sets and defines the flags of experiments that make pictures to train others with."""
    options.set_default("loss", "relativistic")
    options.set_default("steps", 20_000)
    options.set_default("batch_size", 64)
    flags.DEFINE_integer("width", 64, "Channels next to the picture; they double inwards.", 1)
    define(
        class_count=class_count,
        latent_size=100,
        learning_rate=2e-4,
        b1=0.5,
        penalty="r1",
        ema_halflife=10_000.0,
    )
    options.set_default("augment", ["colour", "translation"])


# Sizes for two CPU cores of the same experiments.
SMALL_TO_TRAIN_OTHERS = {
    "steps": 3_000,
    "batch_size": 32,
    "width": 32,
    "learning_rate": 5e-4,
    "penalty_weight": 0.02,
    "ema_halflife": 2_000.0,
    "eval_every": 500,
    "checkpoint_every": 500,
}


def to_train_others(options: FlagValues, side: int, channels: Channels, sample: str) -> Experiment:
    """A conditional experiment that ends in what its pictures are worth to a classifier.

    The generator hears of the class in its batch normalisations, the critic projects its features
    on it (Miyato and Koyama 2018, arXiv 1802.05637).

    Args:
      options: the flags' values.
      side: of the pictures, in pixels.
      channels: 1 for grey, 3 for colour.
      sample: what `--data=sample` is, one of `data.sample.EMBEDDED`.
    """
    dtype, count, width = jnp.dtype(options.dtype), options.class_count, options.width
    squares, both = gan_data.apart_squares(
        options, side, channels, sample=sample, class_count=count
    )
    return pictures(
        options,
        ConditionalGenerator(side, channels, width, classes=count, dtype=dtype),
        ProjectionCritic(width, classes=count, dtype=dtype),
        (side, side, channels),
        squares,
        class_count=count,
        conclude=gan_figures.augmentation(both, options.latent_size),
    )


def plane(
    options: FlagValues,
    generator: nn.Module,
    critic: nn.Module,
    points: np.ndarray,
    about: str,
    figures: Callable[[np.ndarray], Mapping[str, float]],
    metrics: Mapping[str, str],
    *,
    limit: float,
    best: str,
    best_mode: Literal["max", "min"] = "max",
    b2: float = 0.999,
) -> Experiment:
    """An experiment that draws points in the plane.

    Args:
      options, generator, critic, b2: as in `game`, for samples of two numbers.
      points: float32 [n, 2], to train on.
      about: what they are, for the report.
      figures: of `POINTS` generated points, float32 [POINTS, 2]; always of the same latents.
      metrics: what each of them is, in words.
      limit: of the plot, on either side of 0.
      best, best_mode: as in `Experiment`.

    Raises:
      UserError: `--data` or `--held_out` is given.
    """
    if options.data != "sample" or options.held_out or options.classes:
        raise UserError(
            "this experiment draws its own points; leave --data, --held_out and --classes alone"
        )
    system, phases = gan_flags.game(options, generator, critic, (2,), b2=b2)

    description: dict[str, Any] = {"kind": "drawn", "where": about, "count": len(points)}

    def evaluate(networks: Networks) -> Measured:
        found = dict(figures(fake(networks)))
        return Measured(found, {n: Stamp(m, 0, POINTS, description) for n, m in metrics.items()})

    def fake(networks: Networks) -> np.ndarray:
        key, size = jax.random.key(options.seed), options.latent_size
        return np.asarray(draw_samples(networks, key, count=POINTS, latent_size=size))

    def data() -> Data:
        return Data(lambda indices, seeds: {"real": points[indices]}, len(points), description)

    def preview(networks: Networks) -> dict[str, Scatter]:
        series = {"real": points[:SHOWN], "fake": fake(networks)[:SHOWN]}
        return {"preview": Scatter(series, (-limit, limit))}

    return Experiment(
        system=system,
        phases=phases,
        data=data,
        evaluate=evaluate,
        preview=preview,
        best=best,
        best_mode=best_mode,
    )
