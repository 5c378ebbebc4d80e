"""How one checkpoint lies on the disk: the only file that imports orbax.

A checkpoint is a directory with two orbax items, `state` for the arrays and `position` for one JSON
record. Each carries a seal (seal.py), written just before orbax commits it: orbax notices a file
that is missing or cut, but reads an array with a flipped bit without a word.
"""

import copy
import json
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.sharding import SingleDeviceSharding

from jaxgan.seal import find_damage, write_seal

STATE = "state"
POSITION = "position"
RECORD = "record.json"
# Orbax has every device write its part of a replicated array, which XLA cuts out with a program for
# each shape: of smaller parts than this, that takes longer than writing them.
_SMALLEST_PART_BYTES = 2**20


def _hush() -> None:
    """Keeps the console clear of orbax: what goes wrong reaches the user as one UserError instead.

    Orbax narrates through absl's logger. When a write fails, it closes its event loop on the other
    writes, which then complain to asyncio's logger and, from tensorstore's threads, to Python.
    """
    logging.getLogger("absl").addFilter(lambda r: f"{os.sep}orbax{os.sep}" not in r.pathname)
    logging.getLogger("asyncio").addFilter(lambda r: "orbax-checkpoint-tmp" not in r.getMessage())
    shown = sys.unraisablehook

    def hook(unraisable: Any) -> None:
        if str(unraisable.exc_value) != "Event loop is closed":
            shown(unraisable)

    sys.unraisablehook = hook


_hush()


class Writer:
    """Writes checkpoints in the background; the directory of each appears when it is complete."""

    def __init__(self, directory: Path, kept: Callable[[list[int]], set[int | None]]):
        """Deletes what a killed process left half-written in `directory`.

        Args:
          directory: absolute, and there.
          kept: of the steps given, those whose checkpoints are not to be deleted.
        """
        handlers = ocp.handlers.DefaultCheckpointHandlerRegistry()
        # Made anew it would lose the types of random keys, which only orbax's own one stores; if
        # a version of orbax calls the attribute otherwise, no more is lost than time.
        arrays: Any = copy.copy(ocp.type_handlers.get_type_handler(jax.Array))
        arrays._min_slice_bytes_for_replica_parallel = _SMALLEST_PART_BYTES
        registry = ocp.type_handlers.create_type_handler_registry((jax.Array, arrays))
        # Weights are noise to a compressor: it costs seconds and saves some per cent.
        sealed = _SealedArrays(use_compression=False, type_handler_registry=registry)
        handlers.add(STATE, ocp.args.PyTreeSave, sealed)
        handlers.add(POSITION, ocp.args.JsonSave, _SealedRecord(RECORD))
        self._manager = ocp.CheckpointManager(
            directory,
            options=ocp.CheckpointManagerOptions(
                step_format_fixed_length=8,
                cleanup_tmp_directories=True,
                preservation_policy=_Keep(kept),
                # Made in the background, a directory that cannot be made leaves threads waiting
                # for it for minutes, and the process with them.
                async_options=ocp.options.AsyncOptions(create_directories_asynchronously=False),
            ),
            handler_registry=handlers,
        )

    def save(self, step: int, leaves: Mapping[str, jax.Array], record: Mapping[str, Any]) -> None:
        """Starts to write; `leaves` may be donated and `record` changed when this returns."""
        # Orbax refuses to store an array without elements; its shape is all there is to it.
        stored = {name: leaf for name, leaf in leaves.items() if leaf.size}
        items = ocp.args.Composite(
            **{
                STATE: ocp.args.PyTreeSave(stored),
                POSITION: ocp.args.JsonSave(json.loads(json.dumps(record))),
            }
        )
        self._manager.save(step, args=items, force=True)

    def wait(self) -> None:
        """Waits for the last save. Raises what went wrong with it."""
        self._manager.wait_until_finished()

    def close(self) -> None:
        """Waits, and ends the threads."""
        self._manager.close()


def find_broken(path: Path, *, arrays: bool = True) -> str | None:
    """What is not as it was written in the checkpoint at `path`, in a few words, or None.

    The record is always looked at; the arrays, which takes as long as reading them, if `arrays`.
    """
    return find_damage(path / POSITION) or (find_damage(path / STATE) if arrays else None)


def read_record(path: Path) -> dict[str, Any]:
    """The JSON record of the checkpoint at `path`; not checked against its seal."""
    return json.loads((path / POSITION / RECORD).read_text())


def read_arrays(path: Path, leaves: Mapping[str, Any]) -> list[jax.Array]:
    """Reads arrays of the checkpoint at `path`.

    Args:
      path: of the checkpoint.
      leaves: `jax.ShapeDtypeStruct` by name, as they were saved; some of them will do. One without
        a sharding is put on the first local device.

    Returns:
      The arrays in the order of `leaves`, on their shardings.
    """
    here = SingleDeviceSharding(jax.local_devices()[0])
    wanted = {
        name: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding or here)
        for name, leaf in leaves.items()
    }
    stored = {name: leaf for name, leaf in wanted.items() if leaf.size}
    arguments = ocp.args.PyTreeRestore(
        item=stored,
        restore_args=ocp.checkpoint_utils.construct_restore_args(stored),
        partial_restore=True,
    )
    with ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as reader:
        arrays = reader.restore(path / STATE, args=arguments)
    for name, leaf in wanted.items():
        if name not in stored:
            arrays[name] = jax.device_put(np.zeros(leaf.shape, leaf.dtype), leaf.sharding)
    return [arrays[name] for name in leaves]


class _Keep(ocp.checkpoint_managers.PreservationPolicy):
    """Keeps the steps that a function names: orbax's own policies read files that have no seal."""

    def __init__(self, kept: Callable[[list[int]], set[int | None]]):
        self._kept = kept

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any) -> list[bool]:
        steps = [info.step for info in checkpoints]
        kept = self._kept(steps)
        return [step in kept for step in steps]


class _SealedArrays(ocp.PyTreeCheckpointHandler):
    def finalize(self, directory: Any) -> None:
        super().finalize(directory)
        write_seal(Path(directory))


class _SealedRecord(ocp.JsonCheckpointHandler):
    def finalize(self, directory: Any) -> None:
        super().finalize(directory)
        write_seal(Path(directory))
