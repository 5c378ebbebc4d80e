"""Handwritten digits, each as asked for: a conditional GAN (Mirza and Osindero 2014).

    python -m jaxgan.main --experiment=cgan_mnist

Two perceptrons; a learned embedding of the class multiplies the generator's latent and lies beside
the critic's picture. Small scale (scikit-learn's digits, two CPU cores) and full scale (MNIST) have
the same networks. Your own: --data=npz:PATH, csv:PATH, idx:PATH or class folders, with
--class_count where there are not ten.
"""

import jax.numpy as jnp
from absl import flags

from jaxgan import gan_data, gan_experiments
from jaxgan.experiment import Experiment
from jaxgan.nets.conditional import PerceptronCritic, PerceptronGenerator

FLAGS = flags.FLAGS

FLAGS.set_default("data", "mnist")
FLAGS.set_default("steps", 100_000)
FLAGS.set_default("batch_size", 64)
FLAGS.set_default("log_every", 500)
FLAGS.set_default("eval_every", 5_000)
FLAGS.set_default("checkpoint_every", 5_000)
FLAGS.set_default("steps_per_dispatch", 20)

gan_experiments.define(class_count=10, latent_size=100, learning_rate=2e-4, b1=0.5)

SMALL = {
    "steps": 8_000,
    "penalty": "r1",
    "penalty_weight": 0.1,
    "ema_halflife": 5_000.0,
    "eval_every": 1_000,
    "checkpoint_every": 1_000,
}

TINY = gan_experiments.TINY


def experiment() -> Experiment:
    dtype, count = jnp.dtype(FLAGS.dtype), FLAGS.class_count
    return gan_experiments.pictures(
        FLAGS,
        PerceptronGenerator(count, dtype=dtype),
        PerceptronCritic(count, dtype=dtype),
        (28, 28, 1),
        gan_data.labelled_squares(FLAGS, 28, class_count=count),
        class_count=count,
        magnify=2,
    )
