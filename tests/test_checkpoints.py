"""Checkpoints: exact, asynchronous, on other devices, and safe from whatever happens to a disk."""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import struct

from jaxgan import parallel
from jaxgan.checkpoints import Checkpoints
from jaxgan.errors import UserError


@struct.dataclass
class Player:
    params: Any
    variables: Any
    opt_state: Any
    ema: Any


@struct.dataclass
class State:
    step: jax.Array
    key: jax.Array
    players: dict[str, Player]
    memory: Any


TX = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(optax.constant_schedule(1e-3)))


def create(seed, features=32):
    """A state of every kind of leaf; the values of each step differ."""

    def player(key, ema):
        kernel = jax.random.normal(key, (3, 3, 64, features))
        params = {"Conv_0": {"kernel": kernel, "bias": jnp.full((features,), -0.0)}}
        return Player(
            params=params,
            variables={"batch_stats": {}, "spectral": {"u": kernel[0, 0, 0].astype(jnp.bfloat16)}},
            opt_state=TX.init(params),
            ema=jax.tree.map(lambda x: x * 0.5, params) if ema else None,
        )

    key = jax.random.key(seed)
    generator, critic = jax.random.split(key)
    return State(
        step=jnp.asarray(seed, jnp.int32),
        key=key,
        players={"generator": player(generator, True), "critic": player(critic, False)},
        memory={"pool": jnp.zeros((0, 4)), "odd": jnp.array([jnp.nan, jnp.inf, 1e-45, -0.0])},
    )


def bits(tree):
    """The tree with each leaf as (dtype, shape, bytes): equality is bit by bit, NaN included."""

    def leaf_bits(leaf):
        name = str(leaf.dtype)
        if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            leaf = jax.random.key_data(leaf)
        return name, leaf.shape, np.asarray(leaf).tobytes()

    return jax.tree.map(leaf_bits, tree)


def mesh_of(count):
    return parallel.make_mesh(jax.devices()[:count])


def placed(state, count, fsdp=False):
    return jax.device_put(state, parallel.state_sharding(state, mesh_of(count), fsdp=fsdp))


def abstract(state, count=1, fsdp=False):
    sharding = parallel.state_sharding(state, mesh_of(count), fsdp=fsdp)
    return jax.tree.map(
        lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s), state, sharding
    )


@pytest.fixture(scope="module")
def states():
    make = jax.jit(create, static_argnames="features")
    return {step: make(step) for step in (100, 200, 300)}


@pytest.fixture(scope="module")
def saved(states, tmp_path_factory):
    """A directory with checkpoints of steps 100, 200 and 300; tests copy it."""
    directory = tmp_path_factory.mktemp("saved") / "checkpoints"
    with contextlib.closing(Checkpoints(directory)) as checkpoints:
        for step, state in states.items():
            checkpoints.save(step, state, {"data": {"next_index": step}})
    return directory


@pytest.fixture
def directory(saved, tmp_path):
    return Path(shutil.copytree(saved, tmp_path / "checkpoints"))


def contents(directory):
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


def test_every_kind_of_leaf_comes_back_bit_for_bit(states, tmp_path, capfd):
    position = {"data": {"next_index": 2**60}, "history": [0.1, None], "name": "é", "nan": None}
    with contextlib.closing(Checkpoints(tmp_path / "new" / "deep")) as checkpoints:
        assert checkpoints.latest_step() is None
        assert checkpoints.all_steps() == []
        checkpoints.save(7, states[100], position, {"eval/psnr": 20.0}, wait=True)
        assert checkpoints.all_steps() == [7]
        restored = checkpoints.restore(abstract(states[100]))
        assert checkpoints.read_position(7) == position
    assert restored.step == 7
    assert restored.skipped == []
    assert restored.position == position
    assert jax.tree.structure(restored.state) == jax.tree.structure(states[100])
    assert bits(restored.state) == bits(states[100])
    assert isinstance(restored.state.players["critic"].opt_state[1][0], optax.ScaleByAdamState)
    assert jax.random.bits(restored.state.key) == jax.random.bits(states[100].key)
    assert capfd.readouterr() == ("", "")


