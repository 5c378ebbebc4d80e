"""One word to a 28x28 picture of it: clothes, read by an LSTM (GAN-CLS: Reed et al. 2016).

    python -m jaxgan.main --experiment=text2image_fashion_mnist --data=npz:fashion_mnist.npz
    python -m jaxgan.main --mode=sample --run_dir=runs/text2image_fashion_mnist --text=sneaker \\
        --output=sneaker.png

The tutorial's networks. The critic also rejects real pictures with a wrong word (arXiv 1605.05396);
the generator also keeps near a real picture of its word. Figures: FID, and whether a classifier
takes samples for what was asked for. Classes that are numbers are called by Fashion-MNIST's names
(the sample, scikit-learn's digits, zero to nine), others by their own, and all by --names.
"""

import jax.numpy as jnp
from absl import flags

from jaxgan import text_experiments
from jaxgan.data.captioned import Captioned, named
from jaxgan.data.labelled import class_list, open_labelled
from jaxgan.errors import UserError
from jaxgan.experiment import Experiment
from jaxgan.nets.text2image import WordCritic, WordGenerator

FLAGS = flags.FLAGS

FLAGS.set_default("data", "fashion_mnist")
FLAGS.set_default("steps", 20_000)
FLAGS.set_default("batch_size", 128)

flags.DEFINE_list("names", [], "The words, one for each class. Default: the data's own names.")
flags.DEFINE_integer("class_count", 10, "Classes of the data.", 2)
text_experiments.define(vocabulary_size=64, text_length=2, stop_words=False, l1_weight=100.0)

SMALL = {"steps": 2_000, "batch_size": 32, "eval_every": 500, "checkpoint_every": 500}

TINY = {
    "steps": 4,
    "batch_size": 4,
    "latent_size": 4,
    "vocabulary_size": 16,
    "scale": "small",
    "eval_samples": 12,
}

CLOTHES = (
    *("t-shirt", "trouser", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
)
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SIDE = 28


def pictures(data: str, part: str) -> Captioned:
    found = open_labelled(
        data,
        SIDE,
        part="held out" if part == "held out" else "train",
        data_dir=FLAGS.data_dir,
        skip_broken=FLAGS.skip_broken,
        classes=class_list(FLAGS.classes),
        require_labels=True,
    )
    if len(found.classes) != FLAGS.class_count:
        raise UserError(
            f"--data={data} has {len(found.classes)} classes ({', '.join(found.classes)}): choose "
            f"{FLAGS.class_count} with --classes, or give --class_count={len(found.classes)}"
        )
    known = DIGITS if data == "sample" else CLOTHES
    numbers = all(name.isdecimal() and int(name) < len(known) for name in found.classes)
    own = [known[int(name)] for name in found.classes] if numbers else []
    return named(found, FLAGS.names or own)


def experiment() -> Experiment:
    dtype, size = jnp.dtype(FLAGS.dtype), FLAGS.vocabulary_size
    return text_experiments.pictures_of_texts(
        FLAGS,
        WordGenerator(size, dtype=dtype),
        WordCritic(size, dtype=dtype),
        (SIDE, SIDE, 1),
        text_experiments.sources(FLAGS, pictures),
        classes=FLAGS.class_count,
        shown=FLAGS.class_count,
        whole_vocabulary=True,
        magnify=2,
    )
