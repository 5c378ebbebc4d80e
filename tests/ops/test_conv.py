"""The convolution family against lax in float64, NumPy, and itself under every transformation."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from orders import check_orders, lax_conv, lax_conv_transpose

from jaxgan.ops import forms, lowering
from jaxgan.ops.conv import conv, conv_input_grad, conv_transpose, conv_weight_grad

# What slides decides by its type and its positions.
FEW = jax.ShapeDtypeStruct((2, 8, 8, 16), jnp.float32)


def covering(transposed):
    """All kernels 1-9 with all strides 1-4; sizes and paddings alternate through them."""
    cases = []
    for index, (taps, stride) in enumerate(itertools.product(range(1, 10), range(1, 5))):
        padding = ("SAME", "VALID")[(index + index // 2) % 2]
        if transposed:
            sizes = ((4, 5), (5, 3))[index % 2]
        else:
            sizes = ((10, 13), (11, 12))[(index + taps) % 2]
        # Of fewer than four pictures gradients are computed in strips of these.
        shape = ((2, 4, 1)[index % 3], *sizes, 2)
        cases.append((shape, (taps, taps, 2, 3), {"stride": stride, "padding": padding}))
    return cases


def test_convolution_equals_lax_to_second_order():
    check_orders(covering(transposed=False), conv, lax_conv)


def test_transposed_convolution_equals_lax_to_second_order():
    check_orders(covering(transposed=True), conv_transpose, lax_conv_transpose)


def test_other_ranks_groups_and_dilations_equal_lax_to_second_order():
    check_orders(
        [
            ((2, 21, 3), (9, 3, 2), {"stride": 4}),
            ((2, 20, 4), (3, 2, 6), {"stride": 2, "groups": 2, "padding": "VALID"}),
            ((2, 6, 7, 5, 2), (3, 4, 2, 2, 3), {"stride": 2}),
            ((2, 9, 9, 8, 3), (4, 4, 3, 3, 5), {"stride": (1, 2, 3), "padding": "VALID"}),
            ((3, 6, 7, 6, 17), (4, 3, 4, 17, 2), {"stride": 2, "padding": ((1, 2),) * 3}),
            ((1, 6, 5, 5, 4), (3, 3, 3, 2, 4), {"groups": 2}),
            ((2, 9, 8, 6), (3, 3, 2, 9), {"groups": 3}),
            ((2, 9, 8, 5), (3, 4, 1, 5), {"stride": 2, "groups": 5}),
            ((2, 9, 8, 3), (3, 2, 1, 6), {"groups": 3, "dilation": 2}),
            ((2, 13, 12, 2), (3, 3, 2, 3), {"dilation": 2}),
            ((2, 11, 12, 4), (5, 4, 4, 2), {}),
            ((2, 13, 12, 4), (4, 3, 4, 1), {"dilation": 2, "padding": "VALID"}),
            ((2, 13, 12, 2), (4, 3, 2, 3), {"dilation": 3, "stride": 2, "padding": "VALID"}),
            ((2, 13, 12, 2), (4, 3, 2, 3), {"stride": 2, "padding": ((3, 0), (0, 2))}),
        ],
        conv,
        lax_conv,
    )
    check_orders(
        [
            ((2, 7, 3), (5, 3, 2), {"stride": 3}),
            ((2, 3, 4, 2, 2), (4, 3, 5, 2, 3), {"stride": 2}),
            ((1, 3, 2, 2, 2), (3, 3, 3, 2, 2), {"stride": 2, "padding": "VALID"}),
        ],
        conv_transpose,
        lax_conv_transpose,
    )


def test_groups_of_several_channels_equal_lax_to_second_order():
    """One after another in a loop, whose body is chosen as for any other convolution."""
    cases = [
        ((2, 40, 8), (11, 4, 6), {"groups": 2, "stride": 2, "padding": ((5, 5),)}),
        ((2, 21, 12), (5, 4, 3), {"groups": 3, "stride": 4}),
        ((4, 30, 10), (7, 5, 4), {"groups": 2, "dilation": 2}),
        ((2, 7, 8, 8), (3, 4, 4, 4), {"groups": 2, "padding": "VALID"}),
    ]
    for shape, taps, options in cases:
        rank = len(shape) - 2
        geometry = lowering.Geometry((options.get("stride", 1),) * rank, (), (1,) * rank, 2)
        for operation in ("forward", "input_grad", "weight_grad"):
            chosen = lowering._choose(operation, taps, geometry, FEW)
            assert chosen.__name__ == f"_{operation}_by_groups"
    check_orders(cases, conv, lax_conv)


def test_few_output_channels_equal_lax_to_second_order():
    """Products for small kernels, blocks for large ones; many inputs, as the rule asks."""
    cases = [
        ((2, 7, 9, 16), (4, 4, 16, 1), {}),
        ((2, 6, 5, 17), (3, 2, 17, 4), {"padding": "VALID"}),
        ((2, 6, 8, 16), (3, 3, 16, 3), {"padding": ((2, 0), (1, 3))}),
        ((1, 9, 11, 16), (9, 9, 16, 3), {}),
        ((1, 12, 10, 16), (5, 6, 16, 4), {"padding": "VALID"}),
        ((2, 19, 16), (12, 16, 3), {}),
        ((1, 5, 6, 5, 16), (3, 3, 3, 16, 2), {}),
    ]
    names = set()
    for _, taps, options in cases:
        strides = (1,) * (len(taps) - 2)
        geometry = lowering.Geometry(strides, (), strides, options.get("groups", 1))
        names.add(lowering._choose("forward", taps, geometry, FEW).__name__)
    assert names == {"forward_by_products", "forward_by_blocks"}
    check_orders(cases, conv, lax_conv)


def test_few_positions_and_many_channels_equal_lax_to_second_order(monkeypatch):
    """Where kernels are larger than images, their gradients are products."""
    monkeypatch.setattr(lowering, "_NUMBERS_PER_ROW", 1)
    cases = [
        ((1, 6, 8, 4), (4, 4, 4, 5), {"stride": 2}),
        ((2, 2, 2, 3), (4, 4, 3, 4), {"stride": 2, "padding": ((1, 1), (1, 1))}),
        ((1, 5, 4, 3), (4, 3, 3, 2), {"padding": "VALID"}),
        ((1, 7, 6, 3), (3, 3, 3, 4), {"stride": 2, "padding": ((2, 0), (0, 1))}),
        ((1, 12, 4), (9, 4, 3), {"stride": 4}),
        ((1, 1, 3, 2, 3), (3, 3, 3, 3, 2), {}),
    ]
    for shape, taps, options in cases:
        rank = len(taps) - 2
        g = jax.eval_shape(functools.partial(conv, **options), jnp.zeros(shape), jnp.zeros(taps))
        geometry = lowering.Geometry((options.get("stride", 1),) * rank, (), (1,) * rank)
        for operation in ("input_grad", "weight_grad"):
            chosen = lowering._choose(operation, taps, geometry, g)
            assert chosen.__name__ == f"{operation}_by_products"
    check_orders(cases, conv, lax_conv)
    transposed = [
        ((1, 3, 2, 4), (4, 4, 4, 3), {"stride": 2}),
        ((2, 1, 1, 3), (4, 4, 3, 5), {"stride": 2}),
        ((1, 3, 3), (9, 3, 4), {"stride": 4}),
    ]
    check_orders(transposed, conv_transpose, lax_conv_transpose)


def test_strided_volumes_are_products_of_blocks():
    """On a CPU; the orders above compare them with lax."""
    geometry = lowering.Geometry((2, 2, 2), ((1, 1),) * 3, (1, 1, 1))
    for inputs, forward in ((3, "forward_by_strides"), (64, "forward_plain")):
        slid = jax.ShapeDtypeStruct((4, 8, 16, 16, inputs), jnp.float32)
        taps = (4, 4, 4, inputs, 32)
        assert lowering._choose("forward", taps, geometry, slid).__name__ == forward
        chosen = lowering._choose("weight_grad", taps, geometry, slid)
        assert chosen.__name__ == "weight_grad_by_strides"
    # Sums of several products want float32.
    narrow = jax.ShapeDtypeStruct((4, 8, 16, 16, 3), jnp.bfloat16)
    chosen = lowering._choose("weight_grad", (4, 4, 4, 3, 32), geometry, narrow)
    assert chosen is forms.weight_grad_canonical


def test_lowerings_of_other_backends_equal_lax(monkeypatch):
    """Off CPUs the gradients have lax's own form; a CPU computes it as well, only slowly."""
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    cases = [case for case in covering(transposed=False) if case[1][0] in (1, 4, 5)]
    grouped = ((2, 9, 8, 6), (3, 3, 2, 9), {"groups": 3, "dilation": 2, "stride": 2})
    geometry = lowering.Geometry((2, 2), ((1, 1), (1, 1)), (1, 1))
    chosen = lowering._choose("weight_grad", (4, 4, 2, 3), geometry, FEW)
    assert chosen is forms.weight_grad_native
    check_orders([*cases, grouped], conv, lax_conv)


