"""Holes in pictures, filled (after DeepFill v2: Yu et al. 2019).

    python -m jaxgan.main --experiment=inpaint_celeba
    python -m jaxgan.main --experiment=inpaint_celeba --data=folder:photos
    python -m jaxgan.main --mode=sample --run_dir=runs/inpaint_celeba --input=torn.png \\
      --output=whole.png

Gated convolutions, free-form and square holes drawn inside the compiled step, a critic of patches
with spectral normalisation, hinge and L1. To sample, the hole is where --input is transparent, or
where --mask is white. Full scale: CelebA, 128x128. Small scale (two CPU cores): photographs.
Figures: PSNR inside square holes of 10, 25 and 40 %, beside the mean colour and scikit-image's
biharmonic filling.
"""

import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from jax import Array

from jaxgan import image_flags
from jaxgan.errors import UserError
from jaxgan.experiment import Experiment
from jaxgan.image_data import crops, middles, open_photographs
from jaxgan.nets.inpaint import InpaintGenerator, SNPatchCritic
from jaxgan.ops.masks import free_form_holes, square_holes
from jaxgan.systems import filling, translating
from jaxgan.systems.inpaint import inpaint

FLAGS = flags.FLAGS

FLAGS.set_default("data", "celeb_a")
FLAGS.set_default("loss", "hinge")
FLAGS.set_default("steps", 200_000)
FLAGS.set_default("batch_size", 16)

image_flags.define(side=128, channels=48, learning_rate=1e-4, decay_from=1.0)
flags.DEFINE_integer("stages", 2, "Stages of the generator: a coarse and a fine one.", 1)
flags.DEFINE_float("hole_weight", 1.0, "Of the distance to the picture inside the hole.", 0.0)
flags.DEFINE_float("rest_weight", 1.0, "Of the distance around it.", 0.0)
flags.DEFINE_float("share_low", 0.1, "Least share of a picture that is cut out.", 0.01, 0.9)
flags.DEFINE_float("share_high", 0.4, "Greatest one.", 0.01, 0.9)
flags.DEFINE_string("mask", None, "For --mode=sample: a picture that is white in the hole.")

SMALL = {
    "steps": 2_000,
    "batch_size": 8,
    "side": 64,
    "channels": 32,
    "critic_channels": 16,
    "stages": 1,
    "learning_rate": 5e-4,
    "hole_weight": 6.0,
    "adversarial_weight": 0.01,
    "eval_pictures": 20,
    "eval_every": 250,
    "checkpoint_every": 250,
}

TINY = {**image_flags.TINY, "channels": 4, "eval_pictures": 2}


def holes(key: Array, batch: int, height: int, width: int) -> Array:
    """Free-form holes of a random share in half of the pictures, squares in the others."""
    share_key, form_key, square_key, which_key = jax.random.split(key, 4)
    share = jax.random.uniform(share_key, (), minval=FLAGS.share_low, maxval=FLAGS.share_high)
    free = free_form_holes(form_key, batch, height, width, share)
    middle = (FLAGS.share_low + FLAGS.share_high) / 2
    square = square_holes(square_key, batch, height, width, middle)
    return jnp.where(jax.random.bernoulli(which_key, 0.5, (batch, 1, 1, 1)), free, square)


def experiment() -> Experiment:
    if FLAGS.share_low > FLAGS.share_high:
        raise UserError(
            f"--share_low={FLAGS.share_low:g} is above --share_high={FLAGS.share_high:g}"
        )
    dtype, side = jnp.dtype(FLAGS.dtype), FLAGS.side
    generator = InpaintGenerator(channels=FLAGS.channels, stages=FLAGS.stages, dtype=dtype)
    critic = SNPatchCritic(channels=FLAGS.critic_channels, dtype=dtype)
    through = filling.by("generator", generator.multiple)
    both = functools.cache(lambda: open_photographs(FLAGS))

    @functools.cache
    def pictures() -> list[np.ndarray]:
        return list(middles(both()[1], side, FLAGS.eval_pictures or 6))

    def examples() -> list[translating.Example]:
        return [
            filling.with_hole(picture, filling.hole_of(index, side, 0.25))
            for index, picture in enumerate(pictures())
        ]

    def read(path: Path) -> translating.Example:
        return filling.read(path, FLAGS.mask and Path(FLAGS.mask))

    measures = FLAGS.eval_pictures > 0
    return Experiment(
        system=inpaint(
            image_flags.player(FLAGS, generator, 3, 1, averaged=True),
            image_flags.player(FLAGS, critic, 3, 1),
            image_flags.adversarial_loss(FLAGS.loss),
            holes,
            hole_weight=FLAGS.hole_weight,
            rest_weight=FLAGS.rest_weight,
            adversarial_weight=FLAGS.adversarial_weight,
        ),
        phases=image_flags.turns(
            ("generator",),
            ("critic",),
            ("generator", "critic"),
            adversarial_weight=FLAGS.adversarial_weight,
        ),
        data=crops(both, "real", side=side, jitter=FLAGS.jitter, mirror=FLAGS.mirror),
        evaluate=filling.figures(pictures, through, lambda: dict(both()[1].description))
        if measures
        else None,
        preview=translating.comparison(examples, through, captions=("hole", "filled", "original")),
        sample=translating.sample_files(read, through),
        best="psnr_hole_25" if measures else None,
    )
