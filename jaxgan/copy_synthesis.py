"""Copies of sounds, made from nothing but their mel spectrograms: figures, comparisons, files.

What a vocoder is judged by: the copy beside the recording, and beside the copy that Griffin-Lim
makes of the same spectrogram.
"""

import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxgan import processes
from jaxgan.data.audio import read_clip, write_wav
from jaxgan.data.sounds import Sounds
from jaxgan.errors import UserError
from jaxgan.experiment import Networks, SampleRequest
from jaxgan.media import Exhibit, Grid
from jaxgan.metrics.mel_distance import log_mel_l1, mel_cepstral_distortion
from jaxgan.metrics.stamp import Measured, Stamp
from jaxgan.ops.spectrogram import MelScale, log_mel, picture_of
from jaxgan.recordings import Sound, spectrogram_picture
from jaxgan.systems.vocoder import ITERATIONS, vocode, vocode_without

# Of the clips that are measured and heard: the figures are means over time anyway.
MOST_SECONDS = 4.0
SHOWN = 3


def chosen(
    sounds: Callable[[], Sounds], count: int, scale: MelScale
) -> Callable[[], tuple[np.ndarray, dict[str, Any]]]:
    """The held-out clips that figures are measured on.

    Args:
      sounds: opens them.
      count: how many, evenly spaced; all where there are fewer.
      scale: of the spectrograms; each clip has a whole number of frames.

    Returns:
      A function that gives, and remembers, float32 [count, n] (the beginnings of the clips, all as
      long as the shortest of them but at most `MOST_SECONDS`) and the data's description.
    """

    @functools.cache
    def open_clips() -> tuple[np.ndarray, dict[str, Any]]:
        held_out = sounds()
        rows = np.unique(np.linspace(0, len(held_out) - 1, min(count, len(held_out))).round())
        clips = [held_out.clips[int(row)] for row in rows]
        length = min(int(MOST_SECONDS * scale.rate), *(len(clip) for clip in clips))
        length -= length % scale.hop
        return np.stack([clip[:length] for clip in clips]), held_out.description

    return open_clips


def figures(
    held_out: Callable[[], tuple[np.ndarray, dict[str, Any]]], scale: MelScale
) -> Callable[[Networks], Measured]:
    """Makes the `evaluate` of a vocoder: how far its copies are from held-out recordings.

    Args:
      held_out: as `chosen` makes it.
      scale: of the spectrograms that are copied and compared.

    Returns:
      A function of the trained networks that gives `log_mel_l1` (nats) and
      `mel_cepstral_distortion` (decibels), each beside Griffin-Lim's from the same spectrograms
      (`_griffin_lim`).
    """

    def measure(copies: np.ndarray) -> dict[str, float]:
        real, fake = (
            np.asarray(_log_mel(jnp.asarray(sounds), scale)) for sounds in (held_out()[0], copies)
        )
        return {
            "log_mel_l1": log_mel_l1(real, fake),
            "mel_cepstral_distortion": mel_cepstral_distortion(real, fake),
        }

    @functools.cache
    def without() -> dict[str, float]:
        return measure(without_network(held_out()[0], scale))

    def evaluate(networks: Networks) -> Measured:
        clips, description = held_out()
        found = measure(copied(networks, clips, scale))
        both: dict[str, float] = {}
        for name, value in found.items():
            both |= {name: value, f"{name}_griffin_lim": without()[name]}
        words = {
            "log_mel_l1": "mean distance of log mel spectrograms in nats",
            "mel_cepstral_distortion": "mel-cepstral distortion in dB",
        }
        about = (
            f"copy-synthesis, {scale.mels} bands up to {scale.high:g} Hz, frames of {scale.fft} "
            f"every {scale.hop} at {scale.rate} Hz, beside Griffin-Lim's ({ITERATIONS} iterations)"
        )
        count = len(clips)
        return Measured(
            both,
            {name: Stamp(f"{words[name]}; {about}", count, count, description) for name in found},
        )

    return evaluate


