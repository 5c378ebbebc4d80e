"""A network that continues films: an encoder and a decoder over frames stacked as channels."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from jaxgan.nets.dcgan import NORMAL
from jaxgan.ops.layers import Conv, ConvTranspose
from jaxgan.ops.norm import InstanceNorm
from jaxgan.ops.pad import check_sides


class FramePredictor(nn.Module):
    """Past frames to the frames that follow, as changes of the last one.

    A U-Net (kernel 4, stride 2; Isola et al., arXiv 1611.07004) on all past frames at once, as the
    networks of Mathieu et al. (arXiv 1511.05440, section 3) see them; so what does not move costs
    nothing to predict. Instance normalisation, but not next to the frames.

    Attributes:
      future: frames to predict.
      width: channels of the first convolution; they double with each, up to eight times as many.
      depth: how often the sides are halved.
      dtype: what it computes in.
    """

    future: int
    width: int = 64
    depth: int = 4
    dtype: jnp.dtype = jnp.float32

    @property
    def multiple(self) -> int:
        """What both sides of a frame must divide by."""
        return 2**self.depth

    @nn.compact
    def __call__(self, past: Array, train: bool) -> Array:
        """`[batch, past, height, width, channels]` to `[batch, future, height, width, channels]`.

        Values are about those of the input, and not limited to them. Raises ValueError for sides
        that do not divide by `multiple`.
        """
        batch, count, height, width, channels = past.shape
        x = past.astype(self.dtype).transpose(0, 2, 3, 1, 4)
        x = x.reshape(batch, height, width, count * channels)
        check_sides(x, self.multiple)
        widths = [self.width * 2 ** min(level, 3) for level in range(self.depth)]
        seen = []
        for level, features in enumerate(widths):
            x = Conv(features, 4, stride=2, dtype=self.dtype, kernel_init=NORMAL)(x)
            # A single position less its mean is nothing.
            if level > 0 and min(x.shape[1:3]) > 1:
                x = InstanceNorm()(x)
            x = jax.nn.leaky_relu(x, 0.2)
            seen.append(x)
        for features, beside in zip(widths[-2::-1], seen[-2::-1], strict=True):
            x = ConvTranspose(features, 4, stride=2, dtype=self.dtype, kernel_init=NORMAL)(x)
            x = jnp.concatenate([jax.nn.relu(InstanceNorm()(x)), beside], axis=-1)
        outputs = self.future * channels
        x = ConvTranspose(outputs, 4, stride=2, dtype=self.dtype, kernel_init=NORMAL)(x)
        x = x.reshape(batch, height, width, self.future, channels).transpose(0, 3, 1, 2, 4)
        last = past[:, -1:].astype(x.dtype)
        return x + jnp.broadcast_to(last, x.shape)
