"""Toom and Cook's products on every axis: against lax, in float64 and by oneDNN, and where they
pay."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from orders import check_orders, lax_conv, lax_conv_transpose, note_calls

from jaxgan import compilation_cache, flops
from jaxgan.ops import lowering, onednn, toom
from jaxgan.ops.conv import conv, conv_transpose
from jaxgan.ops.geometry import Geometry

carried = pytest.mark.skipif(not onednn._carried(), reason="this jaxlib has no oneDNN to call")


def multiply(a, b, *, turn_a=False, turn_b=False, middle=(False, False)):
    a, b = (jnp.swapaxes(m, 0, 1) if is_ else m for m, is_ in zip((a, b), middle, strict=True))
    return (a.mT if turn_a else a) @ (b.mT if turn_b else b)


CASES = [
    # Image, taps with channels, stride, padding: a tile and several, with pixels left over.
    ((3, 14, 14, 4), (4, 4, 4, 6), 2, ((1, 1), (1, 1))),
    ((2, 16, 9, 3), (4, 3, 3, 5), 2, ((1, 1), (0, 2))),
    ((2, 33, 12, 2), (5, 5, 2, 3), 2, ((2, 2), (1, 2))),
    ((2, 23, 11, 2), (3, 7, 2, 3), 3, ((0, 0), (3, 1))),
    ((2, 17, 8, 3), (3, 2, 3, 4), 1, ((1, 1), (-1, 0))),
    ((2, 12, 9, 3), (4, 4, 3, 2), 2, ((-2, 3), (1, -1))),
    ((2, 50, 6), (9, 6, 8), 4, ((3, 2),)),
    # So many taps that a pixel lies in three tiles.
    ((2, 26, 2), (12, 2, 3), 2, ((1, 1),)),
    ((2, 6, 7, 5, 3), (4, 2, 3, 3, 5), 2, ((1, 1), (0, 0), (1, 1))),
]


@pytest.mark.parametrize("few_tiles", [0, 100])
def test_its_three_operations_equal_those_of_lax(monkeypatch, few_tiles):
    """However an image is cut into tiles: at once, or one by one."""
    monkeypatch.setattr(toom, "_FEW_TILES", few_tiles)
    random = np.random.default_rng(0)

    def reference(x, kernel, g, stride, padding):
        def y(x, kernel):
            return lax_conv(x, kernel, stride=stride, padding=padding)

        return y(x, kernel), *jax.vjp(y, x, kernel)[1](g)

    def ours(x, kernel, g, geometry):
        return (
            toom.forward(x, kernel, geometry, multiply),
            toom.input_grad(g, kernel, geometry, x.shape[1:-1], multiply),
            toom.weight_grad(x, g, geometry, kernel.shape[:-2], multiply),
        )

    for shape, taps, stride, padding in CASES:
        rank = len(taps) - 2
        geometry = Geometry((stride,) * rank, padding, (1,) * rank)
        size = geometry.results(shape[1:-1], taps[:-2])
        arrays = [random.normal(size=s) for s in (shape, taps, (shape[0], *size, taps[-1]))]
        with jax.enable_x64(True):
            found = jax.device_get(jax.jit(ours, static_argnums=3)(*arrays, geometry))
            expected = jax.jit(reference, static_argnums=(3, 4))(*arrays, stride, padding)
            expected = jax.device_get(expected)
        for a, b in zip(found, expected, strict=True):
            assert a.dtype == np.float64 and a.shape == b.shape
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-11 * np.abs(b).max())


@pytest.mark.parametrize(("taps", "stride", "results"), [(4, 2, 7), (3, 1, 6), (5, 1, 4)])
def test_five_digits_are_left(taps, stride, results):
    random = np.random.default_rng(0)
    size = stride * results
    shapes = (4, size, size, 64), (taps, taps, 64, 32), (4, results, results, 32)
    x, kernel, g = (random.normal(size=shape).astype(np.float32) for shape in shapes)
    around = (taps - stride) // 2
    geometry = Geometry((stride,) * 2, ((around, around),) * 2, (1, 1))

    def reference(x, kernel, g):
        def y(x, kernel):
            return lax_conv(x, kernel, stride=stride, padding=geometry.padding)

        return y(x, kernel), *jax.vjp(y, x, kernel)[1](g)

    def ours(x, kernel, g):
        return (
            toom.forward(x, kernel, geometry, multiply),
            toom.input_grad(g, kernel, geometry, (size, size), multiply),
            toom.weight_grad(x, g, geometry, (taps, taps), multiply),
        )

    with jax.enable_x64(True):
        exact = jax.device_get(jax.jit(reference)(*map(np.float64, (x, kernel, g))))
    for operations, bound in ((ours, 1.5e-5), (reference, 1e-6)):
        all_found = jax.device_get(jax.jit(operations)(x, kernel, g))
        for found, wanted in zip(all_found, exact, strict=True):
            assert np.sqrt(np.mean((found - wanted) ** 2) / np.mean(wanted**2)) < bound


def test_too_many_taps_are_refused():
    assert toom.gain((7, 7), (18, 4, 64, 64), (2, 2)) == 0
    assert toom.gain((7, 7), (16, 4, 64, 64), (2, 2)) > 0


@carried
@pytest.mark.parametrize("turned", [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("middle", list(itertools.product((False, True), repeat=2)))
def test_onednns_product_is_that_of_every_layout(turned, middle):
    random = np.random.default_rng(0)

    def operand(rows, columns, turn, is_middle, count=5):
        shape = (columns, rows) if turn else (rows, columns)
        m = random.normal(size=(count, *shape)).astype(np.float32)
        return m.swapaxes(0, 1) if is_middle else m

    options = {"turn_a": turned[0], "turn_b": turned[1], "middle": middle}
    b = operand(4, 6, turned[1], middle[1])
    factors = [operand(3, 4, turned[0], middle[0])]
    if not middle[0]:
        factors.append(operand(3, 4, turned[0], False, count=1))
    with compilation_cache.paused():
        for a in factors:
            found = jax.jit(lambda a, b: onednn.multiply(a, b, **options))(a, b)
            np.testing.assert_allclose(found, multiply(a, b, **options), rtol=1e-5, atol=1e-5)
    jaxpr = jax.make_jaxpr(lambda a, b: onednn.multiply(a, b, **options))(factors[0], b).jaxpr
    assert flops.calls_onednn(jaxpr) and flops.count_jaxpr(jaxpr) == 2 * 5 * 3 * 4 * 6


@carried
def test_the_family_uses_it_with_onednn_to_second_order(monkeypatch):
    monkeypatch.setattr(lowering, "_WIDE_FOR_WINOGRAD", 0)
    monkeypatch.setattr(lowering, "_FEW_ROWS", 0)
    monkeypatch.setattr(lowering, "_LEAST_GAIN", 0)
    monkeypatch.setattr(lowering, "_GAIN_TO_WINOGRAD", dict.fromkeys(lowering._BY_TOOM, 0))
    monkeypatch.setattr(lowering, "_LEAST_WORK", 0)
    monkeypatch.setattr(onednn, "_LEAST_OPERATIONS", 0)
    names = ("forward", "input_grad", "weight_grad")
    used = note_calls(monkeypatch, toom, names)
    cases = [((2, 12, 14, 8), (4, 4, 8, 6), {"stride": 2}), ((2, 19, 14, 6), (3, 3, 6, 8), {})]
    transposed = [((2, 9, 7, 6), (4, 4, 6, 8), {"stride": 2})]
    with compilation_cache.paused(), onednn.allowed(True):
        check_orders(cases, conv, lax_conv)
        check_orders(transposed, conv_transpose, lax_conv_transpose)
    assert used == set(names)


@carried
def test_it_is_chosen_where_it_pays():
    def chosen(operation, kernel, slid, stride, dilation=1):
        padding = ((kernel[0] - stride) // 2, -(-(kernel[0] - stride) // 2))
        geometry = Geometry((stride,) * 2, (padding,) * 2, (dilation,) * 2)
        with onednn.allowed(True):
            image = jax.ShapeDtypeStruct(slid, jnp.float32)
            return lowering._choose(operation, kernel, geometry, image).__name__

    for name in ("forward", "input_grad", "weight_grad"):

        def ours(batch, size, kernel, name=name, stride=2, **options):
            forward = name == "forward"
            side = stride * size if forward else size
            slid = (batch, side, side, kernel[-2 if forward else -1])
            return chosen(name, kernel, slid, stride, **options) == f"_{name}_by_toom"

        # The generator's layers for 28x28, its critic's, and layers of the networks for 64x64.
        assert ours(64, 14, (4, 4, 64, 128)) and ours(64, 7, (4, 4, 128, 256))
        assert ours(64, 7, (4, 4, 64, 128))
        assert ours(64, 8, (4, 4, 128, 256)) and ours(64, 4, (4, 4, 256, 512))
        # Of stride 1 those that save more than Winograd's rows, with three taps and with more.
        assert ours(16, 12, (3, 3, 256, 512), stride=1) and ours(1, 32, (3, 3, 256, 256), stride=1)
        assert ours(16, 16, (5, 5, 128, 128), stride=1)
        assert ours(16, 48, (3, 3, 64, 128), stride=1) == (name == "weight_grad")
        # Little work, few rows, narrow, little saved, nothing to save, a dilation.
        assert not ours(16, 12, (3, 3, 128, 128), stride=1)
        assert not ours(32, 4, (4, 4, 512, 512)) and not ours(1, 16, (3, 3, 512, 512), stride=1)
        assert not ours(512, 14, (4, 4, 32, 64)) and not ours(64, 24, (3, 3, 32, 64), stride=1)
        assert not ours(64, 16, (4, 4, 64, 128)) and not ours(128, 24, (3, 3, 64, 64), stride=1)
        assert not ours(128, 16, (3, 3, 128, 256))
        assert not ours(128, 24, (1, 1, 256, 256), stride=1)
        assert not ours(128, 7, (4, 4, 128, 256), dilation=2)
        with jax.default_matmul_precision("highest"):
            assert not ours(128, 7, (4, 4, 128, 256))
