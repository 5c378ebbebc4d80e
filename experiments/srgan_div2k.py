"""SRGAN: photographs four times larger, SRResNet against a critic (Ledig et al. 2017).

    python -m jaxgan.main --experiment=srgan_div2k

Small scale (embedded photographs, two CPU cores): under ten minutes, at least 0.5 dB of PSNR (RGB)
above bicubic interpolation on held-out photographs after the pre-training phase.
Full scale: DIV2K and the sizes of arXiv 1609.04802; needs a GPU or TPU.
Your own pictures: --data=folder:PATH, and --held_out=folder:PATH to measure on.
"""

import functools

import jax
import jax.numpy as jnp
import optax
from absl import flags

from jaxgan import losses
from jaxgan.data.sources import open_source, open_train_and_held_out
from jaxgan.data.superres import crop_pairs, held_out_pairs
from jaxgan.experiment import Data, Experiment
from jaxgan.game import Phase
from jaxgan.nets.srresnet import SRCritic, SRResNet
from jaxgan.nets.vgg import load_vgg19
from jaxgan.state import Network, PlayerSpec
from jaxgan.systems import upscaling
from jaxgan.systems.superres import superres

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
flags.DEFINE_integer("critic_channels", 64, "Channels of the critic's first convolution.")
flags.DEFINE_integer("critic_dense", 1024, "Units of the critic's dense layer; 0: none.")
flags.DEFINE_bool("critic_smooth", False, "The critic averages pixels instead of striding.")
flags.DEFINE_bool("critic_normalise", True, "Batch normalisation in the critic.")
flags.DEFINE_bool("normalise", True, "Batch normalisation in the generator, as in the paper.")
flags.DEFINE_bool("bicubic_skip", False, "The generator corrects the bicubic enlargement.")
flags.DEFINE_integer("pretrain_steps", 1_000_000, "Steps on the content alone, at the start.")
flags.DEFINE_float("pretrain_learning_rate", 1e-4, "Adam's, on the content alone.")
flags.DEFINE_float(
    "pretrain_decay", 1.0, "The share of it that is left at the end (a cosine); 1: constant."
)
flags.DEFINE_float("learning_rate", 1e-4, "Adam's afterwards; a tenth of it in the last half.")
flags.DEFINE_float("critic_learning_rate", 1e-4, "The critic's, in the same way.")
flags.DEFINE_float("adversarial_weight", 1e-3, "Of the critic's opinion beside the content.")
flags.DEFINE_float("ema_halflife", 0, "Of the generator's moving average, in pictures; 0: none.")
flags.DEFINE_string("vgg_weights", None, "VGG-19 weights (.pth, .npz): content on its features.")
flags.DEFINE_integer("border", 4, "Pixels left out at each side when measuring.")

SMALL = {
    "steps": 2100,
    "pretrain_steps": 1500,
    "batch_size": 8,
    "blocks": 6,
    "channels": 48,
    "normalise": False,
    "bicubic_skip": True,
    "critic_channels": 16,
    "critic_dense": 0,
    "critic_smooth": True,
    "critic_normalise": False,
    "pretrain_learning_rate": 1e-3,
    "pretrain_decay": 0.05,
    "critic_learning_rate": 1e-3,
    "adversarial_weight": 5e-3,
    "ema_halflife": 400.0,
    "eval_every": 300,
    "checkpoint_every": 300,
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


def experiment() -> Experiment:
    dtype = jnp.dtype(FLAGS.dtype)
    high = jax.ShapeDtypeStruct((1, FLAGS.crop, FLAGS.crop, 3), jnp.float32)
    side = FLAGS.crop // FLAGS.factor
    low = jax.ShapeDtypeStruct((1, side, side, 3), jnp.float32)
    adversarial_steps = FLAGS.steps - FLAGS.pretrain_steps

    generator = PlayerSpec(
        SRResNet(
            factor=FLAGS.factor,
            blocks=FLAGS.blocks,
            channels=FLAGS.channels,
            normalise=FLAGS.normalise,
            bicubic_skip=FLAGS.bicubic_skip,
            dtype=dtype,
        ),
        (low,),
        optax.adam(
            optax.join_schedules(
                [
                    optax.cosine_decay_schedule(
                        FLAGS.pretrain_learning_rate, FLAGS.pretrain_steps, FLAGS.pretrain_decay
                    ),
                    halved(FLAGS.learning_rate, adversarial_steps),
                ],
                [FLAGS.pretrain_steps],
            )
        ),
        ema_halflife=FLAGS.ema_halflife or None,
    )
    critic = PlayerSpec(
        SRCritic(
            channels=FLAGS.critic_channels,
            dense=FLAGS.critic_dense,
            smooth=FLAGS.critic_smooth,
            normalise=FLAGS.critic_normalise,
            dtype=dtype,
        ),
        (high,),
        optax.adam(halved(FLAGS.critic_learning_rate, adversarial_steps)),
    )
    features = load_features(FLAGS.vgg_weights) if FLAGS.vgg_weights else None

    @functools.cache
    def sources():
        options = {"data_dir": FLAGS.data_dir, "skip_broken": FLAGS.skip_broken}
        if FLAGS.held_out is None:
            return open_train_and_held_out(FLAGS.data, **options)
        return open_source(FLAGS.data, **options), open_source(FLAGS.held_out, **options)

    def data() -> Data:
        train, held_out = sources()
        return Data(
            crop_pairs(train, factor=FLAGS.factor, crop=FLAGS.crop),
            len(train),
            {**train.description, "held_out": held_out.description},
        )

    @functools.cache
    def pairs():
        named = FLAGS.held_out
        held_out = open_source(named, data_dir=FLAGS.data_dir) if named else sources()[1]
        return held_out_pairs(held_out, FLAGS.factor)

    return Experiment(
        system=superres(
            generator,
            critic,
            losses.by_name(FLAGS.loss),
            adversarial_weight=FLAGS.adversarial_weight,
            features=features,
        ),
        phases=(
            Phase("pretrain", ("generator",), "pretrain", stop=FLAGS.pretrain_steps),
            Phase("critic", ("critic",), "critic", start=FLAGS.pretrain_steps),
            Phase("generator", ("generator",), "generator", start=FLAGS.pretrain_steps),
        ),
        data=data,
        evaluate=upscaling.figures(pairs, border=FLAGS.border),
        preview=upscaling.comparison(pairs),
        sample=upscaling.upscale_file,
        best="psnr_rgb",
    )


def halved(learning_rate: float, steps: int) -> optax.Schedule:
    """The paper's: constant, and a tenth of it in the second half of the adversarial phase."""
    return optax.piecewise_constant_schedule(learning_rate, {steps // 2: 0.1})


def load_features(path: str):
    """phi_{5,4} of the paper: VGG-19's features after the last convolution's activation."""
    module, params, _ = load_vgg19(path)
    network = Network(module, params, {}, train=False)
    return lambda pictures: jax.nn.relu(network(pictures))
