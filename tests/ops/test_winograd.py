"""Winograd's minimal filtering: exact in fractions, against lax in float32, and where it pays."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from orders import check_orders, lax_conv, note_calls

from jaxgan import compilation_cache
from jaxgan.ops import forms, lowering, onednn, winograd
from jaxgan.ops.conv import conv
from jaxgan.ops.geometry import Geometry

TILES = [(results, taps) for taps in range(1, 9) for results in range(1, 10 - taps)]
carried = pytest.mark.skipif(not onednn._carried(), reason="this jaxlib has no oneDNN to call")


@pytest.mark.parametrize(("results", "taps"), TILES)
def test_a_tile_is_the_correlation_and_so_are_its_derivatives(results, taps):
    pixels, from_taps, to_results = winograd.matrices(results, taps)
    products = results + taps - 1
    assert len(pixels) == len(from_taps) == len(to_results) == products
    random = np.random.default_rng(products)

    def whole_numbers(count):
        return np.array([Fraction(int(n)) for n in random.integers(-9, 10, count)], object)

    image, kernel, g = map(whole_numbers, (products, taps, results))
    y = to_results.T @ ((from_taps @ kernel) * (pixels @ image))
    assert list(y) == [sum(image[i : i + taps] * kernel) for i in range(results)]
    kernel_grad = from_taps.T @ ((pixels @ image) * (to_results @ g))
    assert list(kernel_grad) == [sum(image[k : k + results] * g) for k in range(taps)]


def test_there_are_points_for_eight_products():
    with pytest.raises(ValueError, match="7 results of 3 taps need more than 7 points"):
        winograd.matrices(7, 3)


def test_its_gain_is_that_of_the_tiles_that_fit_the_rows():
    assert winograd.gain(24, 3) == 2.0  # Six products where twelve were.
    assert winograd.gain(24, 4) == 2.0
    assert winograd.gain(6, 3) == 1.8  # Two tiles of three rows, five products each.
    assert winograd.gain(32, 5) == pytest.approx(10 / 6)
    assert winograd.gain(7, 1) == winograd.gain(7, 6) == winograd.gain(1, 3) == 1.0


CASES = [
    # Image, taps with channels, padding; rows that no tile divides, zeros that are unlike.
    ((3, 11, 12, 4), (3, 3, 4, 6), ((1, 1), (1, 1))),
    ((2, 12, 7, 3), (4, 2, 3, 5), ((2, 1), (0, 1))),
    ((2, 9, 8, 5), (5, 5, 5, 2), ((0, 0), (2, 2))),
    ((2, 9, 8, 5), (2, 3, 5, 2), ((-1, 4), (1, -2))),
    ((2, 21, 6), (3, 6, 8), ((3, 0),)),
    ((2, 6, 7, 5, 3), (3, 1, 2, 3, 5), ((1, 1), (0, 0), (0, 1))),
]


@pytest.mark.parametrize("chunk_bytes", [2**30, 1], ids=["together", "one by one"])
def test_it_equals_lax(monkeypatch, chunk_bytes):
    monkeypatch.setattr(winograd, "_CHUNK_BYTES", chunk_bytes)
    random = np.random.default_rng(0)

    def draw(*shape):
        return random.normal(size=shape).astype(np.float32)

    def ours(x, kernel, g, geometry):
        y = winograd.forward(x, kernel, geometry, forms.forward_plain)
        return y, winograd.weight_grad(x, g, geometry, kernel.shape[:-2], forms.weight_grad_native)

    def reference(x, kernel, g, padding):
        y, pullback = jax.vjp(lambda k: lax_conv(x, k, padding=padding), kernel)
        return y, pullback(g)[0]

    for shape, taps, padding in CASES:
        rank = len(taps) - 2
        x, kernel = draw(*shape), draw(*taps)
        y = jax.eval_shape(lambda x, k, p=padding: lax_conv(x, k, padding=p), x, kernel)
        g = draw(*y.shape)
        geometry = Geometry((1,) * rank, padding, (1,) * rank)
        found = jax.device_get(jax.jit(ours, static_argnums=3)(x, kernel, g, geometry))
        with jax.enable_x64(True):
            arrays = map(np.float64, (x, kernel, g))
            expected = jax.device_get(jax.jit(reference, static_argnums=3)(*arrays, padding))
        for a, b in zip(found, expected, strict=True):
            assert a.dtype == jnp.float32 and a.shape == b.shape
            assert np.abs(a - b).max() <= 1e-5 * np.abs(b).max(), (shape, taps)


def test_it_rounds_little_more_than_a_plain_convolution():
    random = np.random.default_rng(0)
    x = random.normal(size=(2, 24, 24, 64)).astype(np.float32)
    kernel = random.normal(size=(3, 3, 64, 32)).astype(np.float32)
    geometry = Geometry((1, 1), ((1, 1), (1, 1)), (1, 1))
    with jax.enable_x64(True):
        exact = jax.device_get(lax_conv(np.float64(x), np.float64(kernel)))

    def error(y):
        return np.sqrt(np.mean((jax.device_get(y) - exact) ** 2))

    plain = error(lax_conv(x, kernel))
    ours = error(winograd.forward(x, kernel, geometry, forms.forward_plain))
    assert ours < 3 * plain


@carried
def test_the_family_uses_it_with_onednn_to_second_order(monkeypatch):
    for name in ("_WIDE_FOR_WINOGRAD", "_FEW_ROWS", "_SHORTEST_ROW"):
        monkeypatch.setattr(lowering, name, 0)
    monkeypatch.setattr(lowering, "_NUMBERS_PER_ROW", 10**9)
    monkeypatch.setattr(onednn, "_LEAST_OPERATIONS", 0)
    names = ("forward", "weight_grad")
    used = note_calls(monkeypatch, winograd, names)
    cases = [
        ((2, 11, 12, 4), (3, 3, 4, 6), {}),
        ((2, 12, 9, 8), (4, 4, 8, 3), {"padding": ((1, 1), (1, 1))}),
        ((2, 9, 3, 5, 6), (5, 2, 1, 6, 8), {}),
    ]
    with compilation_cache.paused(), onednn.allowed(True):
        check_orders(cases, conv, lax_conv)
    assert used == set(names)


@carried
def test_it_is_chosen_where_it_pays():
    def chosen(operation, kernel, slid, stride=1, dilation=1):
        geometry = Geometry((stride,) * 2, ((1, 1),) * 2, (dilation,) * 2)
        with onednn.allowed(True):
            image = jax.ShapeDtypeStruct(slid, jnp.float32)
            return lowering._choose(operation, kernel, geometry, image).__name__

    ours = {name: f"_{name}_by_winograd" for name in ("forward", "weight_grad")}
    for name, form in ours.items():
        assert chosen(name, (3, 3, 64, 64), (16, 24, 24, 64)) == form
        assert chosen(name, (3, 3, 64, 64), (16, 24, 24, 64), stride=2) != form
        assert chosen(name, (3, 3, 64, 64), (16, 24, 24, 64), dilation=2) != form
        # Few channels, so that combining rows is most of the work.
        assert chosen(name, (3, 3, 32, 64), (16, 24, 24, 32)) != form
        # A kernel that is larger than its images.
        assert chosen(name, (3, 3, 512, 512), (1, 16, 16, 512)) != form
        # More taps than there are points.
        assert chosen(name, (7, 7, 64, 64), (16, 24, 24, 64)) != form
        geometry = Geometry((1,), ((1, 1),), (1,))
        signal = jax.ShapeDtypeStruct((16, 2400, 64), jnp.float32)
        with onednn.allowed(True):
            assert lowering._choose(name, (3, 64, 128), geometry, signal).__name__ != form
    # Too much to combine at once.
    assert chosen("weight_grad", (3, 3, 64, 64), (16, 96, 96, 64)) == "weight_grad_by_rows"
    assert chosen("forward", (3, 3, 64, 64), (16, 96, 96, 64)) == ours["forward"]
    image = jax.ShapeDtypeStruct((16, 24, 24, 64), jnp.float32)
    geometry = Geometry((1, 1), ((1, 1), (1, 1)), (1, 1))
    plain = lowering._choose("forward", (3, 3, 64, 64), geometry, image)
    assert plain is forms.forward_plain
