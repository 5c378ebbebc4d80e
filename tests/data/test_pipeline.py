"""Batches: the same on any devices and processes, resumed in place, no thread left over."""

import json
import threading
import time

import jax
import numpy as np
import pytest

from jaxgan import parallel
from jaxgan.data import pipeline
from jaxgan.data.pipeline import Stack, make_batches, row_order, row_seeds
from jaxgan.errors import UserError


def load(indices, seeds):
    assert indices.dtype == np.int64 and seeds.dtype == np.uint64
    return {"index": indices.astype(np.int32), "seed": (seeds >> np.uint64(33)).astype(np.int32)}


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = set(threading.enumerate())
    yield
    left = [t.name for t in set(threading.enumerate()) - before if "batches" in t.name]
    assert left == []


@pytest.fixture
def open_batches():
    opened = []

    def start(loader=load, size=10, *, batch_size=4, seed=3, devices=2, threads=1):
        mesh = parallel.make_mesh(jax.devices()[:devices])
        options = {"batch_size": batch_size, "seed": seed, "mesh": mesh, "threads": threads}
        opened.append(make_batches(loader, size, **options))
        return opened[-1]

    yield start
    for batches in opened:
        batches.close()


def take(batches, count):
    return [jax.tree.map(np.asarray, next(batches)) for _ in range(count)]


def assert_same(left, right):
    assert len(left) == len(right)
    jax.tree.map(np.testing.assert_array_equal, left, right)


def test_batches_are_global_arrays_sharded_by_row(open_batches):
    batch = next(open_batches())
    assert set(batch) == {"index", "seed"}
    for array in batch.values():
        assert isinstance(array, jax.Array) and array.shape == (4,)
        assert array.sharding.spec == jax.sharding.PartitionSpec("data")
        assert [shard.data.shape for shard in array.addressable_shards] == [(2,), (2,)]


def test_one_and_two_devices_and_any_number_of_threads_see_the_same(open_batches):
    expected = take(open_batches(devices=1), 9)

    def uneven(indices, seeds):
        time.sleep(float(seeds[0] % np.uint64(4)) * 0.004)
        return load(indices, seeds)

    assert_same(take(open_batches(devices=2), 9), expected)
    assert_same(take(open_batches(uneven, threads=4), 9), expected)


def test_each_process_loads_its_rows_of_the_same_batch(open_batches, monkeypatch):
    expected = take(open_batches(batch_size=6, devices=1), 5)
    monkeypatch.setattr(parallel, "global_batch", lambda batch, mesh, stacked: batch)
    parts = []
    for rows in (np.arange(0, 3), np.arange(3, 6)):
        monkeypatch.setattr(pipeline, "local_rows", lambda size, mesh, rows=rows: rows)
        parts.append(take(open_batches(batch_size=6, devices=1), 5))
    joined = [
        jax.tree.map(lambda *halves: np.concatenate(halves), *halves)
        for halves in zip(*parts, strict=True)
    ]
    assert_same(joined, expected)


def test_local_rows_of_one_process_are_all_rows():
    for devices in (1, 2):
        mesh = parallel.make_mesh(jax.devices()[:devices])
        np.testing.assert_array_equal(pipeline.local_rows(6, mesh), np.arange(6))


def test_every_epoch_is_a_permutation_of_its_own(open_batches):
    indices = np.concatenate([b["index"] for b in take(open_batches(batch_size=4), 15)])
    epochs = indices.reshape(6, 10)
    np.testing.assert_array_equal(np.sort(epochs, axis=1), np.tile(np.arange(10), (6, 1)))
    assert len({tuple(epoch) for epoch in epochs}) == 6
    other = np.concatenate([b["index"] for b in take(open_batches(batch_size=4, seed=4), 15)])
    assert not np.array_equal(indices, other)


def test_fewer_examples_than_rows(open_batches):
    for batch in take(open_batches(size=1, batch_size=6), 2):
        np.testing.assert_array_equal(batch["index"], 0)
        assert len(set(batch["seed"])) == 6


def test_row_seeds_differ_by_row_batch_and_seed():
    seeds = [row_seeds(seed, batch, 32) for seed in range(4) for batch in range(50)]
    assert len(np.unique(seeds)) == 4 * 50 * 32
    np.testing.assert_array_equal(row_seeds(2, 7, 32), row_seeds(2, 7, 32))


def test_the_order_can_be_entered_anywhere():
    order = row_order(7, seed=5)
    whole = order(0, 50)
    assert whole.dtype == np.int64
    for first, count in ((0, 1), (6, 2), (3, 30), (14, 7), (48, 2)):
        np.testing.assert_array_equal(row_order(7, seed=5)(first, count), whole[first:][:count])
    np.testing.assert_array_equal(order(0, 50), whole)


@pytest.mark.parametrize("devices", [1, 2])
def test_stacks_hold_the_same_batches(open_batches, devices):
    expected = take(open_batches(), 11)
    batches = open_batches(devices=devices)
    batches.start(Stack(count, 4) for count in (4, 1, 3))
    place = 0
    for count in (4, 1, 3):
        stack = next(batches)
        for array in stack.values():
            assert array.shape == (4, 4)
            assert array.sharding.spec == jax.sharding.PartitionSpec(None, "data")
            np.testing.assert_array_equal(array[count:], 0)
        assert_same(
            [{name: np.asarray(array)[i] for name, array in stack.items()} for i in range(count)],
            expected[place : place + count],
        )
        place += count
        assert batches.get_state()["next_index"] == place
    with pytest.raises(StopIteration):
        next(batches)
    # A position inside a stack is a position like any other.
    batches.set_state({**batches.get_state(), "next_index": 6})
    assert_same(take(batches, 5), expected[6:])


