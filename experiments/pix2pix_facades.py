"""Facades from label maps, learned from pairs (pix2pix: Isola et al. 2017).

    python -m jaxgan.main --experiment=pix2pix_facades
    python -m jaxgan.main --experiment=pix2pix_facades --data=zip:facades.zip --label_count=12

U-Net and a critic of 70x70 patches, BCE and 100 L1. Full scale: the facades of CMP as pix2pix has
them, photograph and label map side by side, 256x256, batches of one. Small scale (two CPU cores):
facades that jaxgan draws. It ends with the FCN-score: how well a segmentation network, trained on
the real pairs, finds the labels in the pictures that were made of them.
Your own pairs: folders A/ and B/ with matching names, or A|B side by side; --direction says which
is the input. Ablations: --adversarial_weight=0, --l1_weight=0.
"""

from absl import flags

from jaxgan import pair_experiments, pair_flags
from jaxgan.data import facades
from jaxgan.experiment import Experiment

FLAGS = flags.FLAGS

# 200 times through 400 pairs.
FLAGS.set_default("steps", 80_000)
FLAGS.set_default("batch_size", 1)

pair_flags.define(side=256, direction="BtoA", receptive_field=70)

SMALL = {**pair_flags.SMALL, "label_count": len(facades.NAMES)}

TINY = pair_flags.TINY


def experiment() -> Experiment:
    return pair_experiments.unet_on_pairs(FLAGS, "facades")
