"""Text to speech: phonemes to mel spectrograms against a critic, then Griffin-Lim.

    python -m jaxgan.main --experiment=tts_ljspeech --data=folder:LJSpeech-1.1
    python -m jaxgan.main --mode=sample --run_dir=runs/tts_ljspeech --text="seven two" \\
      --speaker=jackson --output=out.wav [--vocoder=runs/hifigan_vocoder]

Any text: words in the CMU dictionary, others by letter-to-sound rules, numbers and abbreviations
spelled out. Learns how long each phoneme lasts by itself (in the manner of End-to-End Adversarial
Text-to-Speech, Donahue et al. 2020, arXiv 2006.03575).
Full scale: LJSpeech's layout, 22.05 kHz, windows of 2048 samples, 128 bands. Small scale (two CPU
cores): digits at 8 kHz; those of a synthesiser without data, or --data=zip:fsdd.zip, clips that are
called DIGIT_SPEAKER_TAKE.wav. Without TFDS: the clips are in a folder or a zip.
Figures: the share of synthesised words that a recogniser hears as asked, beside held-out
recordings', and the mel-cepstral distortion.
"""

import functools
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import optax
from absl import flags

from jaxgan import losses
from jaxgan.borrowed_vocoder import open_vocoder
from jaxgan.data import sample_speech
from jaxgan.data.phonemes import SYMBOLS
from jaxgan.data.sounds import open_sounds, open_sounds_train_and_held_out
from jaxgan.data.speech import GOES_ON, Utterances, batches, utterances
from jaxgan.errors import UserError
from jaxgan.experiment import Data, Experiment
from jaxgan.game import Phase
from jaxgan.nets.speech import SpeechCritic, SpeechGenerator
from jaxgan.ops.spectrogram import MelScale
from jaxgan.state import PlayerSpec
from jaxgan.systems import speaking
from jaxgan.systems.speech import speech

FLAGS = flags.FLAGS

FLAGS.set_default("data", "sample")
FLAGS.set_default("steps", 200_000)
FLAGS.set_default("batch_size", 32)
FLAGS.set_default("loss", "lsgan")

flags.DEFINE_integer("rate", 22_050, "Samples a second.", 1)
flags.DEFINE_integer("fft", 2048, "Samples to a window.", 2)
flags.DEFINE_integer("hop", 512, "Samples from a window to the next.", 1)
flags.DEFINE_integer("mels", 128, "Bands of a spectrogram.", 14)
flags.DEFINE_integer("frames", 448, "Room in a row; longer recordings are left out.", 2)
flags.DEFINE_integer("speakers", 16, "How many speakers there may be.", 1)
flags.DEFINE_integer("channels", 384, "Of the generator's convolutions.", 2)
flags.DEFINE_integer("encoder_blocks", 6, "Before symbols become frames.", 1)
flags.DEFINE_integer("decoder_blocks", 8, "Behind.", 1)
flags.DEFINE_integer("critic_channels", 128, "Of the critic's first convolution.", 2)
flags.DEFINE_integer("latent_size", 32, "Dimensions of the latent.", 1)
flags.DEFINE_float("learning_rate", 2e-4, "Adam's, at the start.", 0.0)
flags.DEFINE_float("critic_learning_rate", 2e-4, "The critic's.", 0.0)
flags.DEFINE_float("l1_weight", 20.0, "Of the distance to the recording's spectrogram.", 0.0)
flags.DEFINE_float("adversarial_weight", 1.0, "Of the critic's opinion.", 0.0)
flags.DEFINE_float("feature_matching", 2.0, "Of the critic's hidden layers' distance.", 0.0)
flags.DEFINE_float("length_weight", 1.0, "Of the error in the length of an utterance.", 0.0)
flags.DEFINE_integer("critic_from", 5_000, "The step at which the critic begins to play.", 0)
flags.DEFINE_float("ema_halflife", 10_000.0, "Of the generator's moving average, in rows.", 0.0)
flags.DEFINE_integer("eval_takes", 4, "Times each speaker says each word to be measured.", 1)
flags.DEFINE_integer("eval_recordings", 60, "To measure distances to, at most.", 1)
flags.DEFINE_string("text", None, "For --mode=sample: what to say.")
flags.DEFINE_string(
    "speaker", None, "For --mode=sample: whose voice, by name or number. Default: the first one's."
)
flags.DEFINE_string(
    "vocoder", None, "For --mode=sample: a run of hifigan_vocoder that makes the sound anew."
)
flags.DEFINE_float("speed", 1.0, "For --mode=sample: 2 speaks twice as fast.", 0.1)

SMALL = {
    "steps": 3_000,
    "batch_size": 16,
    "rate": 8_000,
    "fft": 512,
    "hop": 128,
    "mels": 64,
    "frames": 64,
    "channels": 96,
    "encoder_blocks": 2,
    "decoder_blocks": 4,
    "critic_channels": 48,
    "latent_size": 16,
    "learning_rate": 1e-3,
    "critic_learning_rate": 5e-4,
    "critic_from": 400,
    "ema_halflife": 1_500.0,
    "eval_every": 500,
    "checkpoint_every": 500,
}

