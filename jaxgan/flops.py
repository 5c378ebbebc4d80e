"""How many floating-point operations a step needs, counted from its jaxpr.

XLA's own `cost_analysis` counts the body of a loop once, however often it runs, and sees only what
one backend made of the program. Here the multiplications and additions of matrix products and
convolutions are counted, two for each pair that meets; everything else in a GAN is cheap beside
them. A convolution multiplies nothing by the zeros of its padding or of a dilation, as in XLA's
count of a single convolution, so that a convolution counts the same however it is written.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
from jax.extend import core
from jax.interpreters import partial_eval

from jaxgan.ops import onednn


def count_flops(function: Callable, *arguments: Any) -> int:
    """The operations of `function(*arguments)`; arrays may be `jax.ShapeDtypeStruct`.

    Results that nothing reads are not counted, nor is anything computed.
    """
    return count_jaxpr(jax.make_jaxpr(function)(*arguments).jaxpr)


def count_jaxpr(jaxpr: core.Jaxpr) -> int:
    """The operations of a jaxpr and of all jaxprs inside it, less those whose result nothing reads.

    A scan counts as often as it turns, a conditional as its dearest branch, the body of a
    `while_loop` (whose turns the program does not say) once.
    """
    needed, _ = partial_eval.dce_jaxpr(jaxpr, [True] * len(jaxpr.outvars))
    return sum(_count_equation(equation) for equation in needed.eqns)


def calls_onednn(jaxpr: core.Jaxpr) -> bool:
    """Whether a jaxpr, or one inside it, leaves a convolution to `jaxgan.ops.onednn`."""
    return any(
        onednn.is_call(equation)
        or onednn.is_product(equation)
        or any(map(calls_onednn, core.jaxprs_in_params(equation.params)))
        for equation in jaxpr.eqns
    )


def _count_equation(equation: core.JaxprEqn) -> int:
    name, params = equation.primitive.name, equation.params
    if name == "dot_general":
        return _count_dot(equation)
    if name == "conv_general_dilated":
        return _count_convolution(equation)
    if onednn.is_call(equation):
        return _count_onednn(equation)
    if onednn.is_product(equation):
        return 2 * _shape_of(equation.outvars[0])[1] * math.prod(_shape_of(equation.invars[1]))
    inner = [count_jaxpr(jaxpr) for jaxpr in core.jaxprs_in_params(params)]
    if name == "scan":
        return params["length"] * sum(inner)
    if name == "cond":
        return max(inner)
    if name == "shard_map":
        return params["mesh"].size * sum(inner)
    return sum(inner)


def _shape_of(variable: Any) -> tuple[int, ...]:
    """The shape of an equation's operand or result."""
    return variable.aval.shape


def _count_dot(equation: core.JaxprEqn) -> int:
    (contracted, _), _ = equation.params["dimension_numbers"]
    left, result = _shape_of(equation.invars[0]), _shape_of(equation.outvars[0])
    return 2 * math.prod(result) * math.prod(left[axis] for axis in contracted)


def _count_convolution(equation: core.JaxprEqn) -> int:
    params = equation.params
    numbers = params["dimension_numbers"]
    image, kernel = (_shape_of(variable) for variable in equation.invars)
    result = _shape_of(equation.outvars[0])
    # With groups of the batch, each output channel meets only its own share of the images, which is
    # what is left of the batch in the result.
    meetings = (
        result[numbers.out_spec[0]] * result[numbers.out_spec[1]] * kernel[numbers.rhs_spec[1]]
    )
    for axis in range(len(numbers.lhs_spec) - 2):
        meetings *= _meetings_along(
            image[numbers.lhs_spec[2 + axis]],
            kernel[numbers.rhs_spec[2 + axis]],
            result[numbers.out_spec[2 + axis]],
            stride=params["window_strides"][axis],
            before=params["padding"][axis][0],
            image_dilation=params["lhs_dilation"][axis],
            kernel_dilation=params["rhs_dilation"][axis],
        )
    return 2 * meetings


def _count_onednn(equation: core.JaxprEqn) -> int:
    (image, kernel), result = map(_shape_of, equation.invars), _shape_of(equation.outvars[0])
    window = onednn.window(equation)
    meetings = result[0] * result[-1] * kernel[-2]
    for axis in range(len(result) - 2):
        meetings *= _meetings_along(
            image[1 + axis],
            kernel[axis],
            result[1 + axis],
            stride=window["strides"][axis],
            before=window["pad_left"][axis],
            image_dilation=1,
            kernel_dilation=window["window_dilations"][axis],
        )
    return 2 * meetings


def _meetings_along(
    size: int,
    taps: int,
    results: int,
    *,
    stride: int,
    before: int,
    image_dilation: int,
    kernel_dilation: int,
) -> int:
    """How many pairs of a kernel's tap and a result meet a pixel of the image, on one axis."""
    return sum(
        0 <= position < size * image_dilation and position % image_dilation == 0
        for first in range(-before, results * stride - before, stride)
        for position in range(first, first + taps * kernel_dilation, kernel_dilation)
    )
