"""Grey scans of 64x64 by class, to train others with: a conditional GAN.

    python -m jaxgan.main --experiment=medical_augmentation --data=zip:PATH --class_count=2

Your own scans: a folder or a zip with a folder for each class. Without, scans that jaxgan draws, of
heads that nobody has, at sizes for two CPU cores.
The generator hears of the class in its batch normalisations, the critic projects its features on it
(Miyato and Koyama 2018). --augment shows the critic augmented pictures (Zhao et al. 2020).
It ends in a table: held-out accuracy of a small classifier that was trained on real pictures, on
synthetic ones only, and on both, over five seeds. Held out are --held_out, val/ beside train/, or a
tenth of each class.
"""

import jax.numpy as jnp
from absl import flags

from jaxgan import gan_data, gan_experiments, gan_figures
from jaxgan.experiment import Experiment
from jaxgan.nets.conditional import ConditionalGenerator, ProjectionCritic

FLAGS = flags.FLAGS

FLAGS.set_default("loss", "relativistic")
FLAGS.set_default("steps", 20_000)
FLAGS.set_default("batch_size", 64)

flags.DEFINE_integer("width", 64, "Channels next to the picture; they double inwards.", 1)
gan_experiments.define(
    class_count=2, latent_size=100, learning_rate=2e-4, b1=0.5, penalty="r1", ema_halflife=10_000.0
)
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
    squares, both = gan_data.apart_squares(side, 1, sample="scans", class_count=count)
    return gan_experiments.pictures(
        ConditionalGenerator(side, 1, width, classes=count, dtype=dtype),
        ProjectionCritic(width, classes=count, dtype=dtype),
        (side, side, 1),
        squares,
        class_count=count,
        conclude=gan_figures.augmentation(both),
    )
