"""From row numbers to batches on the devices: shuffled, seeded per row, prefetched, resumable.

Only row numbers travel through grain; one call of the caller's `load` makes a batch of them. Every
process computes the same global row numbers and seeds and loads the rows of its own devices, so a
batch does not depend on how many processes or devices there are.
"""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import grain
import jax
import numpy as np
from jax.sharding import Mesh

from jaxgan import parallel
from jaxgan.errors import UserError

Load = Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]]

# Enough to hide a slow batch behind a step; more would only hold device memory.
_AHEAD = 2
_WORDS = {"size": "the number of examples", "batch_size": "--batch_size", "seed": "--seed"}


def row_seeds(seed: int, batch_number: int, batch_size: int) -> np.ndarray:
    """uint64 [batch_size]: a seed per row of the global batch, from the arguments alone."""
    return np.random.SeedSequence((seed, batch_number)).generate_state(batch_size, np.uint64)


def local_rows(batch_size: int, mesh: Mesh) -> np.ndarray:
    """int64: the rows of the global batch that lie on this process's devices, ascending."""
    shards = parallel.batch_sharding(mesh).addressable_devices_indices_map((batch_size,))
    rows = np.arange(batch_size)
    return np.unique(np.concatenate([rows[index] for index in shards.values()]))


class Batches(Iterator[dict[str, jax.Array]]):
    """Endless batches on the devices, two ahead of the caller, with a position that can be saved.

    Made by `make_batches`. The position counts the batches that were handed out, never those that
    a thread has already prepared, and setting it costs the same wherever it points.
    """

    def __init__(self, dataset: grain.IterDataset, identity: dict[str, int], workers: set):
        self._open: grain.DatasetIterator | None = iter(dataset)
        self._identity = identity
        self._workers = workers

    def __next__(self) -> dict[str, jax.Array]:
        """The next batch.

        Returns:
          What `load` returned, as global arrays [batch_size, ...] sharded over the mesh.

        Raises:
          Whatever `load` raised on its thread, with its own type. The position stays, so the next
          call tries the same batch again.
        """
        batches = self._batches()
        try:
            return next(batches)
        except Exception:
            # Grain would go on with the batch after the one that failed.
            batches.set_state(batches.get_state())
            raise

    def get_state(self) -> dict[str, int]:
        """The position, as JSON can hold it; `next_index` numbers the batch that comes next."""
        return {"next_index": int(self._batches().get_state()["next_index"]), **self._identity}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continues from where `get_state` was taken, bit for bit.

        Raises:
          UserError: the position was taken with another data size, batch size or seed, whose order
            of rows is another.
        """
        for name, ours in self._identity.items():
            theirs = state.get(name, ours)
            if theirs != ours:
                raise UserError(
                    f"cannot continue in the data: {_WORDS[name]} was {theirs} when this run was "
                    f"saved and is now {ours}; put it back, or start afresh with another --run_dir"
                )
        self._batches().set_state({"next_index": int(state["next_index"])})

    def close(self) -> None:
        """Stops the threads and waits for them. Nothing but another `close` may follow."""
        if self._open is None:
            return
        self._open.close()
        # Let go of it now: grain's iterator complains when the interpreter ends before it does.
        self._open = None
        for worker in list(self._workers):
            worker.join()
        self._workers.clear()

    def _batches(self) -> grain.DatasetIterator:
        if self._open is None:
            raise ValueError("these batches are closed")
        return self._open


def make_batches(
    load: Load,
    size: int,
    *,
    batch_size: int,
    seed: int,
    mesh: Mesh,
    threads: int = 1,
) -> Batches:
    """Endless shuffled batches of `size` examples, each epoch in an order of its own.

    Args:
      load: called on a thread as `load(indices, seeds)`, int64 [rows] in [0, size) and uint64
        [rows], for the rows of one batch that this process holds. Returns arrays [rows, ...]. They
        must be new ones: on a CPU the device arrays may be these very buffers. Whatever is random
        about a row comes from its seed.
      size: how many examples there are. Batches run across the ends of epochs, so it may be less
        than `batch_size`.
      batch_size: rows of the global batch, a multiple of the number of devices.
      seed: of the order and of the row seeds, in [0, 2**32).
      mesh: from `parallel.make_mesh`.
      threads: how many batches may be loaded at the same time. The order does not depend on it.

    Raises:
      UserError: no examples, a batch size that does not divide by the number of devices, or a seed
        out of range.
    """
    if size < 1:
        raise UserError("there are no examples to train on")
    if not 0 <= seed < 2**32:
        raise UserError(f"--seed={seed} is out of range: take one from 0 to 4294967295")
    parallel.check_batch_size(batch_size, mesh)
    mine = local_rows(batch_size, mesh)
    workers: set[threading.Thread] = set()

    def load_batch(number: int, indices: np.ndarray) -> dict[str, np.ndarray]:
        workers.add(threading.current_thread())
        return load(np.asarray(indices, np.int64)[mine], row_seeds(seed, number, batch_size)[mine])

    dataset = (
        grain.MapDataset.range(size)
        .seed(seed)
        .shuffle()
        .repeat(None)
        .batch(batch_size)
        .map_with_index(load_batch)
        # With one thread the device stage's own thread is enough: grain's zero means "on the
        # caller's".
        .to_iter_dataset(
            grain.ReadOptions(
                num_threads=threads if threads > 1 else 0, prefetch_buffer_size=threads
            )
        )
        .map(lambda batch: parallel.global_batch(batch, mesh))
    )
    ahead = grain.experimental.ThreadPrefetchIterDataset(dataset, prefetch_buffer_size=_AHEAD)
    return Batches(ahead, {"size": size, "batch_size": batch_size, "seed": seed}, workers)
