"""Short films from a GAN: VGAN (Vondrick et al. 2016) or MoCoGAN (Tulyakov et al. 2018).

    python -m jaxgan.main --experiment=video_gan --data=zip:actions.zip
    python -m jaxgan.main --experiment=video_gan --network=mocogan --data=folder:films
    python -m jaxgan.main --experiment=video_gan --mode=sample --count=4 --output=films.gif

VGAN (arXiv 1609.02612): 3-D convolutions, a foreground that moves, a still background. MoCoGAN
(arXiv 1707.04993): a recurrent motion code, a content code, a critic of frames and one of films.
Films, GIFs, strips of frames or folders of frames, in class folders or not; video:PATH for a film.
Full scale: 16 frames (--frames=32: VGAN's) of 64x64 and the papers' networks. Small scale (two CPU
cores): 32x32 and a quarter of the channels, on figures of sticks that jaxgan draws.
"""

import functools

import jax
import jax.numpy as jnp
import optax
from absl import flags

from jaxgan import film_experiments, gan_flags
from jaxgan.data.clips import open_clips, windows
from jaxgan.data.selection import refuse_selection
from jaxgan.errors import UserError
from jaxgan.experiment import Data, Experiment
from jaxgan.game import Phase, System
from jaxgan.nets.mocogan import MotionContentGenerator, SequenceCritic
from jaxgan.nets.vgan import FilmGenerator
from jaxgan.nets.volumes import VolumeCritic
from jaxgan.state import PlayerSpec
from jaxgan.systems.motion_content import PHASES, motion_content

FLAGS = flags.FLAGS

FLAGS.set_default("steps", 50_000)
FLAGS.set_default("batch_size", 32)
FLAGS.set_default("eval_every", 2_000)

gan_flags.define(latent_size=100, learning_rate=2e-4, b1=0.5, ema_halflife=2_000.0)
flags.DEFINE_enum("network", "vgan", ["vgan", "mocogan"], "Which generator and critics.")
flags.DEFINE_integer("frames", 16, "Of a film; VGAN's are 16 or 32.", 2)
flags.DEFINE_integer("every", 2, "A film has every so-many-th frame of the data.", 1)
flags.DEFINE_integer("side", 64, "Of a frame, in pixels: a power of two.", 8)
flags.DEFINE_integer("width", 64, "Channels next to the film; they double inwards.", 1)
flags.DEFINE_integer("content_size", 50, "MoCoGAN's content code.", 1)
flags.DEFINE_integer("motion_size", 10, "MoCoGAN's motion code.", 1)
flags.DEFINE_float("mask_cost", 0.1, "Of the mean of VGAN's mask; keeps the background in use.", 0)
flags.DEFINE_bool("mirror", True, "Turn half of the films left to right.")
flags.DEFINE_float("rate", 8.0, "Frames a second, of previews and samples.", 1.0, 50.0)
flags.DEFINE_integer("eval_samples", 100, "Films to measure figures on; 0: none.", 0)

SMALL = {
    "steps": 1_500,
    "batch_size": 8,
    "side": 32,
    "width": 16,
    "learning_rate": 5e-4,
    "ema_halflife": 500.0,
    "eval_samples": 32,
    "eval_every": 250,
    "checkpoint_every": 250,
}

TINY = {
    "steps": 4,
    "batch_size": 2,
    "side": 8,
    "frames": 2,
    "width": 2,
    "latent_size": 4,
    "scale": "small",
    "eval_samples": 4,
}


def vgan(stages: int) -> tuple[System, tuple[Phase, ...]]:
    """The plain game of a generator of two streams and a critic of films."""
    frames, side, dtype = FLAGS.frames, FLAGS.side, jnp.dtype(FLAGS.dtype)
    # Films of few frames begin with a single one.
    if frames & (frames - 1) or frames < 2**stages:
        least = 2**stages
        raise UserError(f"--frames={frames}: VGAN at --side={side} makes {least}, {2 * least}, ...")
    norm = gan_flags.critic_may_normalise()
    return gan_flags.game(
        FilmGenerator(
            first=(frames // 2**stages, side // 2**stages, side // 2**stages),
            width=FLAGS.width,
            stages=stages,
            mask_cost=FLAGS.mask_cost,
            dtype=dtype,
        ),
        VolumeCritic(width=FLAGS.width, stages=stages, batch_norm=norm, dtype=dtype),
        (frames, side, side, 3),
    )


def mocogan(stages: int) -> tuple[System, tuple[Phase, ...], int]:
    """The game of two critics, and the latent's size."""
    frames, side, dtype = FLAGS.frames, FLAGS.side, jnp.dtype(FLAGS.dtype)
    critic = SequenceCritic(FLAGS.width, min(stages - 1, 3), dtype=dtype)
    if frames < critic.least_frames:
        raise UserError(
            f"--frames={frames}: MoCoGAN's critic of films needs at least {critic.least_frames}"
        )
    if gan_flags.weighted() or FLAGS.n_critic > 1:
        raise UserError("--network=mocogan plays without --penalty and --n_critic")
    generator = MotionContentGenerator(
        frames,
        side,
        width=FLAGS.width,
        stages=stages,
        content=FLAGS.content_size,
        motion=FLAGS.motion_size,
        dtype=dtype,
    )

    def player(network, *shape: int, ema: float | None = None) -> PlayerSpec:
        # The authors' weight decay is part of Adam's gradient, as PyTorch has it.
        decayed = optax.chain(optax.add_decayed_weights(1e-5), gan_flags.adam(0.999))
        return PlayerSpec(network, (jax.ShapeDtypeStruct((1, *shape), jnp.float32),), decayed, ema)

    system = motion_content(
        player(generator, generator.latent_size, ema=FLAGS.ema_halflife or None),
        player(critic, side, side, 3),
        player(critic, frames, side, side, 3),
        gan_flags.adversarial_loss(),
        latent_size=generator.latent_size,
    )
    return system, PHASES, generator.latent_size


def experiment() -> Experiment:
    refuse_selection(FLAGS.held_out, FLAGS.classes)
    side, size = FLAGS.side, FLAGS.latent_size
    if side & (side - 1):
        raise UserError(f"--side={side} must be a power of two")
    if FLAGS.network == "vgan":
        # Down to 4x4, unless films are too short for it.
        stages = min(side.bit_length() - 3, FLAGS.frames.bit_length() - 1)
        system, phases = vgan(stages)
    else:
        system, phases, size = mocogan(side.bit_length() - 3)
    least = (FLAGS.frames - 1) * FLAGS.every + 1
    clips = functools.cache(
        lambda: open_clips(FLAGS.data, side, least, skip_broken=FLAGS.skip_broken)
    )

    def data() -> Data:
        train, held_out = clips()
        load = windows(train, FLAGS.frames, every=FLAGS.every, mirror=FLAGS.mirror)
        return Data(load, len(train), {**train.description, "held_out": held_out.description})

    measures = FLAGS.eval_samples > 0
    evaluate = measures and film_experiments.figures(
        lambda: clips()[0],
        lambda: clips()[1],
        frames=FLAGS.frames,
        every=FLAGS.every,
        count=FLAGS.eval_samples,
        latent_size=size,
        data_dir=FLAGS.data_dir,
    )
    return Experiment(
        system=system,
        phases=phases,
        data=data,
        evaluate=evaluate or None,
        preview=film_experiments.preview(size, count=8, columns=4, rate=FLAGS.rate),
        sample=film_experiments.sample_file(size, columns=4, rate=FLAGS.rate),
        best="frame_fid" if measures else None,
        best_mode="min",
    )
