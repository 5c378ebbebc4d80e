"""The flags of the plain GANs, and the game that they describe.

An experiment's file calls `define` where it sets its other flags; `gan_experiments` does the rest.
"""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from absl import flags

import jaxgan.flags  # noqa: F401 - defines --loss
from jaxgan import losses, penalties
from jaxgan.errors import UserError
from jaxgan.game import Phase, System
from jaxgan.losses import AdversarialLoss
from jaxgan.nets.mixture import Mixture
from jaxgan.ops.augment import AUGMENTATIONS, check_names
from jaxgan.ops.minibatch import WithMinibatchDiscrimination
from jaxgan.ops.norm import SpectrallyNormalised
from jaxgan.state import PlayerSpec
from jaxgan.systems.adversarial import PENALTIES, Weighted, adversarial, one_pass
from jaxgan.systems.view import View

FLAGS = flags.FLAGS

# Of the gradient penalty in WGAN-GP (arXiv 1704.00028, algorithm 1).
WGAN_GP_WEIGHT = 10.0
# The limit of WGAN's weights (arXiv 1701.07875, algorithm 1).
WGAN_CLIP = 0.01
# Added under Adam's root where its updates are differentiated: see `unroll`.
UNROLLED_EPS_ROOT = 1e-16

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
    n_critic: int = 1,
) -> None:
    """Defines the flags, with defaults of the experiment's own."""
    flags.DEFINE_integer("latent_size", latent_size, "Dimensions of the latent.", lower_bound=1)
    flags.DEFINE_integer("n_critic", n_critic, "Steps of the critic for one of the generator.", 1)
    flags.DEFINE_enum(
        "penalty",
        penalty,
        ["none", *PENALTIES],
        "On the critic; --loss=wgan_gp brings its own instead.",
    )
    flags.DEFINE_float(
        "penalty_weight",
        penalty_weight,
        f"What the penalty is multiplied by; {WGAN_GP_WEIGHT:g} by default with --loss=wgan_gp.",
        lower_bound=0.0,
    )
    flags.DEFINE_integer(
        "penalty_every",
        1,
        "Steps to one of the penalty, which is then that much stronger (lazy regularisation).",
        lower_bound=1,
    )
    flags.DEFINE_float(
        "clip",
        None,
        "Limit of the critic's parameters, 0: none. Default: WGAN's "
        f"{WGAN_CLIP:g} with --loss=wgan that has neither a penalty nor --spectral_norm, else 0.",
        lower_bound=0.0,
    )
    flags.DEFINE_bool("spectral_norm", False, "Spectral normalisation of every kernel, critic's.")
    flags.DEFINE_float(
        "label_smoothing",
        label_smoothing,
        "With --loss=bce: real labels are 1 less this, for the critic; 0.1 in the paper.",
        lower_bound=0.0,
    )
    flags.DEFINE_float(
        "feature_matching",
        0.0,
        "Weight, in the generator's loss, of matching the mean features of the critic's last "
        "hidden layer; 0: none.",
        lower_bound=0.0,
    )
    flags.DEFINE_bool(
        "minibatch_discrimination", False, "The critic sees how alike the samples of a batch are."
    )
    flags.DEFINE_integer(
        "unrolled",
        0,
        "The generator looks ahead at so many updates of the critic; costs about as many steps.",
        lower_bound=0,
    )
    flags.DEFINE_integer(
        "generators", 1, "Generators that share the batch, each with parameters of its own.", 1
    )
    flags.DEFINE_integer(
        "packing", 1, "Samples that the critic judges at once, all real or all fake.", 1
    )
    flags.DEFINE_list(
        "augment",
        [],
        f"Differentiable augmentation of what the critic sees: any of {','.join(AUGMENTATIONS)}.",
    )
    flags.DEFINE_float("learning_rate", learning_rate, "Adam's, for both players.", 0.0)
    flags.DEFINE_float("b1", b1, "Adam's memory of past gradients, below 1.", 0.0, 0.9999)
    flags.DEFINE_float(
        "ema_halflife", ema_halflife, "Of the generator's moving average, in samples; 0: none.", 0.0
    )