@pytest.mark.parametrize(
    ("shape", "taps", "stride", "padding", "output_padding"),
    [
        ((4, 5), (4, 4), (2, 2), 1, 0),
        ((4, 5), (3, 3), (2, 2), 1, 1),
        ((3, 4), (5, 2), (3, 1), 0, (2, 0)),
        ((3, 4), (4, 4), (2, 2), ((0, 3), (2, 1)), 0),
        ((6,), (9,), (4,), 3, 2),
        ((2, 3, 2), (4, 3, 2), (2, 2, 2), 1, 0),
    ],
)
def test_transposed_convolution_scatters(shape, taps, stride, padding, output_padding):
    """The definition that PyTorch's ConvTranspose gives, pixel by pixel in NumPy."""
    random = np.random.default_rng(1)
    rank = len(shape)
    x = random.normal(size=(2, *shape, 3)).astype(np.float32)
    kernel = random.normal(size=(*taps, 3, 2)).astype(np.float32)
    pairs = ((padding, padding),) * rank if isinstance(padding, int) else padding
    extra = (output_padding,) * rank if isinstance(output_padding, int) else output_padding
    full = np.zeros(
        (
            2,
            *((m - 1) * s + k + e for m, s, k, e in zip(shape, stride, taps, extra, strict=True)),
            2,
        )
    )
    for pixel in itertools.product(*map(range, shape)):
        window = tuple(slice(m * s, m * s + k) for m, s, k in zip(pixel, stride, taps, strict=True))
        value = x[(slice(None), *pixel)].astype(np.float64)
        full[(slice(None), *window)] += np.einsum("bi,...io->b...o", value, kernel)
    kept = tuple(slice(a, n - b) for n, (a, b) in zip(full.shape[1:-1], pairs, strict=True))
    expected = full[(slice(None), *kept)]

    got = conv_transpose(x, kernel, stride=stride, padding=padding, output_padding=output_padding)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def test_family_is_one_trilinear_form():
    """<g, conv(x, w)> is the same number whichever member of the family computes it."""
    random = np.random.default_rng(2)
    geometry = lowering.Geometry((2, 3), ((1, 2), (0, 1)), (1, 1))
    x = jnp.asarray(random.normal(size=(2, 9, 8, 3)), jnp.float32)
    kernel = jnp.asarray(random.normal(size=(4, 5, 3, 2)), jnp.float32)
    y = conv(x, kernel, stride=geometry.stride, padding=geometry.padding)
    g = jnp.asarray(random.normal(size=y.shape), jnp.float32)
    form = jnp.vdot(g, y)
    by_input = jnp.vdot(x, conv_input_grad(g, kernel, geometry, (9, 8)))
    by_weight = jnp.vdot(kernel, conv_weight_grad(x, g, geometry, (4, 5)))
    np.testing.assert_allclose([by_input, by_weight], [form, form], rtol=1e-5)


