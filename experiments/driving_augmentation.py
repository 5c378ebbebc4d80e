"""Streets of 64x64 by weather and light, to train others with: a conditional GAN.

    python -m jaxgan.main --experiment=driving_augmentation --data=zip:PATH --class_count=2

Your own streets: a folder or a zip with a folder for each class. Without, streets that jaxgan
draws, at sizes for two CPU cores.
The generator hears of the class in its batch normalisations, the critic projects its features on it
(Miyato and Koyama 2018). --augment shows the critic augmented pictures (Zhao et al. 2020).
It ends in a table: held-out accuracy of a small classifier that was trained on real pictures, on
synthetic ones only, and on both, over five seeds. Held out are --held_out, val/ beside train/, or a
tenth of each class.
"""

from absl import flags

from jaxgan import gan_experiments
from jaxgan.experiment import Experiment

FLAGS = flags.FLAGS

gan_experiments.define_to_train_others(FLAGS, class_count=4)

SMALL = gan_experiments.SMALL_TO_TRAIN_OTHERS

TINY = {**gan_experiments.TINY, "width": 2}


def experiment() -> Experiment:
    return gan_experiments.to_train_others(FLAGS, 64, 3, "scenes")
