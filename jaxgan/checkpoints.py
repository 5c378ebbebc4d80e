"""The checkpoints of a run: saved in the background, atomic, checked before they are believed.

A checkpoint is a directory `<step, eight digits>/`. The leaves of the state are stored under their
dotted names (`players.generator.params.Conv_0.kernel`), so that empty containers, `None` and named
tuples need no storage; beside them is one JSON record with the caller's position, the metrics, and
each leaf's shape and dtype.
"""

import contextlib
import dataclasses
import math
import os
import re
import shutil
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
from jax.experimental import multihost_utils

from jaxgan.checkpoint import Writer, find_broken, read_arrays, read_record
from jaxgan.errors import UserError
from jaxgan.leaves import describe, difference, named_leaves


@dataclasses.dataclass(frozen=True)
class Restored:
    """What `Checkpoints.restore` found.

    Attributes:
      step: the step of the checkpoint.
      state: a pytree like the abstract one, each leaf on the sharding asked for.
      position: the dictionary given to `save`.
      skipped: a sentence for each newer checkpoint that was broken (on process 0, else empty).
    """

    step: int
    state: Any
    position: dict[str, Any]
    skipped: list[str]


class Checkpoints:
    """The checkpoints of one run, in a directory that all processes see.

    With several processes, each of them calls every method that saves or restores.
    """

    def __init__(
        self,
        directory: Path,
        *,
        keep: int = 3,
        best_metric: str | None = None,
        best_mode: Literal["max", "min"] = "max",
        read_only: bool = False,
    ):
        """Opens `directory`, and makes it if there is none.

        Args:
          directory: of this run's checkpoints.
          keep: how many of the newest to keep, at least 1.
          best_metric: the metric whose best checkpoint is kept as well; NaN is never the best.
          best_mode: whether the largest or the smallest value is the best.
          read_only: make, move and delete nothing: a training run may be writing there.

        Raises:
          UserError: if the directory cannot be made or written.
        """
        if keep < 1:
            raise ValueError(f"keep={keep}: the newest checkpoint cannot be deleted")
        self._directory = Path(directory).absolute()
        self._keep = keep
        self._best_metric = best_metric
        self._sign = {"max": 1.0, "min": -1.0}[best_mode]
        self._read_only = read_only
        self._writer: Writer | None = None
        self._saving: int | None = None
        self._metrics: dict[int, dict[str, float]] = {}
        if not read_only:
            _make_writable(self._directory)

    def save(
        self,
        step: int,
        state: Any,
        position: Mapping[str, Any],
        metrics: Mapping[str, float] | None = None,
        *,
        wait: bool = False,
    ) -> None:
        """Saves in the background; the state may be donated as soon as this returns.

        A step that is saved already is left as it is. What is not kept any longer is deleted only
        after this checkpoint is complete.

        Args:
          step: the number of steps taken.
          state: a pytree of `jax.Array`.
          position: whatever else is needed to go on (data iterator, history); JSON-able.
          metrics: evaluation figures at this step.
          wait: return only when it is on the disk.

        Raises:
          UserError: if this checkpoint or the one before cannot be written (a full disk, say);
            the earlier ones are intact.
        """
        leaves = named_leaves(state)
        figures = {name: float(value) for name, value in (metrics or {}).items()}
        record = {
            "position": position,
            "metrics": figures,
            "leaves": {name: describe(leaf) for name, leaf in leaves.items()},
        }
        if step != self._saving:
            self.wait()
            if step not in self.all_steps():
                self._metrics[step] = figures
                self._check_space(step, leaves.values())
                with self._failure_of(step, background=False):
                    if self._writer is None:
                        self._writer = Writer(self._directory, self._kept)
                    self._writer.save(step, leaves, record)
                self._saving = step
        if wait:
            self.wait()

    def wait(self) -> None:
        """Returns when the last checkpoint is on the disk.

        Raises:
          UserError: if it cannot be written.
        """
        if self._writer is not None and self._saving is not None:
            with self._failure_of(self._saving, background=True):
                self._writer.wait()
            self._saving = None

    def close(self) -> None:
        """Waits, then ends the threads that write. Raises what `wait` raises."""
        try:
            self.wait()
        finally:
            self._close_writer()

    def all_steps(self) -> list[int]:
        """The steps of the checkpoints on the disk, ascending."""
        if not self._directory.is_dir():
            return []
        names = (path.name for path in self._directory.iterdir() if path.is_dir())
        return sorted(int(name) for name in names if re.fullmatch(r"\d{8,}", name))

    def latest_step(self) -> int | None:
        """The newest step on the disk, or None."""
        return max(self.all_steps(), default=None)

    def best_step(self) -> int | None:
        """The step with the best finite `best_metric`, newest of equals; None if none has it."""
        return self._best_of(self.all_steps())

    def read_position(self, step: int) -> dict[str, Any]:
        """The position saved at `step`, without the arrays. Raises UserError if it is broken."""
        path = self._existing(step)
        if damage := find_broken(path, arrays=False):
            raise UserError(f"The checkpoint {path} is broken: {damage}.")
        return read_record(path)["position"]

    def restore(
        self, abstract_state: Any, step: int | None = None, *, partial: bool = False
    ) -> Restored:
        """Reads the newest checkpoint whose files are what was saved.

        Newer ones that are broken are moved to `broken-<step>` beside it (unless `read_only`), once
        it is read: if none can be read, or the state differs, everything stays where it is.

        Args:
          abstract_state: a pytree of `jax.ShapeDtypeStruct` with shardings, on any devices; a leaf
            without a sharding is put on the first local device.
          step: take this checkpoint and no other.
          partial: `abstract_state` is a part of what was saved, e.g. `{'players': ...}`.

        Raises:
          UserError: if there is no checkpoint, none can be read, or a leaf's name, shape or dtype
            differs; the first that does is named.
        """
        self.wait()
        # The writer knows which steps there are, and one may be moved; all processes open it again.
        self._close_writer()
        chosen, broken = self._newest_whole(step)
        path = self._path(chosen)
        record = read_record(path)
        leaves = named_leaves(abstract_state)
        if different := difference(record["leaves"], leaves, partial):
            raise UserError(
                f"The checkpoint {path} is of another model: {different}. "
                "Use the flags it was trained with, or another --run_dir."
            )
        values = read_arrays(path, leaves)
        state = jax.tree.unflatten(jax.tree.structure(abstract_state), values)
        skipped = []
        for bad, damage in broken.items():
            moved = "" if self._read_only else f" and was moved to {self._move_aside(bad)}"
            skipped.append(
                f"The checkpoint of step {bad} is broken ({damage}){moved}; "
                f"step {chosen} is used instead."
            )
        if jax.process_count() > 1:
            multihost_utils.sync_global_devices("jaxgan: broken checkpoints are aside")
        return Restored(chosen, state, record["position"], skipped)

    def _path(self, step: int) -> Path:
        return self._directory / f"{step:08d}"

    def _existing(self, step: int) -> Path:
        steps = self.all_steps()
        if step not in steps:
            there = ", ".join(map(str, steps)) or "none"
            raise UserError(f"No checkpoint of step {step} in {self._directory}: there is {there}.")
        return self._path(step)

    def _newest_whole(self, step: int | None) -> tuple[int, dict[int, str]]:
        """The newest checkpoint that is whole, and what is wrong with those after it."""
        steps = self.all_steps() if step is None else [step]
        if not steps:
            raise UserError(f"There is no checkpoint in {self._directory}: check --run_dir.")
        if step is not None:
            self._existing(step)
        chosen, broken = -1, {}
        # One process decides, or they could disagree; hashing once is also enough.
        if jax.process_index() == 0:
            for candidate in reversed(steps):
                damage = find_broken(self._path(candidate))
                if damage is None:
                    chosen = candidate
                    break
                broken[candidate] = damage
        if jax.process_count() > 1:
            chosen = int(multihost_utils.broadcast_one_to_all(np.int32(chosen)))
        if chosen < 0:
            reasons = "; ".join(f"step {bad}: {damage}" for bad, damage in broken.items())
            raise UserError(
                f"No checkpoint in {self._directory} can be read ({reasons}): "
                "put a copy back, or start again with another --run_dir."
            )
        return chosen, broken

    def _move_aside(self, step: int) -> Path:
        aside = self._directory / f"broken-{step:08d}"
        again = 1
        while aside.exists():
            again += 1
            aside = self._directory / f"broken-{step:08d}-{again}"
        self._path(step).rename(aside)
        return aside

    def _kept(self, steps: list[int]) -> set[int | None]:
        return {*sorted(steps)[-self._keep :], self._best_of(steps)}

    def _best_of(self, steps: Sequence[int]) -> int | None:
        scored = []
        for step in steps:
            if step not in self._metrics:
                # What cannot be read is no reason to stop, but it is not the best either.
                with contextlib.suppress(OSError, ValueError, KeyError):
                    self._metrics[step] = read_record(self._path(step))["metrics"]
            value = self._metrics.get(step, {}).get(self._best_metric or "", math.nan)
            if math.isfinite(value):
                scored.append((self._sign * value, step))
        return max(scored)[1] if scored else None

    def _check_space(self, step: int, arrays: Iterable[jax.Array]) -> None:
        needed = sum(array.size * array.dtype.itemsize for array in arrays)
        free = shutil.disk_usage(self._directory).free
        if free < needed:
            raise UserError(
                f"The checkpoint of step {step} needs {needed / 1e6:.1f} MB and only "
                f"{free / 1e6:.1f} MB are free in {self._directory}: {self._way_out()}"
            )

    def _close_writer(self) -> None:
        if self._writer is not None:
            # After a failed save, close raises once more what has been reported.
            with contextlib.suppress(Exception):
                self._writer.close()
            self._writer = None
            self._saving = None

    @contextlib.contextmanager
    def _failure_of(self, step: int, *, background: bool) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            # Of the writes that orbax never began, Python would warn when the program ends.
            warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
            self._close_writer()
            if not (background or isinstance(error, OSError)):
                raise
            raise UserError(
                f"The checkpoint of step {step} cannot be written to {self._directory} "
                f"({_reason(error)}): {self._way_out()}"
            ) from error

    def _way_out(self) -> str:
        latest = self.latest_step()
        earlier = "there is no earlier one" if latest is None else f"step {latest} is intact"
        return f"make room, or choose another --run_dir; {earlier}."


def _make_writable(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        reason = "" if os.access(directory, os.W_OK | os.X_OK) else "no permission to write"
    except OSError as error:
        reason = _reason(error)
    if reason:
        raise UserError(f"No checkpoints can be saved in {directory} ({reason}): change --run_dir.")


def _reason(error: Exception) -> str:
    """Why a write failed, in a few words: the system's, also where tensorstore quotes its code."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if quoted := re.search(r"os_error_code='(\d+)'", str(error)):
        return os.strerror(int(quoted[1]))
    lines = str(error).splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:200]}"