def test_a_stack_is_loaded_by_one_call_and_two_are_ahead(open_batches):
    calls = []

    def counted(indices, seeds):
        calls.append(len(indices))
        return load(indices, seeds)

    batches = open_batches(counted)
    batches.start(Stack(3, 3) for _ in range(9))
    take(batches, 2)
    deadline = time.monotonic() + 10
    while len(calls) < 4 and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(0.05)
    # Two wait, and the thread may hold a third that it has no room for yet.
    assert set(calls) == {12} and len(calls) in (4, 5)


def test_loading_starts_before_the_first_batch_is_asked_for(open_batches):
    loaded = threading.Event()

    def noted(indices, seeds):
        loaded.set()
        return load(indices, seeds)

    open_batches(noted).start()
    assert loaded.wait(10)


@pytest.mark.parametrize("threads", [1, 3])
def test_a_stack_that_could_not_be_loaded_is_tried_again(open_batches, threads):
    expected = take(open_batches(), 6)
    broken = {"now": True}

    def failing(indices, seeds):
        batch = load(indices, seeds)
        if broken["now"] and expected[3]["seed"][0] in batch["seed"]:
            raise UserError("a.png cannot be read")
        return batch

    batches = open_batches(failing, threads=threads)
    batches.start(iter([Stack(2, 2), Stack(3, 3), Stack(1, 3)]))
    next(batches)
    for _ in range(2):
        with pytest.raises(UserError, match="cannot be read"):
            next(batches)
        assert batches.get_state()["next_index"] == 2
    broken["now"] = False
    np.testing.assert_array_equal(next(batches)["seed"], [b["seed"] for b in expected[2:5]])
    np.testing.assert_array_equal(next(batches)["seed"][0], expected[5]["seed"])


@pytest.mark.parametrize("threads", [1, 3])
def test_position_is_what_was_consumed_and_resumes_in_place(open_batches, threads):
    calls = []

    def counted(indices, seeds):
        calls.append(1)
        return load(indices, seeds)

    batches = open_batches(counted, threads=threads)
    take(batches, 5)
    deadline = time.monotonic() + 10
    while len(calls) < 7 and time.monotonic() < deadline:
        time.sleep(0.005)
    assert len(calls) >= 7  # the thread is ahead of the five that were handed out
    state = json.loads(json.dumps(batches.get_state()))
    assert state["next_index"] == 5
    expected = take(batches, 6)
    batches.set_state(state)
    assert batches.get_state() == state
    assert_same(take(batches, 6), expected)
    fresh = open_batches(threads=threads)
    fresh.set_state(state)
    assert_same(take(fresh, 6), expected)
    assert fresh.get_state()["next_index"] == 11


def test_resuming_replays_nothing(open_batches):
    calls = []

    def counted(indices, seeds):
        calls.append(1)
        return load(indices, seeds)

    batches = open_batches(counted)
    batches.set_state({**batches.get_state(), "next_index": 10**9})
    next(batches)
    assert batches.get_state()["next_index"] == 10**9 + 1
    assert len(calls) <= 5  # this one, two in the queue, one on its way


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [("size", 11, "number of examples"), ("batch_size", 8, "--batch_size"), ("seed", 1, "--seed")],
)
def test_a_position_in_another_order_is_refused(open_batches, name, value, words):
    batches = open_batches()
    state = {**batches.get_state(), name: value}
    with pytest.raises(UserError, match=rf"{words} was {value} .* is now"):
        batches.set_state(state)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("kind", [UserError, ZeroDivisionError])
def test_errors_of_the_thread_surface_with_their_type_and_place(open_batches, threads, kind):
    expected = take(open_batches(), 6)
    broken = {"now": True}

    def failing(indices, seeds):
        batch = load(indices, seeds)
        if broken["now"] and np.array_equal(batch["seed"], expected[3]["seed"]):
            raise kind("a.png cannot be read")
        return batch

    batches = open_batches(failing, threads=threads)
    assert_same(take(batches, 3), expected[:3])
    for _ in range(2):
        with pytest.raises(kind) as caught:
            next(batches)
        assert str(caught.value) == "a.png cannot be read"
        assert batches.get_state()["next_index"] == 3
    broken["now"] = False
    assert_same(take(batches, 3), expected[3:])


@pytest.mark.parametrize("threads", [1, 3])
def test_close_stops_the_threads(open_batches, threads):
    before = set(threading.enumerate())
    loading = set()

    def slow(indices, seeds):
        loading.add(threading.get_ident())
        time.sleep(0.02)
        loading.remove(threading.get_ident())
        return load(indices, seeds)

    batches = open_batches(slow, threads=threads)
    next(batches)
    started = set(threading.enumerate()) - before
    assert started
    batches.close()
    assert not loading
    batches.close()
    # One that never came to load may be on its way out still.
    for thread in started:
        thread.join(timeout=10)
        assert not thread.is_alive()
    assert not loading
    with pytest.raises(ValueError, match="closed"):
        next(batches)


def test_close_before_the_first_batch(open_batches):
    open_batches().close()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"size": 0}, "no examples"),
        ({"batch_size": 3}, "2 devices"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"seed": -1}, "seed=-1"),
        ({"seed": 2**32}, "seed=4294967296"),
    ],
)
def test_what_cannot_be_batched_is_refused(open_batches, options, words):
    with pytest.raises(UserError, match=words):
        open_batches(**options)
