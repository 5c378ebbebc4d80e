"""Devices: one mesh with one axis, where the state and the batch lie on it.

Every step is one global-view `jit`: arrays are global, XLA places the collectives, and batch
statistics and penalties are therefore over the whole batch whatever the number of devices.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxgan.errors import UserError

AXIS = "data"
# Below this a leaf costs more in collectives than splitting it saves in memory.
FSDP_MIN_BYTES = 2**20


def make_mesh(devices: Sequence[jax.Device] | None = None) -> Mesh:
    """A 1-D mesh with the axis `data` over `devices` (default: all of them, of every process).

    Devices are ordered by process, so each process holds one contiguous block of a batch's rows.
    """
    # Mesh axes are Explicit by default elsewhere, where a sharded weight gradient is a type error.
    chosen = sorted(
        jax.devices() if devices is None else devices, key=lambda d: (d.process_index, d.id)
    )
    return Mesh(np.array(chosen), (AXIS,), axis_types=(AxisType.Auto,))


def state_sharding(abstract_state: Any, mesh: Mesh, *, fsdp: bool) -> Any:
    """Where each leaf of the state lies.

    Args:
      abstract_state: a pytree of arrays or `jax.ShapeDtypeStruct`.
      mesh: from `make_mesh`.
      fsdp: if true, a leaf of at least 1 MiB is split along its largest axis that the number of
        devices divides (the last of equals: output channels). Other leaves are replicated.

    Returns:
      A pytree of `NamedSharding` with the structure of `abstract_state`.
    """

    def spec(leaf: Any) -> PartitionSpec:
        if not fsdp or mesh.size == 1 or jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.extended):
            return PartitionSpec()
        if leaf.size * leaf.dtype.itemsize < FSDP_MIN_BYTES:
            return PartitionSpec()
        divisible = [axis for axis, size in enumerate(leaf.shape) if size % mesh.size == 0]
        if not divisible:
            return PartitionSpec()
        split = max(divisible, key=lambda axis: (leaf.shape[axis], axis))
        return PartitionSpec(*(AXIS if axis == split else None for axis in range(split + 1)))

    return jax.tree.map(lambda leaf: NamedSharding(mesh, spec(leaf)), abstract_state)


def batch_sharding(mesh: Mesh, *, stacked: bool = False) -> NamedSharding:
    """Rows of a batch over the devices; every other axis whole.

    `stacked`: of batches that lie in a stack `[batches, rows, ...]`.
    """
    return NamedSharding(mesh, PartitionSpec(None, AXIS) if stacked else PartitionSpec(AXIS))


def global_batch(
    batch: Mapping[str, np.ndarray], mesh: Mesh, *, stacked: bool = False
) -> dict[str, jax.Array]:
    """Puts this process's rows on its devices, as its part of the global batch.

    Args:
      batch: arrays `[local rows, ...]` of any dtype, equally many rows in every process. On a CPU
        the device arrays may alias them: never write into these buffers again.
      mesh: from `make_mesh`.
      stacked: the arrays are stacks of batches, `[batches, local rows, ...]`.

    Returns:
      Global arrays `[rows of all processes, ...]`, sharded by `batch_sharding`.
    """
    sharding = batch_sharding(mesh, stacked=stacked)
    return {
        name: jax.make_array_from_process_local_data(sharding, rows) for name, rows in batch.items()
    }


def check_batch_size(batch_size: int, mesh: Mesh) -> None:
    """Raises UserError if `batch_size` is not a positive multiple of the number of devices."""
    devices = mesh.size
    if batch_size > 0 and batch_size % devices == 0:
        return
    above = max(-(-batch_size // devices), 1) * devices
    below = above - devices
    nearest = f"{below} or {above}" if below > 0 else f"{above}"
    if devices == 1:
        raise UserError(f"--batch_size={batch_size} must be at least 1.")
    raise UserError(
        f"--batch_size={batch_size} cannot be shared equally by {devices} devices: use {nearest}."
    )
