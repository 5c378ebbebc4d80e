"""The flags of experiments that make pictures of pictures, and what they have in common.

An experiment's file calls `define` where it sets its other flags. `options` are the flags' values.
"""

from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from absl import flags
from absl.flags import FlagValues

import jaxgan.flags  # noqa: F401 - defines --loss
from jaxgan import losses
from jaxgan.errors import UserError
from jaxgan.game import Phase
from jaxgan.losses import AdversarialLoss
from jaxgan.state import PlayerSpec

# The flags belong to the file that calls `define`: to its --help and to its runs' configuration.
flags.disclaim_key_flags()

# Sizes for a test of an experiment that makes pictures of pictures.
TINY = {
    "steps": 4,
    "batch_size": 2,
    "side": 32,
    "channels": 2,
    "critic_channels": 2,
    "eval_pictures": 12,
    "scale": "small",
}

# The critic learns at half of the generator's pace (arXiv 1611.07004, section 3.3).
CRITIC_GAIN = 0.5


def define(
    *,
    side: int,
    channels: int = 64,
    critic_channels: int = 64,
    learning_rate: float = 2e-4,
    decay_from: float = 0.5,
    jitter: float = 1.117,
    ema_halflife: float = 0.0,
) -> None:
    """Defines the flags, with defaults of the experiment's own."""
    flags.DEFINE_integer("side", side, "Side of the squares that are trained on, in pixels.", 8)
    flags.DEFINE_integer("channels", channels, "Of the generator's first convolution.", 1)
    flags.DEFINE_integer("critic_channels", critic_channels, "Of the critic's first one.", 1)
    flags.DEFINE_float("adversarial_weight", 1.0, "Of the critic's opinion; 0: none.", 0.0)
    flags.DEFINE_float(
        "jitter", jitter, "Pictures are made so much larger than --side before the crop.", 1.0
    )
    flags.DEFINE_bool("mirror", True, "Turn half of the pictures left to right.")
    flags.DEFINE_float("learning_rate", learning_rate, "Adam's, for all players.")
    flags.DEFINE_float("b1", 0.5, "Adam's memory of past gradients.", 0.0, 1.0)
    flags.DEFINE_float(
        "decay_from",
        decay_from,
        "Share of --steps from which the learning rate falls to 0, linearly; 1: it stays.",
        0.0,
        1.0,
    )
    flags.DEFINE_float(
        "ema_halflife", ema_halflife, "Of the generators' moving average, in pictures; 0: none."
    )
    flags.DEFINE_integer("eval_pictures", 50, "Held-out pictures to measure on; 0: none.", 0)


def define_critic(receptive_field: int) -> None:
    """Defines the flag of patch critics."""
    flags.DEFINE_integer(
        "receptive_field",
        receptive_field,
        "Side of the patches that the critic judges: 1, 16, 34, 70, 142 or 286 pixels.",
    )


def adam(options: FlagValues) -> optax.GradientTransformation:
    """Adam as the flags have it; its learning rate is a function of its own count of steps."""
    start = round(options.steps * options.decay_from)
    falling = optax.linear_schedule(
        options.learning_rate, 0.0, max(options.steps - start, 1), start
    )
    rate = falling if options.decay_from < 1 else options.learning_rate
    return optax.adam(rate, b1=options.b1)


def player(
    options: FlagValues, network: nn.Module, *channels: int, averaged: bool = False
) -> PlayerSpec:
    """A player whose inputs are squares of `--side` with so many channels each."""
    side = options.side
    inputs = tuple(jax.ShapeDtypeStruct((1, side, side, c), jnp.float32) for c in channels)
    halflife = options.ema_halflife if averaged else 0.0
    return PlayerSpec(network, inputs, adam(options), halflife or None)


def adversarial_loss(name: str) -> AdversarialLoss:
    """The loss that `--loss` names: `name`.

    Raises:
      UserError: one that needs a penalty, which these systems have none of.
    """
    if name in ("wgan", "wgan_gp"):
        raise UserError(
            f"--loss={name} needs a penalty, which this system has none of; use bce, lsgan, hinge "
            "or relativistic"
        )
    return losses.by_name(name)


def turns(
    generators: tuple[str, ...],
    critics: tuple[str, ...],
    names: tuple[str, str],
    *,
    adversarial_weight: float,
    order: Literal["critics first", "generators first"] = "critics first",
) -> tuple[Phase, ...]:
    """The two phases of a step; the critics play only where their opinion counts.

    Args:
      generators, critics: the players.
      names: of the generators' and of the critics' phase, and of their losses.
      adversarial_weight: of the critics' opinion in the generators' losses.
      order: CycleGAN's authors update the generators first.
    """
    make = Phase(names[0], generators, names[0])
    judge = Phase(names[1], critics, names[1], gain=CRITIC_GAIN)
    if not adversarial_weight:
        return (make,)
    return (judge, make) if order == "critics first" else (make, judge)
