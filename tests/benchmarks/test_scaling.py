"""Collectives read from HLO, what they are for, and the limits of the model of step time."""

import json
import math

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from benchmarks import scaling, scaling_model
from benchmarks.collectives import (
    Array,
    arrays_in,
    count_collectives,
    find_collectives,
)
from jaxgan import parallel

HLO = """\
HloModule jit_step, is_scheduled=true

%sum (a: f32[], b: f32[]) -> f32[] {
  %a = f32[] parameter(0)
  %b = f32[] parameter(1)
  ROOT %c = f32[] add(%a, %b)
}

%inner (p: f32[8]) -> f32[8] {
  %p = f32[8]{0} parameter(0)
  ROOT %all-reduce.9 = f32[8]{0} all-reduce(%p), to_apply=%sum
}

%body (q: (s32[], f32[8])) -> (s32[], f32[8]) {
  %q = (s32[], f32[8]{0}) parameter(0)
  %i = s32[] get-tuple-element(%q), index=0
  %x = f32[8]{0} get-tuple-element(%q), index=1
  %y = f32[8]{0} call(%x), to_apply=%inner
  ROOT %t = (s32[], f32[8]{0}) tuple(%i, %y)
}

%condition (r: (s32[], f32[8])) -> pred[] {
  %limit = s32[]{:T(128)} constant(4)
  %r = (s32[], f32[8]{0}) parameter(0)
  %j = s32[] get-tuple-element(%r), index=0
  ROOT %lt = pred[]{:T(512)} compare(%j, %limit), direction=LT
}

%unused (u: f32[8]) -> f32[8] {
  %u = f32[8]{0} parameter(0)
  ROOT %all-reduce.8 = f32[8]{0} all-reduce(%u), to_apply=%sum
}

ENTRY %main (x: f32[4,3], w: (s32[], f32[8])) -> f32[] {
  %x = f32[4,3]{1,0:T(8,128)S(1)} parameter(0), metadata={op_name="all-reduce(x)"}
  %w = (s32[], f32[8]{0}) parameter(1)
  %z = bf16[5]{0} constant({1, 2, 3, 4, 5})
  %ar = (f32[4,3]{1,0:T(8,128)}, /*index=1*/bf16[5]{0}) all-reduce(%x, /*index=1*/%z), METADATA
  %ag-start = (f32[4,3]{1,0}, f32[8,3]{1,0}) all-gather-start(%x), dimensions={0}
  %ag-done = f32[8,3]{1,0} all-gather-done(%ag-start)
  %rs = f32[2,3]{1,0} reduce-scatter(%x), dimensions={0}, to_apply=%sum
  %cp-start = (f32[4,3]{1,0}, f32[4,3]{1,0}, u32[], u32[]) collective-permute-start(%x)
  %cp-done = f32[4,3]{1,0} collective-permute-done(%cp-start)
  %as = ((f32[8]{0}), f32[8]{0}, u32[]) async-start(%x), calls=%inner
  %ad = f32[8]{0} async-done(%as), calls=%inner
  %loop = (s32[], f32[8]{0}) while(%w), condition=%condition, body=%body LOOP
  ROOT %out = f32[] constant(0)
}
""".replace("METADATA", 'to_apply=%sum, metadata={op_name="jit(step)/add"}')


def test_kinds_pairs_tuples_and_loops_are_counted():
    text = HLO.replace("LOOP", "")
    # One of two arrays, one asynchronous, and one in each of four trips.
    assert count_collectives(text) == {
        "all-reduce": 1 + 1 + 4,
        "all-gather": 1,
        "reduce-scatter": 1,
        "collective-permute": 1,
    }
    found = find_collectives(text)
    totals = scaling.totals({collective.kind: [] for collective in found}, found)
    assert {kind: total["bytes"] for kind, total in totals.items()} == {
        "all-reduce": (48 + 10) + 32 + 4 * 32,
        "all-gather": 96,
        "reduce-scatter": 48,
        "collective-permute": 48,
    }
    written = HLO.replace("LOOP", ', backend_config={"known_trip_count":{"n":"7"}}')
    assert count_collectives(written)["all-reduce"] == 1 + 1 + 7
    unknown = HLO.replace("direction=LT", "direction=NE").replace("LOOP", "")
    assert count_collectives(unknown)["all-reduce"] == 3
    (first,) = [collective for collective in found if len(collective.arrays) == 2]
    assert first.arrays == (Array("f32", (4, 3)), Array("bf16", (5,)))
    assert first.source == "jit(step)/add"
    with pytest.raises(ValueError, match="no entry"):
        count_collectives("HloModule nothing")


def test_types_of_arrays():
    assert arrays_in("(f32[3,4]{1,0:T(8,128)S(1)}, /*index=5*/pred[], s4[3])") == (
        Array("f32", (3, 4)),
        Array("pred", ()),
        Array("s4", (3,)),
    )
    assert [array.bytes for array in arrays_in("c64[2] bf16[3] s4[3] pred[] f8e4m3fn[7]")] == [
        16, 6, 2, 1, 7,
    ]  # fmt: skip


