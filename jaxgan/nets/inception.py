"""Inception-v3 as the Frechet inception distance takes it: the graph of 2015-12-05, 1008 classes.

Szegedy et al. 2016, arXiv 1512.00567, in the version that TensorFlow published on that date and
Heusel et al. 2017 (arXiv 1706.08500) measured with. It differs from torchvision's `inception_v3`:
average pooling leaves its padding out of the mean, the pooling of the very last block takes the
maximum, and there are 1008 classes. A figure from other weights or another graph compares with
nothing that was published.
"""

from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxgan.errors import UserError
from jaxgan.ops.layers import Conv
from jaxgan.weights import read_weights, sha256

FEATURES = 2048
CLASSES = 1008
# What is left of the smallest picture before the last blocks is one pixel.
SMALLEST = 75
# Of the batch normalisations.
_EPSILON = 1e-3


class ConvReLU(nn.Module):
    """Convolution, batch normalisation folded into its kernel and bias, ReLU."""

    features: int
    taps: tuple[int, int]
    stride: int = 1
    same: bool = False

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[batch, height, width, in]` -> `[batch, height / stride, width / stride, features]`."""
        padding = tuple((k // 2, k // 2) if self.same else (0, 0) for k in self.taps)
        conv = Conv(self.features, self.taps, self.stride, padding, name="conv")
        return nn.relu(conv(x))


def average_pool(x: Array) -> Array:
    """Means over 3 x 3 windows at stride 1, of those pixels only that lie in the picture."""
    return nn.avg_pool(x, (3, 3), (1, 1), ((1, 1), (1, 1)), count_include_pad=False)


class BlockA(nn.Module):
    """35 x 35: 1 x 1, 5 x 5, two 3 x 3, and pooling (arXiv 1512.00567, figure 5)."""

    pooled: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[b, h, w, in]` -> `[b, h, w, 224 + pooled]`."""
        one = ConvReLU(64, (1, 1), name="branch1x1")(x)
        five = ConvReLU(48, (1, 1), name="branch5x5_1")(x)
        five = ConvReLU(64, (5, 5), same=True, name="branch5x5_2")(five)
        three = ConvReLU(64, (1, 1), name="branch3x3dbl_1")(x)
        three = ConvReLU(96, (3, 3), same=True, name="branch3x3dbl_2")(three)
        three = ConvReLU(96, (3, 3), same=True, name="branch3x3dbl_3")(three)
        pool = ConvReLU(self.pooled, (1, 1), name="branch_pool")(average_pool(x))
        return jnp.concatenate([one, five, three, pool], -1)


class BlockB(nn.Module):
    """35 x 35 to 17 x 17 (figure 10 of the paper)."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[b, h, w, in]` -> `[b, (h - 1) // 2, (w - 1) // 2, 480 + in]`."""
        one = ConvReLU(384, (3, 3), stride=2, name="branch3x3")(x)
        two = ConvReLU(64, (1, 1), name="branch3x3dbl_1")(x)
        two = ConvReLU(96, (3, 3), same=True, name="branch3x3dbl_2")(two)
        two = ConvReLU(96, (3, 3), stride=2, name="branch3x3dbl_3")(two)
        return jnp.concatenate([one, two, nn.max_pool(x, (3, 3), (2, 2))], -1)


