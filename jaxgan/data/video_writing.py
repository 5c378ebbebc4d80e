"""A film made of another one, frame by frame."""

import contextlib
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan import processes
from jaxgan.data import video
from jaxgan.errors import UserError

# What PyAV's wheel encodes and what the containers of these names hold.
_H264 = ("libx264", {"crf": "18"})
_CODECS = {
    ".mp4": _H264,
    ".mkv": _H264,
    ".webm": ("libvpx-vp9", {"crf": "24", "b": "0", "row-mt": "1"}),
}
SUFFIXES = frozenset(_CODECS)
# How the numbers of a colour are meant, in FFmpeg's: BT.709, and black is 16. Players take what
# does not say so for one thing or the other by its size.
_BT709, _LIMITED = 1, 1


def rewrite(
    path: str | os.PathLike[str],
    source: str | os.PathLike[str],
    change: Callable[[np.ndarray], np.ndarray],
    *,
    comment: str,
    skip_broken: bool = False,
) -> Path:
    """Writes a film whose frames are those of another one, changed; it is there when complete.

    Size, rate and the time of every frame stay, and so does the sound, which is copied and not
    encoded again; subtitles and what else there was are left out. H.264 halves colours in both
    directions, for which sides must be even: for an odd one its colours are kept whole, and not
    every player shows such films (.webm has no such trouble).

    Args:
      path: where to; its suffix is one of `SUFFIXES`.
      source: the other film, `video.SUFFIXES`.
      change: of a frame, uint8 [height, width, 3], to another one of its size.
      comment: goes into the metadata of the film.
      skip_broken: leave out frames that cannot be decoded.

    Raises:
      UserError: a suffix that is not known, no film, a damaged one without `skip_broken`, sound
        that does not go into a film of this kind, or the place cannot be written to.
    """
    path, source = Path(path), Path(source)
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"--output={path}: a film is written as {', '.join(sorted(SUFFIXES))}")
    if source.suffix.lower() not in video.SUFFIXES or source.is_dir():
        raise UserError(f"--input={source} is no film, and --output={path} is to be one")
    height, width = next(video.frames(source, faults=[])).shape[:2]
    faults: list[str] | None = [] if skip_broken else None
    partial = path.with_name(f"{path.stem}.partial{path.suffix}")
    av = video.library()
    try:
        with (
            video.opened(source) as (film, seen),
            av.open(os.path.abspath(partial), "w") as target,
        ):
            target.metadata["comment"] = comment
            pictures = _add_pictures(target, seen, height, width)
            sounds = {
                sound: _add_sound(target, sound, source, path) for sound in film.streams.audio
            }
            last = -1
            for part in video.decoded(source, film, seen, beside=tuple(sounds), faults=faults):
                if isinstance(part, av.Packet):
                    if part.dts is not None:  # None: the one that ends a stream
                        part.stream = sounds[part.stream]
                        target.mux(part)
                    continue
                made = av.VideoFrame.from_ndarray(
                    np.ascontiguousarray(change(video.upright(part))), format="rgb24"
                )
                made = made.reformat(format=pictures.pix_fmt, dst_colorspace=_BT709)
                # Encoders insist on times that grow; some films have none.
                last = max(last + 1, -1 if part.pts is None else part.pts)
                made.pts, made.duration, made.time_base = last, part.duration, seen.time_base
                target.mux(pictures.encode(made))
            target.mux(pictures.encode(None))
        partial.replace(path)
        if faults:
            processes.say(f"{source} is damaged {', '.join(faults[: video.NAMED_AT_MOST])}")
    except (av.FFmpegError, OSError) as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    return path


def _add_pictures(target: Any, like: Any, height: int, width: int) -> Any:
    """The stream of pictures to be encoded, of the rate of another one."""
    codec, options = _CODECS[Path(target.name).suffix.lower()]
    stream = target.add_stream(
        codec, rate=like.average_rate or like.guessed_rate or Fraction(25), options=options
    )
    stream.height, stream.width = height, width
    odd = height % 2 or width % 2
    stream.pix_fmt = "yuv444p" if odd and codec == "libx264" else "yuv420p"
    context = stream.codec_context
    context.time_base = like.time_base
    context.colorspace, context.color_range = _BT709, _LIMITED
    return stream


def _add_sound(target: Any, sound: Any, source: Path, path: Path) -> Any:
    """A stream of sound to be copied into."""
    codec = sound.codec_context and sound.codec_context.codec.canonical_name
    if codec not in target.supported_codecs:
        raise UserError(
            f"--output={path}: the sound of {source} ({codec or 'of an unknown codec'}) does not "
            f"go into {path.suffix}; write .mkv"
        )
    return target.add_stream_from_template(sound)


def write(path: str | os.PathLike[str], frames: np.ndarray, rate: float, *, comment: str) -> Path:
    """Writes a film without sound; it is there when it is complete.

    Args:
      path: where to; its suffix is one of `SUFFIXES`.
      frames: uint8 [frames, height, width, 3].
      rate: frames a second.
      comment: goes into the metadata of the film.

    Raises:
      UserError: a suffix that is not known, no PyAV, or the place cannot be written to.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"--output={path}: a film is written as {', '.join(sorted(SUFFIXES))}")
    av = video.library()
    partial = path.with_name(f"{path.stem}.partial{path.suffix}")
    codec, options = _CODECS[path.suffix.lower()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(os.path.abspath(partial), "w") as target:
            target.metadata["comment"] = comment
            fraction = Fraction(rate).limit_denominator(1000)
            stream = target.add_stream(codec, rate=fraction, options=options)
            stream.height, stream.width = frames.shape[1:3]
            odd = frames.shape[1] % 2 or frames.shape[2] % 2
            stream.pix_fmt = "yuv444p" if odd and codec == "libx264" else "yuv420p"
            context = stream.codec_context
            context.colorspace, context.color_range = _BT709, _LIMITED
            for picture in frames:
                made = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
                made = made.reformat(format=stream.pix_fmt, dst_colorspace=_BT709)
                target.mux(stream.encode(made))
            target.mux(stream.encode(None))
        partial.replace(path)
    except (av.FFmpegError, OSError) as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    return path
