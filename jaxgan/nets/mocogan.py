"""Motion and content apart: MoCoGAN (Tulyakov et al. 2018, arXiv 1707.04993)."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from jaxgan.nets.dcgan import NORMAL, Generator
from jaxgan.ops.layers import Conv
from jaxgan.ops.norm import BatchNorm


class MotionContentGenerator(nn.Module):
    """A film, frame by frame: every frame is drawn from the film's content and its own motion code.

    The motion codes are the states of a gated recurrent unit that is fed with noise (section 3.2),
    the frames those of DCGAN's generator on both codes together.

    Attributes:
      frames: of a film.
      side: of a frame; 64 in the paper.
      channels: of a frame.
      width: of the generator of frames; 64 in the paper.
      stages: transposed convolutions of it; 4 for 64x64.
      content: numbers of the content code; 50 in the paper.
      motion: numbers of the motion code and of its noise; 10 in the paper.
      dtype: what the generator of frames computes in.
    """

    frames: int = 16
    side: int = 64
    channels: int = 3
    width: int = 64
    stages: int = 4
    content: int = 50
    motion: int = 10
    dtype: jnp.dtype = jnp.float32

    @property
    def latent_size(self) -> int:
        """Numbers that a film is made of: its content, the first state, each frame's noise."""
        return self.content + self.motion * (1 + self.frames)

    @nn.compact
    def __call__(self, latent: Array, train: bool) -> Array:
        """`[batch, latent_size]` to `[batch, frames, side, side, channels]` in [-1, 1]."""
        batch = latent.shape[0]
        content, start, noise = jnp.split(latent, (self.content, self.content + self.motion), -1)
        noise = noise.reshape(batch, self.frames, self.motion)
        motion: Any = nn.RNN(nn.GRUCell(self.motion))(noise, initial_carry=start)
        content = jnp.broadcast_to(content[:, None], (batch, self.frames, self.content))
        codes = jnp.concatenate([content, motion], -1).reshape(batch * self.frames, -1)
        draw = Generator(
            self.side, self.channels, self.width, self.stages, dtype=self.dtype, name="draw"
        )
        frames = draw(codes, train)
        return frames.reshape(batch, self.frames, *frames.shape[1:])


class SequenceCritic(nn.Module):
    """Convolutions over space, or over time and space, to a map of logits: both critics.

    Kernel 4 and stride 2 in space; in time, where there is any, kernel 4 and stride 1 without
    padding. LeakyReLU 0.2, batch normalisation after all but the first and the last. As it stands:
    64, 128, 256 channels and a logit, as the authors' critics of pictures and of films.

    Attributes:
      width: channels of the first convolution; they double with each.
      stages: convolutions before that of the logits.
      dtype: what it computes in.
    """

    width: int = 64
    stages: int = 3
    dtype: jnp.dtype = jnp.float32

    @property
    def least_frames(self) -> int:
        """Frames that a film must have."""
        return 3 * (self.stages + 1) + 1

    @nn.compact
    def __call__(self, samples: Array, train: bool) -> Array:
        """Logits `[batch, (frames,) rows, columns]` of pictures or films with channels last."""
        x = samples.astype(self.dtype)
        in_time = x.ndim == 5
        stride = (1, 2, 2) if in_time else (2, 2)
        padding = ((0, 0),) * in_time + ((1, 1), (1, 1))
        for stage in range(self.stages + 1):
            last = stage == self.stages
            x = Conv(
                1 if last else self.width * 2**stage,
                4,
                stride=stride,
                padding=padding,
                use_bias=False,
                dtype=self.dtype,
                kernel_init=NORMAL,
            )(x)
            if 0 < stage < self.stages:
                x = BatchNorm()(x, train=train)
            x = x if last else jax.nn.leaky_relu(x, 0.2)
        return x[..., 0]
