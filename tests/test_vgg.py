"""VGG-19 on random weights against a forward pass in NumPy, named as torchvision names them."""

import hashlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.errors import UserError
from jaxgan.nets.vgg import VGG19, load_vgg19

# Position in torchvision's `features`, and output channels, as its source lists them.
CONVOLUTIONS = {
    **{0: 64, 2: 64, 5: 128, 7: 128},
    **{10: 256, 12: 256, 14: 256, 16: 256},
    **{19: 512, 21: 512, 23: 512, 25: 512},
    **{28: 512, 30: 512, 32: 512, 34: 512},
}
POOLS = (4, 9, 18, 27)


def random_weights():
    rng = np.random.default_rng(0)
    arrays, channels = {}, 3
    for position, features in CONVOLUTIONS.items():
        kernel = rng.standard_normal((features, channels, 3, 3), np.float32)
        arrays[f"features.{position}.weight"] = kernel * np.float32(np.sqrt(2 / (9 * channels)))
        arrays[f"features.{position}.bias"] = 0.1 * rng.standard_normal(features, np.float32)
        channels = features
    arrays["classifier.0.weight"] = np.zeros((3, 2), np.float32)
    return arrays


def reference(arrays, images):
    """Channels-first and float64, as torchvision would: transforms, convolutions, ReLUs, pools."""
    x = (images.astype(np.float64) / 2 + 0.5).transpose(0, 3, 1, 2)
    x -= np.array([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
    x /= np.array([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)
    for position in range(35):
        if position in POOLS:
            h, w = x.shape[2] // 2 * 2, x.shape[3] // 2 * 2
            corners = [x[:, :, i:h:2, j:w:2] for i in (0, 1) for j in (0, 1)]
            x = np.maximum.reduce(corners)
        elif position in CONVOLUTIONS:
            padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
            windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))
            kernel = arrays[f"features.{position}.weight"].astype(np.float64)
            x = np.einsum("bchwij,ocij->bohw", windows, kernel, optimize=True)
            x += arrays[f"features.{position}.bias"].astype(np.float64).reshape(1, -1, 1, 1)
        else:
            x = np.maximum(x, 0)
    return x.transpose(0, 2, 3, 1)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    arrays = random_weights()
    path = tmp_path_factory.mktemp("vgg") / "vgg19.npz"
    np.savez(path, **arrays)
    return path, arrays


def test_equals_the_reference(weights):
    path, arrays = weights
    module, params, digest = load_vgg19(path)
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    images = np.random.default_rng(1).uniform(-1, 1, (2, 33, 18, 3)).astype(np.float32)
    got = jax.jit(module.apply)({"params": params}, images)
    want = reference(arrays, images)
    assert got.shape == want.shape == (2, 2, 1, 512)
    assert got.dtype == jnp.float32
    # Before the activation: both signs are there.
    assert want.min() < 0 < want.max()
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4 * np.abs(want).max())


def test_parameters_are_those_that_the_module_would_make(weights):
    _, params, _ = load_vgg19(weights[0])
    made = jax.eval_shape(VGG19().init, jax.random.key(0), jnp.zeros((1, 16, 16, 3)))["params"]
    assert jax.tree.map(jnp.shape, params) == jax.tree.map(jnp.shape, made)
    # Convolutions of configuration E: 20 024 384 parameters.
    assert sum(p.size for p in jax.tree.leaves(made)) == 20_024_384


def test_bfloat16():
    shape = jax.eval_shape(
        lambda x: VGG19(dtype=jnp.bfloat16).init_with_output(jax.random.key(0), x)[0],
        jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32),
    )
    assert shape.dtype == jnp.bfloat16 and shape.shape == (1, 2, 2, 512)


@pytest.mark.parametrize("shape", [(1, 15, 16, 3), (1, 16, 16, 1), (16, 16, 3)])
def test_wrong_pictures(shape):
    with pytest.raises(ValueError, match="16 x 16"):
        jax.eval_shape(VGG19().init, jax.random.key(0), jnp.zeros(shape))


def test_other_weights_are_named(tmp_path, weights):
    few = {k: v for k, v in weights[1].items() if k.startswith(("features.0.", "features.2."))}
    path = tmp_path / "w.npz"
    np.savez(path, **few)
    with pytest.raises(UserError, match=r"w\.npz is not.*features\.5\.weight is not there"):
        load_vgg19(path)
    # In vgg19_bn the second layer is a normalisation, whose scale has a kernel's name.
    np.savez(path, **{**few, "features.2.weight": np.ones(64, np.float32)})
    with pytest.raises(UserError, match=r"features\.2\.weight has the shape \(64,\)"):
        load_vgg19(path)
