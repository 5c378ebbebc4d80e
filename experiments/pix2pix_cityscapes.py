"""Street scenes from label maps, learned from pairs (pix2pix: Isola et al. 2017).

    python -m jaxgan.main --experiment=pix2pix_cityscapes --data=zip:camvid.zip --label_count=12

U-Net and a critic of 70x70 patches, BCE and 100 L1. Full scale: Cityscapes with 19 classes,
256x256. Your own streets: folders train/ and trainannot/ (and val/ and valannot/), images/ and
labels/ or A/ and B/, where label maps hold class numbers; --ignore_label names the class that means
none. Without, facades that jaxgan draws stand in, at sizes for two CPU cores. It ends with the
FCN-score.
"""

from absl import flags

from jaxgan import pair_experiments, pair_flags
from jaxgan.data import facades
from jaxgan.experiment import Experiment

FLAGS = flags.FLAGS

FLAGS.set_default("data", "cityscapes")
# 200 times through 2975 pairs.
FLAGS.set_default("steps", 595_000)
FLAGS.set_default("batch_size", 1)

pair_flags.define(side=256, direction="BtoA", receptive_field=70, label_count=34)

SMALL = {**pair_flags.SMALL, "label_count": len(facades.NAMES)}

TINY = pair_flags.TINY


def experiment() -> Experiment:
    return pair_experiments.unet_on_pairs(FLAGS, "facades")
