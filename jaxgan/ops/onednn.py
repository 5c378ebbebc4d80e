"""Convolutions by oneDNN, which jaxlib's CPU backend carries and does not use by itself.

XLA has custom calls for oneDNN's operations, and a pass that puts them in, which is off in jaxlib's
build. Here the convolution is called directly. Three things limit where:

- The call is XLA's own affair and may change with any version, so it is made with the versions that
  it was tried with (`_TRIED`), on the machines that jaxlib has oneDNN for.
- XLA would gather a sharded batch for it, so it is made on a single device.
- XLA cannot write an executable with it to the compilation cache.

So it is made only inside `allowed(True)`, which `compiling.compile_steps` opens. Only oneDNN's
forward convolution can be reached; gradients are written as forward convolutions. Array shapes are
those of conv.py.
"""

import contextlib
import functools
import importlib.metadata
import itertools
import json
import math
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.extend import core

from jaxgan.ops.forms import exchanged_padding, weight_grad_padding
from jaxgan.ops.geometry import Geometry

TARGET = "__onednn$convolution"
_PRODUCT = "__onednn$matmul"
_TRIED = ("0.10.2", "0.11.2", "0.12.0.1")
# Below so many operations the call itself counts, and tiny networks are better off in the cache.
_LEAST_OPERATIONS = 4_000_000

_suited = jax.make_user_context(default_value=False)


@functools.cache
def _carried() -> bool:
    """Whether this jaxlib has the call, and the processor vectors that oneDNN is written for."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return False
    if importlib.metadata.version("jaxlib") not in _TRIED:
        return False
    return " avx2 " in Path("/proc/cpuinfo").read_text()


def suits(mesh: jax.sharding.Mesh) -> bool:
    """Whether a step that is spread over `mesh` may use oneDNN's convolutions."""
    device = mesh.devices.flat[0]
    return mesh.size == 1 and device.platform == "cpu" and _carried()


def allowed(yes: bool) -> contextlib.AbstractContextManager:
    """Whether what is traced inside may use oneDNN's convolutions; `jit` traces anew for it."""
    return _suited(yes)


def chosen(x: Array, operations: int) -> bool:
    """Whether a convolution of `x` that takes so many operations is left to oneDNN here."""
    return _suited.value and x.dtype == jnp.float32 and operations >= _LEAST_OPERATIONS


def convolve(
    x: Array,
    kernel: Array,
    padding: Sequence[tuple[int, int]],
    *,
    stride: Sequence[int] | None = None,
    kernel_dilation: Sequence[int] | None = None,
) -> Array:
    """Cross-correlates float32 `x` with `kernel`, on one to three spatial axes.

    Padding may be negative, as XLA's.
    """
    rank = x.ndim - 2
    once = (1,) * rank
    stride, dilation = stride or once, kernel_dilation or once
    cut = [(0, 0, 0), *((min(a, 0), min(b, 0), 0) for a, b in padding), (0, 0, 0)]
    x = lax.pad(x, jnp.zeros((), x.dtype), cut)
    padding = [(max(a, 0), max(b, 0)) for a, b in padding]
    size = [
        (n + low + high - (k - 1) * d - 1) // s + 1
        for n, (low, high), k, d, s in zip(
            x.shape[1:-1], padding, kernel.shape[:-2], dilation, stride, strict=True
        )
    ]
    call = jax.ffi.ffi_call(
        TARGET,
        jax.ShapeDtypeStruct((x.shape[0], *size, kernel.shape[-1]), x.dtype),
        vmap_method="sequential",
        custom_call_api_version=2,
        legacy_backend_config=json.dumps({_CONFIG: _describe(rank, padding, stride, dilation)}),
    )
    return call(x, kernel)


def multiply(
    a: Array,
    b: Array,
    *,
    turn_a: bool = False,
    turn_b: bool = False,
    middle: tuple[bool, bool] = (False, False),
) -> Array:
    """The products of two batches of float32 matrices `[batch, rows, columns]`.

    Args:
      a: the left factors, or a single one.
      b: the right factors.
      turn_a: whether each of `a` is transposed.
      turn_b: whether each of `b` is.
      middle: whether the batch is the middle axis, not the first one, of `a` and of `b`. Of the
        result it never is: oneDNN is slower at writing it so than at reading it so.
    """
    # As XLA sees it the batch comes first, and sometimes lies elsewhere in memory.
    a, b = (jnp.swapaxes(m, 0, 1) if is_ else m for m, is_ in zip((a, b), middle, strict=True))
    config = {"transpose_a": turn_a, "transpose_b": turn_b}
    inputs = [(1, 0, 2) if is_ else (0, 1, 2) for is_ in middle]
    call = jax.ffi.ffi_call(
        _PRODUCT,
        jax.ShapeDtypeStruct((len(b), a.shape[1 + turn_a], b.shape[2 - turn_b]), a.dtype),
        vmap_method="sequential",
        custom_call_api_version=2,
        input_layouts=inputs,
        legacy_backend_config=json.dumps({"onednn_matmul_config": config}),
    )
    return call(a, b)


_CONFIG = "onednn_conv_config"


