"""Sound files to float32 samples and back."""

import contextlib
import io
import math
import os
from pathlib import Path
from typing import IO

import numpy as np
import soundfile
from scipy.signal import resample_poly

from jaxgan.errors import UserError
from jaxgan.provenance import SYNTHETIC

# Read by their contents, but only files with these suffixes are looked for in a folder or a zip.
SUFFIXES = frozenset({".wav", ".flac", ".ogg"})

# libsndfile's errors, and what its reader lets escape on damaged files.
_DECODE_ERRORS = (soundfile.SoundFileError, OSError, ValueError, RuntimeError, TypeError)

AudioFile = str | os.PathLike[str] | bytes | IO[bytes]


def read_clip(
    path_or_file: AudioFile, rate: int | None = None, *, same_rate: bool = False
) -> np.ndarray:
    """Reads a sound as one channel.

    Channels are averaged; another rate is resampled with a polyphase filter, which is free of
    aliases (`scipy.signal.resample_poly`).

    Args:
      path_or_file: a file's path, its whole contents, or an opened one.
      rate: samples a second to have it at; as it is where None.
      same_rate: the file must have that rate.

    Returns:
      float32 [n] in [-1, 1], in memory of its own.

    Raises:
      UserError: the file is missing or cannot be decoded, is empty, holds what is no number, or has
        another rate than it must; the message names the path when one was given.
    """
    label = f"{os.fspath(path_or_file)} " if isinstance(path_or_file, str | os.PathLike) else ""
    source = io.BytesIO(path_or_file) if isinstance(path_or_file, bytes) else path_or_file
    try:
        samples, found = soundfile.read(source, dtype="float32", always_2d=True)
    except FileNotFoundError:
        raise UserError(f"{label}cannot be read: no such file") from None
    except _DECODE_ERRORS as error:
        if isinstance(source, str | os.PathLike) and not Path(source).exists():
            raise UserError(f"{label}cannot be read: no such file") from None
        raise UserError(f"{label}cannot be read: {_one_line(error)}") from error
    if not len(samples):
        raise UserError(f"{label}holds no samples")
    if not np.isfinite(samples).all():
        raise UserError(f"{label}holds samples that are no numbers")
    if same_rate and rate is not None and found != rate:
        raise UserError(
            f"{label}has {found} samples a second, and {rate} are needed: resample it, or give the "
            "rate that it has"
        )
    return resampled(samples.mean(axis=1), found, rate or found)


def resampled(samples: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """Samples float [n] at another rate: float32 [ceil(n * wanted / rate)], clipped to [-1, 1]."""
    if wanted != rate:
        shared = math.gcd(rate, wanted)
        samples = resample_poly(samples, wanted // shared, rate // shared)
    return np.clip(samples, -1.0, 1.0).astype(np.float32)


def write_wav(
    path: str | os.PathLike[str], samples: np.ndarray, rate: int, *, synthetic: bool = True
) -> Path:
    """Writes 16-bit WAV, whole or not at all.

    Args:
      path: where to, with the suffix .wav.
      samples: [n], any float dtype; what is beyond [-1, 1] is clipped, and what is no number
        becomes silence.
      rate: samples a second.
      synthetic: whether its comment says that nobody recorded this.

    Returns:
      The path.

    Raises:
      UserError: another suffix, or the place cannot be written to.
    """
    path = Path(path)
    if path.suffix.lower() != ".wav":
        raise UserError(f"{path}: sounds are written as .wav")
    values = np.asarray(samples, np.float64)
    if values.ndim != 1:
        raise ValueError(f"a sound is [n], not {values.shape}")
    values = np.clip(np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0), -1.0, 1.0)
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", rate, 1, "PCM_16", format="WAV") as file:
        if synthetic:
            file.comment = SYNTHETIC
        file.write(np.rint(values * 32767.0).astype(np.int16))
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(buffer.getvalue())
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
    return path


def _one_line(error: BaseException) -> str:
    # libsndfile names the object in memory first, which says nothing to a person.
    text = str(getattr(error, "error_string", "") or error)
    return " ".join(text.split()).rstrip(".") or type(error).__name__
