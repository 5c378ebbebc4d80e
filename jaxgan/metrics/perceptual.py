"""LPIPS of pictures against their targets, with weights from files."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxgan.metrics.stamp import Measured, Stamp
from jaxgan.nets.lpips import LPIPS, load_lpips
from jaxgan.ops.pixels import from_uint8

_NAMES = {"alex": "AlexNet", "vgg": "VGG-16"}


class Perceptual:
    """LPIPS 0.1 (Zhang et al. 2018, arXiv 1801.03924), loaded once.

    Args:
      backbone, heads: files, as `nets.lpips.load_lpips` takes them; it raises UserError.
    """

    def __init__(self, backbone: str, heads: str):
        self.module, self._params, self.sha256 = load_lpips(backbone, heads)

    def __call__(
        self, real: Sequence[np.ndarray], made: Sequence[np.ndarray], about: Mapping[str, Any]
    ) -> Measured:
        """`lpips`, the mean over the pictures.

        Args:
          real, made: uint8 [height, width, 3] each, 32 pixels a side or more, pairs of one size.
          about: the real ones, as a data set describes itself.
        """
        values = [
            float(_distance(self.module, self._params, a[None], b[None])[0])
            for a, b in zip(real, made, strict=True)
        ]
        stamp = Stamp(
            "LPIPS 0.1, mean over pictures",
            len(real),
            len(made),
            about,
            features=_NAMES[self.module.backbone],
            sha256=self.sha256,
            resize="none; [-1, 1]",
        )
        return Measured({"lpips": float(np.mean(values))}, {"lpips": stamp})


@functools.partial(jax.jit, static_argnums=0)
def _distance(module: LPIPS, params: Any, first: Array, second: Array) -> Array:
    with jax.default_matmul_precision("highest"):
        both = from_uint8(jnp.asarray(first)), from_uint8(jnp.asarray(second))
        return jnp.asarray(module.apply({"params": params}, *both))
