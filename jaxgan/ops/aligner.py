"""Which symbol of a text is heard in which frame of a sound, as a differentiable function."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

_NEVER = -1e9
_TINY = 1e-6


class Alignment(NamedTuple):
    """Symbols laid out over frames.

    Attributes:
      weights: float32 [batch, frames, symbols], how much of each symbol a frame holds; they sum to
        1 over the symbols, and are 0 for padded ones.
      offset: float32 [batch, frames], where a frame lies in its symbols: about -0.5 where they
        begin and 0.5 where they end.
      pace: float32 [batch, frames], the length in frames of the symbols that a frame holds.
    """

    weights: Array
    offset: Array
    pace: Array


def align(lengths: Array, real: Array, spoken: Array, *, spread: float = 2.0) -> Alignment:
    """The monotonic interpolation of Donahue et al. 2020 (arXiv 2006.03575, equations 1 and 2).

    Symbol n ends at `e_n = l_1 + ... + l_n` and has its centre at `c_n = e_n - l_n / 2`; frame t
    takes it with weight `softmax_n(-(t - c_n)^2 / spread)`. Unlike in the paper the lengths are
    first stretched by one factor, so that the last symbol ends with the last spoken frame: no frame
    of a recording is then compared with a moment after the end of the text.

    Args:
      lengths: float32 [batch, symbols], above 0, in frames.
      real: bool [batch, symbols], False for padded symbols; one at least is True in each row.
      spoken: bool [batch, frames], True for the frames from the first to the last one of speech.
      spread: in frames squared; the paper's sigma^2 is 10 at frames of 5 ms.
    """
    lengths = jnp.where(real, lengths, 0.0)
    wanted = spoken.sum(axis=1, keepdims=True).astype(jnp.float32)
    lengths = lengths * (wanted / jnp.maximum(lengths.sum(axis=1, keepdims=True), _TINY))
    centres = jnp.cumsum(lengths, axis=1) - 0.5 * lengths
    moments = (jnp.arange(spoken.shape[1], dtype=jnp.float32) + 0.5)[None, :, None]
    apart = moments - centres[:, None, :]
    logits = jnp.where(real[:, None, :], -jnp.square(apart) / spread, _NEVER)
    weights = jax.nn.softmax(logits, axis=2)
    pace = (weights * lengths[:, None, :]).sum(axis=2)
    # Bounded, for a frame far behind the last symbol's end.
    offset = jnp.clip((weights * apart).sum(axis=2) / jnp.maximum(pace, 1.0), -1.0, 1.0)
    return Alignment(weights, offset, pace)
