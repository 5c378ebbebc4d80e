"""Convolutions by oneDNN: where jaxlib carries it, against lax, and only where it may be used."""

import json

import jax
import jax.numpy as jnp
import pytest
from orders import check_orders, lax_conv, lax_conv_transpose, note_calls

from jaxgan import compilation_cache, flops, main, parallel
from jaxgan.ops import lowering, onednn
from jaxgan.ops.conv import conv, conv_transpose
from jaxgan.ops.geometry import Geometry

carried = pytest.mark.skipif(not onednn._carried(), reason="this jaxlib has no oneDNN to call")


@pytest.fixture
def everywhere(monkeypatch):
    """However small a convolution is."""
    monkeypatch.setattr(onednn, "_LEAST_OPERATIONS", 0)
    monkeypatch.setattr(lowering, "_NUMBERS_PER_ROW", 10**9)
    monkeypatch.setattr(lowering, "_FEW_ROWS", 0)


@pytest.fixture
def uncached():
    """What is compiled here is not written to the tests' cache, which XLA could not do."""
    with compilation_cache.paused():
        yield


@pytest.fixture
def cached():
    """Everything that is compiled is written to the tests' cache, however soon that was done."""
    least = jax.config.jax_persistent_cache_min_compile_time_secs
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    yield
    jax.config.update("jax_persistent_cache_min_compile_time_secs", least)


def chosen(operation, taps, slid, stride=1, dilation=1, dtype=jnp.float32):
    rank = len(taps) - 2
    geometry = Geometry((stride,) * rank, ((1, 1),) * rank, (dilation,) * rank)
    return lowering._choose(operation, taps, geometry, jax.ShapeDtypeStruct(slid, dtype)).__name__


@carried
@pytest.mark.usefixtures("everywhere", "uncached")
def test_every_form_equals_lax_to_second_order(monkeypatch):
    forms = (
        "forward",
        "input_grad_by_single_phases",
        "weight_grad_by_rows",
        "weight_grad_exchanged",
    )
    used = note_calls(monkeypatch, onednn, forms)
    by_blocks = note_calls(monkeypatch, lowering, ["_forward_by_onednn_blocks"])
    cases = [
        ((2, 11, 12, 4), (3, 3, 4, 6), {}),
        ((2, 11, 12, 20), (3, 3, 20, 17), {"stride": 2}),
        ((2, 9, 8, 3), (4, 4, 3, 5), {"stride": 2, "padding": ((1, 1), (1, 1))}),
        ((1, 13, 12, 2), (4, 5, 2, 3), {"stride": 3, "padding": "VALID"}),
        ((2, 13, 12, 3), (3, 3, 3, 4), {"dilation": 2}),
        ((2, 9, 8, 8), (5, 5, 8, 3), {}),
        ((1, 9, 8, 16), (7, 4, 16, 3), {"padding": ((2, 3), (0, 1))}),
        ((2, 9, 8, 20), (2, 1, 20, 18), {"stride": 3}),
        ((2, 30, 6), (9, 6, 4), {"stride": 4}),
        ((2, 21, 6), (5, 6, 8), {}),
        ((2, 6, 7, 5, 3), (4, 4, 4, 3, 5), {"stride": 2}),
        ((2, 5, 7, 6, 17), (3, 4, 3, 17, 20), {"stride": 2, "padding": ((1, 2),) * 3}),
        ((2, 13, 12, 8), (3, 3, 4, 6), {"groups": 2}),
    ]
    transposed = [
        ((2, 5, 4, 6), (4, 4, 6, 17), {"stride": 2}),
        ((2, 7, 6), (9, 6, 3), {"stride": 4}),
        ((1, 3, 4, 2, 5), (4, 3, 5, 5, 3), {"stride": 2}),
    ]
    with onednn.allowed(True):
        check_orders(cases, conv, lax_conv)
        check_orders(transposed, conv_transpose, lax_conv_transpose)
    assert used == set(forms) and by_blocks


