"""From mel spectrograms back to sounds: the bands' magnitudes, and then phases that fit them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxgan.ops.fourier import inverse_stft, modulus, stft
from jaxgan.ops.spectrogram import MelScale, mel_filters

# Of the multiplicative updates; the fit of bands to magnitudes changes little after these.
UPDATES = 100
_TINY = 1e-30
# What a phase is divided by where there is no magnitude to have one.
_SILENT = 1e-16


@functools.partial(jax.jit, static_argnames=("scale", "power", "updates"))
def inverse_mel(
    mel: Array, scale: MelScale, *, power: float = 2.0, updates: int = UPDATES
) -> Array:
    """Magnitudes whose mel spectrogram is nearest to a given one, in the sense of least squares.

    They are not negative: multiplicative updates (Lee and Seung 2001, theorem 1) from the least
    squares without that condition, a fixed number of them, so that it can be compiled.

    Args:
      mel: [batch, frames, mels] float32, at least 0: powers as `mel_spectrogram` gives them, or
        magnitudes (the exponential of `log_mel`).
      scale: its scale.
      power: 2 for powers, 1 for magnitudes.
      updates: how many.

    Returns:
      [batch, frames, fft // 2 + 1] float32, at least 0.
    """
    filters = mel_filters(scale)
    with jax.default_matmul_precision("highest"):
        inverse = np.linalg.pinv(filters.astype(np.float64)).astype(np.float32)
        # An update multiplies, so that nothing may begin at 0 that is not to stay there.
        reached = (filters.max(1) > 0).astype(np.float32)[None, None, :]
        # Each frame by its own loudest band: powers span more than float32's squares do.
        loudest = jnp.maximum(mel.max(-1, keepdims=True), _TINY)
        wanted = mel / loudest
        found = jnp.maximum(wanted @ jnp.asarray(inverse), 1e-8) * jnp.asarray(reached)
        back = wanted @ jnp.asarray(filters.T)

        def update(_: Array, now: Array) -> Array:
            made = (now @ jnp.asarray(filters)) @ jnp.asarray(filters.T)
            return now * (back / jnp.maximum(made, _TINY))

        found = jax.lax.fori_loop(0, updates, update, found) * loudest
    return jnp.power(found, 1.0 / power)


@functools.partial(jax.jit, static_argnames=("fft", "hop", "iterations", "length"))
def griffin_lim(
    magnitudes: Array,
    *,
    fft: int,
    hop: int,
    iterations: int = 32,
    key: Array,
    momentum: float | Array = 0.99,
    length: int | None = None,
) -> Array:
    """Sounds whose centred STFT has nearly these magnitudes.

    The fast Griffin-Lim algorithm (Perraudin, Balazs and Sondergaard 2013, algorithm 2): every
    spectrum that is consistent with a sound is pushed on in the direction of its last change.

    Args:
      magnitudes: [batch, frames, fft // 2 + 1] float32, at least 0.
      fft, hop: those of the magnitudes.
      iterations: how many; each costs one STFT and one inverse.
      key: of the phases to begin with.
      momentum: the paper's alpha; 0 is the algorithm of Griffin and Lim (1984).
      length: of the sounds in samples; hop * (frames - 1) where None.

    Returns:
      [batch, length] float32.

    Raises:
      ValueError: magnitudes of another window than `fft`.
    """
    if magnitudes.shape[-1] != fft // 2 + 1:
        raise ValueError(f"{magnitudes.shape[-1]} magnitudes are not those of frames of {fft}")
    span = hop * (magnitudes.shape[1] - 1) if length is None else length
    angle = 2.0 * np.pi * jax.random.uniform(key, magnitudes.shape)
    phases = jax.lax.complex(jnp.cos(angle), jnp.sin(angle))
    # The direction of c + alpha (c - before) is all that matters of it.
    share = jnp.asarray(momentum / (1.0 + momentum), jnp.float32)

    def iterate(_: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        phases, before = carry
        samples = inverse_stft(_scaled(phases, magnitudes), hop=hop, length=span)
        consistent = _fitted(stft(samples, fft=fft, hop=hop), magnitudes.shape[1])
        pushed = consistent - _scaled(before, share)
        return _scaled(pushed, 1.0 / (modulus(pushed) + _SILENT)), consistent

    start = (phases, jnp.zeros_like(phases))
    phases, _ = jax.lax.fori_loop(0, iterations, iterate, start)
    return inverse_stft(_scaled(phases, magnitudes), hop=hop, length=span)


def _scaled(spectrum: Array, by: Array) -> Array:
    """A complex spectrum times real numbers."""
    return jax.lax.complex(spectrum.real * by, spectrum.imag * by)


def _fitted(spectrum: Array, count: int) -> Array:
    """A spectrum cut or filled up with silence to so many frames."""
    spectrum = spectrum[:, :count]
    return jnp.pad(spectrum, ((0, 0), (0, count - spectrum.shape[1]), (0, 0)))
