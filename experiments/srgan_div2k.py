"""SRGAN: photographs four times larger, SRResNet against a critic (Ledig et al. 2017).

    python -m jaxgan.main --experiment=srgan_div2k

Small scale (embedded photographs, two CPU cores): under ten minutes, at least 0.5 dB of PSNR (RGB)
above bicubic interpolation on held-out photographs after the pre-training phase.
Full scale: DIV2K and the sizes of arXiv 1609.04802; needs a GPU or TPU.
Your own pictures: --data=folder:PATH, and --held_out=folder:PATH to measure on.
"""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from absl import flags

from jaxgan import losses
from jaxgan.data.sources import open_held_out, open_source, open_train_and_held_out
from jaxgan.data.superres import crop_pairs, held_out_pairs
from jaxgan.errors import UserError
from jaxgan.experiment import Data, Experiment
from jaxgan.game import Phase
from jaxgan.nets.srresnet import SRCritic, SRResNet, TextureCritic
from jaxgan.state import PlayerSpec
from jaxgan.systems import upscaling
from jaxgan.systems.superres import superres, vgg_features

FLAGS = flags.FLAGS

FLAGS.set_default("data", "div2k")
FLAGS.set_default("steps", 1_200_000)
FLAGS.set_default("batch_size", 16)
FLAGS.set_default("eval_every", 10_000)
FLAGS.set_default("checkpoint_every", 2_000)
FLAGS.set_default("log_every", 100)

flags.DEFINE_integer("factor", 4, "How many times larger: 2, 4 or 8.")
flags.DEFINE_integer("crop", 96, "Side of the high-resolution crops.")
flags.DEFINE_integer("blocks", 16, "Residual blocks of the generator.")
flags.DEFINE_integer("channels", 64, "Channels of the generator.")
flags.DEFINE_enum("critic", "paper", ["paper", "texture"], "texture: small, for short runs.")
flags.DEFINE_integer("critic_channels", 64, "Channels of the critic's first convolution.")
flags.DEFINE_integer("critic_dense", 1024, "Units of the paper's critic's dense layer.")
flags.DEFINE_bool("normalise", True, "Batch normalisation in the generator, as in the paper.")
flags.DEFINE_bool("bicubic_skip", False, "The generator corrects the bicubic enlargement.")
flags.DEFINE_bool("smooth", False, "The generator averages pixels after enlarging.")
flags.DEFINE_integer(
    "pretrain_steps", 1_000_000, "Steps on the content alone, at the start; 0: none."
)
flags.DEFINE_integer(
    "critic_warmup", 0, "Steps that the critic is ahead: it learns before the generator listens."
)
flags.DEFINE_float("pretrain_learning_rate", 1e-4, "Adam's, on the content alone.")
flags.DEFINE_float(
    "pretrain_decay", 1.0, "The share of it that is left at the end (a cosine); 1: constant."
)
flags.DEFINE_float("learning_rate", 1e-4, "Adam's afterwards.")
flags.DEFINE_float("critic_learning_rate", 1e-4, "The critic's.")
flags.DEFINE_float("critic_b1", 0.9, "Of the critic's Adam; 0.5 keeps a quick one from swinging.")
flags.DEFINE_float("decay", 0.1, "What both are multiplied by after half of the adversarial steps.")
flags.DEFINE_float("adversarial_weight", 1e-3, "Of the critic's opinion beside the content.")
flags.DEFINE_float("ema_halflife", 0, "Of the generator's moving average, in pictures; 0: none.")
flags.DEFINE_string("vgg_weights", None, "VGG-19 weights (.pth, .npz): content on its features.")
flags.DEFINE_integer("border", 4, "Pixels left out at each side when measuring.")

SMALL = {
    "steps": 1900,
    "pretrain_steps": 1750,
    "batch_size": 8,
    "blocks": 6,
    "channels": 48,
    "normalise": False,
    "bicubic_skip": True,
    "smooth": True,
    "critic": "texture",
    "critic_channels": 24,
    "critic_warmup": 250,
    "pretrain_learning_rate": 1e-3,
    "learning_rate": 1e-4,
    "critic_learning_rate": 2e-4,
    "critic_b1": 0.5,
    "decay": 1.0,
    "adversarial_weight": 1.5e-2,
    "ema_halflife": 400.0,
    "eval_every": 250,
    "checkpoint_every": 250,
    "log_every": 25,
}

TINY = {
    "steps": 4,
    "pretrain_steps": 2,
    "batch_size": 2,
    "crop": 16,
    "blocks": 1,
    "channels": 4,
    "critic_channels": 2,
    "critic_dense": 4,
    "ema_halflife": 10.0,
}


