"""Films: their frames one after the other, and as a source of pictures.

PyAV decodes them (https://pyav.basswood-io.com), which is FFmpeg in a wheel. It is not among the
dependencies; without it a film is refused in a line.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan import processes
from jaxgan.data.images import write_image
from jaxgan.data.pictures import ReadSource
from jaxgan.data.prepared import data_root
from jaxgan.errors import UserError

SUFFIXES = frozenset((".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".gif"))
# Where frames are kept, under the data directory.
FOLDER = "jaxgan-frames"
_ABOUT = "film.json"
NAMED_AT_MOST = 5
# To be raised when the frames of a film would come out otherwise than those that are kept.
_VERSION = 1


def library() -> Any:
    """PyAV. Raises UserError where it is not installed."""
    try:
        import av  # not at the top: most runs do without it
    except ImportError:
        raise UserError("films need PyAV: pip install -e '.[video]'") from None
    return av


@contextlib.contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[tuple[Any, Any]]:
    """A film's container and its stream of pictures, as PyAV gives them.

    Raises:
      UserError: no such file, no film, or nothing in it can be seen.
    """
    av = library()
    try:
        # A film that names others, as a playlist does, has nothing to fetch; and a path that begins
        # with / is no address.
        container = av.open(os.path.abspath(path), options={"protocol_whitelist": "file"})
    except (av.FFmpegError, OSError) as error:
        raise UserError(f"{path} is no film that can be read: {_words(error)}") from None
    with container:
        # The cover of a film is a stream of one picture.
        covers = av.stream.Disposition.attached_pic
        stream = next((s for s in container.streams.video if not s.disposition & covers), None)
        if stream is None:
            raise UserError(f"{path} is no film that can be read: there are no pictures in it")
        if stream.codec_context is None:
            raise UserError(f"{path} is no film that can be read: its codec is not known")
        stream.thread_type = "AUTO"
        yield container, stream


def decoded(
    path: str | os.PathLike[str],
    container: Any,
    stream: Any,
    *,
    beside: tuple[Any, ...] = (),
    faults: list[str] | None = None,
) -> Iterator[Any]:
    """The frames of a film, as PyAV gives them, in the order in which they are seen.

    Args:
      path: of the film, for messages.
      container: as `opened` gives it.
      stream: the same.
      beside: other streams of it, whose packets are given where they come.
      faults: what is damaged, in words, goes here and the rest is decoded; None refuses such films.

    Raises:
      UserError: there are no frames, or one cannot be decoded, or the film ends before its time.
    """
    av = library()
    count, end = 0, Fraction(0)

    def fault(what: str) -> None:
        if faults is None:
            raise UserError(
                f"{path} is damaged after {count} frames ({what}); mend it, or pass --skip_broken"
            )
        faults.append(f"after {count} frames: {what}")

    packets = container.demux(stream, *beside)
    while True:
        frames = []
        try:
            packet = next(packets, None)
            if packet is None:
                break
            if packet.stream is not stream:
                yield packet
                continue
            if packet.is_corrupt:
                fault("part of it is missing")
            frames = packet.decode()
        except (av.FFmpegError, OSError) as error:
            fault(_words(error))
        for frame in frames:
            count += 1
            if frame.pts is not None:
                length = frame.duration * frame.time_base or 1 / Fraction(stream.average_rate or 25)
                end = max(end, frame.pts * frame.time_base + length)
            yield frame
    if not count:
        raise UserError(f"{path} is no film that can be read: not one frame can be decoded")
    _check_length(stream, container, end, fault)


def frames(
    path: str | os.PathLike[str], *, faults: list[str] | None = None
) -> Iterator[np.ndarray]:
    """A film's frames as they are seen, one after the other: uint8 [height, width, 3], RGB.

    A film that a telephone has turned is turned back. Pixels that are not square stay as they are.

    Args and raises: as `decoded`, and UserError as `opened`.
    """
    with opened(path) as (container, stream):
        for frame in decoded(path, container, stream, faults=faults):
            yield upright(frame)


def upright(frame: Any) -> np.ndarray:
    """A frame of PyAV's as it is seen, uint8 [height, width, 3], RGB."""
    return np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))


