"""Colour for grey photographs: the pix2pix machinery on photographs alone.

    python -m jaxgan.main --experiment=colorize
    python -m jaxgan.main --experiment=colorize --data=folder:photos
    python -m jaxgan.main --mode=sample --run_dir=runs/colorize --input=grey.jpg --output=colour.png

The grey inputs are made of the photographs inside the compiled step. U-Net and a critic of patches,
BCE and 100 L1. The figures of the grey picture itself stand beside those of the coloured one.
"""

import functools

import jax.numpy as jnp
import numpy as np
from absl import flags

from jaxgan import pair_experiments, pair_flags
from jaxgan.experiment import Experiment
from jaxgan.image_data import open_photographs
from jaxgan.ops.degrade import to_grey
from jaxgan.ops.pixels import from_uint8

FLAGS = flags.FLAGS

FLAGS.set_default("steps", 100_000)
FLAGS.set_default("batch_size", 16)

pair_flags.define_photographs(side=256, receptive_field=70)

SMALL = {**pair_flags.SMALL, "jitter": 2.0}

TINY = pair_flags.TINY


def read_input(picture: np.ndarray) -> np.ndarray:
    """A user's picture, uint8 [height, width, 3], as the generator takes it."""
    return np.asarray(to_grey(from_uint8(jnp.asarray(picture)[None]))[0])


def experiment() -> Experiment:
    generator = pair_flags.unet(FLAGS)
    return pair_experiments.from_targets(
        FLAGS,
        generator,
        pair_flags.critic(FLAGS),
        functools.cache(lambda: open_photographs(FLAGS)),
        make_input=lambda batch, key: to_grey(batch["target"]),
        channels=1,
        multiple=generator.multiple,
        read_input=read_input,
    )