def compiled(devices, rows=8):
    """A gradient over sharded rows, a loop of three trips, and a batch normalisation's sums."""
    mesh = parallel.make_mesh(jax.devices()[:devices])
    whole = NamedSharding(mesh, PartitionSpec())
    rows = jax.ShapeDtypeStruct((rows, 4), jnp.float32, sharding=parallel.batch_sharding(mesh))
    kernel = jax.ShapeDtypeStruct((4, 6), jnp.float32, sharding=whole)

    def step(kernel, rows):
        def descend(kernel, _):
            gradient = jax.grad(lambda k: jnp.square(jnp.tanh(rows @ k)).sum())(kernel)
            return kernel - gradient, None

        kernel, _ = jax.lax.scan(descend, kernel, None, length=3)
        with jax.named_scope("BatchNorm_0"):
            mean = jnp.tanh(rows @ kernel).mean(0)
        return kernel, mean

    return jax.jit(step, out_shardings=(whole, whole)).lower(kernel, rows).compile()


def test_a_compiled_step_of_two_devices():
    found = find_collectives(compiled(2).as_text())
    purposes = scaling.purposes(found, [(6, 4), (6,)])
    assert purposes["gradients"] == {"count": 3, "bytes": 3 * 96}
    assert purposes["statistics"] == {"count": 1, "bytes": 24}
    assert purposes["other"] == {"count": 0, "bytes": 0}
    assert count_collectives(compiled(1).as_text()) == {}


WORK = scaling_model.Work(16, "bfloat16", 1e9, 1e8, 1e7, 1e8, 2, 94)


def test_one_chip_sends_nothing():
    for machine in scaling_model.MACHINES:
        alone = scaling_model.times(WORK, 16, 1, machine)
        assert alone.gradients == alone.small == 0
        assert alone.step == alone.compute > 0
    assert scaling_model.ring_bytes(100.0, 1) == 0
    assert scaling_model.ring_bytes(100.0, 2) == 100
    assert scaling_model.ring_bytes(100.0, 10**9) == pytest.approx(200)


def test_levels_carry_what_those_below_have_left():
    slow = scaling_model.Level(math.inf, 10.0, 0.0)
    fast = scaling_model.Level(4, 1e9, 0.0)
    machine = scaling_model.Machine("two levels", 1.0, 1.0, (fast, slow))
    share = scaling_model.Share(1.0, 1.0, 1.0)
    seconds = scaling_model.bandwidth_seconds(400.0, 8, machine, share)
    # A quarter of the bytes each, between two groups.
    assert seconds == pytest.approx(100 / 10 + 1.5 * 400 / 1e9)
    torus = scaling_model.Level(64, 100.0, 1.0, 2, 64)
    machine = scaling_model.Machine("torus", 1.0, 1.0, (torus,))
    open_, closed = (scaling_model.bandwidth_seconds(1.0, n, machine, share) for n in (16, 64))
    assert open_ == pytest.approx(2 * 15 / 16 / 50)
    assert closed == pytest.approx(2 * 63 / 64 / 100)
    assert scaling_model.latency_seconds(16, machine) == 2 * 2 * 3
    assert scaling_model.latency_seconds(64, machine) == 2 * 2 * 4


def test_more_chips_are_never_slower_to_compute_and_never_send_less():
    for machine in scaling_model.MACHINES:
        strong = [
            scaling_model.times(WORK, 1024 / chips, chips, machine) for chips in scaling_model.CHIPS
        ]
        assert sorted((t.compute for t in strong), reverse=True) == [t.compute for t in strong]
        weak = [scaling_model.times(WORK, 16, chips, machine) for chips in scaling_model.CHIPS]
        assert all(t.compute == weak[0].compute for t in weak)
        assert sorted(t.small for t in weak) == [t.small for t in weak]


def test_work_is_read_from_the_counts_of_eight_chips():
    purposes = {
        "gradients": {"count": 2, "bytes": 90},
        "statistics": {"count": 5, "bytes": 8},
        "other": {"count": 1, "bytes": 2},
    }
    record = {
        "batch_size": 16,
        "dtype": "bfloat16",
        "looped": False,
        "purposes": purposes,
        "devices": 8,
    }
    record |= {"flops": 30.0, "hbm_bytes": 9.0, "argument_bytes": 3}
    label = f"{scaling_model.TOPOLOGY} bfloat16"
    work = scaling_model.work_of({label: record, f"{scaling_model.TOPOLOGY} float32": {}})
    assert work == scaling_model.Work(16, "bfloat16", 15.0, 1.5, 6.0, 100, 2, 6)
    assert scaling_model.work_of({"8 x cpu bfloat16": record}) is None
    assert scaling_model.work_of({label: {**record, "looped": True}}) is None


def test_the_document_has_the_tables_of_the_committed_counts():
    document = scaling.DOCUMENT.read_text()
    counts = json.loads(scaling.COUNTS.read_text())
    assert scaling.write_document(counts, document) == document
