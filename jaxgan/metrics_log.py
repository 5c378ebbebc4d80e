"""Where figures are kept: metrics.jsonl and TensorBoard event files."""

import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import soundfile
from PIL import Image
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.proto.summary_pb2 import Summary

# A flush makes the disk write: not at every row of a run with short intervals.
FLUSH_SECONDS = 10.0


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a metrics.jsonl as written, but for lines that a killed run left torn."""
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict) and isinstance(row.get("step"), int):
                yield row


class MetricsFile:
    """Appends rows {"step": 100, "train/critic_loss": 0.69, ...}, one JSON object a line.

    Opening it drops the rows after `start_step`, or all if that is 0, so that a run which was
    killed and resumed holds each step once. Raises OSError.
    """

    def __init__(self, path: Path, start_step: int):
        self._start_step = start_step
        self._there: set[str] = set()
        if path.exists():
            rows = [r for r in read_rows(path) if start_step and r["step"] <= start_step]
            self._there = {name for r in rows if r["step"] == start_step for name in r}
            partial = path.with_name(f".{path.name}.partial")
            partial.write_text("".join(f"{json.dumps(r)}\n" for r in rows), encoding="utf-8")
            partial.replace(path)
        self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115  closed by close()

    def write(self, step: int, values: Mapping[str, float]) -> dict[str, float | None]:
        """Appends a row, null for what is not finite, and returns what it wrote.

        A figure of the step resumed from that the file holds already is not written twice.
        """
        known = self._there if step == self._start_step else ()
        row = {n: v if math.isfinite(v) else None for n, v in values.items() if n not in known}
        if row:
            self._file.write(f"{json.dumps({'step': step} | row, allow_nan=False)}\n")
            self._file.flush()
        return row

    def close(self) -> None:
        self._file.close()


class EventFile:
    """TensorBoard events, written in the caller's thread: a full disk is an error and not a hang.

    TensorBoard hides the events after `start_step` that an earlier start of the run left in
    `folder`, or all of them if that is 0. Raises OSError.
    """

    def __init__(self, folder: Path, start_step: int):
        folder.mkdir(parents=True, exist_ok=True)
        # The writer names its file by the second; two starts within one must not share a file.
        self._writer = EventsWriter(os.fspath(folder / "events"), f".{time.time_ns()}")
        self._flushed = time.monotonic()
        resumed = Event(step=start_step + 1 if start_step else 0, wall_time=time.time())
        resumed.session_log.status = SessionLog.START
        self._writer.write_event(resumed)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        self._add(step, [Summary.Value(tag=n, simple_value=v) for n, v in values.items()])

    def picture(self, step: int, name: str, path: Path) -> None:
        """Shows a picture, or plays a sound; other files are left to the report."""
        if path.suffix == ".wav":
            self._add(step, [Summary.Value(tag=name, audio=_audio(path))])
        if path.suffix not in (".png", ".jpg", ".gif"):
            return
        with Image.open(path) as picture:
            width, height = picture.size
        image = Summary.Image(
            width=width, height=height, colorspace=3, encoded_image_string=Path(path).read_bytes()
        )
        self._add(step, [Summary.Value(tag=name, image=image)])

    def _add(self, step: int, values: list) -> None:
        summary = Summary(value=values)
        self._writer.write_event(Event(step=step, wall_time=time.time(), summary=summary))
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        self._writer.flush()
        self._flushed = time.monotonic()

    def close(self) -> None:
        self._writer.close()


def _audio(path: Path) -> Summary.Audio:
    with soundfile.SoundFile(os.fspath(path)) as sound:
        return Summary.Audio(
            sample_rate=sound.samplerate,
            num_channels=sound.channels,
            length_frames=sound.frames,
            encoded_audio_string=path.read_bytes(),
            content_type="audio/wav",
        )
