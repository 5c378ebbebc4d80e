"""Solid shapes of voxels from a 3-D convolutional GAN (3D-GAN: Wu et al. 2016).

    python -m jaxgan.main --experiment=gan3d --data=npz:chairs.npz --side=32
    python -m jaxgan.main --experiment=gan3d --mode=sample --output=chair.obj

arXiv 1610.07584. Shapes are read from npz:PATH (`packed` bits, or bool or uint8 [n, s, s, s]) or
folder:PATH with .binvox files. Full scale: 64^3 voxels and the paper's networks, batches of 100,
its learning rates nearer to each other than the paper's 2.5e-3 and 1e-5. Small scale (two CPU
cores): 32^3 and a quarter of the channels, on chairs and tables that jaxgan builds of boxes.

The paper's sigmoid on {0, 1} is a tanh on {-1, 1} (`nets.volumes`). --critic_most=0.8 lets the
critic rest while it is right more often than that, as the paper's does; 1 never does.
"""

import dataclasses
import functools

import jax.numpy as jnp
from absl import flags

from jaxgan import gan_flags, shape_experiments
from jaxgan.data.selection import refuse_selection
from jaxgan.data.voxels import open_shapes, turning
from jaxgan.errors import UserError
from jaxgan.experiment import Data, Experiment
from jaxgan.metrics.occupancy import NEAREST
from jaxgan.metrics.stamp import enough
from jaxgan.nets.volumes import VolumeCritic, VoxelGenerator
from jaxgan.systems.balance import held_back

FLAGS = flags.FLAGS

FLAGS.set_default("steps", 20_000)
FLAGS.set_default("batch_size", 100)

gan_flags.define(latent_size=200, learning_rate=2e-4, b1=0.5, ema_halflife=5_000.0)
flags.DEFINE_enum("side", "64", ["8", "16", "32", "64", "128"], "Of the volumes, in voxels.")
flags.DEFINE_integer("width", 64, "Channels next to the volume; they double inwards.", 1)
flags.DEFINE_float(
    "critic_most", 0.8, "The critic rests while it is right more often; 1: never.", 0.5, 1.0
)
flags.DEFINE_bool("mirror", True, "Turn half of the shapes left to right.")
flags.DEFINE_integer("eval_samples", 200, "Shapes to measure figures on; 0: none.", 0)

SMALL = {
    "steps": 1_500,
    "batch_size": 16,
    "side": "32",
    "width": 16,
    "latent_size": 64,
    "learning_rate": 5e-4,
    "ema_halflife": 1_000.0,
    "eval_every": 250,
    "checkpoint_every": 250,
}

TINY = {
    "steps": 4,
    "batch_size": 2,
    "side": "8",
    "width": 2,
    "latent_size": 4,
    "scale": "small",
    "eval_samples": 8,
}


def experiment() -> Experiment:
    refuse_selection(FLAGS.held_out, FLAGS.classes)
    dtype, side, size = jnp.dtype(FLAGS.dtype), int(FLAGS.side), FLAGS.latent_size
    stages = side.bit_length() - 3
    norm = gan_flags.critic_may_normalise()
    system, phases = gan_flags.game(
        VoxelGenerator(width=FLAGS.width, stages=stages, dtype=dtype),
        VolumeCritic(width=FLAGS.width, stages=stages, batch_norm=norm, dtype=dtype),
        (side, side, side, 1),
    )
    # A Wasserstein critic is to be as right as it can be.
    if FLAGS.critic_most < 1 and not gan_flags.adversarial_loss().to_optimality:
        if any(phase.loss == "both" for phase in phases):
            raise UserError("--update=simultaneous moves both at once: it needs --critic_most=1")
        rests = held_back(system.losses["critic_with_penalties"], FLAGS.critic_most)
        losses = {**system.losses, "critic_with_penalties": rests}
        system = dataclasses.replace(system, losses=losses)
    measures = FLAGS.eval_samples > 0
    if measures:
        enough("--eval_samples: measuring shapes", NEAREST + 1, fake=FLAGS.eval_samples)
    shapes = functools.cache(lambda: open_shapes(FLAGS.data, side))

    def data() -> Data:
        train, held_out = shapes()
        about = {**train.description, "held_out": held_out.description}
        return Data(turning(train, mirror=FLAGS.mirror), len(train), about)

    evaluate = shape_experiments.figures(lambda: shapes()[1], FLAGS.eval_samples, size)
    return Experiment(
        system=system,
        phases=phases,
        data=data,
        evaluate=evaluate if measures else None,
        preview=shape_experiments.renders(size, count=8, columns=4),
        sample=shape_experiments.sample_file(size, columns=4),
        best="coverage" if measures else None,
    )
