"""A capital letter by hand, 28x28, from a convolutional GAN (DCGAN: Radford et al. 2016).

    python -m jaxgan.main --experiment=dcgan_letters
    python -m jaxgan.main --experiment=dcgan_letters --classes=B-D --data=csv:letters.csv

--classes chooses the letters; by default it is A. Full scale: EMNIST's letters and the networks of
the tutorials, batches of 128. Small scale (two CPU cores): letters that jaxgan draws itself.
Your own: --data=csv:PATH, idx:PATH, npz:PATH or class folders.
"""

import jax.numpy as jnp
from absl import flags

from jaxgan import gan_data, gan_experiments
from jaxgan.experiment import Experiment
from jaxgan.nets.dcgan import Critic28, Generator28

FLAGS = flags.FLAGS

FLAGS.set_default("data", "emnist/letters")
FLAGS.set_default("classes", "A")
FLAGS.set_default("steps", 10_000)
FLAGS.set_default("batch_size", 128)

gan_experiments.define(latent_size=100, learning_rate=2e-4, b1=0.5)

# So few letters that the critic learns them by heart without a penalty.
SMALL = {
    "steps": 800,
    "batch_size": 32,
    "learning_rate": 5e-4,
    "ema_halflife": 2_000.0,
    "penalty": "r1",
    "eval_every": 100,
    "checkpoint_every": 100,
}

TINY = gan_experiments.TINY


def experiment() -> Experiment:
    dtype = jnp.dtype(FLAGS.dtype)
    return gan_experiments.pictures(
        FLAGS,
        Generator28(dtype=dtype),
        Critic28(dtype=dtype),
        (28, 28, 1),
        gan_data.labelled_squares(FLAGS, 28, sample="letters"),
        magnify=2,
    )
