"""Noise and grey, against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxgan.ops.degrade import add_noise, to_grey


def test_noise_has_a_strength_of_each_picture():
    clean = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (60, 24, 24, 3)), jnp.float32)
    noisy = jax.jit(add_noise, static_argnums=(2, 3))(clean, jax.random.key(0), 5.0, 50.0)
    assert noisy.shape == clean.shape and noisy.dtype == jnp.float32
    noise = np.asarray(noisy - clean, np.float64) * 127.5
    sigma = noise.std(axis=(1, 2, 3))
    assert sigma.min() > 4.5 and sigma.max() < 53 and sigma.max() - sigma.min() > 35
    assert 22 < sigma.mean() < 33
    unit = noise / sigma[:, None, None, None]
    assert abs(unit.mean()) < 0.01 and abs((unit**4).mean() - 3) < 0.05
    # No pixel follows its neighbour, nor a picture the one before.
    assert abs((unit[:, :, 1:] * unit[:, :, :-1]).mean()) < 0.01
    assert abs((unit[1:] * unit[:-1]).mean()) < 0.01


def test_one_strength_and_none():
    clean = jnp.zeros((4, 32, 32, 3))
    noise = np.asarray(add_noise(clean, jax.random.key(1), 25.0, 25.0)) * 127.5
    np.testing.assert_allclose(noise.std(axis=(1, 2, 3)), 25, rtol=0.05)
    np.testing.assert_array_equal(add_noise(clean, jax.random.key(1), 0.0, 0.0), clean)
    for low, high in ((-1.0, 2.0), (3.0, 2.0)):
        with pytest.raises(ValueError, match="is no range"):
            add_noise(clean, jax.random.key(0), low, high)


def test_grey_is_the_luma_of_bt_601():
    colours = np.random.default_rng(0).integers(0, 256, (2, 8, 9, 3), np.uint8)
    grey = jax.jit(to_grey)(jnp.asarray(colours, jnp.float32) / 127.5 - 1)
    assert grey.shape == (2, 8, 9, 1) and grey.dtype == jnp.float32
    expected = np.stack([np.asarray(Image.fromarray(p).convert("L")) for p in colours])
    np.testing.assert_allclose((grey[..., 0] + 1) * 127.5, expected, atol=0.51)
    assert to_grey(jnp.zeros((1, 2, 2, 3), jnp.bfloat16)).dtype == jnp.bfloat16
    with pytest.raises(ValueError, match="not of 1"):
        to_grey(jnp.zeros((1, 2, 2, 1)))
