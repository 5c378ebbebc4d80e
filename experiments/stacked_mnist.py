"""Three digits as red, green and blue: a thousand modes, and how many a GAN finds.

    python -m jaxgan.main --experiment=stacked_mnist
    python -m jaxgan.main --experiment=stacked_mnist --packing=2

The test of Metz et al. (arXiv 1611.02163) with the networks of VEEGAN and PacGAN (arXiv 1705.07761,
1712.04086): 2x2x512 up to 28x28x3, kernels of 5. PacGAN stacks 128,000 pictures once; here every
row is stacked anew. Figures: `modes`, of 1000, that 26,000 samples have, told by a classifier of
digits, and `kl`, of their shares to even ones (nats). Small scale (two CPU cores): scikit-learn's
digits, networks a quarter as wide.
"""

import jax.numpy as jnp
from absl import flags

from jaxgan import gan_data, gan_experiments, gan_figures, gan_flags
from jaxgan.data.stacked import stacked
from jaxgan.errors import UserError
from jaxgan.experiment import Data, Experiment
from jaxgan.gan_data import Pictures
from jaxgan.nets.dcgan import Critic, Generator

FLAGS = flags.FLAGS

FLAGS.set_default("data", "mnist")
# As many as PacGAN's 50 times through 128,000 pictures.
FLAGS.set_default("steps", 100_000)
FLAGS.set_default("batch_size", 64)

flags.DEFINE_integer("width", 64, "Channels next to the picture; they double inwards.", 1)
# As many samples as VEEGAN and PacGAN count modes in.
gan_experiments.define(eval_samples=26_000, latent_size=100, learning_rate=2e-4, b1=0.5)

SMALL = {
    "steps": 2_000,
    "width": 16,
    "ema_halflife": 2_000.0,
    "eval_every": 1_000,
    "checkpoint_every": 500,
}

TINY = {**gan_experiments.TINY, "width": 2, "eval_samples": 1000}

SIDE, KERNEL, PICTURES = 28, 5, 128_000


def pictures() -> Pictures:
    if FLAGS.held_out:
        raise UserError("--held_out: modes are counted without real pictures; leave it out")
    digits = gan_data.labelled_squares(FLAGS, SIDE, class_count=10)

    def data() -> Data:
        found = digits.seen()
        return Data(stacked(found), PICTURES, {**found.description, "stacked": 3})

    return digits._replace(data=data)


def experiment() -> Experiment:
    dtype, width = jnp.dtype(FLAGS.dtype), FLAGS.width
    source = pictures()
    normalised = gan_flags.critic_may_normalise(FLAGS)
    return gan_experiments.pictures(
        FLAGS,
        Generator(SIDE, width=width, kernel=KERNEL, dtype=dtype),
        Critic(width=width, kernel=KERNEL, batch_norm=normalised, dtype=dtype),
        (SIDE, SIDE, 3),
        source,
        magnify=2,
        evaluate=gan_figures.modes(FLAGS, source) if FLAGS.eval_samples else None,
        best="modes",
        best_mode="max",
    )
