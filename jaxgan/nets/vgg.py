"""VGG-19 as the yardstick of perceptual losses: its features before the last block's last ReLU."""

from pathlib import Path
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import DTypeLike

from jaxgan.errors import UserError
from jaxgan.ops.layers import Conv
from jaxgan.weights import read_weights, sha256

# Channels and convolutions of the five blocks (Simonyan and Zisserman, table 1, column E).
BLOCKS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
# Of ImageNet's RGB in [0, 1]: what torchvision's weights were trained on.
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


class VGG19(nn.Module):
    """VGG-19 up to conv5_4, before its activation.

    Simonyan and Zisserman, arXiv 1409.1556, table 1, column E. SRGAN's phi_{5,4} (Ledig et al.,
    arXiv 1609.04802, equation 5) is `relu` of it; ESRGAN (Wang et al., arXiv 1809.00219, section
    3.2) takes it as it is, since few features survive that ReLU.
    """

    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, images: Array, *, train: bool = False) -> Array:
        """Features of pictures; `train` makes no difference, nothing here is trained.

        Args:
          images: `[batch, height, width, 3]` RGB in [-1, 1], at least 16 pixels a side.

        Returns:
          `[batch, height // 16, width // 16, 512]` in `dtype`.

        Raises:
          ValueError: for another shape, or smaller pictures.
        """
        if images.ndim != 4 or images.shape[-1] != 3 or min(images.shape[1:3]) < 16:
            raise ValueError(
                f"VGG-19 takes [batch, height, width, 3] from 16 x 16 on, not {images.shape}"
            )
        x = images.astype(jnp.float32)
        x = (0.5 * (x + 1.0) - _channels(MEAN)) / _channels(DEVIATION)
        for block, (features, count) in enumerate(BLOCKS, 1):
            if block > 1:
                x = nn.max_pool(nn.relu(x), (2, 2), (2, 2))
            for index in range(1, count + 1):
                x = nn.relu(x) if index > 1 else x
                conv = Conv(features, 3, padding=1, dtype=self.dtype, name=f"conv{block}_{index}")
                x = conv(x)
        return x


def load_vgg19(path: str | Path) -> tuple[VGG19, dict[str, Any], str]:
    """VGG-19 with the weights of a file, which torchvision's `vgg19` state_dict names.

    Args:
      path: .pth, .safetensors or .npz with `features.0.weight`, `features.0.bias`,
        `features.2.weight`, ...; kernels
        `[out, in, 3, 3]`. Other names, as the classifier's, are left out.

    Returns:
      the module, its float32 parameters (`module.apply({"params": params}, images)`), and the
      file's SHA-256.

    Raises:
      UserError: if the file cannot be read or is not VGG-19's.
    """
    arrays = read_weights(path)
    params: dict[str, Any] = {}
    position, channels = 0, 3
    for block, (features, count) in enumerate(BLOCKS, 1):
        for index in range(1, count + 1):
            kernel = _take(arrays, f"features.{position}.weight", (features, channels, 3, 3), path)
            bias = _take(arrays, f"features.{position}.bias", (features,), path)
            params[f"conv{block}_{index}"] = {"kernel": kernel.transpose(2, 3, 1, 0), "bias": bias}
            position, channels = position + 2, features
        # torchvision counts the ReLUs and the pooling among the layers.
        position += 1
    return VGG19(), params, sha256(path)


def _take(
    arrays: dict[str, np.ndarray], name: str, shape: tuple[int, ...], path: str | Path
) -> np.ndarray:
    array = arrays.get(name)
    found = "is not there" if array is None else f"has the shape {array.shape}"
    if array is None or array.shape != shape:
        raise UserError(
            f"{path} is not torchvision's vgg19 (without batch normalisation): {name} {found}, "
            f"expected {shape}"
        )
    return np.asarray(array, np.float32)


def _channels(values: tuple[float, ...]) -> Array:
    return jnp.asarray(values, jnp.float32).reshape(1, 1, 1, -1)