def test_only_large_arrays_are_cut_for_several_devices_to_write(tmp_path):
    """XLA compiles a program for each shape that is cut; a run has dozens of them."""
    compiled = []

    def listen(event, duration_secs, **about):
        if event == "/jax/core/compile/backend_compile_duration":
            compiled.append(about.get("fun_name"))

    jax.monitoring.register_event_duration_secs_listener(listen)
    found = []
    with contextlib.closing(Checkpoints(tmp_path)) as checkpoints:
        for step, rows in enumerate((77, 2**19), 1):
            state = placed({"kernel": np.ones((rows, 4), np.float32)}, 2)
            compiled.clear()
            checkpoints.save(step, state, {}, wait=True)
            found.append("jit(slice)" in compiled)
    assert found == [False, True]


@pytest.mark.parametrize(
    "before, after",
    [
        ((2, False), (1, False)),
        ((1, False), (2, False)),
        ((2, True), (1, False)),
        ((2, True), (2, False)),
        ((1, False), (2, True)),
    ],
)
def test_moves_between_devices_and_shardings(before, after, tmp_path):
    state = {
        "w": jnp.arange(2.0**19).reshape(512, 1024),
        "key": jax.random.key(3),
        "n": jnp.int32(5),
    }
    sharded = placed(state, *before)
    assert sharded["w"].sharding.is_fully_replicated == (not before[1])
    with contextlib.closing(Checkpoints(tmp_path)) as checkpoints:
        checkpoints.save(1, sharded, {})
        wanted = abstract(state, *after)
        restored = checkpoints.restore(wanted).state
    assert bits(restored) == bits(state)
    assert jax.tree.map(lambda x: x.sharding, restored) == jax.tree.map(
        lambda x: x.sharding, wanted
    )
    # Replicas that shared their memory with each other would be incremented twice.
    again = jax.jit(lambda s: {**s, "w": s["w"] + 1}, donate_argnums=0)(restored)
    for shard in again["w"].addressable_shards:
        np.testing.assert_array_equal(shard.data, np.asarray(state["w"])[shard.index] + 1)


def test_saved_values_are_those_at_the_save_though_the_buffers_are_donated(tmp_path):
    state = placed({"w": jnp.zeros((1024, 1024)), "small": jnp.zeros((5,))}, 2)
    overwrite = jax.jit(lambda s: jax.tree.map(lambda x: x + 1, s), donate_argnums=0)
    position = {"next": 0}
    with contextlib.closing(Checkpoints(tmp_path, keep=6)) as checkpoints:
        for step in range(6):
            before = state
            checkpoints.save(step, state, position)
            state = overwrite(state)
            assert before["w"].is_deleted()
            for _ in range(3):
                state = overwrite(state)
            position["next"] += 1
        wanted = abstract(state, 2)
        for step in range(6):
            restored = checkpoints.restore(wanted, step)
            assert restored.position == {"next": step}
            for leaf in jax.tree.leaves(restored.state):
                np.testing.assert_array_equal(leaf, np.full(leaf.shape, 4.0 * step))


def test_part_of_a_state(directory, states):
    checkpoints = Checkpoints(directory, read_only=True)
    part = {"players": {"generator": {"ema": states[300].players["generator"].ema}}}
    restored = checkpoints.restore(abstract(part), partial=True)
    assert bits(restored.state) == bits(part)
    with pytest.raises(UserError, match="in the checkpoint and not here"):
        checkpoints.restore(abstract(part))
    # Without shardings: the first device.
    bare = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), part)
    assert bits(checkpoints.restore(bare, partial=True).state) == bits(part)


def test_keeps_the_newest_and_the_best(tmp_path):
    state = {"w": jnp.ones(3)}
    scores = {1: 3.0, 2: 9.0, 3: float("nan"), 4: 5.0, 5: None, 6: 4.0, 7: float("inf")}
    for mode, best in (("max", 2), ("min", 1)):
        options = {"keep": 2, "best_metric": "psnr", "best_mode": mode}
        checkpoints = Checkpoints(tmp_path / mode, **options)
        for step, score in scores.items():
            checkpoints.save(step, state, {}, None if score is None else {"psnr": score})
            if step == 4:
                # What is best has to be known after a restart too.
                checkpoints.close()
                checkpoints = Checkpoints(tmp_path / mode, **options)
        checkpoints.close()
        assert checkpoints.all_steps() == [best, 6, 7]
        assert checkpoints.best_step() == best
        reader = Checkpoints(tmp_path / mode, read_only=True, **options)
        assert reader.best_step() == best
        assert Checkpoints(tmp_path / mode, read_only=True).best_step() is None


