"""How a convolution slides over an image."""

from collections.abc import Sequence
from typing import NamedTuple


class Geometry(NamedTuple):
    """One entry per spatial axis; hashable, hence static under `jit`.

    Attributes:
      stride: positions from one place of the kernel to the next.
      padding: zeros before and after the image.
      dilation: positions from one tap to the next.
      groups: into which the channels fall.
      swapped: whether the kernel's last two axes were swapped just before. It changes no result,
        only which way around a matrix product reads the kernel without a copy.
    """

    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    groups: int = 1
    swapped: bool = False

    def extents(self, taps: Sequence[int]) -> tuple[int, ...]:
        """The positions that a kernel of `taps` spans on each axis."""
        return tuple((k - 1) * d + 1 for k, d in zip(taps, self.dilation, strict=True))

    def results(self, size: Sequence[int], taps: Sequence[int]) -> tuple[int, ...]:
        """The spatial shape of a forward convolution's result, of an image of `size`."""
        return tuple(
            (n + low + high - extent) // s + 1
            for n, (low, high), extent, s in zip(
                size, self.padding, self.extents(taps), self.stride, strict=True
            )
        )
