"""Handwritten digits from two perceptrons: the first GAN (Goodfellow et al. 2014).

    python -m jaxgan.main --experiment=vanilla_mnist

Small scale (scikit-learn's digits, two CPU cores): a few minutes to digits that can be read.
Full scale: MNIST; the networks are the same.
Your own pictures, as grey squares: --data=folder:PATH, zip:PATH, npz:PATH, csv:PATH or idx:PATH,
and of those with labels some classes only: --classes=3,5-7.
"""

import functools

import jax
import jax.numpy as jnp
from absl import flags

from jaxgan import gan_data, gan_experiments
from jaxgan.experiment import Experiment
from jaxgan.nets.mlp import MLP

FLAGS = flags.FLAGS

FLAGS.set_default("data", "mnist")
FLAGS.set_default("steps", 100_000)
FLAGS.set_default("batch_size", 64)
FLAGS.set_default("log_every", 500)
FLAGS.set_default("eval_every", 5_000)
FLAGS.set_default("checkpoint_every", 5_000)
FLAGS.set_default("steps_per_dispatch", 20)

gan_experiments.define(latent_size=100, learning_rate=2e-4)

# Without a penalty this little data ends in one digit.
SMALL = {
    "steps": 8_000,
    "penalty": "r1",
    "penalty_weight": 0.1,
    "b1": 0.5,
    "ema_halflife": 5_000.0,
    "eval_every": 1_000,
    "checkpoint_every": 1_000,
}

TINY = gan_experiments.TINY

leaky_relu = functools.partial(jax.nn.leaky_relu, negative_slope=0.2)


def experiment() -> Experiment:
    dtype = jnp.dtype(FLAGS.dtype)
    return gan_experiments.pictures(
        FLAGS,
        MLP((128, 256, 512, 784), dtype=dtype, output=jnp.tanh, shape=(28, 28, 1)),
        MLP((512, 256, 1), leaky_relu, dtype=dtype),
        (28, 28, 1),
        gan_data.labelled_squares(FLAGS, 28),
        magnify=2,
    )