def test_saving_a_step_twice_keeps_the_first(tmp_path):
    with contextlib.closing(Checkpoints(tmp_path)) as checkpoints:
        checkpoints.save(5, {"w": jnp.zeros(3)}, {"n": 1})
        checkpoints.save(5, {"w": jnp.ones(3)}, {"n": 2})
        checkpoints.save(5, {"w": jnp.ones(3)}, {"n": 3}, wait=True)
    with contextlib.closing(Checkpoints(tmp_path)) as checkpoints:
        checkpoints.save(5, {"w": jnp.ones(3)}, {"n": 4}, wait=True)
        restored = checkpoints.restore({"w": jax.ShapeDtypeStruct((3,), jnp.float32)})
    assert restored.position == {"n": 1}
    np.testing.assert_array_equal(restored.state["w"], np.zeros(3))


def data_file(step_directory):
    """The largest file: the arrays."""
    files = (path for path in step_directory.rglob("*") if path.is_file())
    return max(files, key=lambda path: path.stat().st_size)


def cut_in_half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGE = {
    "arrays cut": lambda d: cut_in_half(data_file(d)),
    "arrays zeroed": lambda d: data_file(d).write_bytes(bytes(data_file(d).stat().st_size)),
    "one bit flipped": lambda d: flip(data_file(d)),
    "arrays missing": lambda d: data_file(d).unlink(),
    "metadata emptied": lambda d: (d / "state" / "_METADATA").write_bytes(b""),
    "manifest missing": lambda d: (d / "state" / "manifest.ocdbt").unlink(),
    "record emptied": lambda d: (d / "position" / "record.json").write_bytes(b""),
    "record missing": lambda d: (d / "position" / "record.json").unlink(),
    "seal emptied": lambda d: (d / "state" / "seal.json").write_bytes(b""),
    "seal of another kind": lambda d: (d / "state" / "seal.json").write_text("[1]"),
    "seal missing": lambda d: (d / "position" / "seal.json").unlink(),
    "state missing": lambda d: shutil.rmtree(d / "state"),
    "position missing": lambda d: shutil.rmtree(d / "position"),
    "everything missing": lambda d: [shutil.rmtree(d), d.mkdir()],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_broken_checkpoint_is_set_aside_and_the_one_before_used(damage, directory, states, capfd):
    DAMAGE[damage](directory / "00000300")
    broken = contents(directory / "00000300")
    with contextlib.closing(Checkpoints(directory)) as checkpoints:
        restored = checkpoints.restore(abstract(states[100]))
        assert restored.step == 200
        assert bits(restored.state) == bits(states[200])
        assert restored.position == {"data": {"next_index": 200}}
        (sentence,) = restored.skipped
        aside = directory / "broken-00000300"
        assert sentence.startswith("The checkpoint of step 300 is broken (")
        assert sentence.endswith(f" and was moved to {aside}; step 200 is used instead.")
        assert contents(aside) == broken
        assert checkpoints.all_steps() == [100, 200]
        # The run goes on, over the same step.
        checkpoints.save(300, states[300], {}, wait=True)
        assert bits(checkpoints.restore(abstract(states[100])).state) == bits(states[300])
        assert contents(aside) == broken
    assert capfd.readouterr() == ("", "")


def test_what_the_seal_does_not_cover_cannot_stop_a_run(directory, states):
    for name in ("_CHECKPOINT_METADATA", "state/commit_success.txt", "commit_success.txt"):
        (directory / "00000300" / name).unlink()
        (directory / "00000200" / name).write_bytes(b"")
    with contextlib.closing(Checkpoints(directory)) as checkpoints:
        restored = checkpoints.restore(abstract(states[100]))
        assert (restored.step, restored.skipped) == (300, [])
        checkpoints.save(400, states[100], {}, wait=True)
        assert checkpoints.all_steps() == [200, 300, 400]


def test_several_broken_and_a_name_that_is_taken(directory, states):
    (directory / "broken-00000300").mkdir()
    DAMAGE["arrays cut"](directory / "00000300")
    DAMAGE["record missing"](directory / "00000200")
    restored = Checkpoints(directory).restore(abstract(states[100]))
    assert restored.step == 100
    assert ["broken-00000300-2;" in restored.skipped[0], "step 200" in restored.skipped[1]] == [
        True,
        True,
    ]
    assert sorted(path.name for path in directory.iterdir()) == [
        "00000100",
        "broken-00000200",
        "broken-00000300",
        "broken-00000300-2",
    ]


def test_all_broken_moves_nothing(directory, states):
    for step in states:
        DAMAGE["arrays cut"](directory / f"{step:08d}")
    before = contents(directory)
    checkpoints = Checkpoints(directory)
    for _ in range(2):
        with pytest.raises(
            UserError, match=r"No checkpoint in .* can be read \(step 300: "
        ) as error:
            checkpoints.restore(abstract(states[100]))
        assert "\n" not in str(error.value)
        assert "bytes instead of" in str(error.value)
    assert contents(directory) == before


def test_reader_changes_nothing(directory, states, tmp_path):
    DAMAGE["arrays cut"](directory / "00000300")
    (directory / "00000400.orbax-checkpoint-tmp").mkdir()
    before = contents(directory)
    restored = Checkpoints(directory, read_only=True).restore(abstract(states[100]))
    assert restored.step == 200
    assert restored.skipped[0].endswith("; step 200 is used instead.")
    assert "moved" not in restored.skipped[0]
    assert contents(directory) == before
    assert (directory / "00000400.orbax-checkpoint-tmp").is_dir()
    with pytest.raises(UserError, match="There is no checkpoint in"):
        Checkpoints(tmp_path / "none", read_only=True).restore(abstract(states[100]))
    assert not (tmp_path / "none").exists()


def test_a_step_that_is_not_there(directory, states):
    checkpoints = Checkpoints(directory, read_only=True)
    for call in (lambda: checkpoints.restore({}, 150), lambda: checkpoints.read_position(150)):
        with pytest.raises(
            UserError, match=r"No checkpoint of step 150 in .*: there is 100, 200, 300"
        ):
            call()
    assert checkpoints.read_position(200) == {"data": {"next_index": 200}}
    DAMAGE["record emptied"](directory / "00000200")
    with pytest.raises(UserError, match=r"00000200 is broken: position/record\.json has 0 bytes"):
        checkpoints.read_position(200)


def test_another_model_is_named_by_its_first_leaf(directory, states):
    other = jax.eval_shape(lambda: create(0, features=16))
    DAMAGE["arrays cut"](directory / "00000300")
    before = contents(directory)
    checkpoints = Checkpoints(directory)
    name = r"players\.critic\.params\.Conv_0\."
    with pytest.raises(
        UserError,
        match=name + r"bias is \(32,\) float32 in the checkpoint and \(16,\) float32 here",
    ):
        checkpoints.restore(other)
    state = states[100]
    as_bfloat16 = jax.tree.map(
        lambda x: x.astype(jnp.bfloat16) if x.ndim == 4 else x, state.players["critic"]
    )
    with pytest.raises(
        UserError,
        match=name + r"kernel is \(3, 3, 64, 32\) float32 in .* and \(3, 3, 64, 32\) bfloat16 here",
    ):
        checkpoints.restore(
            abstract(state.replace(players={**state.players, "critic": as_bfloat16}))
        )
    more = state.replace(memory={**state.memory, "more": state.step})
    with pytest.raises(
        UserError, match=r"memory\.more is \(\) int32 here and not in the checkpoint"
    ):
        checkpoints.restore(abstract(more))
    fewer = state.replace(key=None)
    with pytest.raises(UserError, match=r"key is \(\) key<fry> in the checkpoint and not here"):
        checkpoints.restore(abstract(fewer))
    assert contents(directory) == before


def test_a_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file/checkpoints \(Not a directory\): change --run_dir"):
        Checkpoints(tmp_path / "file" / "checkpoints")
    with pytest.raises(ValueError, match="keep=0"):
        Checkpoints(tmp_path, keep=0)


CHILD = """
import sys
import jax, jax.numpy as jnp
from jaxgan.checkpoints import Checkpoints
from jaxgan.errors import UserError

def state(step):
    return {f"w{i}": jnp.full((256, 256), step * 10 + i, jnp.float32) for i in range(8)}
"""

KILLED = """
checkpoints = Checkpoints(sys.argv[1], keep=3)
first = (checkpoints.latest_step() or 0) + 1
for step in range(first, first + 10000):
    checkpoints.save(step, state(step), {"step": step})
    if step == first + 1:
        print("the first is on the disk", flush=True)
"""


def test_killed_with_9_while_saving(tmp_path):
    """Kills a process that does nothing but save, at random moments, over and over."""
    seed = random.randrange(2**32)
    moments = random.Random(seed)
    shape = jax.ShapeDtypeStruct((256, 256), jnp.float32)
    wanted = {f"w{i}": shape for i in range(8)}
    last = 0
    for _ in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", CHILD + KILLED, str(tmp_path)], stdout=subprocess.PIPE
        )
        with process:
            process.stdout.readline()
            time.sleep(moments.uniform(0, 0.15))
            process.send_signal(signal.SIGKILL)
        restored = Checkpoints(tmp_path, read_only=True).restore(wanted)
        assert restored.step > last, seed
        last = restored.step
        assert restored.skipped == [], seed
        assert restored.position == {"step": last}
        for i, leaf in enumerate(restored.state.values()):
            np.testing.assert_array_equal(leaf, np.full((256, 256), last * 10.0 + i))
    (tmp_path / "99999999.orbax-checkpoint-tmp" / "state").mkdir(parents=True)
    with contextlib.closing(Checkpoints(tmp_path, keep=3)) as checkpoints:
        checkpoints.save(last + 1, restored.state, {})
    assert len(checkpoints.all_steps()) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"{step:08d}" for step in checkpoints.all_steps()
    ]


