"""From row numbers to batches on the devices: shuffled, seeded per row, prefetched, resumable.

An element in grain is a whole batch, or a stack of them for several steps of a tiny network, made
by one call of the caller's `load`: a row must not cost a Python call of its own. Every process
computes the same global row numbers and seeds and loads the rows of its own devices, so a batch
does not depend on how many processes or devices there are.
"""

import functools
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

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


class Stack(NamedTuple):
    """Batches that are handed out as one array: how many, and how many it has room for."""

    batches: int
    room: int


def row_seeds(seed: int, batch_number: int, batch_size: int) -> np.ndarray:
    """uint64 [batch_size]: a seed per row of the global batch, from the arguments alone."""
    return np.random.SeedSequence((seed, batch_number)).generate_state(batch_size, np.uint64)


def row_order(size: int, seed: int) -> Callable[[int, int], np.ndarray]:
    """The endless order in which examples are seen: every epoch is a permutation of its own.

    Args:
      size: how many examples there are.
      seed: of the order.

    Returns:
      A function of a place in the order and a number of rows that gives the indices of the rows
      from there on, int64 [rows]. It draws the epochs that it needs and no other, and keeps the
      last two: 16 bytes for each example.
    """

    @functools.lru_cache(maxsize=2)
    def permutation(epoch: int) -> np.ndarray:
        # The spawn key keeps this apart from the row seeds, which count batches.
        sequence = np.random.SeedSequence(seed, spawn_key=(epoch,))
        return np.random.default_rng(sequence).permutation(size)

    def rows(first: int, count: int) -> np.ndarray:
        epochs = range(first // size, (first + count - 1) // size + 1)
        parts = []
        for epoch in epochs:
            begin, end = (min(max(at - epoch * size, 0), size) for at in (first, first + count))
            parts.append(permutation(epoch)[begin:end])
        return np.concatenate(parts, dtype=np.int64)

    return rows


def local_rows(batch_size: int, mesh: Mesh) -> np.ndarray:
    """int64: the rows of the global batch that lie on this process's devices, ascending."""
    shards = parallel.batch_sharding(mesh).addressable_devices_indices_map((batch_size,))
    rows = np.arange(batch_size)
    return np.unique(np.concatenate([rows[index] for index in shards.values()]))


class _Workers:
    """The threads that load: grain neither names them nor waits for them when it is closed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._dismissed = False

    def enlist(self) -> bool:
        """Whether the thread that asks may still load."""
        with self._lock:
            if not self._dismissed:
                self._threads.add(threading.current_thread())
            return not self._dismissed

    def dismiss(self) -> None:
        """Lets no thread begin to load, and waits for those that have."""
        with self._lock:
            self._dismissed = True
        for thread in self._threads:
            thread.join()


class Batches(Iterator[dict[str, jax.Array]]):
    """Endless batches on the devices, two ahead of the caller, with a position that can be saved.

    Made by `make_batches`. The position counts the batches that were handed out, never those that
    a thread has already prepared, and setting it costs the same wherever it points.
    """

    def __init__(
        self,
        make: Callable[[int, Stack | None], dict[str, np.ndarray]],
        mesh: Mesh,
        identity: dict[str, int],
        threads: int,
    ):
        self._make = make
        self._mesh = mesh
        self._identity = identity
        self._threads = threads
        self._position = 0
        self._stacks: list[Stack] | None = None
        self._taken = 0
        self._open: grain.DatasetIterator | None = None
        self._workers = _Workers()
        self._closed = False

    def start(self, stacks: Iterable[Stack] | None = None) -> None:
        """Begins to load, from the position on, before the first batch is asked for.

        Args:
          stacks: what each call of `next` is to hand out, so that it can be prepared in time:
            arrays [room, batch_size, ...] of which the first `batches` are filled. None, which is
            also what a first `next` starts with: single batches without end.
        """
        if self._closed:
            raise ValueError("these batches are closed")
        self._stop()
        self._stacks = None if stacks is None else list(stacks)
        self._taken = 0
        self._open = iter(self._dataset(self._position, self._stacks))
        self._open.start_prefetch()

    def __next__(self) -> dict[str, jax.Array]:
        """The next batch, or stack of batches.

        Returns:
          What `load` returned, as global arrays [batch_size, ...] sharded over the mesh; see
          `start` for stacks.

        Raises:
          Whatever `load` raised on its thread, with its own type. The position stays, so the next
          call tries the same batch again.
        """
        if self._open is None:
            self.start()
        assert self._open is not None
        try:
            batch = next(self._open)
        except StopIteration:
            raise
        except Exception:
            # Grain would go on with the batch after the one that failed.
            self._open.set_state(self._open.get_state())
            raise
        self._position += 1 if self._stacks is None else self._stacks[self._taken].batches
        self._taken += 1
        return batch

    def get_state(self) -> dict[str, int]:
        """The position, as JSON can hold it; `next_index` numbers the batch that comes next."""
        return {"next_index": self._position, **self._identity}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continues from where `get_state` was taken, bit for bit, in single batches (`start`).

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
        self._stop()
        self._position = int(state["next_index"])

    def close(self) -> None:
        """No `load` runs from here on, nor still. Nothing but another `close` may follow."""
        self._stop()
        self._closed = True

    def _stop(self) -> None:
        if self._open is None:
            return
        self._open.close()
        # Let go of it now: grain's iterator complains when the interpreter ends before it does.
        self._open = None
        self._workers.dismiss()

    def _dataset(self, position: int, stacks: list[Stack] | None) -> grain.IterDataset:
        count = sys.maxsize if stacks is None else len(stacks)
        before = np.cumsum([0, *(stack.batches for stack in stacks or ())])

        def make(element: int) -> dict[str, np.ndarray]:
            if not workers.enlist():
                return {}  # Nobody takes it any more.
            if stacks is None:
                return self._make(position + element, None)
            return self._make(position + int(before[element]), stacks[element])

        stacked = stacks is not None
        workers = self._workers = _Workers()
        dataset = (
            grain.MapDataset.range(count)
            .map(make)
            # With one thread the device stage's own thread is enough: grain's zero means "on the
            # caller's".
            .to_iter_dataset(
                grain.ReadOptions(
                    num_threads=self._threads if self._threads > 1 else 0,
                    prefetch_buffer_size=self._threads,
                )
            )
            .map(lambda batch: parallel.global_batch(batch, self._mesh, stacked=stacked))
        )
        return grain.experimental.ThreadPrefetchIterDataset(dataset, prefetch_buffer_size=_AHEAD)


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
        [rows], for the rows of one batch (or stack of batches) that this process holds. Returns
        arrays [rows, ...]. They must be new ones: on a CPU the device arrays may be these very
        buffers. Whatever is random about a row comes from its seed.
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
    order = row_order(size, seed)

    def load_rows(number: int, count: int) -> dict[str, np.ndarray]:
        indices = order(number * batch_size, count * batch_size).reshape(count, batch_size)
        seeds = [row_seeds(seed, number + later, batch_size)[mine] for later in range(count)]
        return load(indices[:, mine].reshape(-1), np.concatenate(seeds))

    def make(number: int, stack: Stack | None) -> dict[str, np.ndarray]:
        if stack is None:
            return load_rows(number, 1)
        filled = {
            name: rows.reshape(stack.batches, len(mine), *rows.shape[1:])
            for name, rows in load_rows(number, stack.batches).items()
        }
        return _padded(filled, stack.room)

    identity = {"size": size, "batch_size": batch_size, "seed": seed}
    return Batches(make, mesh, identity, threads)


def _padded(stacked: dict[str, np.ndarray], room: int) -> dict[str, np.ndarray]:
    """Arrays [batches, ...] with zeros after them, [room, ...]."""
    padded = {}
    for name, rows in stacked.items():
        padded[name] = rows
        if len(rows) < room:
            padded[name] = np.zeros((room, *rows.shape[1:]), rows.dtype)
            padded[name][: len(rows)] = rows
    return padded
