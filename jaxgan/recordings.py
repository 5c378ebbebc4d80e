"""What a person listens to, and spectrograms to look at."""

import functools
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from skimage.color import lab2rgb

from jaxgan.data.audio import write_wav
from jaxgan.errors import UserError

# The path of the colour map through CIELAB: lightness rises evenly, hue turns from violet through
# red to yellow, and the chroma is what the screen's colours allow in between.
_LIGHTNESS = (4.0, 96.0)
_HUES = (300.0, 460.0)
_CHROMA = 62.0


@dataclass(frozen=True, eq=False)
class Sound:
    """A sound and, if somebody is to have said it, what.

    Attributes:
      samples: [n], any float dtype, in [-1, 1]; what is beyond is clipped.
      rate: samples a second.
      text: what is said or heard; '' for nothing.
      synthetic: whether its file says that nobody recorded it.
    """

    samples: np.ndarray
    rate: int
    text: str = ""
    synthetic: bool = True

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes `path` + '.wav' and, with a text, `path` + '.txt'; returns the first.

        Raises:
          UserError: the place cannot be written to.
        """
        if self.text:
            beside = Path(f"{os.fspath(path)}.txt")
            partial = beside.with_name(f".{beside.name}.partial")
            try:
                beside.parent.mkdir(parents=True, exist_ok=True)
                partial.write_text(self.text + "\n", "utf-8")
                partial.replace(beside)
            except OSError as error:
                raise UserError(f"cannot write {beside}: {error.strerror or error}") from error
        target = f"{os.fspath(path)}.wav"
        return write_wav(target, self.samples, self.rate, synthetic=self.synthetic)


def joined(sounds: np.ndarray, rate: int, pause: float = 0.25) -> np.ndarray:
    """Sounds [n, length] one after the other, so many seconds of silence between them: [m]."""
    silence = np.zeros((len(sounds), round(pause * rate)), sounds.dtype)
    whole = np.concatenate([sounds, silence], axis=1).reshape(-1)
    return whole[: len(whole) - silence.shape[1]]


@functools.cache
def colour_map() -> np.ndarray:
    """256 colours from nearly black to nearly white, uint8 [256, 3].

    Equal steps of value are equal steps of CIELAB's lightness, so that no contour is seen where
    there is none, and in print or without colour vision the order stays.
    """
    steps = np.linspace(0.0, 1.0, 256)
    lightness = _LIGHTNESS[0] + steps * (_LIGHTNESS[1] - _LIGHTNESS[0])
    hue = np.deg2rad(_HUES[0] + steps * (_HUES[1] - _HUES[0]))
    direction = np.stack([np.cos(hue), np.sin(hue)], -1)
    # The ends are narrow in any gamut.
    chroma = _CHROMA * np.sin(np.pi * np.clip(steps, 0.02, 0.98)) ** 0.8
    colours = _in_gamut(lightness, direction, chroma)
    colours.flags.writeable = False
    return colours


def _in_gamut(lightness: np.ndarray, direction: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    """The colours, each with as much of its chroma as leaves its lightness alone."""
    colours = np.zeros((len(lightness), 3), np.uint8)
    found = np.zeros(len(lightness), bool)
    for share in np.linspace(1.0, 0.0, 41):
        plane = direction * (share * chroma)[:, None]
        rgb = lab2rgb(np.concatenate([lightness[:, None], plane], axis=1)[None])[0]
        # Colours that a screen has none of come out clipped, right at the edge.
        fits = ((rgb > 1e-6) & (rgb < 1 - 1e-6)).all(axis=1) | (share == 0.0)
        new = fits & ~found
        colours[new] = np.rint(255 * np.clip(rgb[new], 0.0, 1.0)).astype(np.uint8)
        found |= fits
    return colours


def spectrogram_picture(mel: np.ndarray, enlarge: int = 1) -> np.ndarray:
    """A spectrogram as a picture: time from left to right, low frequencies at the bottom.

    Args:
      mel: [frames, mels], any float dtype, in [-1, 1]; what is beyond is clipped.
      enlarge: pixels to a value, on either side.

    Returns:
      uint8 [mels * enlarge, frames * enlarge, 3].
    """
    values = np.nan_to_num(np.asarray(mel, np.float32), nan=-1.0, posinf=1.0, neginf=-1.0)
    levels = np.rint((np.clip(values, -1.0, 1.0) + 1.0) * 127.5).astype(np.uint8)
    picture = colour_map()[levels.T[::-1]]
    return picture.repeat(enlarge, axis=0).repeat(enlarge, axis=1)
