"""Sentences to 64x64 pictures: an LSTM reads, a DCGAN draws (GAN-CLS: Reed et al. 2016).

    python -m jaxgan.main --experiment=text2image_captions --data=zip:flowers.zip
    python -m jaxgan.main --mode=sample --run_dir=runs/text2image_captions --output=red.png \\
        --text="a small red circle on a white background"

The text, 128 numbers, joins the latent and the critic's features at 4x4 (arXiv 1605.05396, figure
2); the encoder learns with each player. Data: pictures with captions.txt or captions.csv beside
them (`file,caption`, several lines a picture), or class folders, whose names become sentences
(--sentence). Small scale (two CPU cores): drawn shapes, which the sentences describe in full.
"""

import jax.numpy as jnp
from absl import flags

from jaxgan import text_experiments
from jaxgan.data.captioned import Captioned, open_captioned
from jaxgan.data.labelled import class_list
from jaxgan.experiment import Experiment
from jaxgan.nets.text2image import SentenceCritic, SentenceGenerator

FLAGS = flags.FLAGS

FLAGS.set_default("data", "sample")
FLAGS.set_default("loss", "relativistic")
FLAGS.set_default("steps", 50_000)
FLAGS.set_default("batch_size", 64)

flags.DEFINE_integer("side", 64, "Of the pictures, in pixels.", 16)
flags.DEFINE_integer("width", 64, "Channels next to the picture; they double inwards.", 1)
flags.DEFINE_string("sentence", "a photo of {a} {name}", "About a picture of a class.")
text_experiments.define(
    vocabulary_size=2_000,
    text_length=16,
    stop_words=True,
    r1_weight=1.0,
    ema_halflife=10_000.0,
)

SMALL = {
    "steps": 2_000,
    "batch_size": 32,
    "width": 16,
    "vocabulary_size": 256,
    "text_length": 8,
    "learning_rate": 5e-4,
    "r1_weight": 0.05,
    "ema_halflife": 2_000.0,
    "eval_every": 500,
    "checkpoint_every": 500,
}

TINY = {
    "steps": 4,
    "batch_size": 4,
    "latent_size": 4,
    "side": 16,
    "width": 2,
    "vocabulary_size": 32,
    "text_length": 6,
    "scale": "small",
    "eval_samples": 24,
}


def pictures(data: str, part: str) -> Captioned:
    return open_captioned(
        data,
        FLAGS.side,
        sentence=FLAGS.sentence,
        part=part,
        data_dir=FLAGS.data_dir,
        skip_broken=FLAGS.skip_broken,
        classes=class_list(FLAGS.classes),
    )


def experiment() -> Experiment:
    dtype, size = jnp.dtype(FLAGS.dtype), FLAGS.vocabulary_size
    return text_experiments.pictures_of_texts(
        FLAGS,
        SentenceGenerator(FLAGS.side, width=FLAGS.width, size=size, dtype=dtype),
        SentenceCritic(FLAGS.width, size=size, dtype=dtype),
        (FLAGS.side, FLAGS.side, 3),
        text_experiments.sources(FLAGS, pictures),
    )
