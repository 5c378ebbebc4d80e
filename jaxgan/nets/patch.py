"""Critics of pictures that belong together: patch by patch, or as a whole."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from jaxgan.errors import UserError
from jaxgan.nets.dcgan import NORMAL, Shrinking
from jaxgan.ops.layers import Conv
from jaxgan.ops.norm import normalise

# Of the critics that `patch_critic` offers; more layers see more than any picture here has.
_MOST_LAYERS = 6


class PatchCritic(nn.Module):
    """The PatchGAN of pix2pix (Isola et al. 2017, arXiv 1611.07004, section 6.1.2).

    Convolutions of kernel 4, `layers` of them with stride 2 and one more with stride 1, then one to
    a logit; LeakyReLU 0.2, normalisation after all but the first and the last. One padded pixel on
    either side, as the authors have it: 256x256 become 30x30 logits at 3 layers, each of which sees
    70x70 pixels (`receptive_field`). Without layers it is the paper's 1x1 PixelGAN, C64-C128 of
    1x1 convolutions.

    CycleGAN's critics are the same with `norm="instance"` and a single picture.

    Attributes:
      layers: how often the sides are halved; 3 in the paper's experiments.
      channels: of the first convolution; they double with each, up to eight times as many.
      norm: 'batch', 'instance' or 'none', as `jaxgan.ops.norm.normalise` has them. A penalty on
        the gradient of each sample wants no batch normalisation.
      dtype: what it computes in.
    """

    layers: int = 3
    channels: int = 64
    norm: str = "batch"
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, *pictures: Array, train: bool) -> Array:
        """Logits `[batch, rows, columns]`, one a patch.

        Args:
          pictures: `[batch, height, width, channels]` each, of one size, joined along the channels:
            a condition and what was made of it, for instance.
          train: whether batch normalisation goes by the batch.

        Raises:
          ValueError: for pictures that nothing is left of (less than 24 pixels a side at 3 layers).
        """
        x = joined(pictures, self.dtype)
        *hidden, (kernel, _) = geometry(self.layers)
        padding = (kernel - 1) // 2
        for place, (_, stride) in enumerate(hidden):
            bare = place == 0 or self.norm == "none"
            x = Conv(
                self.channels * min(2**place, 8),
                kernel,
                stride=stride,
                padding=padding,
                use_bias=bare,
                dtype=self.dtype,
                kernel_init=NORMAL,
            )(x)
            x = x if bare else normalise(x, self.norm, train=train)
            x = jax.nn.leaky_relu(x, 0.2)
        last = Conv(1, kernel, padding=padding, dtype=self.dtype, kernel_init=NORMAL)
        return last(x)[..., 0]


class ImageCritic(Shrinking):
    """A critic with one logit a picture, as the tutorials have it.

    Convolutions of stride 2 and a dense layer: DCGAN's critic (arXiv 1511.06434), shown several
    pictures at once. Its attributes are those of `Shrinking`.
    """

    width: int = 64

    @nn.compact
    def __call__(self, *pictures: Array, train: bool) -> Array:
        """Logits `[batch]` of `[batch, height, width, channels]` each, joined along the channels.

        The dense layer is made for one size of picture.
        """
        x = self.shrink(joined(pictures, self.dtype), train)
        return nn.Dense(1, dtype=self.dtype)(x.reshape(x.shape[0], -1))[:, 0]


def joined(pictures: tuple[Array, ...], dtype: jnp.dtype) -> Array:
    """`[batch, height, width, channels]` of each, beside one another along the channels."""
    return jnp.concatenate([picture.astype(dtype) for picture in pictures], axis=-1)


def geometry(layers: int) -> list[tuple[int, int]]:
    """Kernel and stride of every convolution of a `PatchCritic`, in order.

    Raises ValueError for fewer layers than none.
    """
    if layers < 0:
        raise ValueError(f"a patch critic has no layers or some, not {layers}")
    return [(4, 2)] * layers + [(4, 1)] * 2 if layers else [(1, 1)] * 3


def receptive_field(layers: int) -> int:
    """The side of the square of pixels that one logit of a `PatchCritic` sees.

    For 0 to 6 layers: 1, 16, 34, 70, 142, 286, 574 (arXiv 1611.07004, section 6.1.2, has 1, 16, 70
    and 286).
    """
    side = 1
    for kernel, stride in reversed(geometry(layers)):
        side = (side - 1) * stride + kernel
    return side


def patch_critic(
    side: int, *, channels: int = 64, norm: str = "batch", dtype: jnp.dtype = jnp.float32
) -> PatchCritic:
    """The `PatchCritic` whose logits see `side` x `side` pixels.

    Raises:
      UserError: if there is none.
    """
    sides = [receptive_field(layers) for layers in range(_MOST_LAYERS + 1)]
    if side not in sides:
        known = ", ".join(map(str, sides))
        raise UserError(f"no patch critic sees {side} x {side} pixels; choose one of {known}")
    return PatchCritic(sides.index(side), channels, norm, dtype)
