"""Handwritten digits from a convolutional GAN (DCGAN: Radford et al. 2016).

    python -m jaxgan.main --experiment=dcgan_mnist
    python -m jaxgan.main --experiment=dcgan_mnist --loss=wgan_gp --n_critic=5 --batch_size=64

Small scale (scikit-learn's digits, two CPU cores): a few minutes to digits that can be read.
Full scale: MNIST and the networks of the tutorials, batches of 128; better on a GPU or TPU.
Your own pictures, as grey squares: --data=folder:PATH, zip:PATH, npz:PATH, csv:PATH or idx:PATH,
and of those with labels some classes only: --classes=3,5-7.
"""

import jax.numpy as jnp
from absl import flags

from jaxgan import gan_data, gan_experiments
from jaxgan.experiment import Experiment
from jaxgan.nets.dcgan import Critic28, Generator28

FLAGS = flags.FLAGS

FLAGS.set_default("data", "mnist")
FLAGS.set_default("steps", 25_000)
FLAGS.set_default("batch_size", 128)

gan_experiments.define(latent_size=100, learning_rate=2e-4, b1=0.5)

SMALL = {
    "steps": 1_500,
    "batch_size": 32,
    "learning_rate": 5e-4,
    "ema_halflife": 2_000.0,
    "eval_every": 250,
    "checkpoint_every": 250,
}

TINY = gan_experiments.TINY


def experiment() -> Experiment:
    dtype = jnp.dtype(FLAGS.dtype)
    return gan_experiments.pictures(
        FLAGS,
        Generator28(dtype=dtype),
        Critic28(dtype=dtype),
        (28, 28, 1),
        gan_data.labelled_squares(FLAGS, 28),
        magnify=2,
    )
