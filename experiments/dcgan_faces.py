"""Faces of 64x64 from the paper's convolutional GAN (DCGAN: Radford et al. 2016).

    python -m jaxgan.main --experiment=dcgan_faces --data=zip:cats64.zip
    python -m jaxgan.main --experiment=dcgan_faces --loss=relativistic --penalty=r1

Full scale: CelebA and the paper's networks, 4x4x1024 up to 64x64x3, batches of 128; for a GPU or a
TPU. Small scale (two CPU cores): networks a quarter as wide, on a hundred grey faces of 25x25 that
are enlarged; give it better ones. Your own pictures: --data=folder:PATH or zip:PATH.
What --mode=sample writes is marked as synthetic: in a corner, and in its metadata.
"""

import jax.numpy as jnp
from absl import flags

from jaxgan import gan_data, gan_experiments, gan_flags
from jaxgan.experiment import Experiment
from jaxgan.nets.dcgan import Critic, Generator

FLAGS = flags.FLAGS

FLAGS.set_default("data", "celeb_a")
# 25 times through the data.
FLAGS.set_default("steps", 40_000)
FLAGS.set_default("batch_size", 128)

flags.DEFINE_integer("width", 128, "Channels next to the picture; they double inwards.", 1)
gan_experiments.define(latent_size=100, learning_rate=2e-4, b1=0.5)

SMALL = {
    "steps": 2_000,
    "batch_size": 32,
    "width": 32,
    "ema_halflife": 2_000.0,
    "eval_every": 250,
    "checkpoint_every": 250,
}

TINY = {**gan_experiments.TINY, "width": 2}


def experiment() -> Experiment:
    dtype, side = jnp.dtype(FLAGS.dtype), 64
    normalised = gan_flags.critic_may_normalise(FLAGS)
    return gan_experiments.pictures(
        FLAGS,
        Generator(side, width=FLAGS.width, dtype=dtype),
        Critic(width=FLAGS.width, batch_norm=normalised, dtype=dtype),
        (side, side, 3),
        gan_data.colour_squares(FLAGS, side, sample="faces"),
        faces=True,
    )
