"""The flags of the plain GANs, and the game that they describe.

An experiment's file calls `define` where it sets its other flags; `gan_experiments` does the rest.
`options` are the flags' values.
"""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from absl import flags
from absl.flags import FlagValues

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


def weighted(options: FlagValues) -> tuple[Weighted, ...]:
    """The penalty that the flags ask for, if any; WGAN-GP's as in arXiv 1704.00028."""
    alone = options.penalty_every > 1
    typed = options["penalty_weight"].present
    if options.loss == "wgan_gp":
        if options["penalty"].present and options.penalty != "gradient_penalty":
            raise UserError(
                f"--penalty={options.penalty} does not go with --loss=wgan_gp, which brings its "
                "own; use --loss=wgan"
            )
        weight = options.penalty_weight if typed else WGAN_GP_WEIGHT
        return (Weighted("gradient_penalty", weight, alone),)
    if options.penalty != "none":
        return (Weighted(options.penalty, options.penalty_weight, alone),)
    if typed:
        raise UserError(
            f"--penalty_weight={options.penalty_weight:g} needs a penalty: choose one with "
            "--penalty"
        )
    if alone:
        raise UserError(
            f"--penalty_every={options.penalty_every} needs a penalty: choose one with --penalty"
        )
    return ()


def clip(options: FlagValues) -> float:
    """The limit of the critic's parameters; 0 where there is none."""
    if options.clip is not None:
        return options.clip
    # Minibatch discrimination has parameters of its own, which spectral norms leave alone.
    bounded = options.spectral_norm and not options.minibatch_discrimination
    bare = options.loss == "wgan" and options.penalty == "none" and not bounded
    return WGAN_CLIP if bare else 0.0


def check(options: FlagValues, sample_shape: tuple[int, ...], classes: int) -> None:
    """Raises UserError for flags that do not go together."""
    check_names(options.augment)
    if options.augment and len(sample_shape) != 3:
        raise UserError(f"--augment={','.join(options.augment)} is for pictures, not for points")
    if options.packing > 1 and classes:
        raise UserError(
            f"--packing={options.packing} joins samples whose classes differ: leave it at 1 in a "
            "conditional experiment"
        )
    part, parts = options.batch_size // options.accumulate, ""
    if options.accumulate > 1:
        parts = f" in {options.accumulate} parts"
    for flag in ("packing", "generators"):
        if part % options[flag].value:
            raise UserError(
                f"--{flag}={options[flag].value} does not divide the batch of {options.batch_size}"
                f"{parts} into equal shares"
            )
    if options.minibatch_discrimination and part < 2 * options.packing:
        raise UserError(
            "--minibatch_discrimination compares the samples of a batch, and the critic sees only "
            f"one: --batch_size={options.batch_size}{parts} is too small"
        )


def adam(
    learning_rate: float, b1: float, b2: float, *, looks_ahead: bool, updates_to_penalty: int
) -> optax.GradientTransformation:
    """Adam; rescaled for a player with a penalty after so many updates, if not 0."""
    rest = {"eps_root": UNROLLED_EPS_ROOT} if looks_ahead else {}
    if updates_to_penalty:
        return penalties.lazy_adam(learning_rate, b1, b2, every=updates_to_penalty, **rest)
    return optax.adam(learning_rate, b1=b1, b2=b2, **rest)


def adversarial_loss(options: FlagValues) -> AdversarialLoss:
    """The loss that the flags ask for; an experiment's own label smoothing is for bce only."""
    flag = options["label_smoothing"]
    own = not flag.present and flag.value == flag.default
    smoothing = 0.0 if own and options.loss != "bce" else options.label_smoothing
    return losses.by_name(options.loss, smoothing)


def critic_may_normalise(options: FlagValues) -> bool:
    """Whether batch normalisation in the critic goes with the flags.

    It does not go with a penalty on each sample's gradient (WGAN-GP, arXiv 1704.00028, section 4),
    nor with spectral normalisation, whose bound its scales undo.
    """
    return not weighted(options) and not options.spectral_norm


def game(
    options: FlagValues,
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
      options: the flags' values.
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
    check(options, sample_shape, classes)
    view = View(tuple(options.augment), options.packing)
    penalty = weighted(options)
    every = options.penalty_every
    lazy = options.n_critic * every if every > 1 else 0
    limit = clip(options)
    label = (jax.ShapeDtypeStruct((1,), jnp.int32),) if classes else ()
    if options.generators > 1:
        generator = Mixture(generator, options.generators)
    if options.minibatch_discrimination:
        critic = WithMinibatchDiscrimination(critic)
    if options.spectral_norm:
        critic = SpectrallyNormalised(critic)

    def player(network: nn.Module, *shape: int, updates_to_penalty: int = 0) -> PlayerSpec:
        inputs = (jax.ShapeDtypeStruct((1, *shape), jnp.float32), *label)
        optimiser = adam(
            options.learning_rate,
            options.b1,
            b2,
            looks_ahead=options.unrolled > 0,
            updates_to_penalty=updates_to_penalty,
        )
        return PlayerSpec(network, inputs, optimiser)

    generator_player = dataclasses.replace(
        player(generator, options.latent_size), ema_halflife=options.ema_halflife or None
    )
    critic_player = dataclasses.replace(
        player(critic, *view.shape(sample_shape), updates_to_penalty=lazy),
        project=penalties.clip_weights(limit) if limit else None,
    )
    loss = adversarial_loss(options)
    system = adversarial(
        generator_player,
        critic_player,
        loss,
        latent_size=options.latent_size,
        weighted=penalty,
        classes=classes,
        view=view,
        feature_matching=options.feature_matching,
        unrolled=options.unrolled,
    )
    after: tuple[Phase, ...] = ()
    if lazy:
        after = (Phase("penalty", ("critic",), penalty[0].name, every=every, gain=float(lazy)),)
    at_once = options.update == "simultaneous" and options.n_critic == 1
    tied = options.minibatch_discrimination or "both" not in system.losses
    if at_once and not tied and one_pass(critic_player, loss):
        return system, (Phase("both", ("critic", "generator"), "both"), *after)
    turns = (
        Phase("critic", ("critic",), "critic_with_penalties", repeats=options.n_critic),
        Phase("generator", ("generator",), "generator"),
    )
    if options.unrolled:
        turns = turns[::-1]
    return system, (*turns, *after)
