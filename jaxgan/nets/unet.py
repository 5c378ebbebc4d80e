"""The generator of pix2pix: an encoder and a decoder that sees every scale of the input again."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from jaxgan.nets.dcgan import NORMAL
from jaxgan.ops.layers import Conv, ConvTranspose
from jaxgan.ops.norm import normalise
from jaxgan.ops.pad import check_sides


class UNet(nn.Module):
    """The U-Net of pix2pix (Isola et al. 2017, arXiv 1611.07004, section 6.1.1).

    Convolutions of kernel 4 and stride 2 with LeakyReLU 0.2 down, transposed ones with ReLU up, the
    encoder's output joined to the decoder's input at every scale, tanh at the end. Neither the
    first convolution nor the bottleneck is normalised: at one pixel and a batch of one batch
    normalisation leaves nothing of it (the authors' errata).

    The paper's noise is dropout in the three innermost layers of the decoder. It acts wherever an
    rng `dropout` is given, in training or not, and nowhere else:

        network.update(pictures, rngs={"dropout": key})

    Without it a call is a function of its input, as a preview should be; the paper samples with
    dropout, which is the same call with a key.

    Attributes:
      out_channels: of the result.
      depth: how often the sides are halved: 8 for 256x256, 7 for 128x128 down to a single pixel.
      channels: of the first convolution; they double with each, up to `most`.
      most: the widest layers.
      norm: 'batch', 'instance' or 'none', as `jaxgan.ops.norm.normalise` has them.
      dropout: the share of features that is dropped.
      dtype: what it computes in.
    """

    out_channels: int = 3
    depth: int = 8
    channels: int = 64
    most: int = 512
    norm: str = "batch"
    dropout: float = 0.5
    dtype: jnp.dtype = jnp.float32

    @property
    def multiple(self) -> int:
        """What both sides of a picture must divide by."""
        return 2**self.depth

    @nn.compact
    def __call__(self, pictures: Array, train: bool) -> Array:
        """`[batch, height, width, in]` to `[batch, height, width, out_channels]` in [-1, 1].

        Raises ValueError for sides that do not divide by `multiple`.
        """
        check_sides(pictures, self.multiple)
        widths = [min(self.channels * 2**level, self.most) for level in range(self.depth)]
        x = pictures.astype(self.dtype)
        seen: list[Array] = []
        for level, width in enumerate(widths):
            bare = level in (0, self.depth - 1) or self.norm == "none"
            x = x if level == 0 else jax.nn.leaky_relu(x, 0.2)
            x = Conv(width, 4, stride=2, use_bias=bare, dtype=self.dtype, kernel_init=NORMAL)(x)
            x = x if bare else normalise(x, self.norm, train=train)
            seen.append(x)
        seen.pop()
        for place, width in enumerate(reversed(widths[:-1])):
            x = self._double(jax.nn.relu(x), width, bias=self.norm == "none")
            x = normalise(x, self.norm, train=train)
            if place < 3:
                x = nn.Dropout(self.dropout, deterministic=not self.has_rng("dropout"))(x)
            x = jnp.concatenate([x, seen.pop()], axis=-1)
        return jnp.tanh(self._double(jax.nn.relu(x), self.out_channels, bias=True))

    def _double(self, x: Array, features: int, *, bias: bool) -> Array:
        return ConvTranspose(
            features, 4, stride=2, use_bias=bias, dtype=self.dtype, kernel_init=NORMAL
        )(x)