@carried
def test_forms_are_chosen_by_shape():
    with onednn.allowed(True):
        assert chosen("forward", (4, 4, 64, 128), (8, 28, 28, 64), 2) == "forward"
        # Few outputs, or hardly a result for so large a kernel.
        assert chosen("forward", (4, 4, 64, 1), (64, 28, 28, 64)) == "forward_by_products"
        assert chosen("forward", (9, 9, 64, 1), (8, 24, 24, 64)) == "forward_by_blocks"
        assert chosen("forward", (9, 9, 64, 3), (8, 24, 24, 64)) == "_forward_by_onednn_blocks"
        assert chosen("forward", (4, 4, 512, 512), (1, 2, 2, 512), 2) == "forward_of_few"
        # What is worth calls of its own: many rows, and zeros that are not multiplied by.
        even = chosen("input_grad", (4, 4, 64, 128), (2, 14, 14, 128), 2)
        assert even == "_input_grad_by_onednn_phases"
        uneven = chosen("input_grad", (3, 3, 64, 128), (2, 14, 14, 128), 2)
        many = chosen("input_grad", (4, 4, 64, 128), (8, 14, 14, 128), 2)
        assert uneven == many == "input_grad_by_single_phases"
        assert chosen("input_grad", (3, 3, 64, 64), (8, 14, 14, 64)) == "_input_grad_turned"
        assert chosen("weight_grad", (4, 4, 64, 128), (8, 14, 14, 128), 2) == "weight_grad_by_rows"
        assert chosen("weight_grad", (4, 4, 1, 64), (64, 14, 14, 64), 2) == "weight_grad_canonical"
        assert chosen("weight_grad", (9, 9, 64, 3), (8, 24, 24, 3)) == "weight_grad_exchanged"
        # Too small to be worth a call, and of another type.
        assert chosen("forward", (3, 3, 8, 8), (2, 8, 8, 8)) == "forward_plain"
        wide = chosen("forward", (4, 4, 64, 128), (64, 28, 28, 64), 2, dtype=jnp.bfloat16)
        assert wide == "forward_plain"
    assert chosen("forward", (4, 4, 64, 128), (64, 28, 28, 64), 2) == "forward_plain"


@carried
@pytest.mark.usefixtures("everywhere")
def test_traces_are_not_shared_with_code_that_may_not():
    x, kernel = jnp.ones((2, 8, 8, 4)), jnp.ones((3, 3, 4, 8))
    jitted = jax.jit(conv)
    for allowed in (False, True, False):
        with onednn.allowed(allowed):
            assert (onednn.TARGET in jitted.lower(x, kernel).as_text()) == allowed


@carried
@pytest.mark.usefixtures("everywhere")
def test_operations_are_those_of_the_mathematics():
    """oneDNN's are counted like XLA's, and gradients written as other convolutions count the same
    where the stride divides the taps."""

    def loss(x, kernel):
        return jnp.sum(jnp.square(conv(x, kernel, stride=2, padding="VALID")))

    arguments = jnp.ones((2, 10, 12, 4)), jnp.ones((4, 4, 4, 8))
    for function in (loss, jax.grad(loss, (0, 1))):
        with onednn.allowed(False):
            plain = flops.count_flops(function, *arguments)
        with onednn.allowed(True):
            ours = jax.make_jaxpr(function)(*arguments)
        assert flops.calls_onednn(ours.jaxpr)
        assert flops.count_jaxpr(ours.jaxpr) == plain > 0


def test_it_is_for_one_cpu_and_versions_that_were_tried(monkeypatch):
    one, two = (parallel.make_mesh(jax.devices()[:count]) for count in (1, 2))
    assert onednn.suits(one) == onednn._carried()
    assert not onednn.suits(two)
    onednn._carried.cache_clear()
    monkeypatch.setattr(onednn, "_TRIED", ())
    assert not onednn.suits(one)
    onednn._carried.cache_clear()


@carried
@pytest.mark.usefixtures("everywhere", "cached")
def test_a_run_on_one_device_uses_it_and_goes_on_in_the_same_bits(
    command, tiny_flags, tmp_path, monkeypatch
):
    """Nor does XLA try to write its step to the cache, which fails; here the warning would."""
    mesh = parallel.make_mesh(jax.devices()[:1])
    monkeypatch.setattr(main.parallel, "make_mesh", lambda: mesh)

    def run(name, steps):
        flags = tiny_flags("dcgan_mnist", steps=steps, log_every=1, eval_samples=0)
        code, out, error = command(
            "--experiment=dcgan_mnist", f"--run_dir={tmp_path / name}", *flags
        )
        assert code == main.DONE, error
        assert "oneDNN" in out
        logged = (tmp_path / name / "metrics.jsonl").read_text().splitlines()
        losses = [json.loads(line).get("train/critic_loss") for line in logged]
        return [loss for loss in losses if loss is not None]

    whole = run("whole", 4)
    assert len(whole) == 4
    run("parts", 2)
    assert run("parts", 4) == whole