TINY = {
    "steps": 4,
    "batch_size": 2,
    "scale": "small",
    "fft": 256,
    "mels": 16,
    "channels": 4,
    "encoder_blocks": 1,
    "decoder_blocks": 1,
    "critic_channels": 2,
    "latent_size": 2,
    "critic_from": 0,
    "eval_takes": 1,
    "eval_recordings": 2,
}


def experiment() -> Experiment:
    if FLAGS.loss == "wgan_gp":
        raise UserError("--loss=wgan_gp needs a penalty, which this system has none of; use lsgan")
    scale = MelScale(FLAGS.rate, FLAGS.fft, FLAGS.hop, FLAGS.mels)
    if FLAGS.classes:
        raise UserError("--classes is not for speech: all texts are learned")
    options: dict[str, Any] = {
        "sample": sample_speech.digits,
        "least": FLAGS.fft // 2,
        "peak": speaking.PEAK,
        "skip_broken": FLAGS.skip_broken,
        "require_texts": True,
    }

    @functools.cache
    def both() -> tuple[Utterances, Utterances]:
        if FLAGS.held_out:
            sounds = (
                open_sounds(FLAGS.data, FLAGS.rate, **options),
                open_sounds(FLAGS.held_out, FLAGS.rate, **options),
            )
            if sounds[0].classes != sounds[1].classes:
                raise UserError(f"--held_out={FLAGS.held_out}: its words are not those of --data")
        else:
            sounds = open_sounds_train_and_held_out(FLAGS.data, FLAGS.rate, **options)
        train = utterances(sounds[0], scale, FLAGS.frames)
        if len(train.speakers) > FLAGS.speakers:
            raise UserError(
                f"the data has {len(train.speakers)} speakers, and --speakers={FLAGS.speakers}: "
                "allow more"
            )
        return train, utterances(sounds[1], scale, FLAGS.frames, train.speakers)

    def data() -> Data:
        train, held_out = both()
        words = train.label is not None
        longest = max(map(len, train.symbols))
        # Several words come to more symbols than any of them has.
        room = max(longest, round(1.5 * FLAGS.frames / train.pace)) if words else longest
        load = batches(train, FLAGS.frames, room, goes_on=GOES_ON if words else 0.0)
        return Data(load, len(train), {**train.description, "held_out": held_out.description})

    dtype, frames = jnp.dtype(FLAGS.dtype), FLAGS.frames
    generator = SpeechGenerator(
        len(SYMBOLS),
        FLAGS.speakers,
        FLAGS.mels,
        FLAGS.channels,
        FLAGS.encoder_blocks,
        FLAGS.decoder_blocks,
        dtype=dtype,
    )
    critic = SpeechCritic(len(SYMBOLS), FLAGS.speakers, FLAGS.critic_channels, dtype=dtype)
    row = jax.ShapeDtypeStruct
    text, who = row((1, 8), jnp.int32), row((1,), jnp.int32)
    latent, spoken = row((1, FLAGS.latent_size), jnp.float32), row((1, frames), jnp.bool_)
    mel, weights = row((1, frames, FLAGS.mels), jnp.float32), row((1, frames, 8), jnp.float32)
    warm = FLAGS.critic_from

    def adam(learning_rate: float, b1: float) -> optax.GradientTransformation:
        return optax.adam(optax.cosine_decay_schedule(learning_rate, FLAGS.steps, 0.1), b1=b1)

    return Experiment(
        system=speech(
            PlayerSpec(
                generator,
                (text, who, latent, spoken),
                adam(FLAGS.learning_rate, 0.8),
                FLAGS.ema_halflife or None,
            ),
            PlayerSpec(
                critic, (mel, text, weights, who, spoken), adam(FLAGS.critic_learning_rate, 0.5)
            ),
            losses.by_name(FLAGS.loss),
            latent_size=FLAGS.latent_size,
            l1_weight=FLAGS.l1_weight,
            adversarial_weight=FLAGS.adversarial_weight,
            feature_matching=FLAGS.feature_matching,
            length_weight=FLAGS.length_weight,
        ),
        phases=(
            Phase("critic", ("critic",), "critic", start=warm),
            Phase("content", ("generator",), "content", stop=warm),
            Phase("generator", ("generator",), "generator", start=warm),
        ),
        data=data,
        evaluate=speaking.recognised(
            lambda: both()[0],
            lambda: both()[1],
            scale,
            latent_size=FLAGS.latent_size,
            takes=FLAGS.eval_takes,
            most=FLAGS.eval_recordings,
            data_dir=FLAGS.data_dir,
        ),
        preview=speaking.comparison(lambda: both()[1], scale, latent_size=FLAGS.latent_size),
        sample=speaking.read_aloud(
            lambda: both()[0].speakers,
            scale,
            latent_size=FLAGS.latent_size,
            text=FLAGS.text,
            speaker=FLAGS.speaker,
            speed=FLAGS.speed,
            vocoder=functools.partial(open_vocoder, Path(FLAGS.vocoder), FLAGS.rate)
            if FLAGS.vocoder
            else None,
        ),
        best="mcd",
        best_mode="min",
    )
