import functools
import itertools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.nets.inpaint import GatedConv, InpaintGenerator, SNPatchCritic, Stage, fill

# Taps a side, inputs, and outputs with their gates, of the convolutions of one stage at the paper's
# 48 channels.
LAYERS = (
    (5, 4, 48),
    (3, 24, 96),
    (3, 48, 96),
    (3, 48, 192),
    *((3, 96, 192),) * 8,
    (3, 96, 96),
    (3, 48, 96),
    (3, 48, 48),
    (3, 24, 24),
    (3, 12, 3),
)


def pictures(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def hole(height, width):
    mask = np.zeros((2, height, width, 1), np.float32)
    mask[0, 2:6, 3:9] = mask[1, 4:8, 0:2] = 1
    return mask


def test_parameters_of_the_generator(shapes):
    """4.1 M in the paper, whose second stage has a branch of attention that is left out here."""
    stage = sum(taps * taps * inputs * outputs + outputs for taps, inputs, outputs in LAYERS)
    assert stage == 1_629_951
    picture, mask = (1, 256, 256, 3), (1, 256, 256, 1)
    assert shapes(InpaintGenerator(), picture, mask) == (2 * stage, (picture, picture))
    assert shapes(InpaintGenerator(stages=1), picture, mask) == (stage, (picture,))


def test_a_gate_multiplies_its_feature(drawn, call):
    x = pictures(2, 4, 5, 3)
    module = GatedConv(2, kernel_size=1)
    variables = drawn(module, x)
    layer = variables["params"]["Conv_0"]
    linear = x @ layer["kernel"][0, 0] + layer["bias"]
    features, gates = linear[..., :2], linear[..., 2:]
    expected = np.where(features > 0, features, np.expm1(features)) / (1 + np.exp(-gates))
    np.testing.assert_allclose(call(module, variables, x), expected, rtol=1e-4, atol=1e-5)


def test_ten_gated_convolutions_keep_the_size_of_a_signal():
    module = nn.Sequential([GatedConv(32) for _ in range(10)])
    x = pictures(1, 24, 24, 32)
    y, _ = jax.jit(module.init_with_output)(jax.random.key(0), x)
    # Away from the border, where there are zeros to look at.
    assert 0.3 < np.square(y[:, 6:-6, 6:-6]).mean() < 3


def test_what_was_made_fills_the_hole_alone():
    picture, made, mask = pictures(2, 8, 12, 3), 2 * pictures(2, 8, 12, 3), hole(8, 12)
    np.testing.assert_array_equal(fill(picture, made, mask), np.where(mask == 1, made, picture))


def test_the_second_stage_sees_what_the_first_made_of_the_hole(drawn, call):
    mask = hole(8, 12)
    picture = pictures(2, 8, 12, 3) * (1 - mask)
    module = InpaintGenerator(channels=8, dilations=(2,))
    variables = drawn(module, picture, mask, train=True)
    params = jax.tree.map(lambda leaf: 2 * leaf, variables["params"])
    coarse, fine = call(module, {"params": params}, picture, mask, train=False)
    stage = Stage(3, 8, (2,), jnp.float32)
    first = call(stage, {"params": params["Stage_0"]}, picture, mask)
    np.testing.assert_allclose(coarse, first, rtol=1e-5, atol=1e-6)
    shown = np.where(mask == 1, first, picture)
    expected = call(stage, {"params": params["Stage_1"]}, shown, mask)
    np.testing.assert_allclose(fine, expected, rtol=1e-4, atol=1e-5)
    assert np.abs(fine - coarse).max() > 1e-3


@pytest.mark.parametrize(("dilations", "reaches"), [((1, 1), False), ((2, 16), True)])
def test_dilated_convolutions_look_further(dilations, reaches, drawn):
    """From a quarter of the size, (1, 1) reach some 40 pixels and (2, 16) more than 100."""
    module = Stage(1, 4, dilations, jnp.float32)
    picture, mask = pictures(1, 4, 160, 1), np.zeros((1, 4, 160, 1), np.float32)
    variables = drawn(module, picture, mask)

    def middle(picture):
        return module.apply(variables, picture, mask)[:, :, 80].sum()

    seen = np.abs(jax.jit(jax.grad(middle))(picture)).sum((0, 1, 3))
    assert seen[80] > 0
    assert (seen[:20].sum() > 0) == reaches
    assert (seen[-20:].sum() > 0) == reaches


def test_the_generator_refuses_sides_that_do_not_divide():
    with pytest.raises(ValueError, match="multiples of 4, not 8 x 10"):
        InpaintGenerator(channels=4).init(
            jax.random.key(0), jnp.ones((1, 8, 10, 3)), jnp.ones((1, 8, 10, 1)), train=True
        )


def test_parameters_of_the_critic(shapes):
    widths = (4, 64, 128, 256, 256, 256, 256)
    expected = sum((25 * a + 1) * b for a, b in itertools.pairwise(widths))
    count, out = shapes(SNPatchCritic(), (2, 256, 256, 3), (2, 256, 256, 1))
    assert (count, out) == (expected, (2, 4, 4, 256))


def test_every_convolution_of_the_critic_is_normalised(call):
    picture, mask = pictures(2, 64, 64, 3), hole(64, 64)
    module = SNPatchCritic(channels=2)
    init = functools.partial(module.init, train=True)
    variables = jax.jit(init)(jax.random.key(0), picture, mask)
    assert len(variables["spectral"]) == 6
    judge = jax.jit(functools.partial(module.apply, train=False))
    logits = judge(variables, picture, mask)
    # Divided by their own norm, kernels have no size.
    louder = jax.tree.map(lambda leaf: 3 * leaf, variables["params"])
    again = judge({**variables, "params": louder}, picture, mask)
    np.testing.assert_allclose(again, logits, rtol=1e-4, atol=1e-6)
    _, moved = call(module, variables, picture, mask, train=True, mutable=["spectral"])
    for name, vectors in moved["spectral"].items():
        assert np.abs(vectors["u"] - variables["spectral"][name]["u"]).max() > 1e-3
