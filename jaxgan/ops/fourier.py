"""The short-time Fourier transform of sounds and its inverse, as librosa defines them.

Frames are cut by reshaping and shifting whole hops: unlike a gather, neither this nor its
derivative costs more on a CPU than a copy. The fast Fourier transform takes a tenth of the time of
products with a matrix of sines there.
"""

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxgan.ops.pad import reflect_pad

# Where the squares of the windows add up to less than this, nothing is known of a sample.
_LEAST_WINDOW = 1e-10


def hann(length: int) -> np.ndarray:
    """The periodic Hann window, float32 [length] in [0, 1]: sin^2(pi n / length)."""
    return np.square(np.sin(np.pi * np.arange(length) / length)).astype(np.float32)


def frames(samples: Array, length: int, hop: int) -> Array:
    """Overlapping pieces of sounds; what does not fill a piece at the end is left out.

    Args:
      samples: [batch, n], any dtype, which is also the result's.
      length: of a piece, at most n.
      hop: from the start of a piece to the next one's.

    Returns:
      [batch, 1 + (n - length) // hop, length].

    Raises:
      ValueError: the sounds are shorter than a piece.
    """
    batch, total = samples.shape
    if total < length:
        raise ValueError(f"{total} samples are too few for a window of {length}")
    count = 1 + (total - length) // hop
    shifts = -(-length // hop)
    whole = (count + shifts - 1) * hop
    padded = jnp.pad(samples, ((0, 0), (0, max(whole - total, 0))))[:, :whole]
    blocks = padded.reshape(batch, count + shifts - 1, hop)
    pieces = jnp.concatenate([blocks[:, i : i + count] for i in range(shifts)], axis=2)
    return pieces[..., :length]


def overlap_add(pieces: Array, hop: int) -> Array:
    """The transpose of `frames`: [batch, count, length] -> [batch, length + (count - 1) * hop]."""
    batch, count, length = pieces.shape
    shifts = -(-length // hop)
    pieces = jnp.pad(pieces, ((0, 0), (0, 0), (0, shifts * hop - length)))
    total = jnp.zeros((batch, count + shifts - 1, hop), pieces.dtype)
    for i in range(shifts):
        block = pieces[..., i * hop : (i + 1) * hop]
        total = total + jnp.pad(block, ((0, 0), (i, shifts - 1 - i), (0, 0)))
    return total.reshape(batch, -1)[:, : length + (count - 1) * hop]


def stft(
    samples: Array,
    *,
    fft: int,
    hop: int,
    window: np.ndarray | Array | None = None,
    centred: bool = True,
) -> Array:
    """The short-time Fourier transform, as `librosa.stft` has it (frames before frequencies).

    Args:
      samples: [batch, n] float32.
      fft: samples to a frame.
      hop: samples from a frame to the next.
      window: [fft] float32; Hann's where None.
      centred: frame t is around sample t * hop, with silence before and after the sound; if not,
        frame t begins there.

    Returns:
      [batch, frames, fft // 2 + 1] complex64; 1 + n // hop frames where centred.

    Raises:
      ValueError: a window of another length, or without `centred` too short a sound.
    """
    shape = hann(fft) if window is None else window
    if shape.shape != (fft,):
        raise ValueError(f"a window of {shape.shape} does not fit frames of {fft} samples")
    if centred:
        samples = jnp.pad(samples, ((0, 0), (fft // 2, fft // 2)))
    pieces = frames(samples, fft, hop)
    return jnp.fft.rfft(pieces * jnp.asarray(shape)[None, None, :], axis=-1)


def inverse_stft(
    spectrum: Array,
    *,
    hop: int,
    length: int | None = None,
    window: np.ndarray | Array | None = None,
) -> Array:
    """The sounds whose centred `stft` is nearest to a spectrum (Griffin and Lim 1984, eq. 6).

    Args:
      spectrum: [batch, frames, fft // 2 + 1] complex64, fft even.
      hop: samples from a frame to the next.
      length: of the sounds; hop * (frames - 1) where None. Silence is added where it is more than
        the frames hold.
      window: [fft] float32, that of the transform; Hann's where None.

    Returns:
      [batch, length] float32.
    """
    count, fft = spectrum.shape[1], 2 * (spectrum.shape[2] - 1)
    shape = jnp.asarray(hann(fft) if window is None else window)
    pieces = jnp.fft.irfft(spectrum, n=fft, axis=-1) * shape[None, None, :]
    squares = jnp.broadcast_to(jnp.square(shape)[None, None, :], (1, count, fft))
    weight = overlap_add(squares, hop)
    total = overlap_add(pieces, hop) / jnp.where(weight > _LEAST_WINDOW, weight, 1.0)
    length = hop * (count - 1) if length is None else length
    total = total[:, fft // 2 : fft // 2 + length]
    return jnp.pad(total, ((0, 0), (0, length - total.shape[1])))


def mirrored(samples: Array, amount: int) -> Array:
    """Sounds [batch, n] with so many samples of their mirror image on either side."""
    return reflect_pad(samples[..., None], amount)[..., 0]


def modulus(spectrum: Array) -> Array:
    """|z| in float32, whose derivative at 0 is 0 and not undefined."""
    return root(jnp.square(spectrum.real) + jnp.square(spectrum.imag))


def root(power: Array) -> Array:
    """The square root of what is not negative, with the derivative 0 at 0."""
    positive = power > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, power, jnp.ones_like(power))), 0.0)
