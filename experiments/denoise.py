"""Photographs without their noise: the pix2pix machinery on photographs alone.

    python -m jaxgan.main --experiment=denoise
    python -m jaxgan.main --experiment=denoise --data=folder:photos --noise_high=25
    python -m jaxgan.main --mode=sample --run_dir=runs/denoise --input=noisy.png --output=clear.png

White Gaussian noise of a random strength is added inside the compiled step. U-Net and a critic of
patches, whose opinion weighs little here: what is asked for is the photograph itself. The figures
of the noisy picture stand beside those of the clear one.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from jax import Array

from jaxgan import pair_experiments, pair_flags
from jaxgan.errors import UserError
from jaxgan.experiment import Experiment
from jaxgan.game import Batch
from jaxgan.image_data import open_photographs
from jaxgan.ops.degrade import add_noise
from jaxgan.ops.pixels import from_uint8

FLAGS = flags.FLAGS

FLAGS.set_default("steps", 100_000)
FLAGS.set_default("batch_size", 16)

flags.DEFINE_float("noise_low", 10.0, "Least standard deviation of the noise, of 255.", 0.0)
flags.DEFINE_float("noise_high", 50.0, "Greatest one.", 0.0)
pair_flags.define_photographs(side=128, receptive_field=70)
FLAGS.set_default("adversarial_weight", 0.1)

SMALL = {**pair_flags.SMALL, "jitter": 2.0}

TINY = pair_flags.TINY


def make_input(batch: Batch, key: jax.Array) -> Array:
    """The photographs with noise."""
    return add_noise(batch["target"], key, FLAGS.noise_low, FLAGS.noise_high)


def read_input(picture: np.ndarray) -> np.ndarray:
    """A user's noisy picture, uint8 [height, width, 3], as the generator takes it."""
    return np.asarray(from_uint8(jnp.asarray(picture)))


def experiment() -> Experiment:
    if FLAGS.noise_low > FLAGS.noise_high:
        raise UserError(
            f"--noise_low={FLAGS.noise_low:g} is above --noise_high={FLAGS.noise_high:g}"
        )
    generator = pair_flags.unet(FLAGS)
    return pair_experiments.from_targets(
        FLAGS,
        generator,
        pair_flags.critic(FLAGS),
        functools.cache(lambda: open_photographs(FLAGS)),
        make_input=make_input,
        channels=3,
        multiple=generator.multiple,
        read_input=read_input,
    )
