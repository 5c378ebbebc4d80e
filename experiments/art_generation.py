"""Paintings of 128x128 from a convolutional GAN (after DCGAN: Radford et al. 2016).

    python -m jaxgan.main --experiment=art_generation --data=zip:paintings.zip

The generator grows from 8x8x256 to 128x128x3. There is no data set of its own: give it paintings
with --data=folder:PATH or zip:PATH, a few hundred or more. Without, it takes photographs of its
dependencies, at sizes for two CPU cores. So few pictures are shown to the critic augmented
(--augment, Zhao et al. 2020, arXiv 2006.10738).
"""

import jax.numpy as jnp
from absl import flags

from jaxgan import gan_data, gan_experiments, gan_flags
from jaxgan.experiment import Experiment
from jaxgan.nets.dcgan import Critic, Generator

FLAGS = flags.FLAGS

FLAGS.set_default("loss", "relativistic")
FLAGS.set_default("steps", 40_000)
FLAGS.set_default("batch_size", 64)

flags.DEFINE_integer("width", 32, "Channels next to the picture; they double inwards.", 1)
gan_experiments.define(
    latent_size=100, learning_rate=2e-4, b1=0.5, penalty="r1", ema_halflife=10_000.0
)

FLAGS.set_default("augment", ["colour", "translation", "cutout"])

SMALL = {
    "steps": 1_000,
    "batch_size": 16,
    "ema_halflife": 1_000.0,
    "eval_every": 100,
    "checkpoint_every": 100,
}

TINY = {**gan_experiments.TINY, "width": 1}


def experiment() -> Experiment:
    dtype, side = jnp.dtype(FLAGS.dtype), 128
    normalised = gan_flags.critic_may_normalise(FLAGS)
    return gan_experiments.pictures(
        FLAGS,
        Generator(side, width=FLAGS.width, dtype=dtype),
        Critic(width=FLAGS.width, batch_norm=normalised, dtype=dtype),
        (side, side, 3),
        gan_data.colour_squares(FLAGS, side, sample="photographs"),
        columns=6,
    )