class BlockC(nn.Module):
    """17 x 17: factorised 7 x 7 convolutions (figure 6 of the paper)."""

    inner: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[b, h, w, in]` -> `[b, h, w, 768]`."""
        one = ConvReLU(192, (1, 1), name="branch1x1")(x)
        seven = ConvReLU(self.inner, (1, 1), name="branch7x7_1")(x)
        seven = ConvReLU(self.inner, (1, 7), same=True, name="branch7x7_2")(seven)
        seven = ConvReLU(192, (7, 1), same=True, name="branch7x7_3")(seven)
        twice = ConvReLU(self.inner, (1, 1), name="branch7x7dbl_1")(x)
        twice = ConvReLU(self.inner, (7, 1), same=True, name="branch7x7dbl_2")(twice)
        twice = ConvReLU(self.inner, (1, 7), same=True, name="branch7x7dbl_3")(twice)
        twice = ConvReLU(self.inner, (7, 1), same=True, name="branch7x7dbl_4")(twice)
        twice = ConvReLU(192, (1, 7), same=True, name="branch7x7dbl_5")(twice)
        pool = ConvReLU(192, (1, 1), name="branch_pool")(average_pool(x))
        return jnp.concatenate([one, seven, twice, pool], -1)


class BlockD(nn.Module):
    """17 x 17 to 8 x 8."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[b, h, w, in]` -> `[b, (h - 1) // 2, (w - 1) // 2, 512 + in]`."""
        three = ConvReLU(192, (1, 1), name="branch3x3_1")(x)
        three = ConvReLU(320, (3, 3), stride=2, name="branch3x3_2")(three)
        seven = ConvReLU(192, (1, 1), name="branch7x7x3_1")(x)
        seven = ConvReLU(192, (1, 7), same=True, name="branch7x7x3_2")(seven)
        seven = ConvReLU(192, (7, 1), same=True, name="branch7x7x3_3")(seven)
        seven = ConvReLU(192, (3, 3), stride=2, name="branch7x7x3_4")(seven)
        return jnp.concatenate([three, seven, nn.max_pool(x, (3, 3), (2, 2))], -1)


class BlockE(nn.Module):
    """8 x 8: expanded filter banks (figure 7 of the paper)."""

    maximum: bool

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[b, h, w, in]` -> `[b, h, w, 2048]`; the pooling takes the `maximum`, or the mean."""
        one = ConvReLU(320, (1, 1), name="branch1x1")(x)
        three = ConvReLU(384, (1, 1), name="branch3x3_1")(x)
        three_a = ConvReLU(384, (1, 3), same=True, name="branch3x3_2a")(three)
        three_b = ConvReLU(384, (3, 1), same=True, name="branch3x3_2b")(three)
        twice = ConvReLU(448, (1, 1), name="branch3x3dbl_1")(x)
        twice = ConvReLU(384, (3, 3), same=True, name="branch3x3dbl_2")(twice)
        twice_a = ConvReLU(384, (1, 3), same=True, name="branch3x3dbl_3a")(twice)
        twice_b = ConvReLU(384, (3, 1), same=True, name="branch3x3dbl_3b")(twice)
        largest = nn.max_pool(x, (3, 3), padding=((1, 1), (1, 1)))
        pooled = largest if self.maximum else average_pool(x)
        pool = ConvReLU(192, (1, 1), name="branch_pool")(pooled)
        return jnp.concatenate([one, three_a, three_b, twice_a, twice_b, pool], -1)


class InceptionV3(nn.Module):
    """The network as it is used, not trained."""

    @nn.compact
    def __call__(self, images: Array) -> tuple[Array, Array]:
        """Features and logits of pictures.

        Args:
          images: `[batch, height, width, 3]` float32 RGB in [-1, 1]; 299 x 299 for figures that
            compare, at least 75 pixels a side.

        Returns:
          features `[batch, 2048]`, the mean of the last block over space; and logits
          `[batch, 1008]` without their bias, as the Inception Score takes them (Salimans et al.
          2016, arXiv 1606.03498, the authors' program).

        Raises:
          ValueError: for another shape, or smaller pictures.
        """
        if images.ndim != 4 or images.shape[-1] != 3 or min(images.shape[1:3]) < SMALLEST:
            raise ValueError(
                f"Inception-v3 takes [batch, height, width, 3] from {SMALLEST} x {SMALLEST} on, "
                f"not {images.shape}"
            )
        x = ConvReLU(32, (3, 3), stride=2, name="Conv2d_1a_3x3")(images.astype(jnp.float32))
        x = ConvReLU(32, (3, 3), name="Conv2d_2a_3x3")(x)
        x = ConvReLU(64, (3, 3), same=True, name="Conv2d_2b_3x3")(x)
        x = nn.max_pool(x, (3, 3), (2, 2))
        x = ConvReLU(80, (1, 1), name="Conv2d_3b_1x1")(x)
        x = ConvReLU(192, (3, 3), name="Conv2d_4a_3x3")(x)
        x = nn.max_pool(x, (3, 3), (2, 2))
        for name, pooled in (("Mixed_5b", 32), ("Mixed_5c", 64), ("Mixed_5d", 64)):
            x = BlockA(pooled, name=name)(x)
        x = BlockB(name="Mixed_6a")(x)
        for name, inner in (
            ("Mixed_6b", 128),
            ("Mixed_6c", 160),
            ("Mixed_6d", 160),
            ("Mixed_6e", 192),
        ):
            x = BlockC(inner, name=name)(x)
        x = BlockD(name="Mixed_7a")(x)
        x = BlockE(maximum=False, name="Mixed_7b")(x)
        x = BlockE(maximum=True, name="Mixed_7c")(x)
        features = x.mean((1, 2))
        return features, nn.Dense(CLASSES, use_bias=False, name="fc")(features)


