"""What holds for every image-to-image network: gradients reach all of it, in either precision."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.nets.faceswap import FaceDecoder, FaceEncoder
from jaxgan.nets.inpaint import InpaintGenerator, SNPatchCritic
from jaxgan.nets.patch import ImageCritic, PatchCritic
from jaxgan.nets.resnet import ResNetGenerator
from jaxgan.nets.unet import UNet

PICTURE, MASK = (3, 24, 24, 3), (3, 24, 24, 1)
NETWORKS = {
    "unet": (lambda dtype: UNet(depth=3, channels=4, dtype=dtype), [PICTURE]),
    "resnet": (lambda dtype: ResNetGenerator(blocks=1, channels=4, dtype=dtype), [PICTURE]),
    "patch": (lambda dtype: PatchCritic(channels=4, dtype=dtype), [(3, 32, 32, 3)] * 2),
    "pixel": (lambda dtype: PatchCritic(0, 4, "instance", dtype=dtype), [PICTURE]),
    "image": (lambda dtype: ImageCritic(width=4, stages=2, dtype=dtype), [PICTURE, MASK]),
    "inpaint": (
        lambda dtype: InpaintGenerator(channels=8, dilations=(2,), dtype=dtype),
        [PICTURE, MASK],
    ),
    "sn_patch": (lambda dtype: SNPatchCritic(4, dtype=dtype), [PICTURE, MASK]),
    "encoder": (lambda dtype: FaceEncoder(4, code=8, dtype=dtype), [(3, 16, 32, 3)]),
    "decoder": (lambda dtype: FaceDecoder(4, dtype=dtype), [(3, 2, 2, 8)]),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_reach_every_parameter_and_parameters_stay_float32(name):
    make, shapes = NETWORKS[name]
    random = np.random.default_rng(0)
    inputs = [jnp.asarray(random.normal(size=shape), jnp.float32) for shape in shapes]
    init = functools.partial(make(jnp.bfloat16).init, train=True)
    variables = dict(jax.jit(init)(jax.random.key(0), *inputs))
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype(jnp.float32)}
    params = variables.pop("params")

    @jax.jit
    def run(params, inputs):
        results = []
        for dtype in (jnp.float32, jnp.bfloat16):

            def outputs(params, *inputs, dtype=dtype):
                return make(dtype).apply(
                    {"params": params, **variables}, *inputs, train=True, mutable=list(variables)
                )[0]

            y, back = jax.vjp(outputs, params, *inputs)
            weights = [
                jnp.asarray(np.random.default_rng(n).normal(size=leaf.shape), leaf.dtype)
                for n, leaf in enumerate(jax.tree.leaves(y))
            ]
            cotangent = jax.tree.unflatten(jax.tree.structure(y), weights)
            results.append((y, back(cotangent)))
        return results

    (exact, gradients), (rough, rough_gradients) = run(params, inputs)
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradients):
        assert np.isfinite(leaf).all(), path
        assert np.abs(leaf).max() > 1e-6, path
    for leaf in jax.tree.leaves(rough_gradients):
        assert leaf.dtype == jnp.float32
        assert np.isfinite(leaf).all()
    for one, other in zip(jax.tree.leaves(exact), jax.tree.leaves(rough), strict=True):
        assert (one.dtype, other.dtype) == (jnp.float32, jnp.bfloat16)
        error = np.abs(np.float32(other) - one).max()
        assert 0 < error < 0.1 * max(1, float(np.abs(one).max()))