def _describe(rank, padding, stride, dilation):
    """The message `OneDnnConvolutionConfig` of XLA's onednn_config.proto."""
    image = {
        "data": {
            "batch_dim": 0,
            "feature_dim": rank + 1,
            "spatial_dims": list(range(1, rank + 1)),
        }
    }
    kernel = {
        "filter": {
            "input_feature_dim": rank,
            "output_feature_dim": rank + 1,
            "spatial_dims": list(range(rank)),
        }
    }
    return {
        "dims": rank + 2,
        "feature_groups": 1,
        "input": image,
        "kernel": kernel,
        "output": image,
        "window": {
            "strides": list(stride),
            "pad_left": [low for low, _ in padding],
            "pad_right": [high for _, high in padding],
            "window_dilations": list(dilation),
        },
    }


def is_call(equation: core.JaxprEqn) -> bool:
    """Whether an equation of a jaxpr is `convolve`'s call."""
    return _calls(equation, TARGET)


def is_product(equation: core.JaxprEqn) -> bool:
    """Whether an equation of a jaxpr is `multiply`'s call."""
    return _calls(equation, _PRODUCT)


def _calls(equation, target):
    return equation.primitive.name == "ffi_call" and equation.params["target_name"] == target


def window(equation: core.JaxprEqn) -> Mapping[str, Any]:
    """What a call says of padding ("pad_left", "pad_right"), "strides" and "window_dilations"."""
    return json.loads(equation.params["legacy_backend_config"])[_CONFIG]["window"]


def forward(x: Array, kernel: Array, geometry: Geometry) -> Array:
    return convolve(
        x, kernel, geometry.padding, stride=geometry.stride, kernel_dilation=geometry.dilation
    )


def input_grad_by_single_phases(
    g: Array, kernel: Array, geometry: Geometry, size: tuple[int, ...]
) -> Array:
    """A convolution for each of the prod(stride) phases of the result, with the taps it meets.

    `forms.input_grad_by_phases` makes one convolution of them all, and multiplies by zeros where
    the stride does not divide the taps (of a 3x3 kernel at stride 2 it makes a 4x4 one), and beyond
    the edges, where its phases do not begin together.
    """
    taps, stride = kernel.shape[:-2], geometry.stride
    rank = len(taps)
    extent = [-(-n // s) for n, s in zip(size, stride, strict=True)]
    phases = []
    for place in itertools.product(*map(range, stride)):
        # Position p of the result sees the taps r, r + stride ... at the pixels q, q - 1 ... of
        # `g`, with p + low = q * stride + r.
        starts = [
            divmod(p + low, s)
            for p, s, (low, _) in zip(place, stride, geometry.padding, strict=True)
        ]
        met = kernel[tuple(slice(r, None, s) for (_, r), s in zip(starts, stride, strict=True))]
        if not math.prod(met.shape):
            phases.append(jnp.zeros((g.shape[0], *extent, kernel.shape[-2]), g.dtype))
            continue
        pads = [
            (k - 1 - q, q + e - m)
            for k, (q, _), e, m in zip(met.shape[:-2], starts, extent, g.shape[1:-1], strict=True)
        ]
        turned = jnp.swapaxes(jnp.flip(met, range(rank)), -1, -2)
        phases.append(convolve(g, turned, pads))
    whole = jnp.stack(phases).reshape(*stride, *phases[0].shape)
    beside = itertools.chain(*((rank + 1 + axis, axis) for axis in range(rank)))
    whole = whole.transpose(rank, *beside, 2 * rank + 1).reshape(
        g.shape[0], *(e * s for e, s in zip(extent, stride, strict=True)), -1
    )
    return lax.slice(whole, (0,) * (rank + 2), (g.shape[0], *size, whole.shape[-1]))


def weight_grad_by_rows(x: Array, g: Array, geometry: Geometry, taps: tuple[int, ...]) -> Array:
    """The pictures of the batch are the channels of one long picture, `g` is its kernel.

    The input channels become pixels: those of the last axis, `channels` to a pixel of `x`, over
    which `g` slides with a dilation of as many. oneDNN's kernels work on rows of pixels, and the
    taps alone would be too short a row. Wants no dilation on the last axis.
    """
    channels = x.shape[-1]
    *others, (low, high) = weight_grad_padding(x, g, geometry, taps)
    *spatial, last = x.shape[1:-1]
    rows = x.reshape(len(x), -1).T.reshape(1, *spatial, last * channels, len(x))
    y = convolve(
        rows,
        jnp.moveaxis(g, 0, -2),
        [*others, (low * channels, high * channels)],
        stride=geometry.dilation,
        kernel_dilation=(*geometry.stride[:-1], geometry.stride[-1] * channels),
    )
    return y.reshape(*taps, channels, g.shape[-1])


def weight_grad_exchanged(x: Array, g: Array, geometry: Geometry, taps: tuple[int, ...]) -> Array:
    """`weight_grad_by_rows` with `x` sliding over `g`, which visits the taps backwards.

    For stride 1 and few output channels, which would leave most lanes of a vector idle.
    """
    pads = exchanged_padding(x, g, geometry, taps)
    y = weight_grad_by_rows(g, x, geometry._replace(padding=tuple(pads)), taps)
    return jnp.swapaxes(jnp.flip(y, range(len(taps))), -1, -2)
