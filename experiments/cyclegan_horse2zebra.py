"""One kind of picture into another without pairs (CycleGAN: Zhu et al. 2017).

    python -m jaxgan.main --experiment=cyclegan_horse2zebra
    python -m jaxgan.main --experiment=cyclegan_horse2zebra --data=zip:flowers.zip \\
      --classes=rose,sunflower
    python -m jaxgan.main --experiment=cyclegan_horse2zebra --data=folder:photos,folder:paintings

Two generators of residual blocks, two critics of 70x70 patches, LSGAN, cycles, identities, pools of
50 fakes and a learning rate that falls to 0. Full scale: horses and zebras, 256x256, nine blocks,
batches of one. Small scale (two CPU cores): photographs, and others painted.
Figures: FID both ways with features of jaxgan's own beside that of the untranslated pictures, and
the error of the round trips.
"""

import jax.numpy as jnp
from absl import flags

from jaxgan import domain_experiments, image_flags
from jaxgan.experiment import Experiment
from jaxgan.nets.patch import patch_critic
from jaxgan.nets.resnet import ResNetGenerator

FLAGS = flags.FLAGS

FLAGS.set_default("data", "cycle_gan/horse2zebra")
FLAGS.set_default("loss", "lsgan")
# The authors' critics see the fakes that the generators were just judged by.
FLAGS.set_default("update", "simultaneous")
# 200 times through 1334 zebras.
FLAGS.set_default("steps", 266_800)
FLAGS.set_default("batch_size", 1)

image_flags.define(side=256)
image_flags.define_critic(70)
domain_experiments.define()
flags.DEFINE_integer("blocks", 9, "Residual blocks of a generator.", 1)

SMALL = {
    "steps": 1_000,
    "side": 64,
    "blocks": 4,
    "channels": 24,
    "critic_channels": 32,
    "receptive_field": 34,
    "eval_every": 200,
    "checkpoint_every": 200,
}

TINY = {**image_flags.TINY, "receptive_field": 16, "blocks": 1, "pool_size": 4}


def experiment() -> Experiment:
    dtype = jnp.dtype(FLAGS.dtype)
    generator = ResNetGenerator(blocks=FLAGS.blocks, channels=FLAGS.channels, dtype=dtype)
    critic = patch_critic(
        FLAGS.receptive_field, channels=FLAGS.critic_channels, norm="instance", dtype=dtype
    )
    return domain_experiments.from_domains(FLAGS, generator, critic, sample="domains", multiple=4)
