"""LPIPS: how different two pictures look (Zhang et al. 2018, arXiv 1801.03924, version 0.1).

Its two sets of weights come from files: a classifier's convolutions (AlexNet's or VGG-16's, as
torchvision names them), and the heads that were learned from people's judgements.
"""

from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxgan.errors import UserError
from jaxgan.ops.layers import Conv
from jaxgan.weights import read_weights, sha256

# The authors' own shift and scale of RGB in [-1, 1].
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)


class Layer(NamedTuple):
    """One convolution of a backbone.

    Attributes:
      position: its number among torchvision's `features`.
      channels, kernel, stride, padding: of the convolution.
      pool: (window, stride) of a max-pooling before it, or None.
      tap: whether LPIPS looks at what comes out of its ReLU.
    """

    position: int
    channels: int
    kernel: int
    stride: int
    padding: int
    pool: tuple[int, int] | None
    tap: bool


ALEXNET = (
    Layer(0, 64, 11, 4, 2, None, True),
    Layer(3, 192, 5, 1, 2, (3, 2), True),
    Layer(6, 384, 3, 1, 1, (3, 2), True),
    Layer(8, 256, 3, 1, 1, None, True),
    Layer(10, 256, 3, 1, 1, None, True),
)


def _vgg16() -> tuple[Layer, ...]:
    layers: list[Layer] = []
    position = 0
    for block, (channels, count) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))):
        for index in range(count):
            pool = (2, 2) if block and not index else None
            layers.append(Layer(position, channels, 3, 1, 1, pool, index == count - 1))
            position += 2
        position += 1
    return tuple(layers)


BACKBONES = {"alex": ALEXNET, "vgg": _vgg16()}


class LPIPS(nn.Module):
    """The distance; `load_lpips` gives its parameters.

    Attributes:
      backbone: 'alex' or 'vgg'.
    """

    backbone: str = "alex"

    @nn.compact
    def __call__(self, first: Array, second: Array, train: bool = False) -> Array:
        """`[batch]`, 0 for pictures that look the same; equation 1.

        Args:
          first, second: `[batch, height, width, 3]` RGB in [-1, 1], 32 pixels a side or more.
          train: makes no difference.

        Raises:
          ValueError: for other shapes, or smaller pictures.
        """
        if first.shape != second.shape or first.ndim != 4 or min(first.shape[1:3]) < 32:
            raise ValueError(f"LPIPS compares pictures from 32 x 32 on, not {first.shape}")
        x = jnp.concatenate([first, second]).astype(jnp.float32)
        x = (x - _channels(SHIFT)) / _channels(SCALE)
        total = jnp.zeros(len(first))
        for layer in BACKBONES[self.backbone]:
            if layer.pool is not None:
                window, stride = layer.pool
                x = nn.max_pool(x, (window, window), (stride, stride))
            conv = Conv(
                layer.channels,
                layer.kernel,
                stride=layer.stride,
                padding=layer.padding,
                name=f"conv{layer.position}",
            )
            x = nn.relu(conv(x))
            if layer.tap:
                shape = (1, 1, 1, layer.channels)
                head = self.param(f"head{layer.position}", nn.initializers.ones, shape)
                total = total + _distance(x, head)
        return total


def _distance(features: Array, head: Array) -> Array:
    """Weighted squares of the difference of features of length one at each place, averaged."""
    length = jnp.sqrt(jnp.square(features).sum(-1, keepdims=True))
    first, second = jnp.split(features / (length + 1e-10), 2)
    return (jnp.square(first - second) * head).sum(-1).mean((1, 2))


def load_lpips(backbone: str | Path, heads: str | Path) -> tuple[LPIPS, dict[str, Any], str]:
    """LPIPS with the weights of two files.

    Args:
      backbone: torchvision's `alexnet` or `vgg16` state_dict (.pth, .safetensors, .npz):
        `features.0.weight [64, 3, 11, 11]`, ...; other names, as the classifier's, are left out.
      heads: the authors' `v0.1/alex.pth` or `v0.1/vgg.pth` (or .npz): `lin0.model.1.weight
        [1, 64, 1, 1]` to `lin4`. They decide which backbone it is.

    Returns:
      the module, its float32 parameters, and the SHA-256 of the two files, joined by '+'.

    Raises:
      UserError: a file cannot be read, or the two do not belong together.
    """
    learned, convolutions = read_weights(heads), read_weights(backbone)
    found = [learned.get(f"lin{index}.model.1.weight", np.zeros(0)).size for index in range(5)]
    tapped = {n: [layer for layer in ls if layer.tap] for n, ls in BACKBONES.items()}
    name = next((n for n, ls in tapped.items() if [tap.channels for tap in ls] == found), None)
    if name is None:
        raise UserError(
            f"{heads} holds no heads of LPIPS 0.1 for AlexNet or VGG-16: five of them are needed, "
            f"and lin0 to lin4 have {found} channels"
        )
    params: dict[str, Any] = {}
    channels = 3
    for layer in BACKBONES[name]:
        kernel = (layer.channels, channels, layer.kernel, layer.kernel)
        weight, bias = (
            _take(convolutions, f"features.{layer.position}.{part}", shape, backbone, name)
            for part, shape in (("weight", kernel), ("bias", (layer.channels,)))
        )
        params[f"conv{layer.position}"] = {"kernel": weight.transpose(2, 3, 1, 0), "bias": bias}
        channels = layer.channels
    for index, tap in enumerate(tapped[name]):
        head = learned[f"lin{index}.model.1.weight"].astype(np.float32)
        params[f"head{tap.position}"] = head.reshape(1, 1, 1, -1)
    return LPIPS(name), params, f"{sha256(backbone)}+{sha256(heads)}"


def _take(
    arrays: dict[str, np.ndarray], name: str, shape: tuple[int, ...], path: str | Path, kind: str
) -> np.ndarray:
    array = arrays.get(name)
    if array is None or array.shape != shape:
        found = "is not there" if array is None else f"has the shape {array.shape}"
        raise UserError(
            f"{path} is not torchvision's {'alexnet' if kind == 'alex' else 'vgg16'}, which these "
            f"heads of LPIPS are for: {name} {found}, expected {shape}"
        )
    return np.asarray(array, np.float32)


def _channels(values: tuple[float, ...]) -> Array:
    return jnp.asarray(values, jnp.float32).reshape(1, 1, 1, -1)