def load_inception(
    path: str | Path, digest: str | None = None
) -> tuple[InceptionV3, dict[str, Any], str]:
    """Inception-v3 with the weights of a file, named as those of pytorch-fid are.

    Args:
      path: .pth, .safetensors or .npz with `Conv2d_1a_3x3.conv.weight` `[32, 3, 3, 3]`,
        `Conv2d_1a_3x3.bn.{weight,bias,running_mean,running_var}`, ..., `fc.weight` `[1008, 2048]`.
        Others are left out.
      digest: the SHA-256 that the file must have, in hexadecimal, or its first 8 digits or more;
        None accepts any file.

    Returns:
      the module, its float32 parameters (`module.apply({"params": params}, images)`), and the
      file's SHA-256.

    Raises:
      UserError: if the file cannot be read, has another hash, lacks a tensor, or has one of another
        shape, a variance that is negative, or a number that is not finite.
    """
    found = sha256(path)
    if digest is not None:
        _check_digest(path, digest, found)
    arrays = read_weights(path)

    def take(name: str, shape: tuple[int, ...]) -> np.ndarray:
        array = arrays.get(name)
        if array is None or array.shape != shape:
            what = "is not there" if array is None else f"has the shape {array.shape}"
            raise UserError(
                f"{path} is not Inception-v3 of the Frechet inception distance "
                f"(pt_inception-2015-12-05): {name} {what}, expected {shape}"
            )
        if not np.isfinite(array.astype(np.float64)).all():
            raise UserError(f"{path}: {name} has numbers that are not finite; get the file again")
        return array.astype(np.float64)

    def folded(name: str, channels: int, taps: tuple[int, ...], out: int) -> dict[str, np.ndarray]:
        kernel = take(f"{name}.conv.weight", (out, channels, *taps))
        scale, shift, mean, variance = (
            take(f"{name}.bn.{part}", (out,))
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        if variance.min() < 0:
            raise UserError(f"{path}: {name}.bn.running_var has negative numbers")
        gain = scale / np.sqrt(variance + _EPSILON)
        return {
            "kernel": (kernel.transpose(2, 3, 1, 0) * gain).astype(np.float32),
            "bias": (shift - mean * gain).astype(np.float32),
        }

    params: dict[str, Any] = {}
    for name, (*taps, channels, out) in _kernels().items():
        *blocks, layer = name.split(".")
        place = params
        for block in blocks:
            place = place.setdefault(block, {})
        place[layer] = {"conv": folded(name, channels, tuple(taps), out)}
    dense = take("fc.weight", (CLASSES, FEATURES)).astype(np.float32)
    params["fc"] = {"kernel": np.ascontiguousarray(dense.T)}
    return InceptionV3(), params, found


def _kernels() -> dict[str, tuple[int, ...]]:
    """The shape of every convolution's kernel by the layer's name, `Mixed_5b.branch1x1` and so."""
    image = jax.ShapeDtypeStruct((1, SMALLEST, SMALLEST, 3), jnp.float32)
    made = jax.eval_shape(InceptionV3().init, jax.random.key(0), image)["params"]
    return {
        ".".join(str(key.key) for key in path[:-2]): leaf.shape
        for path, leaf in jax.tree_util.tree_leaves_with_path(made)
        if path[-1].key == "kernel" and path[0].key != "fc"
    }


def _check_digest(path: str | Path, wanted: str, found: str) -> None:
    wanted = wanted.strip().lower()
    if not 8 <= len(wanted) <= 64 or set(wanted) - set("0123456789abcdef"):
        raise UserError(f"{wanted!r} is no SHA-256: 8 to 64 hexadecimal digits are needed")
    if not found.startswith(wanted):
        raise UserError(
            f"{path} has the SHA-256 {found}, not {wanted}: it is another file, or damaged; get it "
            "again"
        )
