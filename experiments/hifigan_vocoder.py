"""HiFi-GAN: speech from mel spectrograms, a vocoder (Kong et al. 2020).

    python -m jaxgan.main --experiment=hifigan_vocoder --data=folder:LJSpeech-1.1 --scale=full
    python -m jaxgan.main --experiment=hifigan_vocoder --version=v3 --data=zip:clips.zip
    python -m jaxgan.main --mode=sample --run_dir=runs/hifigan_vocoder --input=A.wav --output=B.wav

arXiv 2010.05646. Full scale: LJSpeech at 22.05 kHz, configuration V1, 2.5 million steps of 16
segments; needs a GPU or TPU. Small scale (two CPU cores): synthesised voices and a small V3.
`--mode=sample` copies a clip of any length through its mel spectrogram, and says how fast.
"""

import functools

import jax
import jax.numpy as jnp
import optax
from absl import flags

from jaxgan import copy_synthesis, losses
from jaxgan.data.sample_utterances import utterances
from jaxgan.data.sounds import Sounds, gather, open_sounds, open_sounds_train_and_held_out
from jaxgan.errors import UserError
from jaxgan.experiment import Data, Experiment
from jaxgan.game import Phase
from jaxgan.nets.hifigan import VERSIONS, hifigan
from jaxgan.nets.wave_critics import WaveCritics
from jaxgan.ops.spectrogram import MelScale
from jaxgan.state import PlayerSpec
from jaxgan.systems.vocoder import vocoder

FLAGS = flags.FLAGS

FLAGS.set_default("steps", 2_500_000)
FLAGS.set_default("batch_size", 16)
FLAGS.set_default("loss", "lsgan")
FLAGS.set_default("eval_every", 10_000)
FLAGS.set_default("checkpoint_every", 5_000)

flags.DEFINE_enum("version", "v1", sorted(VERSIONS), "The generator's configuration.")
flags.DEFINE_integer("channels", 0, "The generator's before it enlarges; 0: the version's.", 0)
flags.DEFINE_integer("blocks", 0, "Residual blocks after each enlargement; 0: all.", 0)
flags.DEFINE_integer("critic_width", 1024, "Channels of the critics' widest layers.", 16)
flags.DEFINE_list("periods", ["2", "3", "5", "7", "11"], "Of the critics by periods.")
flags.DEFINE_integer("scales", 3, "How many critics by scales.", 0)
flags.DEFINE_integer("segment", 8192, "Samples that the networks see of a clip.", 1)
flags.DEFINE_integer("rate", 22_050, "Samples a second; clips of other rates are resampled.", 1)
flags.DEFINE_integer("fft", 1024, "Samples to a frame of the spectrogram.", 2)
flags.DEFINE_integer("hop", 256, "Samples from a frame to the next.", 1)
flags.DEFINE_integer("mels", 80, "Bands of the spectrogram.", 1)
flags.DEFINE_float("high", 8000.0, "Hz up to which the bands reach.")
flags.DEFINE_float("learning_rate", 2e-4, "AdamW's, of both players.")
flags.DEFINE_float("decay", 0.999, "What it is multiplied by after each epoch.")
flags.DEFINE_integer("epoch_steps", 809, "Steps of an epoch: LJSpeech's in batches of 16.", 1)
flags.DEFINE_float("mel_weight", 45.0, "Of the log mel spectrograms' distance.")
flags.DEFINE_float("feature_matching", 2.0, "Weight of the critics' features' distance.")
flags.DEFINE_integer("pretrain_steps", 0, "Steps on the spectrograms' distance alone, at first.", 0)
flags.DEFINE_float("ema_halflife", 0, "Of the generator's moving average, in segments; 0: none.", 0)
flags.DEFINE_integer("eval_samples", 16, "Held-out clips to measure figures on; 0: none.", 0)

SMALL = {
    "version": "v3",
    "channels": 64,
    "critic_width": 128,
    "periods": ["2", "5", "11"],
    "scales": 1,
    "steps": 3_000,
    "pretrain_steps": 2_000,
    "batch_size": 8,
    "segment": 4096,
    "learning_rate": 1e-3,
    "epoch_steps": 3,
    "ema_halflife": 800.0,
    "eval_samples": 6,
    "eval_every": 500,
    "checkpoint_every": 500,
}

