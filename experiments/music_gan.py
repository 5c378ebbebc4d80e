"""Drum hits and other short sounds as raw waves (WaveGAN: Donahue et al. 2019).

    python -m jaxgan.main --experiment=music_gan --data=zip:drums.zip
    python -m jaxgan.main --experiment=music_gan --network=dense --rate=44100 --length=44100
    python -m jaxgan.main --mode=sample --run_dir=runs/music_gan --count=16 --output=hits.wav

Full scale: 16384 samples at 16 kHz, the paper's networks (arXiv 1802.04208) and its game, WGAN-GP
with five steps of the critic to one of the generator. `--network=dense` is the tutorials'
reference, a second of 44.1 kHz from dense layers alone. Small scale (two CPU cores): half a second
at 8 kHz of drums that the project synthesises itself, and a cheaper game. Your own clips:
--data=folder:PATH or zip:PATH of .wav, .flac or .ogg; folders in it are classes, by which features
are learned to measure with.
"""

import functools

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from absl import flags

from jaxgan import gan_flags
from jaxgan.data import drums
from jaxgan.data.examples import Sounds
from jaxgan.data.selection import class_list
from jaxgan.data.sounds import gather, open_sounds, windows
from jaxgan.errors import UserError
from jaxgan.experiment import Data, Experiment, Networks
from jaxgan.metrics import own
from jaxgan.metrics.sounds import LEAST, SoundFigures, SoundReference, as_pictures
from jaxgan.metrics.stamp import Measured, enough
from jaxgan.nets.wavegan import DenseCritic, DenseGenerator, WaveCritic, WaveGenerator
from jaxgan.ops.spectrogram import MelScale
from jaxgan.systems.sounding import draw_sounds, mel_pictures, sound_file, sound_preview

FLAGS = flags.FLAGS

FLAGS.set_default("data", "sample")
FLAGS.set_default("loss", "wgan_gp")
FLAGS.set_default("steps", 100_000)
FLAGS.set_default("batch_size", 64)

gan_flags.define(latent_size=100, learning_rate=1e-4, b1=0.5, n_critic=5)
flags.DEFINE_enum("network", "wavegan", ["wavegan", "dense"], "WaveGAN, or dense layers alone.")
flags.DEFINE_integer("rate", 16_000, "Samples a second.", 1000)
flags.DEFINE_integer("length", 16_384, "Samples of a sound.", 64)
flags.DEFINE_integer("width", 64, "WaveGAN's channels next to the sound; they double inwards.", 1)
flags.DEFINE_integer("shuffle", 2, "Phase shuffle in the critic, in samples; 0: none.", 0)
flags.DEFINE_float("peak", 0.9, "Each clip is made so loud; 0: as it is.", 0.0, 1.0)
flags.DEFINE_bool("crop", False, "Begin anywhere in clips that are longer, not at their beginning.")
flags.DEFINE_integer("eval_samples", 1000, "Samples to measure figures on; 0: none.", 0)

# One step of the critic with an occasional R1 (arXiv 1801.04406) instead of five with a penalty
# each: a sixth of the work.
SMALL = {
    "steps": 3000,
    "loss": "bce",
    "n_critic": 1,
    "penalty": "r1",
    "penalty_every": 8,
    "batch_size": 16,
    "rate": 8000,
    "length": 4096,
    "width": 16,
    "learning_rate": 4e-4,
    "ema_halflife": 1000.0,
    "eval_samples": 256,
    "eval_every": 500,
    "checkpoint_every": 500,
}

TINY = {
    "steps": 4,
    "batch_size": 4,
    "latent_size": 4,
    "scale": "small",
    "rate": 2000,
    "length": 256,
    "width": 2,
    "penalty_every": 1,
    "eval_samples": 12,
}


def experiment() -> Experiment:
    dtype, length, rate = jnp.dtype(FLAGS.dtype), FLAGS.length, FLAGS.rate
    generator: nn.Module
    critic: nn.Module
    if FLAGS.network == "dense":
        generator, critic = DenseGenerator(length, dtype=dtype), DenseCritic(dtype=dtype)
    else:
        generator = WaveGenerator(length, FLAGS.width, dtype=dtype)
        critic = WaveCritic(FLAGS.width, FLAGS.shuffle, dtype=dtype)
    system, phases = gan_flags.game(generator, critic, (length, 1), b2=0.9)
    # Frames of about 32 ms, eight to a sixteenth of a second at least: hits are short.
    fft = 2 ** max(round(np.log2(0.032 * rate)), 5)
    scale = MelScale(rate=rate, fft=fft, hop=fft // 4, mels=min(64, fft // 4))
    if length < fft:
        raise UserError(f"--length={length} is shorter than a spectrogram's window of {fft}")

    @functools.cache
    def opened(name: str) -> Sounds:
        return open_sounds(
            name,
            rate,
            sample=drums.hits,
            peak=FLAGS.peak,
            skip_broken=FLAGS.skip_broken,
            classes=class_list(FLAGS.classes),
        )

    def reference() -> SoundReference:
        judged = opened(FLAGS.held_out or FLAGS.data)
        mel = mel_pictures(windows(judged, length), scale)
        if judged.labels is None or len(judged) < own.LEAST:
            return SoundReference(mel, None, judged.description)
        network = own.own_features(as_pictures(mel), judged.labels, FLAGS.data_dir)
        return SoundReference(mel, network, judged.description)

    def data() -> Data:
        found = opened(FLAGS.data)
        if FLAGS.eval_samples:
            without = "measuring figures (--eval_samples=0 trains without)"
            judged = len(opened(FLAGS.held_out or FLAGS.data))
            enough(without, LEAST, real=judged, fake=FLAGS.eval_samples)
        return Data(gather(found, length, crop=FLAGS.crop), len(found), found.description)

    figures = SoundFigures(reference, FLAGS.eval_samples)

    def evaluate(networks: Networks) -> Measured:
        return figures(
            lambda count: mel_pictures(draw_sounds(networks, 1, count, FLAGS.latent_size), scale)
        )

    return Experiment(
        system=system,
        phases=phases,
        data=data,
        evaluate=evaluate if FLAGS.eval_samples else None,
        preview=sound_preview(
            FLAGS.latent_size, scale, lambda: windows(opened(FLAGS.data), length)
        ),
        sample=sound_file(FLAGS.latent_size, rate),
        best="fad" if FLAGS.eval_samples else None,
        best_mode="min",
    )