# The window of SSIM, which must fit inside the border of a picture that is measured.
SSIM_WINDOW = 11


def experiment() -> Experiment:
    check_flags()
    dtype = jnp.dtype(FLAGS.dtype)
    warm = max(FLAGS.pretrain_steps - FLAGS.critic_warmup, 0)
    options = {"data_dir": FLAGS.data_dir, "skip_broken": FLAGS.skip_broken}

    def player(network, optimiser, side, halflife=0.0) -> PlayerSpec:
        shape = jax.ShapeDtypeStruct((1, side, side, 3), jnp.float32)
        return PlayerSpec(network, (shape,), optimiser, halflife or None)

    both = functools.cache(lambda: open_train_and_held_out(FLAGS.data, **options))

    @functools.cache
    def pairs():
        named = FLAGS.held_out
        held_out = open_held_out(named, **options) if named else both()[1]
        smallest = SSIM_WINDOW + 2 * FLAGS.border
        return held_out.description, held_out_pairs(held_out, FLAGS.factor, smallest=smallest)

    def data() -> Data:
        train = open_source(FLAGS.data, **options) if FLAGS.held_out else both()[0]
        load = crop_pairs(train, factor=FLAGS.factor, crop=FLAGS.crop)
        return Data(load, len(train), {**train.description, "held_out": pairs()[0]})

    return Experiment(
        system=superres(
            player(
                SRResNet(
                    factor=FLAGS.factor,
                    blocks=FLAGS.blocks,
                    channels=FLAGS.channels,
                    normalise=FLAGS.normalise,
                    bicubic_skip=FLAGS.bicubic_skip,
                    smooth=FLAGS.smooth,
                    dtype=dtype,
                ),
                optax.adam(
                    optax.join_schedules(
                        [pretraining(), adversarial(FLAGS.learning_rate)], [FLAGS.pretrain_steps]
                    )
                ),
                FLAGS.crop // FLAGS.factor,
                FLAGS.ema_halflife,
            ),
            player(
                critic_network(dtype),
                optax.adam(adversarial(FLAGS.critic_learning_rate), b1=FLAGS.critic_b1),
                FLAGS.crop,
            ),
            losses.by_name(FLAGS.loss),
            adversarial_weight=FLAGS.adversarial_weight,
            features=vgg_features(FLAGS.vgg_weights) if FLAGS.vgg_weights else None,
        ),
        phases=(
            Phase("critic", ("critic",), "critic", start=warm),
            Phase("pretrain", ("generator",), "pretrain", stop=FLAGS.pretrain_steps),
            Phase("generator", ("generator",), "generator", start=FLAGS.pretrain_steps),
        ),
        data=data,
        evaluate=upscaling.figures(lambda: pairs()[1], border=FLAGS.border),
        preview=upscaling.comparison(lambda: pairs()[1]),
        sample=upscaling.upscale_file,
        best="psnr_rgb",
    )


def critic_network(dtype: jnp.dtype) -> nn.Module:
    """The critic that `--critic` names."""
    if FLAGS.critic == "texture":
        return TextureCritic(FLAGS.critic_channels, dtype=dtype)
    return SRCritic(FLAGS.critic_channels, FLAGS.critic_dense, dtype=dtype)


def check_flags() -> None:
    """Raises UserError for sizes that do not go together."""
    if FLAGS.factor not in (2, 4, 8):
        raise UserError(f"--factor={FLAGS.factor}: the generator enlarges 2, 4 or 8 times")
    least = 16 if FLAGS.vgg_weights else FLAGS.factor
    if FLAGS.crop % least or FLAGS.crop < least:
        raise UserError(f"--crop={FLAGS.crop} must be a multiple of {least} under these flags")
    if FLAGS.loss == "wgan_gp":
        raise UserError("--loss=wgan_gp needs a penalty, which this system has none of; use wgan")


def pretraining() -> optax.Schedule:
    """A cosine down to `--pretrain_decay` of the learning rate."""
    steps = max(FLAGS.pretrain_steps, 1)
    return optax.cosine_decay_schedule(FLAGS.pretrain_learning_rate, steps, FLAGS.pretrain_decay)


def adversarial(learning_rate: float) -> optax.Schedule:
    """The paper's: constant, and `--decay` of it in the second half of the adversarial steps."""
    half = (FLAGS.steps - FLAGS.pretrain_steps) // 2
    return optax.piecewise_constant_schedule(learning_rate, {half: FLAGS.decay})
