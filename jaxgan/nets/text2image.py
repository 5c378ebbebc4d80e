"""Pictures of words: an LSTM reads, a generator draws, a critic judges picture and text together.

`WordGenerator` and `WordCritic` are those of the tutorials for 28x28 pictures of one word;
`SentenceGenerator` and `SentenceCritic` are DCGAN's with a text joined to the latent and to the
critic's 4x4 features (Reed et al. 2016, arXiv 1605.05396, section 4.1).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxgan.data.vocabulary import PADDING
from jaxgan.nets.dcgan import Growing, Shrinking
from jaxgan.ops.layers import Conv
from jaxgan.ops.norm import BatchNorm
from jaxgan.ops.resample import upsample_nearest

# A loop over so few tokens is faster written out on a CPU, and compiled no slower; one over many is
# not.
UNROLLED = 4


class WithLexicon(nn.Module):
    """A network that carries the words whose ids it reads, so that its checkpoint is enough.

    Attributes:
      network: reads ids.
      arrays: gives `data.vocabulary.Lexicon.arrays`; called where the network is made.
    """

    network: nn.Module
    arrays: Callable[[], Mapping[str, np.ndarray]]

    @nn.compact
    def __call__(self, *inputs: Any, train: bool) -> Any:
        """What the network gives; the collection `lexicon` holds the arrays and never changes."""
        for name, table in self.arrays().items() if self.is_initializing() else ():
            self.variable("lexicon", name, jnp.asarray, table)
        return self.network(*inputs, train=train)


class TextEncoder(nn.Module):
    """Embedding, dropout, LSTM: a text as the LSTM's output at its last token.

    The LSTM, whose errors add up from token to token, computes in float32.

    Attributes:
      size: ids that there are.
      embedding: numbers of a token.
      features: of the LSTM.
      dropout: share of an embedding's numbers that is dropped while training.
      dtype: of the result.
    """

    size: int
    embedding: int = 300
    features: int = 256
    dropout: float = 0.0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, text: Array, train: bool) -> Array:
        """`[batch, features]` of ids int32 `[batch, length]` that are padded at their end."""
        x = nn.Embed(self.size, self.embedding)(text)
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        length = text.shape[1]
        reader = nn.RNN(
            nn.OptimizedLSTMCell(self.features),
            return_carry=True,
            unroll=length if length <= UNROLLED else 1,
        )
        lengths = jnp.maximum((text != PADDING).sum(axis=1), 1)
        (_, last), _ = reader(x, seq_lengths=lengths)
        return last.astype(self.dtype)


class WordGenerator(nn.Module):
    """The generator of the tutorials: a word and noise to 28x28.

    Embedding 300, dropout 0.5, LSTM 256; joined with a dense layer of the noise; dense 7x7x32; then
    twice: nearest upsampling, convolution, batch normalisation, LeakyReLU 0.2; a convolution, tanh.

    Attributes:
      size: ids that there are.
      embedding, features, dropout: as in `TextEncoder`.
      start: channels at 7x7.
      channels: of the two convolutions.
      kernel: of all convolutions.
      dtype: what it computes in.
    """

    size: int
    embedding: int = 300
    features: int = 256
    dropout: float = 0.5
    start: int = 32
    channels: Sequence[int] = (64, 32)
    kernel: int = 3
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, latent: Array, text: Array, train: bool) -> Array:
        """`[batch, latent size]` and int32 `[batch, length]` to `[batch, 28, 28, 1]`."""
        read = TextEncoder(
            self.size, self.embedding, self.features, self.dropout, self.dtype, name="encoder"
        )(text, train)
        noise = nn.Dense(latent.shape[-1], dtype=self.dtype, name="noise")(
            latent.astype(self.dtype)
        )
        x = nn.Dense(7 * 7 * self.start, dtype=self.dtype)(jnp.concatenate([read, noise], axis=-1))
        x = x.reshape(-1, 7, 7, self.start)
        for channels in self.channels:
            x = upsample_nearest(x, 2)
            x = Conv(channels, self.kernel, use_bias=False, dtype=self.dtype)(x)
            x = jax.nn.leaky_relu(BatchNorm()(x, train=train), 0.2)
        return jnp.tanh(Conv(1, self.kernel, dtype=self.dtype)(x))


class WordCritic(nn.Module):
    """The critic of the tutorials: a word as a plane beside the picture, four convolutions.

    Embedding 300, LSTM 256, a dense layer to 28x28; joined with the picture; four convolutions of
    stride 2 with LeakyReLU 0.2; a dense layer.

    Attributes:
      size: ids that there are.
      embedding, features: as in `TextEncoder`.
      width: channels of the first convolution; they double with each.
      kernel: of all convolutions.
      dtype: what it computes in.
    """

    size: int
    embedding: int = 300
    features: int = 256
    width: int = 32
    kernel: int = 3
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: Array, text: Array, train: bool) -> Array:
        """Logits `[batch]` of `[batch, 28, 28, 1]` and int32 `[batch, length]`."""
        read = TextEncoder(
            self.size, self.embedding, self.features, dtype=self.dtype, name="encoder"
        )(text, train)
        plane = nn.Dense(images.shape[1] * images.shape[2], dtype=self.dtype, name="plane")(read)
        plane = plane.reshape(*images.shape[:3], 1)
        x = jnp.concatenate([images.astype(self.dtype), plane], axis=-1)
        for stage in range(4):
            layer = Conv(self.width * 2**stage, self.kernel, stride=2, dtype=self.dtype)
            x = jax.nn.leaky_relu(layer(x), 0.2)
        return nn.Dense(1, dtype=self.dtype)(x.reshape(x.shape[0], -1))[:, 0]


class SentenceGenerator(Growing):
    """DCGAN's generator on the latent joined with a text's 128 numbers.

    Attributes, beside those of `Growing`:
      size: ids that there are.
      embedding, features: as in `TextEncoder`.
      projected: numbers that a text is projected to (128 in arXiv 1605.05396).
    """

    size: int = 2
    embedding: int = 128
    features: int = 256
    projected: int = 128

    @nn.compact
    def __call__(self, latent: Array, text: Array, train: bool) -> Array:
        """`[batch, latent size]`, int32 `[batch, length]` to `[batch, side, side, channels]`."""
        told = _projected(self, text, train)
        joined = jnp.concatenate([latent.astype(self.dtype), told], axis=-1)
        return self.grow(joined, lambda x: BatchNorm()(x, train=train))


class SentenceCritic(Shrinking):
    """DCGAN's critic that joins a text's 128 numbers to its features at 4x4, at every place.

    A convolution of one pixel with LeakyReLU 0.2 looks at both, then a dense layer.

    Attributes, beside those of `Shrinking`: those of `SentenceGenerator`.
    """

    size: int = 2
    embedding: int = 128
    features: int = 256
    projected: int = 128
    batch_norm: bool = False

    @nn.compact
    def __call__(self, images: Array, text: Array, train: bool) -> Array:
        """Logits `[batch]` of `[batch, side, side, channels]` and int32 `[batch, length]`."""
        told = _projected(self, text, train)
        x = self.shrink(images, train)
        planes = jnp.broadcast_to(told[:, None, None], (*x.shape[:3], told.shape[-1]))
        x = Conv(x.shape[-1], 1, dtype=self.dtype)(jnp.concatenate([x, planes], axis=-1))
        x = jax.nn.leaky_relu(x, 0.2)
        return nn.Dense(1, dtype=self.dtype)(x.reshape(x.shape[0], -1))[:, 0]


def _projected(network: SentenceGenerator | SentenceCritic, text: Array, train: bool) -> Array:
    """A text's `projected` numbers; for compact callers."""
    encoder = TextEncoder(
        network.size, network.embedding, network.features, dtype=network.dtype, name="encoder"
    )
    layer = nn.Dense(network.projected, dtype=network.dtype, name="projection")
    return jax.nn.leaky_relu(layer(encoder(text, train)), 0.2)