def open_film(
    where: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    skip_broken: bool = False,
    memory_limit: int | None = None,
) -> ReadSource:
    """The frames of a film, in order, any of them at any time.

    A film stores what is new in a frame, so that one from the middle costs all those since the last
    whole one, and its frames fit no memory. They go, therefore, into a folder under the data
    directory once, as JPEGs of quality 95 (a minute of 1080p in about a gigabyte), which is found
    again by the film's name and contents.

    Args:
      where: the film's path.
      data_dir: as in `prepared.data_root`.
      skip_broken: take what can be decoded of a damaged film; `description['skipped']` says what
        was not.
      memory_limit: as `ReadSource` takes it.

    Raises:
      UserError: as `frames`, or the frames cannot be kept.
    """
    path = Path(where)
    if not path.is_file():
        raise UserError(
            f"--data: {where} is a folder; its pictures are given as folder:{where}"
            if path.is_dir()
            else f"--data: there is no film {where}"
        )
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
    except OSError as error:
        raise UserError(f"{where} cannot be read: {error.strerror or error}") from None
    digest.update(json.dumps([_VERSION, skip_broken]).encode())
    folder = data_root(data_dir) / FOLDER
    kept = folder / f"{path.stem}-{digest.hexdigest()[:16]}"
    try:
        if not kept.is_dir():
            _keep_frames(path, kept, skip_broken)
        about = json.loads((kept / _ABOUT).read_text())
    except OSError as error:
        raise UserError(
            f"the frames of {where} cannot be kept in {folder}: {error.strerror or error}; choose "
            "another place with --data_dir"
        ) from None
    source = ReadSource(
        [f"{path.name} #{i}" for i in range(about["count"])],
        lambda i: (kept / _name(i)).read_bytes(),
        {"kind": "video", "where": where},
        memory_limit=memory_limit,
    )
    source.description["skipped"] = about["skipped"]
    return source


def metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """What a film says about itself. Raises UserError as `opened`."""
    with opened(path) as (container, _):
        return dict(container.metadata)


def _keep_frames(path: Path, kept: Path, skip_broken: bool) -> None:
    """Decodes a film into a folder, which is there when it is complete; OSError, UserError."""
    library()  # nothing is made where it is not there
    kept.parent.mkdir(parents=True, exist_ok=True)
    unfinished = kept.with_name(f".{kept.name}.partial")
    # Of several processes one decodes, and the others wait and find what it made.
    with (kept.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if kept.is_dir():
            return
        shutil.rmtree(unfinished, ignore_errors=True)
        faults: list[str] | None = [] if skip_broken else None
        count = 0
        try:
            for frame in frames(path, faults=faults):
                if not count:
                    unfinished.mkdir()
                    processes.say(f"decodes {path}, once; its frames are kept in {kept}")
                write_image(unfinished / _name(count), frame)
                count += 1
            skipped = [f"{path.name} {fault}" for fault in (faults or ())[:NAMED_AT_MOST]]
            (unfinished / _ABOUT).write_text(json.dumps({"count": count, "skipped": skipped}))
            unfinished.replace(kept)
            if faults:
                processes.say(f"{path} is damaged {', '.join(faults[:NAMED_AT_MOST])}")
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise


def _name(index: int) -> str:
    return f"{index:08}.jpg"


def _check_length(stream: Any, container: Any, end: Fraction, fault: Any) -> None:
    """Calls `fault` if the last frame ends long before the film says that it does.

    A file whose end is missing often decodes without an error up to there.
    """
    stated = None
    if stream.duration:
        stated = stream.duration * stream.time_base
    elif "DURATION" in stream.metadata:  # Matroska's, as 00:01:02.500000000
        hours, minutes, seconds = stream.metadata["DURATION"].split(":")
        stated = 3600 * int(hours) + 60 * int(minutes) + Fraction(seconds)
    elif container.duration and len(container.streams) == 1:  # else it may be that of the sound
        stated = Fraction(container.duration, 1_000_000)
    # Containers round, and the length of a last frame is often made up.
    if stated is not None and stated - end > min(Fraction(1, 2), stated / 10):
        fault(f"it ends at {float(end):.1f} of {float(stated):.1f} seconds")


def _words(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(text.split()).lower() or type(error).__name__
