"""The flags of the plain GANs, and the game that they describe.

An experiment's file calls `define` where it sets its other flags, and the rest in `experiment()`.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from absl import flags

import jaxgan.flags  # noqa: F401 - defines --loss
from jaxgan import losses
from jaxgan.data.labelled import class_list, gather, open_labelled
from jaxgan.experiment import Data
from jaxgan.game import Phase, System
from jaxgan.state import PlayerSpec
from jaxgan.systems.adversarial import PENALTIES, Weighted, adversarial, one_pass

FLAGS = flags.FLAGS

# Of the gradient penalty in WGAN-GP (arXiv 1704.00028, algorithm 1).
WGAN_GP_WEIGHT = 10.0

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
        "ema_halflife", ema_halflife, "Of the generator's moving average, in samples; 0: none."
    )


def weighted() -> tuple[Weighted, ...]:
    """The penalty that the flags ask for, if any; WGAN-GP's as in arXiv 1704.00028."""
    if FLAGS.loss == "wgan_gp":
        return (Weighted("gradient_penalty", WGAN_GP_WEIGHT),)
    return (Weighted(FLAGS.penalty, FLAGS.penalty_weight),) if FLAGS.penalty != "none" else ()


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

    loss, critic_player = losses.by_name(FLAGS.loss), player(critic, *sample_shape)
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
    found = open_labelled(
        FLAGS.data,
        side,
        data_dir=FLAGS.data_dir,
        skip_broken=FLAGS.skip_broken,
        classes=class_list(FLAGS.classes),
    )
    return Data(gather(found), len(found), found.description)