def loss(kernel, x):
    return jnp.sum(jnp.square(conv_transpose(conv(x, kernel, stride=2), kernel, stride=2)))


@pytest.fixture
def small():
    random = np.random.default_rng(3)
    kernel = jnp.asarray(random.normal(size=(4, 4, 3, 3)), jnp.float32)
    return kernel, jnp.asarray(random.normal(size=(4, 6, 7, 3)), jnp.float32)


def test_scan_vmap_and_remat_give_the_same_gradients(small):
    kernel, x = small
    expected = jax.jit(jax.grad(loss))(kernel, x)

    def body(total, image):
        return total + jax.grad(jax.checkpoint(loss))(kernel, image[None]), None

    scanned, _ = jax.jit(lambda x: lax.scan(body, jnp.zeros_like(kernel), x))(x)
    per_image = jax.jit(jax.vmap(jax.grad(loss), (None, 0)))(kernel, x[:, None])
    per_kernel = jax.jit(jax.vmap(jax.grad(loss), (0, None)))(jnp.stack([kernel, 2 * kernel]), x)
    scale = np.abs(expected).max()
    for got in (scanned, per_image.sum(0), per_kernel[0], per_kernel[1] / 8):
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5 * scale)


def test_every_convolution_is_canonical_on_a_cpu(small, monkeypatch):
    """In a scan XLA's CPU backend is slow for any other layout; up to second order none is made."""
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    kernel, x = small

    def penalty(kernel, x):
        return jnp.sum(jnp.square(jax.grad(loss, 1)(kernel, x)))

    text = jax.jit(jax.grad(penalty)).lower(kernel, x).as_text()
    convolutions = text.count("stablehlo.convolution")
    assert convolutions > 4
    assert text.count("dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]") == convolutions
    assert "lhs_dilate = [2, 2]" not in text


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_sixteen_bits_accumulate_in_float32(dtype):
    """Summed in bfloat16, 4096 ones stay at 256; here the result is rounded once."""

    @jax.jit
    def run(x, kernels):
        results = []
        for groups, kernel in enumerate(kernels, start=1):
            y, pullback = jax.vjp(lambda x, k, n=groups: conv(x, k, groups=n), x, kernel)
            results.append((y, *pullback(jnp.ones_like(y))))
        return results

    kernels = [jnp.full((3, 3, 4 // groups, 4), 0.1, dtype) for groups in (1, 2)]
    error = float(jnp.finfo(dtype).eps)
    for kernel, (y, dx, dw) in zip(
        kernels, run(jnp.ones((16, 16, 16, 4), dtype), kernels), strict=True
    ):
        assert y.dtype == dx.dtype == dw.dtype == dtype
        inner = 9 * kernel.shape[2] * float(kernel[0, 0, 0, 0])
        np.testing.assert_allclose(np.float32(y[:, 1:-1, 1:-1]), inner, rtol=error)
        np.testing.assert_allclose(np.float32(dx[:, 1:-1, 1:-1]), inner, rtol=error)
        np.testing.assert_allclose(np.float32(dw[1, 1]), 4096, rtol=error)


def test_two_devices_need_one_all_reduce_for_the_weight_gradient(small):
    kernel, x = small
    mesh = jax.make_mesh((2,), ("data",), axis_types=(AxisType.Auto,))
    split = NamedSharding(mesh, PartitionSpec("data"))
    whole = NamedSharding(mesh, PartitionSpec())

    def weight_grad(kernel, x):
        return jax.grad(lambda k: jnp.sum(jnp.square(conv(x, k, stride=2))))(kernel)

    step = jax.jit(weight_grad, in_shardings=(whole, split), out_shardings=whole)
    text = step.lower(kernel, x).compile().as_text()
    assert text.count(" all-reduce(") + text.count(" all-reduce-start(") == 1
    assert " all-gather" not in text
    assert " all-to-all" not in text
    got = step(jax.device_put(kernel, whole), jax.device_put(x, split))
    expected = weight_grad(kernel, x)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5 * np.abs(expected).max())

    two = jax.jit(jax.grad(loss), in_shardings=(whole, split), out_shardings=whole)
    expected = jax.grad(loss)(kernel, x)
    np.testing.assert_allclose(two(kernel, x), expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def ones(*shape):
    return jnp.ones(shape)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: conv(ones(1, 4, 4, 2), ones(5, 5, 2, 3), padding="VALID"), "spans 5 positions"),
        (lambda: conv(ones(1, 4, 4, 2), ones(3, 3, 2, 3), padding="VALID", dilation=2), "spans 5"),
        (lambda: conv(ones(1, 4, 4, 2), ones(3, 3, 3, 3)), "channels do not fit"),
        (lambda: conv(ones(1, 4, 4, 4), ones(3, 3, 2, 3), groups=2), "channels do not fit"),
        (lambda: conv(ones(4, 4, 2), ones(3, 3, 2, 3)), r"image \(4, 4, 2\)"),
        (lambda: conv(ones(4, 2), ones(2, 3)), "1 to 3 spatial axes"),
        (lambda: conv(ones(1, 4, 2), ones(3, 2, 3).astype(jnp.bfloat16)), "one float dtype"),
        (lambda: conv(ones(1, 4, 4, 2), ones(3, 3, 2, 3), padding="same"), "'same'"),
        (lambda: conv(ones(1, 4, 4, 2), ones(3, 3, 2, 3), padding=[(1, 1)]), "a pair for each"),
        (lambda: conv(ones(1, 4, 4, 2), ones(3, 3, 2, 3), stride=(2,)), "one entry for each"),
        (lambda: conv_transpose(ones(1, 4, 4, 2), ones(3, 3, 3, 2)), "channels do not fit"),
        (lambda: conv_transpose(ones(1, 1, 1, 2), ones(3, 3, 2, 2), padding=2), "nothing remains"),
        (
            lambda: conv_transpose(ones(1, 4, 2), ones(3, 2, 2), padding=1, output_padding=1),
            "less than the stride",
        ),
        (
            lambda: conv_transpose(ones(1, 4, 2), ones(3, 2, 2), stride=2, output_padding=1),
            "with an int or pairs",
        ),
    ],
)
def test_shapes_that_do_not_fit(call, message):
    with pytest.raises(ValueError, match=message):
        call()