TINY = {
    "steps": 4,
    "pretrain_steps": 0,
    "scale": "small",
    "batch_size": 2,
    "channels": 8,
    "blocks": 1,
    "scales": 0,
    "critic_width": 16,
    "periods": "3",
    "segment": 512,
    "rate": 8000,
    "fft": 128,
    "hop": 64,
    "mels": 16,
    "high": 3000.0,
    "eval_samples": 2,
}


def experiment() -> Experiment:
    scale, periods = checked()
    dtype = jnp.dtype(FLAGS.dtype)
    options = {"sample": utterances, "least": FLAGS.segment, "skip_broken": FLAGS.skip_broken}

    @functools.cache
    def both() -> tuple[Sounds, Sounds]:
        if FLAGS.held_out:
            train = open_sounds(FLAGS.data, FLAGS.rate, **options)
            return train, open_sounds(FLAGS.held_out, FLAGS.rate, **options)
        return open_sounds_train_and_held_out(FLAGS.data, FLAGS.rate, **options)

    def data() -> Data:
        train, held_out = both()
        about = {**train.description, "held_out": held_out.description}
        return Data(gather(train, 2 * FLAGS.segment), len(train), about)

    def player(network, *shape: int, halflife: float = 0.0) -> PlayerSpec:
        optimiser = optax.adamw(
            optax.exponential_decay(
                FLAGS.learning_rate, FLAGS.epoch_steps, FLAGS.decay, staircase=True
            ),
            b1=0.8,
            b2=0.99,
            weight_decay=0.01,
        )
        given = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
        return PlayerSpec(network, (given,), optimiser, halflife or None)

    generator = hifigan(
        FLAGS.version, FLAGS.hop, channels=FLAGS.channels, blocks=FLAGS.blocks, dtype=dtype
    )
    shown = copy_synthesis.chosen(lambda: both()[1], max(FLAGS.eval_samples, 1), scale)
    start = FLAGS.pretrain_steps
    return Experiment(
        system=vocoder(
            player(generator, FLAGS.segment // FLAGS.hop, FLAGS.mels, halflife=FLAGS.ema_halflife),
            player(
                WaveCritics(periods, FLAGS.scales, FLAGS.critic_width, dtype=dtype), FLAGS.segment
            ),
            losses.by_name(FLAGS.loss),
            scale,
            segment=FLAGS.segment,
            feature_weight=FLAGS.feature_matching,
            mel_weight=FLAGS.mel_weight,
        ),
        phases=(
            *((Phase("pretrain", ("generator",), "pretrain", stop=start),) if start else ()),
            Phase("critic", ("critic",), "critic", start=start),
            Phase("generator", ("generator",), "generator", start=start),
        ),
        data=data,
        evaluate=copy_synthesis.figures(shown, scale) if FLAGS.eval_samples else None,
        preview=copy_synthesis.comparison(shown, scale),
        sample=copy_synthesis.copy_file(scale),
        best="log_mel_l1" if FLAGS.eval_samples else None,
        best_mode="min",
    )


def checked() -> tuple[MelScale, tuple[int, ...]]:
    """The spectrogram's scale and the periods; UserError for flags that do not go together."""
    high = min(FLAGS.high, FLAGS.rate / 2)
    scale = MelScale(FLAGS.rate, FLAGS.fft, FLAGS.hop, FLAGS.mels, 0.0, high)
    if FLAGS.segment % FLAGS.hop or FLAGS.segment < FLAGS.fft:
        raise UserError(
            f"--segment={FLAGS.segment} must be a multiple of --hop={FLAGS.hop} and hold a frame, "
            f"--fft={FLAGS.fft}"
        )
    if FLAGS.loss == "wgan_gp":
        raise UserError("--loss=wgan_gp needs a penalty, which this system has none of; use wgan")
    wrong = [period for period in FLAGS.periods if not period.isdigit() or int(period) < 1]
    if wrong or not (FLAGS.periods or FLAGS.scales):
        raise UserError(
            f"--periods={','.join(FLAGS.periods)}: give whole numbers from 1 on, one at least "
            "where there are no --scales"
        )
    return scale, tuple(map(int, FLAGS.periods))
