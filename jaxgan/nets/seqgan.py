"""SeqGAN's networks: an LSTM that writes tokens, and a text CNN with a highway that reads them.

Yu et al. 2017 (arXiv 1609.05473, section 3 and its appendix A). PADDING fills a sequence up behind
its end, and stands before its first token.
"""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxgan.data.vocabulary import PADDING
from jaxgan.ops.layers import Conv

# The logit of what is never written: finite, so that no gradient becomes NaN.
NEVER = -1e9

Carry = tuple[Array, Array]


class SequenceGenerator(nn.Module):
    """The generator: embedding, LSTM, softmax over the tokens (equations 9 to 11).

    It carries how its tokens are spelt, so that its checkpoint is enough to write text; what has no
    spelling it never writes.

    Attributes:
      tokens: how many ids there are.
      spelling: gives uint8 `[tokens, bytes]`, as `data.sentences.spelling`; called where the
        network is made.
      embedding: dimensions of a token's vector; 32 in the paper.
      hidden: units of the LSTM; 32 in the paper.
      dtype: what it computes in.
    """

    tokens: int
    spelling: Callable[[], np.ndarray]
    embedding: int = 32
    hidden: int = 32
    dtype: jnp.dtype = jnp.float32

    def setup(self) -> None:
        self.spelt = self.variable("vocabulary", "spelling", lambda: jnp.asarray(self.spelling()))
        normal = nn.initializers.normal(0.1)
        self.embed = nn.Embed(self.tokens, self.embedding, dtype=self.dtype, embedding_init=normal)
        self.cell = nn.OptimizedLSTMCell(self.hidden, dtype=self.dtype)
        self.out = nn.Dense(self.tokens, dtype=self.dtype)

    def __call__(self, sequences: Array, train: bool) -> Array:
        """Logits `[batch, length, tokens]` of each token, given the ones before it.

        Args:
          sequences: int32 `[batch, length]`.
          train: for the engine; nothing depends on it.
        """
        return self._logits(self._read(sequences)[1])

    def first_carry(self, sequences: Array, train: bool = False) -> Carry:
        """The state `([batch, hidden], [batch, hidden])` in which a first token is chosen."""
        before = jnp.full((len(sequences),), PADDING, jnp.int32)
        return self.advance(self._nothing(sequences), before)[0]

    def carries(self, sequences: Array, train: bool = False) -> Carry:
        """The states with which each token of `[batch, length]` is chosen.

        Returns:
          The cell's and the hidden state, each `[length, batch, hidden]`: in place t, those in
          which the tokens before t, and no other, have been read.
        """
        return self._read(sequences)[0]

    def advance(self, carry: Carry, token: Array, train: bool = False) -> tuple[Carry, Array]:
        """Reads tokens `[batch]`; the new state, and the logits `[batch, tokens]` of the next."""
        # What leaves a network is float32, and a loop keeps its types.
        carry = jax.tree.map(lambda state: state.astype(self.dtype), carry)
        carry, hidden = self.cell(carry, self.embed(token))
        return carry, self._logits(hidden)

    def logits(self, carry: Carry, train: bool = False) -> Array:
        """Logits `[..., tokens]` of the token that is chosen in this state."""
        return self._logits(carry[1].astype(self.dtype))

    def _nothing(self, sequences: Array) -> Carry:
        zeros = jnp.zeros((len(sequences), self.hidden), self.dtype)
        return zeros, zeros

    def _logits(self, hidden: Array) -> Array:
        logits = self.out(hidden)
        written = (self.spelt.value[:, 0] > 0).reshape(*(1,) * (logits.ndim - 1), -1)
        return jnp.where(written, logits, jnp.asarray(NEVER, logits.dtype))

    def _read(self, sequences: Array) -> tuple[Carry, Array]:
        before = jnp.pad(sequences, ((0, 0), (1, 0)))[:, :-1]

        def read(
            cell: nn.OptimizedLSTMCell, carry: Carry, vector: Array
        ) -> tuple[Carry, tuple[Carry, Array]]:
            carry, hidden = cell(carry, vector)
            return carry, (carry, hidden)

        over_time = nn.scan(
            read, variable_broadcast="params", split_rngs={"params": False}, in_axes=1, out_axes=0
        )
        _, (carries, hidden) = over_time(self.cell, self._nothing(sequences), self.embed(before))
        return carries, hidden.swapaxes(0, 1)


class SequenceCritic(nn.Module):
    """The critic: convolutions of several widths, the largest answer of each, a highway layer.

    Section 3.2 of the paper (equations 5 to 7 in its appendix): Zhang and LeCun's and Kim's text
    CNN with the highway of Srivastava et al. 2015 (arXiv 1505.00387).

    Attributes:
      tokens: how many ids there are.
      windows: how many tokens each kind of filter sees; none is longer than the sequences.
      filters: how many filters of each kind; the paper's has 100 to 200.
      embedding: dimensions of a token's vector; 64 in the paper.
      dropout: the share of the highway's output left out in training; 0.25 in the paper.
      dtype: what it computes in.
    """

    tokens: int
    windows: Sequence[int] = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20)
    filters: Sequence[int] = (100, 200, 200, 200, 200, 100, 100, 100, 100, 100, 160, 160)
    embedding: int = 64
    dropout: float = 0.25
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, sequences: Array, train: bool) -> Array:
        """Logits `[batch]` of sequences int32 `[batch, length]`; above 0 for real ones.

        In training it takes a random key named `dropout`, unless `dropout` is 0.
        """
        uniform = nn.initializers.uniform(2.0)
        x = nn.Embed(
            self.tokens,
            self.embedding,
            dtype=self.dtype,
            embedding_init=lambda *args: uniform(*args) - 1.0,
        )(sequences)
        found = [
            nn.relu(Conv(filters, window, padding="VALID", dtype=self.dtype)(x)).max(axis=1)
            for window, filters in zip(self.windows, self.filters, strict=True)
        ]
        x = Highway(dtype=self.dtype)(jnp.concatenate(found, axis=-1))
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return nn.Dense(1, dtype=self.dtype)(x)[:, 0]


class Highway(nn.Module):
    """`t relu(W x + b) + (1 - t) x` with `t = sigmoid(V x + c)` (arXiv 1505.00387, equation 3).

    Attributes:
      carried: c at the start; below 0 it first lets its input through, as its authors advise.
      dtype: what it computes in.
    """

    carried: float = -2.0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Any `[..., features]`; keeps the shape."""
        start = nn.initializers.constant(self.carried)
        transformed = nn.relu(nn.Dense(x.shape[-1], dtype=self.dtype)(x))
        gate = nn.sigmoid(nn.Dense(x.shape[-1], dtype=self.dtype, bias_init=start)(x))
        return gate * transformed + (1.0 - gate) * x
