"""What a run says while it runs: the console, metrics.jsonl and TensorBoard events.

Losses are fetched one interval late, when the device has long finished them, so that logging never
makes it wait for the host.
"""

import contextlib
import math
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import jax
import numpy as np

from jaxgan import health
from jaxgan.console import Console, duration
from jaxgan.errors import UserError
from jaxgan.metrics_log import EventFile, MetricsFile, read_rows

# A count of everything since the first step; the mean over an interval would say nothing.
COUNTERS = ("skipped",)


@dataclass
class Interval:
    """The steps between two console lines: what each call of `Telemetry.train` brought."""

    step: int = 0
    timed_steps: int = 0
    wait_seconds: float = 0.0
    finished: float | None = None
    metrics: list[Mapping[str, jax.Array]] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)


class Telemetry:
    """Writes and prints what happens in a run; use it as a context manager, or close() it.

    run_dir: gets metrics.jsonl and tensorboard/.
    total_steps, batch_size: for the time left and images per second; the batch is the global one.
    start_step: the step that the run resumes from, 0 for a new one. What metrics.jsonl and
        TensorBoard hold of later steps is dropped: those steps are about to happen again.
    log_every: steps to a console line.
    primary: False for every process but the first, which then writes and prints nothing.
    stream: where the console lines go, standard output if None.

    Raises UserError when run_dir cannot be written, at once or later (a full disk).
    """

    def __init__(
        self,
        run_dir: Path,
        *,
        total_steps: int,
        batch_size: int,
        start_step: int = 0,
        log_every: int,
        primary: bool = True,
        stream: TextIO | None = None,
    ):
        self.run_dir = Path(run_dir)
        self.total_steps, self.batch_size, self.log_every = total_steps, batch_size, log_every
        self.primary = primary
        self._current = Interval()
        self._pending: Interval | None = None
        self._clock: float | None = None
        self._first_step_done = 0.0
        self._training_seconds = 0.0
        self._paused_seconds = 0.0
        self._pause_start: float | None = None
        self._status = ""
        self._watch = health.Watch()
        self._open_files = contextlib.ExitStack()
        if primary:
            self._console = Console(sys.stdout if stream is None else stream)
            with self._writing(), contextlib.ExitStack() as opened:
                self.run_dir.mkdir(parents=True, exist_ok=True)
                self._rows = MetricsFile(self.run_dir / "metrics.jsonl", start_step)
                opened.callback(self._rows.close)
                self._recall()
                self._events = EventFile(self.run_dir / "tensorboard", start_step)
                opened.callback(self._events.close)
                self._open_files = opened.pop_all()

    def _recall(self) -> None:
        """What lasted before a run was interrupted goes on lasting, and is not said again."""
        for row in read_rows(self.run_dir / "metrics.jsonl"):
            means = {n: math.nan if v is None else v for n, v in row.items()}
            known = {n: means[f"train/{n}"] for n in health.METRICS if f"train/{n}" in means}
            if known:
                self._watch.note(known)

    def __enter__(self) -> "Telemetry":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def train(
        self,
        step: int,
        metrics: Mapping[str, jax.Array],
        *,
        steps: int = 1,
        wait_seconds: float = 0.0,
    ) -> None:
        """Notes training steps up to number `step`; call it after every dispatch.

        metrics: scalars named without a prefix, as 'critic_loss', or arrays whose first `steps`
            values are those of the steps; they may still be being computed.
        steps: how many they are. They must not go past a multiple of log_every.
        wait_seconds: how long the host waited for their batches.

        At every log_every-th step the means over the previous interval are written, of the values
        that are finite (null if none is); COUNTERS are written as they stood at its last step.
        """
        if not self.primary:
            return
        current = self._current
        current.step = step
        current.metrics.append(metrics)
        current.steps.append(steps)
        if self._clock is None:
            # The first step compiles and warms up: the clock starts when the device has done it.
            jax.block_until_ready(metrics)
            self._clock, self._first_step_done = self._time(), time.monotonic()
        else:
            current.timed_steps += steps
            current.wait_seconds += wait_seconds
        if step % self.log_every == 0:
            if self._pending is not None:
                self._write(self._pending)
            self._pending, self._current = current, Interval()
        pending = self._pending
        if pending is not None and pending.finished is None and is_ready(pending.metrics[-1]):
            pending.finished = self._time()
        self._console.bar(step, self.total_steps, self._status)

    def evaluation(self, step: int, metrics: Mapping[str, float]) -> None:
        """Writes and prints figures at once; a name without the prefix 'eval/' gets it."""
        if not self.primary:
            return
        row = {n if n.startswith("eval/") else f"eval/{n}": float(v) for n, v in metrics.items()}
        self._write_row(step, row)
        figures = "  ".join(f"{n.removeprefix('eval/')} {v:.4g}" for n, v in row.items())
        self._console.say(f"eval {step}/{self.total_steps}  {figures}")

    def picture(self, step: int, name: str, path: Path) -> None:
        """Shows a PNG, JPEG or GIF file in TensorBoard under `samples/name`."""
        if self.primary:
            with self._writing():
                self._events.picture(step, f"samples/{name}", path)

    def say(self, text: str) -> None:
        """Prints a line, above the live bar if there is one."""
        if self.primary:
            self._console.say(text)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """What happens inside (an evaluation, a checkpoint) does not count as training time."""
        if not self.primary or self._pause_start is not None:
            yield
            return
        held = self._current.metrics or (self._pending.metrics if self._pending else [])
        jax.block_until_ready(held[-1:])
        self._pause_start = time.monotonic()
        try:
            yield
        finally:
            self._paused_seconds += time.monotonic() - self._pause_start
            self._pause_start = None

    def flush(self) -> None:
        """Writes all that is held back, an interval cut short included; waits for the device.

        Call it before a checkpoint is saved: a run that is killed after it then misses no row.
        """
        if not self.primary:
            return
        for interval in (self._pending, self._current):
            if interval is not None and interval.metrics:
                self._write(interval)
        self._pending, self._current = None, Interval()
        with self._writing():
            self._events.flush()

    def close(self) -> None:
        """Flushes, and closes the files; a second call does nothing."""
        if not self.primary:
            return
        try:
            self.flush()
            self._console.close()
        finally:
            self.primary = False
            with self._writing():
                self._open_files.close()

    def _time(self) -> float:
        """Seconds of training: a clock that stands still while paused."""
        now = time.monotonic() if self._pause_start is None else self._pause_start
        return now - self._paused_seconds

    def _write(self, interval: Interval) -> None:
        assert self._clock is not None
        means = summarise(jax.device_get(interval.metrics), interval.steps)
        warnings = self._watch.note(means)
        means = {f"train/{n}": v for n, v in means.items()}
        finished = self._time() if interval.finished is None else interval.finished
        seconds = finished - self._clock
        self._clock = finished
        speed: dict[str, float] = {}
        if interval.timed_steps and seconds > 0:
            self._training_seconds += seconds
            speed = {
                "train/images_per_second": interval.timed_steps * self.batch_size / seconds,
                "train/ms_per_step": 1000 * seconds / interval.timed_steps,
                "train/wait_share": min(1.0, interval.wait_seconds / seconds),
            }
        self._write_row(interval.step, means | speed)
        self._status = self._describe(interval.step, means, speed)
        self._console.progress(interval.step, self.total_steps, self._status)
        for sentence in warnings:
            self._console.say(f"warning, step {interval.step}: {sentence}")

    def _write_row(self, step: int, values: Mapping[str, float]) -> None:
        with self._writing():
            written = self._rows.write(step, values)
            self._events.scalars(step, {n: v for n, v in written.items() if v is not None})

    def _describe(self, step: int, means: Mapping[str, float], speed: Mapping[str, float]) -> str:
        losses = [n for n in means if n.endswith("_loss")] or list(means)
        words = [f"{n.removeprefix('train/')} {means[n]:.4g}" for n in losses[:4]]
        words += health.in_words({n.removeprefix("train/"): v for n, v in means.items()})
        if means.get("train/skipped"):
            words.append(f"skipped {means['train/skipped']:g}")
        if not speed:
            return "  ".join(words)
        ms = speed["train/ms_per_step"]
        # Evaluations and checkpoints will take their share of the time left as they did so far.
        overhead = (time.monotonic() - self._first_step_done) / self._training_seconds
        left = (self.total_steps - step) * ms / 1000 * max(1.0, overhead)
        rate = f"{speed['train/images_per_second']:.4g} images/s  {ms:.4g} ms/step"
        wait = f"wait {speed['train/wait_share']:.0%}"
        return "  ".join([rate, wait, *words, f"{duration(left)} left"])

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            where = error.filename or self.run_dir
            reason = error.strerror or error
            raise UserError(
                f"cannot write to the run directory, {where}: {reason}; "
                "free it or choose another with --run_dir"
            ) from error


def is_ready(metrics: Mapping[str, Any]) -> bool:
    """Whether the device has computed all of these, asked without waiting."""
    arrays: list[Any] = [v for v in metrics.values() if isinstance(v, jax.Array)]
    return all(array.is_ready() for array in arrays)


def summarise(dispatches: list[Mapping[str, Any]], steps: list[int]) -> dict[str, float]:
    """The mean of each metric over the steps that have it and where it is finite, else NaN.

    Takes scalars, or arrays of which the first values are those of so many steps. COUNTERS keep
    their last value.
    """
    values: dict[str, list[float]] = {}
    for metrics, count in zip(dispatches, steps, strict=True):
        for name, value in metrics.items():
            values.setdefault(name, []).extend(float(v) for v in np.ravel(value)[:count])
    means = {}
    for name, series in values.items():
        finite = [v for v in series if math.isfinite(v)]
        if name in COUNTERS:
            means[name] = series[-1]
        else:
            means[name] = sum(finite) / len(finite) if finite else math.nan
    return means