def weighted() -> tuple[Weighted, ...]:
    """The penalty that the flags ask for, if any; WGAN-GP's as in arXiv 1704.00028."""
    alone = FLAGS.penalty_every > 1
    typed = FLAGS["penalty_weight"].present
    if FLAGS.loss == "wgan_gp":
        if FLAGS["penalty"].present and FLAGS.penalty != "gradient_penalty":
            raise UserError(
                f"--penalty={FLAGS.penalty} does not go with --loss=wgan_gp, which brings its own; "
                "use --loss=wgan"
            )
        weight = FLAGS.penalty_weight if typed else WGAN_GP_WEIGHT
        return (Weighted("gradient_penalty", weight, alone),)
    if FLAGS.penalty != "none":
        return (Weighted(FLAGS.penalty, FLAGS.penalty_weight, alone),)
    if typed:
        raise UserError(
            f"--penalty_weight={FLAGS.penalty_weight:g} needs a penalty: choose one with --penalty"
        )
    if alone:
        raise UserError(
            f"--penalty_every={FLAGS.penalty_every} needs a penalty: choose one with --penalty"
        )
    return ()


def clip() -> float:
    """The limit of the critic's parameters; 0 where there is none."""
    if FLAGS.clip is not None:
        return FLAGS.clip
    # Minibatch discrimination has parameters of its own, which spectral norms leave alone.
    bounded = FLAGS.spectral_norm and not FLAGS.minibatch_discrimination
    bare = FLAGS.loss == "wgan" and FLAGS.penalty == "none" and not bounded
    return WGAN_CLIP if bare else 0.0


def check(sample_shape: tuple[int, ...], classes: int) -> None:
    """Raises UserError for flags that do not go together."""
    check_names(FLAGS.augment)
    if FLAGS.augment and len(sample_shape) != 3:
        raise UserError(f"--augment={','.join(FLAGS.augment)} is for pictures, not for points")
    if FLAGS.packing > 1 and classes:
        raise UserError(
            f"--packing={FLAGS.packing} joins samples whose classes differ: leave it at 1 in a "
            "conditional experiment"
        )
    part, parts = FLAGS.batch_size // FLAGS.accumulate, ""
    if FLAGS.accumulate > 1:
        parts = f" in {FLAGS.accumulate} parts"
    for flag in ("packing", "generators"):
        if part % FLAGS[flag].value:
            raise UserError(
                f"--{flag}={FLAGS[flag].value} does not divide the batch of {FLAGS.batch_size}"
                f"{parts} into equal shares"
            )
    if FLAGS.minibatch_discrimination and part < 2 * FLAGS.packing:
        raise UserError(
            "--minibatch_discrimination compares the samples of a batch, and the critic sees only "
            f"one: --batch_size={FLAGS.batch_size}{parts} is too small"
        )


def adam(b2: float, updates_to_penalty: int = 0) -> optax.GradientTransformation:
    """Adam as the flags have it; rescaled for a player with a penalty after so many updates."""
    rest = {"eps_root": UNROLLED_EPS_ROOT} if FLAGS.unrolled else {}
    if updates_to_penalty:
        every = updates_to_penalty
        return penalties.lazy_adam(FLAGS.learning_rate, FLAGS.b1, b2, every=every, **rest)
    return optax.adam(FLAGS.learning_rate, b1=FLAGS.b1, b2=b2, **rest)


def adversarial_loss() -> AdversarialLoss:
    """The loss that the flags ask for; an experiment's own label smoothing is for bce only."""
    flag = FLAGS["label_smoothing"]
    own = not flag.present and flag.value == flag.default
    return losses.by_name(FLAGS.loss, 0.0 if own and FLAGS.loss != "bce" else FLAGS.label_smoothing)