def comparison(
    held_out: Callable[[], tuple[np.ndarray, dict[str, Any]]], scale: MelScale
) -> Callable[[Networks], dict[str, Exhibit]]:
    """Makes the `preview` of a vocoder: recordings, Griffin-Lim's copies and its own, beside each
    other as spectrograms; and the first of each to listen to.

    Args:
      held_out: as `chosen` makes it.
      scale: of the spectrograms.
    """

    def look(sounds: np.ndarray) -> np.ndarray:
        return np.asarray(_picture_of(jnp.asarray(sounds), scale))

    def preview(networks: Networks) -> dict[str, Exhibit]:
        clips = held_out()[0][:SHOWN]
        columns = {
            "real": clips,
            "Griffin-Lim": without_network(clips, scale),
            "HiFi-GAN": copied(networks, clips, scale),
        }
        rows = [
            [spectrogram_picture(picture) for picture in pictures]
            for pictures in zip(*map(look, columns.values()), strict=True)
        ]
        heard = {
            name.lower().replace("-", "_"): Sound(column[0], scale.rate, synthetic=name != "real")
            for name, column in columns.items()
        }
        return {"preview": Grid(rows, tuple(columns)), **heard}

    return preview


def copy_file(scale: MelScale) -> Callable[[Networks, SampleRequest], Path]:
    """Makes the `sample` of a vocoder: copies a clip of any length from one file into another.

    It says how many times faster than real time the network was, and Griffin-Lim from the same
    spectrogram, both without their compilation.
    """

    def sample(networks: Networks, request: SampleRequest) -> Path:
        if request.input is None:
            raise UserError("--mode=sample needs --input=CLIP, the sound to copy")
        clip = read_clip(request.input, scale.rate)
        if len(clip) < scale.fft:
            raise UserError(
                f"--input={request.input} has {len(clip)} samples at {scale.rate} Hz, and a frame "
                f"of the spectrogram has {scale.fft}: give a longer clip"
            )
        padded = np.pad(clip, (0, -len(clip) % scale.hop))[None]
        copy = copied(networks, padded, scale)[0, : len(clip)]
        length = len(clip) / scale.rate
        network = seconds_to_copy(functools.partial(vocode, networks["generator"]), padded, scale)
        without = seconds_to_copy(_without_network(scale), padded, scale)
        processes.say(
            f"{length:.2f} s of sound on {jax.devices()[0].device_kind}: in {network:.2f} s by the "
            f"network, {length / network:.1f} times real time; in {without:.2f} s by Griffin-Lim, "
            f"{length / without:.1f} times"
        )
        return write_wav(request.output, copy, scale.rate)

    return sample


def copied(networks: Networks, clips: np.ndarray, scale: MelScale) -> np.ndarray:
    """A trained vocoder's copies of clips float32 [count, n], n a multiple of the hop."""
    return np.asarray(vocode(networks["generator"], _log_mel(jnp.asarray(clips), scale)))


def without_network(clips: np.ndarray, scale: MelScale) -> np.ndarray:
    """Griffin-Lim's copies of clips float32 [count, n], always from the same phases."""
    return np.asarray(_without_network(scale)(_log_mel(jnp.asarray(clips), scale)))


def _without_network(scale: MelScale) -> Callable[[Array], Array]:
    return lambda mel: vocode_without(mel, scale, jax.random.key(0))


def seconds_to_copy(sound_of: Callable[[Array], Array], clip: np.ndarray, scale: MelScale) -> float:
    """The seconds that `sound_of` takes from the log-mel spectrogram of a clip [1, n] to its sound.

    The best of three after one that may compile.
    """
    mel = _log_mel(jnp.asarray(clip), scale)
    jax.block_until_ready(sound_of(mel))
    taken = []
    for _ in range(3):
        start = time.perf_counter()
        jax.block_until_ready(sound_of(mel))
        taken.append(time.perf_counter() - start)
    return min(taken)


_picture_of = jax.jit(picture_of, static_argnames="scale")
_log_mel = jax.jit(log_mel, static_argnames="scale")
