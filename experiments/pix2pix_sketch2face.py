"""Faces from line drawings, learned from pairs (pix2pix: Isola et al. 2017).

    python -m jaxgan.main --experiment=pix2pix_sketch2face
    python -m jaxgan.main --experiment=pix2pix_sketch2face --data=folder:pairs

U-Net and a critic of 70x70 patches, BCE and 100 L1. Full scale: your own pairs, drawing and
photograph side by side or in folders A/ and B/, 256x256. Small scale (two CPU cores): a hundred
small grey faces and line drawings that are made of them.
"""

from absl import flags

from jaxgan import pair_experiments, pair_flags
from jaxgan.experiment import Experiment

FLAGS = flags.FLAGS

FLAGS.set_default("steps", 40_000)
FLAGS.set_default("batch_size", 1)

pair_flags.define(side=256, receptive_field=70)

SMALL = pair_flags.SMALL

TINY = pair_flags.TINY


def experiment() -> Experiment:
    return pair_experiments.unet_on_pairs(FLAGS, "sketches")
