"""Sounds from a trained generator: for the preview of a run, and on request."""

from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.data.audio import write_wav
from jaxgan.errors import UserError
from jaxgan.experiment import Networks, SampleRequest
from jaxgan.media import Exhibit, Grid
from jaxgan.ops.spectrogram import MelScale, picture_of
from jaxgan.recordings import Sound, joined, spectrogram_picture
from jaxgan.systems.sampling import draw_samples

# Sounds drawn at a time where there are many.
AT_ONCE = 64
_pictures = jax.jit(picture_of, static_argnums=1)


def draw_sounds(networks: Networks, seed: int, count: int, latent_size: int) -> np.ndarray:
    """`count` sounds of a trained generator of `[batch, length, 1]`: float32 [count, length]."""
    key, parts = jax.random.key(seed), []
    # Always as many at a time: another number would be compiled anew.
    size = min(count, AT_ONCE)
    for index in range(-(-count // size)):
        part = jax.random.fold_in(key, index)
        parts.append(
            np.asarray(draw_samples(networks, part, count=size, latent_size=latent_size))[..., 0]
        )
    return np.concatenate(parts)[:count]


def mel_pictures(sounds: np.ndarray, scale: MelScale) -> np.ndarray:
    """What `picture_of` makes of sounds float32 [n, length]: [n, frames, mels] in [-1, 1]."""
    size, parts = min(len(sounds), AT_ONCE), []
    for start in range(0, len(sounds), size):
        part = sounds[start : start + size]
        whole = np.zeros((size, sounds.shape[1]), np.float32)
        whole[: len(part)] = part
        parts.append(np.asarray(_pictures(jnp.asarray(whole), scale))[: len(part)])
    return np.concatenate(parts)


def sound_preview(
    latent_size: int,
    scale: MelScale,
    real: Callable[[], np.ndarray],
    *,
    rows: int = 3,
    columns: int = 8,
    heard: int = 4,
) -> Callable[[Networks], dict[str, Exhibit]]:
    """Makes the `preview` of an experiment that draws sounds: always of the same latents.

    Args:
      latent_size: dimensions of the latent.
      scale: of the spectrograms.
      real: opens the sounds that are trained on, float32 [n, length].
      rows: of spectrograms of fakes, below one of real sounds.
      columns: spectrograms to a row.
      heard: fakes that can be listened to, one after the other.
    """

    def preview(networks: Networks) -> dict[str, Exhibit]:
        known = real()
        chosen = np.random.default_rng(0).permutation(len(known))[:columns]
        fakes = draw_sounds(networks, 0, rows * columns, latent_size)
        shown = np.concatenate([known[chosen], fakes])
        first = len(chosen)
        values = mel_pictures(shown, scale)
        enlarge = max(1, 160 // max(values.shape[1:]))
        pictures = [spectrogram_picture(value, enlarge) for value in values]
        starts = range(first, len(pictures), columns)
        grid = Grid(
            [pictures[:first], *(pictures[i : i + columns] for i in starts)],
            labels=["real", *("fake" for _ in starts)],
        )
        return {"preview": grid, "sounds": Sound(joined(fakes[:heard], scale.rate), scale.rate)}

    return preview


def sound_file(latent_size: int, rate: int) -> Callable[[Networks, SampleRequest], Path]:
    """Makes the `sample` of an experiment that draws sounds.

    `--output` is a .wav, which gets all `count` sounds with pauses between them, or else a folder,
    which is made and gets a .wav for each. Their comments say that they are synthetic.
    """

    def sample(networks: Networks, request: SampleRequest) -> Path:
        output = request.output
        if output.suffix.lower() != ".wav" and (output.suffix or output.is_file()):
            raise UserError(f"--output={output}: give the name of a .wav, or of a folder")
        sounds = draw_sounds(networks, request.seed, request.count, latent_size)
        if output.suffix:
            return write_wav(output, joined(sounds, rate), rate)
        for number, sound in enumerate(sounds):
            write_wav(output / f"{number:06d}.wav", sound, rate)
        return output

    return sample
