"""The flags of the plain GANs, and the game that they describe.

An experiment's file calls `define` where it sets its other flags, and the rest in `experiment()`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl import flags

import jaxgan.flags  # noqa: F401 - defines --loss
from jaxgan import losses
from jaxgan.data.arrays import gather, open_grey_squares
from jaxgan.data.sources import open_source
from jaxgan.data.squares import squares
from jaxgan.errors import UserError
from jaxgan.experiment import Data, Experiment, Networks
from jaxgan.game import Phase, System
from jaxgan.losses import AdversarialLoss
from jaxgan.media import Scatter
from jaxgan.state import PlayerSpec
from jaxgan.systems.adversarial import (
    PENALTIES,
    Weighted,
    adversarial,
    draw_samples,
    one_pass,
    sample_file,
    sample_grid,
)

FLAGS = flags.FLAGS

# Of the gradient penalty in WGAN-GP (arXiv 1704.00028, algorithm 1).
WGAN_GP_WEIGHT = 10.0

# Sizes for a test of an experiment that draws pictures.
TINY = {"steps": 4, "batch_size": 4, "latent_size": 4, "scale": "small"}

# How many points `plane` judges, and how many it shows: so few that all series can be seen.
POINTS, SHOWN = 2500, 500

# The flags belong to the file that calls `define`: to its --help and to its runs' configuration.
flags.disclaim_key_flags()


def define(
    *,
    latent_size: int,
    learning_rate: float,
    b1: float = 0.9,
    penalty: str = "none",
    penalty_weight: float = 1.0,
    ema_halflife: float = 0.0,
    label_smoothing: float = 0.0,
) -> None:
    """Defines the flags, with defaults of the experiment's own."""
    flags.DEFINE_integer("latent_size", latent_size, "Dimensions of the latent.", lower_bound=1)
    flags.DEFINE_integer("n_critic", 1, "Steps of the critic for one of the generator.")
    flags.DEFINE_enum(
        "penalty",
        penalty,
        ["none", *PENALTIES],
        f"On the critic; --loss=wgan_gp brings its own, of weight {WGAN_GP_WEIGHT:g}, instead.",
    )
    flags.DEFINE_float("penalty_weight", penalty_weight, "What the penalty is multiplied by.")
    flags.DEFINE_float("learning_rate", learning_rate, "Adam's, for both players.")
    flags.DEFINE_float("b1", b1, "Adam's memory of past gradients.", 0.0, 1.0)
    flags.DEFINE_float(
        "label_smoothing", label_smoothing, "With --loss=bce: a real's label is 1 less this.", 0.0
    )
    flags.DEFINE_float(
        "ema_halflife", ema_halflife, "Of the generator's moving average, in samples; 0: none."
    )


def weighted() -> tuple[Weighted, ...]:
    """The penalty that the flags ask for, if any; WGAN-GP's as in arXiv 1704.00028."""
    if FLAGS.loss == "wgan_gp":
        return (Weighted("gradient_penalty", WGAN_GP_WEIGHT),)
    return (Weighted(FLAGS.penalty, FLAGS.penalty_weight),) if FLAGS.penalty != "none" else ()


def adversarial_loss() -> AdversarialLoss:
    """The loss that the flags ask for; an experiment's own label smoothing is for bce only."""
    typed = FLAGS["label_smoothing"].present
    smoothing = FLAGS.label_smoothing if typed or FLAGS.loss == "bce" else 0.0
    return losses.by_name(FLAGS.loss, smoothing)


def critic_may_normalise() -> bool:
    """Whether batch normalisation in the critic goes with the flags.

    It does not go with a penalty on each sample's gradient (WGAN-GP, arXiv 1704.00028, section 4).
    """
    return not weighted()


def game(
    generator: nn.Module,
    critic: nn.Module,
    sample_shape: tuple[int, ...],
    *,
    b2: float = 0.999,
) -> tuple[System, tuple[Phase, ...]]:
    """The system and the phases.

    `--update=simultaneous` takes one pass of the critic for both players where that is exact: one
    move of the critic for one of the generator, and what `adversarial.one_pass` says. Otherwise the
    two phases stay, and each sees the other player as it was.

    Args:
      generator: `[batch, latent_size]` to `[batch, *sample_shape]`.
      critic: `[batch, *sample_shape]` to logits.
      sample_shape: of one sample.
      b2: Adam's, for both players.
    """

    def player(network: nn.Module, *shape: int, halflife: float = 0.0) -> PlayerSpec:
        optimiser = optax.adam(FLAGS.learning_rate, b1=FLAGS.b1, b2=b2)
        inputs = (jax.ShapeDtypeStruct((1, *shape), jnp.float32),)
        return PlayerSpec(network, inputs, optimiser, halflife or None)

    loss, critic_player = adversarial_loss(), player(critic, *sample_shape)
    system = adversarial(
        player(generator, FLAGS.latent_size, halflife=FLAGS.ema_halflife),
        critic_player,
        loss,
        latent_size=FLAGS.latent_size,
        weighted=weighted(),
    )
    at_once = FLAGS.update == "simultaneous" and FLAGS.n_critic == 1
    if at_once and one_pass(critic_player, loss):
        return system, (Phase("both", ("critic", "generator"), "both"),)
    return system, (
        Phase("critic", ("critic",), "critic_with_penalties", repeats=FLAGS.n_critic),
        Phase("generator", ("generator",), "generator"),
    )


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
