"""Grey scans of 64x64 by class, to train others with: a conditional GAN.

    python -m jaxgan.main --experiment=medical_augmentation --data=zip:PATH --class_count=2

Your own scans: a folder or a zip with a folder for each class. Without, scans that jaxgan draws, of
heads that nobody has, at sizes for two CPU cores.
The generator hears of the class in its batch normalisations, the critic projects its features on it
(Miyato and Koyama 2018). --augment shows the critic augmented pictures (Zhao et al. 2020).
"""

import functools

import jax.numpy as jnp
from absl import flags

from jaxgan import gan_experiments, gan_flags
from jaxgan.experiment import Experiment
from jaxgan.nets.conditional import ConditionalGenerator, ProjectionCritic

FLAGS = flags.FLAGS

FLAGS.set_default("loss", "relativistic")
FLAGS.set_default("steps", 20_000)
FLAGS.set_default("batch_size", 64)

flags.DEFINE_integer("width", 64, "Channels next to the picture; they double inwards.", 1)
gan_flags.define(latent_size=100, learning_rate=2e-4, b1=0.5, penalty="r1", ema_halflife=10_000.0)
gan_experiments.define_classes(2)
FLAGS.set_default("augment", ["colour", "translation"])

SMALL = {
    "steps": 3_000,
    "batch_size": 32,
    "width": 32,
    "learning_rate": 5e-4,
    "penalty_weight": 0.02,
    "ema_halflife": 2_000.0,
    "eval_every": 500,
    "checkpoint_every": 500,
}

TINY = {**gan_experiments.TINY, "width": 2}


def experiment() -> Experiment:
    dtype, side, count, width = jnp.dtype(FLAGS.dtype), 64, FLAGS.class_count, FLAGS.width
    squares = functools.partial(
        gan_experiments.labelled_squares,
        side,
        1,
        sample="scans",
        class_count=count,
        mirror=True,
    )
    return gan_experiments.pictures(
        ConditionalGenerator(side, 1, width, classes=count, dtype=dtype),
        ProjectionCritic(width, classes=count, dtype=dtype),
        (side, side, 1),
        squares,
        class_count=count,
    )
