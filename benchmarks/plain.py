"""The convolution layers as flax's `nn.Conv` and `nn.ConvTranspose` compute them."""

import contextlib
from collections.abc import Callable, Iterator
from unittest import mock

from jax import lax

from jaxgan.ops import layers


def plain_conv(x, kernel, *, stride=1, padding="SAME", dilation=1, groups=1):
    """What flax's `nn.Conv` calls; arguments as those of `jaxgan.ops.conv.conv`."""
    rank = kernel.ndim - 2
    return lax.conv_general_dilated(
        x,
        kernel,
        _per_axis(stride, rank),
        _per_axis_pairs(padding, rank),
        rhs_dilation=_per_axis(dilation, rank),
        dimension_numbers=_channels_last(rank),
        feature_group_count=groups,
    )


def plain_conv_transpose(x, kernel, *, stride=1, padding="SAME", output_padding=0):
    """What flax's `nn.ConvTranspose` calls; arguments as those of `jaxgan.ops.conv`."""
    rank = kernel.ndim - 2
    if not isinstance(padding, str):
        # Flax pads the image with inserted zeros, where `jaxgan` cuts the result.
        extra = _per_axis(output_padding, rank)
        padding = [
            (taps - 1 - low, taps - 1 - high + more)
            for taps, (low, high), more in zip(
                kernel.shape, _per_axis_pairs(padding, rank), extra, strict=False
            )
        ]
    elif output_padding:
        raise ValueError(f"output_padding goes with an int or pairs, not with {padding!r}")
    numbers = _channels_last(rank)
    return lax.conv_transpose(
        x, kernel, _per_axis(stride, rank), padding, dimension_numbers=numbers
    )


@contextlib.contextmanager
def plain_layers() -> Iterator[Callable[[], int]]:
    """While open, the convolution layers are flax's, differentiated by JAX.

    Yields a function that says how often one was called, so far.
    """
    with (
        mock.patch.object(layers, "conv", side_effect=plain_conv) as straight,
        mock.patch.object(layers, "conv_transpose", side_effect=plain_conv_transpose) as transposed,
    ):
        yield lambda: straight.call_count + transposed.call_count


def _channels_last(rank: int) -> tuple[str, str, str]:
    axes = "HWD"[:rank]
    return f"N{axes}C", f"{axes}IO", f"N{axes}C"


def _per_axis(value, rank: int) -> tuple[int, ...]:
    return (value,) * rank if isinstance(value, int) else tuple(value)


def _per_axis_pairs(padding, rank: int):
    return [(padding, padding)] * rank if isinstance(padding, int) else padding