def critic_may_normalise() -> bool:
    """Whether batch normalisation in the critic goes with the flags.

    It does not go with a penalty on each sample's gradient (WGAN-GP, arXiv 1704.00028, section 4),
    nor with spectral normalisation, whose bound its scales undo.
    """
    return not weighted() and not FLAGS.spectral_norm


def game(
    generator: nn.Module,
    critic: nn.Module,
    sample_shape: tuple[int, ...],
    *,
    b2: float = 0.999,
    classes: int = 0,
) -> tuple[System, tuple[Phase, ...]]:
    """The system and the phases.

    `--update=simultaneous` takes one pass of the critic for both players where that is exact: one
    move of the critic for one of the generator, and what `adversarial.one_pass` says. Otherwise the
    two phases stay, and each sees the other player as it was. With `--unrolled` the generator moves
    first, so that it looks ahead from the critic that all its updates begin at; the critic then
    takes its one step (arXiv 1611.02163, equations 11 and 12). A penalty with `--penalty_every=k`
    has a phase of its own in every k-th step, k times as strong (times `--n_critic`, so that there
    are as many of the critic's updates to one of it).

    Args:
      generator: `[batch, latent_size]` to `[batch, *sample_shape]`; with classes
        `(latent, label)`.
      critic: `[batch, *sample_shape]` to logits; with classes `(samples, label)`. Flags may wrap
        it, and `--packing` multiplies the last axis of what it sees.
      sample_shape: of one sample.
      b2: Adam's, for both players.
      classes: how many classes a conditional experiment has; `batch["label"]` holds them.

    Raises:
      UserError: flags that do not go together.
    """
    check(sample_shape, classes)
    view = View(tuple(FLAGS.augment), FLAGS.packing)
    penalty = weighted()
    lazy = FLAGS.n_critic * FLAGS.penalty_every if FLAGS.penalty_every > 1 else 0
    limit = clip()
    label = (jax.ShapeDtypeStruct((1,), jnp.int32),) if classes else ()
    if FLAGS.generators > 1:
        generator = Mixture(generator, FLAGS.generators)
    if FLAGS.minibatch_discrimination:
        critic = WithMinibatchDiscrimination(critic)
    if FLAGS.spectral_norm:
        critic = SpectrallyNormalised(critic)

    def player(network: nn.Module, *shape: int) -> PlayerSpec:
        inputs = (jax.ShapeDtypeStruct((1, *shape), jnp.float32), *label)
        return PlayerSpec(network, inputs, adam(b2))

    generator_player = dataclasses.replace(
        player(generator, FLAGS.latent_size), ema_halflife=FLAGS.ema_halflife or None
    )
    critic_player = dataclasses.replace(
        player(critic, *view.shape(sample_shape)),
        optimiser=adam(b2, lazy),
        project=penalties.clip_weights(limit) if limit else None,
    )
    loss = adversarial_loss()
    system = adversarial(
        generator_player,
        critic_player,
        loss,
        latent_size=FLAGS.latent_size,
        weighted=penalty,
        classes=classes,
        view=view,
        feature_matching=FLAGS.feature_matching,
        unrolled=FLAGS.unrolled,
    )
    after = (
        (
            Phase(
                "penalty", ("critic",), penalty[0].name, every=FLAGS.penalty_every, gain=float(lazy)
            ),
        )
        if lazy
        else ()
    )
    at_once = FLAGS.update == "simultaneous" and FLAGS.n_critic == 1
    tied = FLAGS.minibatch_discrimination or "both" not in system.losses
    if at_once and not tied and one_pass(critic_player, loss):
        return system, (Phase("both", ("critic", "generator"), "both"), *after)
    turns = (
        Phase("critic", ("critic",), "critic_with_penalties", repeats=FLAGS.n_critic),
        Phase("generator", ("generator",), "generator"),
    )
    if FLAGS.unrolled:
        turns = turns[::-1]
    return system, (*turns, *after)