FULL = """
import resource
checkpoints = Checkpoints(sys.argv[1])
checkpoints.save(1, state(1), {}, wait=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
try:
    checkpoints.save(2, state(2), {})
    if sys.argv[2] == "save":
        checkpoints.save(3, state(3), {})
    else:
        checkpoints.wait()
except UserError as error:
    print(error)
assert checkpoints.all_steps() == [1]
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
checkpoints.save(2, state(2), {})
checkpoints.close()
"""


@pytest.mark.parametrize("noticed_by", ["save", "wait"])
def test_full_disk(noticed_by, tmp_path):
    """No file may grow beyond 100 kB: one line says so; with room again, saving works again."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD + FULL, str(tmp_path), noticed_by],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout == (
        f"The checkpoint of step 2 cannot be written to {tmp_path} (File too large): make room, or "
        "choose another --run_dir; step 1 is intact.\n"
    )
    shape = jax.ShapeDtypeStruct((256, 256), jnp.float32)
    checkpoints = Checkpoints(tmp_path, read_only=True)
    for step in (1, 2):
        restored = checkpoints.restore({f"w{i}": shape for i in range(8)}, step)
        for i, leaf in enumerate(restored.state.values()):
            np.testing.assert_array_equal(leaf, np.full((256, 256), step * 10.0 + i))
    assert sorted(os.listdir(tmp_path)) == ["00000001", "00000002"]


def test_a_disk_that_is_too_small_is_noticed_before_writing(directory, states, monkeypatch):
    before = contents(directory)
    usage = shutil.disk_usage(directory)
    with contextlib.closing(Checkpoints(directory)) as checkpoints:
        # Weights, two moments and the average of 18432 + 32 float32 each, and some more.
        with pytest.raises(
            UserError,
            match=r"step 400 needs 0\.5 MB and only 0\.4 MB are free in .*; step 300 is intact\.$",
        ):
            monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=400_000))
            checkpoints.save(400, states[100], {})
        assert contents(directory) == before
        monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=600_000))
        checkpoints.save(400, states[100], {}, wait=True)
        assert checkpoints.latest_step() == 400


def test_a_record_is_plain_json(directory):
    record = json.loads((directory / "00000200" / "position" / "record.json").read_text())
    assert record["position"] == {"data": {"next_index": 200}}
    assert record["metrics"] == {}
    assert record["leaves"]["players.generator.opt_state.1.0.mu.Conv_0.bias"] == "(32,) float32"
