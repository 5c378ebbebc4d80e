"""Convolutions beside lax's in float64, to second order."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

LETTERS = {1: "W", 2: "HW", 3: "DHW"}


def lax_conv(x, kernel, *, stride=1, padding="SAME", dilation=1, groups=1):
    rank = kernel.ndim - 2
    spatial = LETTERS[rank]
    return lax.conv_general_dilated(
        x,
        kernel,
        stride if isinstance(stride, tuple) else (stride,) * rank,
        padding,
        rhs_dilation=(dilation,) * rank,
        dimension_numbers=(f"N{spatial}C", f"{spatial}IO", f"N{spatial}C"),
        feature_group_count=groups,
    )


def lax_conv_transpose(x, kernel, *, stride=1, padding="SAME"):
    rank = kernel.ndim - 2
    spatial = LETTERS[rank]
    return lax.conv_transpose(
        x,
        jnp.flip(kernel, range(rank)),
        (stride,) * rank,
        padding,
        dimension_numbers=(f"N{spatial}C", f"{spatial}IO", f"N{spatial}C"),
    )


def note_calls(monkeypatch, module, names):
    """The set of those of a module's functions `names` that have been called, as it grows."""
    used = set()

    def note(name, function):
        def noted(*arguments, **options):
            used.add(name)
            return function(*arguments, **options)

        monkeypatch.setattr(module, name, noted)

    for name in names:
        note(name, getattr(module, name))
    return used


def orders(operation, x, kernel, g, other_x, other_kernel):
    """Value, both gradients, and the three gradients of those: every second-order term."""

    def gradients(x, kernel, g):
        return jax.vjp(operation, x, kernel)[1](g)

    first, pullback = jax.vjp(gradients, x, kernel, g)
    return operation(x, kernel), first, pullback((other_x, other_kernel))


def check_orders(cases, ours, reference):
    """Compares all `cases` of (image shape, kernel shape, options) in one compilation each."""
    random = np.random.default_rng(0)

    def draw(shape):
        return random.normal(size=shape).astype(np.float32)

    arrays = []
    for shape, taps, options in cases:
        x, kernel = draw(shape), draw(taps)
        y = jax.eval_shape(lambda x, k, o=options: reference(x, k, **o), x, kernel)
        arrays.append((x, kernel, draw(y.shape), draw(shape), draw(taps)))

    def all_of(operation):
        def run(arrays):
            return [
                orders(lambda x, k, o=options: operation(x, k, **o), *values)
                for values, (_, _, options) in zip(arrays, cases, strict=True)
            ]

        return run

    got = jax.device_get(jax.jit(all_of(ours))(arrays))
    with jax.enable_x64(True):
        # Unoptimised, the naive loops that lax's gradients become compile five times sooner.
        plain = jax.jit(all_of(reference), compiler_options={"xla_backend_optimization_level": 0})
        expected = jax.device_get(plain(jax.tree.map(np.float64, arrays)))
    for case, one, other in zip(cases, got, expected, strict=True):
        for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
            assert (a.dtype, b.dtype) == (np.float32, np.float64)
            assert a.shape == b.shape
            assert np.abs(a - b).max() <= 1e-5 * np.abs(b).max(), case
