"""Recordings and what is said in them, as spectrograms and phonemes of one size a batch."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import processes
from jaxgan.data import phonemes
from jaxgan.data.examples import Sounds
from jaxgan.errors import UserError
from jaxgan.media import to_uint8
from jaxgan.ops.spectrogram import MelScale, picture_of

# Clips whose spectrograms are computed at a time.
_AT_ONCE = 64
# The chance that a row goes on with another recording, as long as there is room.
GOES_ON = 0.5


@dataclass(frozen=True, eq=False)
class Utterances:
    """Recordings as a network takes them.

    Attributes:
      mels: uint8 [frames, mels] each, 0 and 255 for -1 and 1.
      symbols: int32 [n] each, numbers of phonemes.
      speaker: int32 [n], numbers of speakers.
      label: int32 [n], numbers of words, or None where recordings are of sentences.
      texts: what is said.
      sounds: the recordings themselves.
      speakers: their names by number; one where the data names none.
      description: what JSON can hold about them.
    """

    mels: Sequence[np.ndarray]
    symbols: Sequence[np.ndarray]
    speaker: np.ndarray
    label: np.ndarray | None
    texts: tuple[str, ...]
    sounds: Sounds
    speakers: tuple[str, ...]
    description: dict[str, Any]

    def __len__(self) -> int:
        return len(self.mels)

    @property
    def pace(self) -> float:
        """Frames to a symbol."""
        return sum(map(len, self.mels)) / sum(map(len, self.symbols))


@functools.partial(jax.jit, static_argnames="scale")
def _picture(samples: jax.Array, *, scale: MelScale) -> jax.Array:
    return picture_of(samples, scale)


def spectrograms(clips: Sequence[np.ndarray], scale: MelScale) -> list[np.ndarray]:
    """Each clip's spectrogram, uint8 [1 + n // hop, mels].

    The silence that fills up a batch is what a clip's last frames see behind its end in any case.
    """
    longest = max(map(len, clips), default=0)
    room = -(-longest // (16 * scale.hop)) * 16 * scale.hop
    made: list[np.ndarray] = []
    for start in range(0, len(clips), _AT_ONCE):
        some = clips[start : start + _AT_ONCE]
        batch = np.zeros((min(_AT_ONCE, len(clips)), room), np.float32)
        for row, clip in zip(batch, some, strict=False):
            row[: len(clip)] = clip
        pictures = to_uint8(np.asarray(_picture(jnp.asarray(batch), scale=scale)))
        made += [
            picture[: 1 + len(clip) // scale.hop]
            for picture, clip in zip(pictures, some, strict=False)
        ]
    return made


def utterances(
    sounds: Sounds, scale: MelScale, frames: int, speakers: tuple[str, ...] | None = None
) -> Utterances:
    """Recordings with texts, transcribed; those that are too long are left out, and counted.

    Args:
      sounds: with texts.
      scale: of the spectrograms.
      frames: a recording has so many at most.
      speakers: names by number; those of the data, in order of the alphabet, where None.

    Raises:
      UserError: a text that cannot be said, with the recording's name; all recordings are too long;
        a speaker who is not among `speakers`.
    """
    assert sounds.texts is not None
    kept = [i for i, clip in enumerate(sounds.clips) if 1 + len(clip) // scale.hop <= frames]
    if not kept:
        shortest = min(1 + len(clip) // scale.hop for clip in sounds.clips)
        raise UserError(
            f"--frames={frames} is less than the {shortest} frames of the shortest recording: "
            "allow more"
        )
    left_out = len(sounds) - len(kept)
    chosen = sounds.take(np.asarray(kept, np.int64)) if left_out else sounds
    assert chosen.texts is not None
    said = [
        phonemes.transcribe(text, what=f"the text of {name}")
        for name, text in zip(chosen.names, chosen.texts, strict=True)
    ]
    guessed = sorted({word for one in said for word in one.guessed})
    if guessed:
        some = ", ".join(guessed[:8]) + (", ..." if len(guessed) > 8 else "")
        processes.say(
            f"{len(guessed)} words are not in the CMU dictionary and are said by rules: {some}"
        )
    names = speakers or tuple(sorted(set(chosen.speakers or ("one voice",))))
    who = [0] * len(chosen)
    if chosen.speakers is not None:
        if unknown := sorted(set(chosen.speakers) - set(names)):
            raise UserError(
                f"{unknown[0]} speaks in {chosen.description['where']} and not in the data that is "
                f"trained on, where {', '.join(names)} speak: give recordings of the same speakers"
            )
        who = [names.index(name) for name in chosen.speakers]
    return Utterances(
        spectrograms(chosen.clips, scale),
        [one.ids() for one in said],
        np.asarray(who, np.int32),
        chosen.labels,
        chosen.texts,
        chosen,
        names,
        {
            **chosen.description,
            "speakers": list(names),
            "phonemes": "CMU dictionary with stress; letter-to-sound rules for other words",
            "guessed": guessed,
            "too_long": left_out,
        },
    )


def batches(
    source: Utterances, frames: int, symbols: int, *, goes_on: float = 0.0
) -> Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]]:
    """Utterances, as the `load` of `pipeline.make_batches`.

    Args:
      source: the recordings.
      frames, symbols: room in a row; every recording fits.
      goes_on: the chance that a row goes on with another recording of the same speaker, as far as
        there is room: so that words are learned among words.

    Returns:
      load(indices [b], seeds [b]) -> `mel` uint8 [b, frames, mels], 0 behind the end; `frames`
      int32 [b]; `phonemes` int32 [b, symbols], 0 behind the end; `speaker` int32 [b].
    """
    by_speaker = [np.flatnonzero(source.speaker == n) for n in range(len(source.speakers))]

    def load(indices: np.ndarray, seeds: np.ndarray) -> dict[str, np.ndarray]:
        count = len(indices)
        mel = np.zeros((count, frames, source.mels[0].shape[1]), np.uint8)
        length = np.zeros(count, np.int32)
        texts = []
        for row, (index, seed) in enumerate(zip(indices, seeds, strict=True)):
            random = np.random.default_rng(seed)
            others = by_speaker[source.speaker[index]]
            piece, text = source.mels[int(index)], source.symbols[int(index)]
            mel[row, : len(piece)], length[row] = piece, len(piece)
            while random.random() < goes_on:
                other = int(others[random.integers(len(others))])
                piece, more = source.mels[other], phonemes.joined(text, source.symbols[other])
                end = length[row] + len(piece)
                if end > frames or len(more) > symbols:
                    break
                mel[row, length[row] : end], length[row], text = piece, end, more
            texts.append(text)
        return {
            "mel": mel,
            "frames": length,
            "phonemes": phonemes.padded(texts, symbols),
            "speaker": source.speaker[indices],
        }

    return load
