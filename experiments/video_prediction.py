"""The next frames of a film, from the frames before (Mathieu et al. 2016).

    python -m jaxgan.main --experiment=video_prediction --data=zip:actions.zip
    python -m jaxgan.main --experiment=video_prediction --mode=sample --input=a.gif --output=b.gif

arXiv 1511.05440: a generator of the frames that follow, a critic of past and future together, L1,
gradient difference and adversarial loss. The generator is a U-Net over stacked frames that makes
changes of the last one. Figures stand beside those of the last frame repeated. Films, GIFs, strips
or folders of frames. Full scale: 8 frames from 8, 64x64. Small scale (two CPU cores): 4 from 4,
32x32, on figures of sticks that jaxgan draws.
"""

import functools

import jax
import jax.numpy as jnp
import optax
from absl import flags

from jaxgan import losses, prediction_figures
from jaxgan.data.clips import open_clips, windows
from jaxgan.data.selection import refuse_selection
from jaxgan.errors import UserError
from jaxgan.experiment import Data, Experiment
from jaxgan.game import Phase
from jaxgan.nets.predictor import FramePredictor
from jaxgan.nets.volumes import VolumeCritic
from jaxgan.state import PlayerSpec
from jaxgan.systems.predicting import predicting

FLAGS = flags.FLAGS

FLAGS.set_default("steps", 50_000)
FLAGS.set_default("batch_size", 16)
FLAGS.set_default("eval_every", 2_000)

flags.DEFINE_integer("past", 8, "Frames that are given.", 1)
flags.DEFINE_integer("future", 8, "Frames that are predicted.", 1)
flags.DEFINE_integer("every", 1, "Every so-many-th frame of the data counts.", 1)
flags.DEFINE_integer("side", 64, "Of a frame, in pixels: a multiple of 2^depth.", 11)
flags.DEFINE_integer("depth", 4, "How often both networks halve the sides.", 1)
flags.DEFINE_integer("width", 64, "Channels of the generator's first convolution.", 1)
flags.DEFINE_integer("critic_width", 32, "Channels of the critic's first convolution.", 1)
flags.DEFINE_float("l1_weight", 1.0, "Of the distance to what really follows.", 0.0)
flags.DEFINE_float("gradient_weight", 1.0, "Of the gradient difference loss.", 0.0)
flags.DEFINE_float("adversarial_weight", 0.05, "Of the critic's opinion; 0: none.", 0.0)
flags.DEFINE_float("learning_rate", 2e-4, "Adam's, for both players.", 0.0)
flags.DEFINE_float("b1", 0.5, "Adam's memory of past gradients.", 0.0, 0.9999)
flags.DEFINE_bool("mirror", True, "Turn half of the films left to right.")
flags.DEFINE_float("rate", 8.0, "Frames a second, of previews and samples.", 1.0, 50.0)
flags.DEFINE_integer("eval_samples", 100, "Held-out windows to measure on; 0: none.", 0)

SMALL = {
    "steps": 1_500,
    "batch_size": 8,
    "past": 4,
    "future": 4,
    "side": 32,
    "width": 32,
    "critic_width": 16,
    "learning_rate": 5e-4,
    "eval_every": 250,
    "checkpoint_every": 250,
}

TINY = {
    "steps": 4,
    "batch_size": 2,
    "past": 2,
    "future": 2,
    "side": 12,
    "depth": 1,
    "width": 2,
    "critic_width": 2,
    "scale": "small",
    "eval_samples": 4,
}


def experiment() -> Experiment:
    refuse_selection(FLAGS.held_out, FLAGS.classes)
    dtype, side = jnp.dtype(FLAGS.dtype), FLAGS.side
    past, future, every, rate = FLAGS.past, FLAGS.future, FLAGS.every, FLAGS.rate
    if side % 2**FLAGS.depth:
        raise UserError(f"--side={side} must be a multiple of {2**FLAGS.depth}, or --depth less")
    if FLAGS.loss in ("wgan", "wgan_gp"):
        raise UserError(f"--loss={FLAGS.loss} needs a penalty, which this system has none of")

    def player(network, frames: int) -> PlayerSpec:
        given = jax.ShapeDtypeStruct((1, frames, side, side, 3), jnp.float32)
        return PlayerSpec(network, (given,), optax.adam(FLAGS.learning_rate, b1=FLAGS.b1))

    system = predicting(
        player(FramePredictor(future, FLAGS.width, FLAGS.depth, dtype=dtype), past),
        player(VolumeCritic(FLAGS.critic_width, FLAGS.depth, dtype=dtype), past + future),
        losses.by_name(FLAGS.loss),
        past=past,
        l1_weight=FLAGS.l1_weight,
        gradient_weight=FLAGS.gradient_weight,
        adversarial_weight=FLAGS.adversarial_weight,
    )
    make, judge = (Phase(name, (name,), name) for name in ("generator", "critic"))
    least = (past + future - 1) * every + 1
    clips = functools.cache(
        lambda: open_clips(FLAGS.data, side, least, skip_broken=FLAGS.skip_broken)
    )

    def held_out():
        return clips()[1]

    def data() -> Data:
        train, apart = clips()
        load = windows(train, past + future, every=every, mirror=FLAGS.mirror)
        return Data(load, len(train), {**train.description, "held_out": apart.description})

    count = FLAGS.eval_samples
    return Experiment(
        system=system,
        phases=(judge, make) if FLAGS.adversarial_weight else (make,),
        data=data,
        evaluate=prediction_figures.figures(held_out, past, future, every, count)
        if count
        else None,
        preview=prediction_figures.preview(held_out, past, future, every, rate),
        sample=prediction_figures.sample_film(side, past, every, rate),
        best="psnr" if count else None,
    )
