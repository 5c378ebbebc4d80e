"""Using a trained speaker: texts to sounds, what a recogniser understands, pictures to compare."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxgan import processes
from jaxgan.data.phonemes import padded, transcribe
from jaxgan.data.speech import Utterances, spectrograms
from jaxgan.errors import UserError, did_you_mean
from jaxgan.experiment import Networks, SampleRequest
from jaxgan.media import Exhibit, Grid
from jaxgan.metrics.own import own_features
from jaxgan.metrics.speech_distance import warped_cepstral_distortion
from jaxgan.metrics.stamp import Measured, Stamp
from jaxgan.nets.speech import Speech
from jaxgan.ops.griffin_lim import griffin_lim, inverse_mel
from jaxgan.ops.pixels import from_uint8
from jaxgan.ops.spectrogram import MelScale, denormalised, power_of_decibels
from jaxgan.recordings import Sound, spectrogram_picture
from jaxgan.state import Network

ITERATIONS = 32
# All clips are this loud, recorded and synthesised ones.
PEAK = 0.9
# Sizes of compiled programs: symbols and frames are filled up to multiples of these.
_SYMBOLS, _FRAMES = 16, 32
# Rows of a preview, and sounds to listen to beside it.
SHOWN, HEARD = 10, 4
_DB_TO_LOG_MAGNITUDE = np.log(10.0) / 20.0


@jax.jit
def _spoken(
    network: Network, symbols: Array, speaker: Array, latent: Array, spoken: Array
) -> Speech:
    return network(symbols, speaker, latent, spoken)


def speak(
    network: Network,
    symbols: Sequence[np.ndarray],
    speaker: np.ndarray,
    latent: np.ndarray,
    *,
    speed: float = 1.0,
) -> list[np.ndarray]:
    """Spectrograms of texts of any length, as long as the network finds right.

    Args:
      network: the generator.
      symbols: int32 [n] each, as `phonemes.Transcript.ids`.
      speaker: int32 [texts].
      latent: float32 [texts, latent_size].
      speed: 2 speaks twice as fast.

    Returns:
      float32 [frames, mels] in [-1, 1] for each.
    """
    rows = padded(symbols, -(-max(map(len, symbols)) // _SYMBOLS) * _SYMBOLS)
    given = (jnp.asarray(rows), jnp.asarray(speaker), jnp.asarray(latent))
    # Lengths do not depend on the room that there is.
    first = np.ones((len(rows), 1), bool)
    lengths = np.asarray(_spoken(network, *given, jnp.asarray(first)).lengths).sum(axis=1)
    frames = np.maximum(np.rint(lengths / speed), 2).astype(np.int64)
    room = -(-int(frames.max()) // _FRAMES) * _FRAMES
    spoken = np.arange(room)[None] < frames[:, None]
    made = np.asarray(_spoken(network, *given, jnp.asarray(spoken)).mel)
    return [mel[:count] for mel, count in zip(made, frames, strict=True)]


def waveforms(mels: Sequence[np.ndarray], scale: MelScale) -> list[np.ndarray]:
    """Sounds of spectrograms in [-1, 1] by Griffin-Lim, float32 [hop * (frames - 1)] each.

    The loudest sample of each is `PEAK`.
    """
    room = -(-max(map(len, mels)) // _FRAMES) * _FRAMES
    batch = np.full((len(mels), room, scale.mels), -1.0, np.float32)
    for row, mel in zip(batch, mels, strict=True):
        row[: len(mel)] = mel
    power = power_of_decibels(denormalised(jnp.asarray(batch)))
    made = griffin_lim(
        inverse_mel(power, scale),
        fft=scale.fft,
        hop=scale.hop,
        iterations=ITERATIONS,
        key=jax.random.key(0),
    )
    return [
        as_loud(sound[: scale.hop * (len(mel) - 1)])
        for sound, mel in zip(np.asarray(made), mels, strict=True)
    ]


def as_loud(sound: np.ndarray) -> np.ndarray:
    """A sound [n] whose loudest sample is `PEAK`."""
    return sound * np.float32(PEAK / max(float(np.abs(sound).max()), 1e-6))


def latents(count: int, size: int, seed: int) -> np.ndarray:
    """float32 [count, size]."""
    return np.asarray(jax.random.normal(jax.random.key(seed), (count, size)))


def recognised(
    train: Callable[[], Utterances],
    held_out: Callable[[], Utterances],
    scale: MelScale,
    *,
    latent_size: int,
    takes: int,
    most: int,
    data_dir: str | None = None,
) -> Callable[[Networks], Measured]:
    """Makes the `evaluate` of an experiment: what is understood, and how near recordings it is.

    Args:
      train: what the generator and the recogniser learned from.
      held_out: recordings that neither has heard.
      scale: of spectrograms.
      latent_size: of the generator.
      takes: how often every speaker says every word, with another latent each time.
      most: recordings at most to measure distances to.
      data_dir: where the recogniser is kept; see `own_features`.

    Returns:
      `(networks) -> Measured`. `mcd`: mel-cepstral distortion in dB along the best warping of time,
      of the same text by the same speaker, both after Griffin-Lim's inverse or none: spectrogram to
      spectrogram. Where recordings are of single words also `recognised`, the share of synthesised
      takes, as sounds, that the recogniser hears as the word that was asked for;
      `recognised_real`, of held-out recordings; and `recognised_copy`, of these after their own
      spectrogram and Griffin-Lim.
    """

    @functools.cache
    def width() -> int:
        return max(map(len, train().mels))

    def pictures(mels: Sequence[np.ndarray]) -> np.ndarray:
        """uint8 [n, frames, mels, 1] of one size; what is longer than any recording is cut."""
        out = np.zeros((len(mels), width(), scale.mels, 1), np.uint8)
        for row, mel in zip(out, mels, strict=True):
            row[: len(mel), :, 0] = mel[: width()]
        return out

    @functools.cache
    def recogniser():
        return own_features(pictures(train().mels), train().label, data_dir)

    def right(mels: Sequence[np.ndarray], label: np.ndarray) -> float:
        chances = recogniser()(pictures(mels))[1]
        assert chances is not None
        return float((chances.argmax(1) == label).mean())

    def heard_again(mels: Sequence[np.ndarray]) -> list[np.ndarray]:
        return spectrograms(waveforms(mels, scale), scale)

    @functools.cache
    def of_recordings() -> dict[str, float]:
        found, label = held_out(), held_out().label
        assert label is not None
        copies = heard_again([from_uint8(mel) for mel in found.mels])
        return {
            "recognised_real": right(found.mels, label),
            "recognised_copy": right(copies, label),
        }

    def evaluate(networks: Networks) -> Measured:
        network, found = networks["generator"], held_out()
        chosen = np.unique(np.linspace(0, len(found) - 1, min(most, len(found))).astype(int))
        made = speak(
            network,
            [found.symbols[i] for i in chosen],
            found.speaker[chosen],
            latents(len(chosen), latent_size, 1),
        )
        distances = [
            warped_cepstral_distortion(
                _log_magnitude(from_uint8(found.mels[i])), _log_magnitude(mel)
            )
            for i, mel in zip(chosen, made, strict=True)
        ]
        figures = {"mcd": float(np.mean(distances))}
        metric = "mel-cepstral distortion in dB, 13 cepstra, dynamic time warping, no vocoder"
        stamps = {"mcd": Stamp(metric, len(chosen), len(chosen), found.description)}
        if found.label is not None:
            words, speakers = _words(train()), len(train().speakers)
            label = np.repeat(np.asarray(sorted(words), np.int32), speakers * takes)
            who = np.tile(np.arange(speakers, dtype=np.int32), len(words) * takes)
            said = speak(
                network, [words[int(n)][1] for n in label], who,
                latents(len(label), latent_size, 2),
            )  # fmt: skip
            figures["recognised"] = right(heard_again(said), label)
            figures |= of_recordings()
            stamps["recognised"] = recogniser().stamp(
                f"share of words heard as asked, after Griffin-Lim ({ITERATIONS} iterations)",
                len(found),
                len(label),
                found.description,
            )
        return Measured(figures, stamps)

    return evaluate


def comparison(
    held_out: Callable[[], Utterances], scale: MelScale, *, latent_size: int
) -> Callable[[Networks], dict[str, Exhibit]]:
    """Makes the `preview`: recordings beside what is made of their text, and some as sounds."""

    def preview(networks: Networks) -> dict[str, Exhibit]:
        found = held_out()
        keys = np.arange(len(found)) if found.label is None else found.label
        _, first = np.unique(keys, return_index=True)
        # Not always the same speaker: those of one word lie together.
        rows = np.sort(first)[:SHOWN]
        rows = np.minimum(rows + np.arange(len(rows)) % len(found.speakers), len(found) - 1)
        rows = np.where(keys[rows] == keys[np.sort(first)[:SHOWN]], rows, np.sort(first)[:SHOWN])
        symbols = [found.symbols[i] for i in rows]
        who, latent = found.speaker[rows], latents(len(rows), latent_size, 3)
        same = speak(networks["generator"], symbols, who, latent)
        others = speak(networks["generator"], symbols, (who + 1) % len(found.speakers), latent)
        pictures = [
            [spectrogram_picture(mel, 2) for mel in (from_uint8(found.mels[i]), one, other)]
            for i, one, other in zip(rows, same, others, strict=True)
        ]
        texts = [found.texts[i] for i in rows]
        labels = [text if len(text) <= 24 else f"{text[:21]}..." for text in texts]
        shown: dict[str, Exhibit] = {
            "preview": Grid(pictures, ("recording", "synthesised", "another voice"), labels)
        }
        for number, sound in enumerate(waveforms(same[:HEARD], scale)):
            shown[f"preview_{number}"] = Sound(sound, scale.rate, texts[number])
        return shown

    return preview


def read_aloud(
    speakers: Callable[[], tuple[str, ...]],
    scale: MelScale,
    *,
    latent_size: int,
    text: str | None,
    speaker: str | None,
    speed: float = 1.0,
    vocoder: Callable[[], Callable[[np.ndarray], np.ndarray]] | None = None,
) -> Callable[[Networks, SampleRequest], Path]:
    """Makes the `sample`: any text as a .wav, with the text beside it, its phonemes on the console.

    Args:
      speakers: their names; asked for where a name is given only, for they are the data's.
      scale: of the spectrograms.
      latent_size: of the generator.
      text: what to say; that of the file `--input` where None.
      speaker: whose voice, by name or by number; the first one's where None.
      speed: 2 speaks twice as fast.
      vocoder: opens what makes Griffin-Lim's sound anew (`borrowed_vocoder.open_vocoder`).
    """

    def sample(networks: Networks, request: SampleRequest) -> Path:
        said = text
        if said is None and request.input is not None:
            try:
                said = request.input.read_text("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise UserError(f"--input={request.input}: {error}") from None
        if said is None:
            raise UserError('--mode=sample needs --text="some words", or --input=FILE with a text')
        if request.output.suffix.lower() != ".wav":
            raise UserError(f"--output={request.output}: speech is written as .wav")
        # A number does where the data is not.
        number = int(speaker) if speaker and speaker.isdecimal() else 0
        if speaker is not None and not speaker.isdecimal():
            names = speakers()
            if speaker not in names:
                raise UserError(f"--speaker={speaker}, {did_you_mean(speaker, names)}")
            number = names.index(speaker)
        if number >= networks["generator"].module.speakers:
            raise UserError(
                f"--speaker={speaker}: this run knows {networks['generator'].module.speakers} "
                "speakers, from 0"
            )
        transcript = transcribe(said, what="--text")
        vocode = vocoder() if vocoder else None
        processes.say(f"phonemes: {transcript}")
        if transcript.guessed:
            processes.say(f"said by rules: {', '.join(transcript.guessed)}")
        who = np.asarray([number], np.int32)
        latent = latents(1, latent_size, request.seed)
        mels = speak(networks["generator"], [transcript.ids()], who, latent, speed=speed)
        made = waveforms(mels, scale)[0]
        if vocode:
            made = as_loud(vocode(made))
        sound = Sound(made, scale.rate, said.strip())
        return sound.save(request.output.with_suffix(""))

    return sample


def _log_magnitude(mel: np.ndarray) -> np.ndarray:
    return denormalised(mel) * _DB_TO_LOG_MAGNITUDE


def _words(source: Utterances) -> dict[int, tuple[str, np.ndarray]]:
    """Each word's text and symbols, by its number."""
    assert source.label is not None
    return {
        int(label): (text, symbols)
        for label, text, symbols in zip(source.label, source.texts, source.symbols, strict=True)
    }
