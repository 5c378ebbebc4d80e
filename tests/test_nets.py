"""Networks against the numbers of their papers."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.nets.dcgan import Critic28, Generator28
from jaxgan.nets.mlp import MLP
from jaxgan.nets.srresnet import SRCritic, SRResNet, TextureCritic
from jaxgan.state import count_parameters


def shapes(module, *shape):
    """Parameter count and output shape; nothing is computed."""
    x = jax.ShapeDtypeStruct(shape, jnp.float32)
    key = jax.eval_shape(lambda: jax.random.key(0))
    variables = jax.eval_shape(lambda k, x: module.init(k, x, train=True), key, x)
    out = jax.eval_shape(lambda v, x: module.apply(v, x, train=False), variables, x)
    return count_parameters(variables["params"]), out.shape


def test_srresnet_is_that_of_the_paper():
    def conv(taps, inputs, outputs, bias=True):
        return taps * taps * inputs * outputs + bias * outputs

    block = 2 * conv(3, 64, 64, bias=False) + 2 * 2 * 64 + 64
    expected = conv(9, 3, 64) + 64 + 16 * block + conv(3, 64, 64, bias=False) + 2 * 64
    expected += 2 * (conv(3, 64, 256) + 64) + conv(9, 64, 3)
    count, out = shapes(SRResNet(), 2, 24, 24, 3)
    assert count == expected
    assert out == (2, 96, 96, 3)


def test_the_critic_of_srgan_is_that_of_the_paper():
    widths = [3, 64, 64, 128, 128, 256, 256, 512, 512]
    convolutions = sum(9 * a * b for a, b in itertools.pairwise(widths))
    normalised = 2 * sum(widths[2:])
    dense = 6 * 6 * 512 * 1024 + 1024 + 1024 + 1
    count, out = shapes(SRCritic(), 2, 96, 96, 3)
    assert count == convolutions + 64 + normalised + dense
    assert out == (2,)


def test_the_texture_critic_answers_for_every_place():
    widths = [3, 32, 32, 64, 64]
    count, out = shapes(TextureCritic(), 2, 96, 64, 3)
    assert count == sum((9 * a + 1) * b for a, b in itertools.pairwise(widths)) + 9 * 64 + 1
    assert out == (2, 24, 16)


def test_the_dcgan_of_the_tutorials():
    generator = 100 * 7 * 7 * 256 + 16 * (256 * 128 + 128 * 64 + 64) + 1
    generator += 2 * (256 + 128 + 64)
    assert shapes(Generator28(), 2, 100) == (generator, (2, 28, 28, 1))
    critic = 16 * 64 + 64 + 16 * 64 * 128 + 128 + 7 * 7 * 128 + 1
    assert shapes(Critic28(), 2, 28, 28, 1) == (critic, (2,))


def test_the_perceptrons_of_the_first_gan():
    def dense(*widths):
        return sum((a + 1) * b for a, b in itertools.pairwise(widths))

    generator = MLP((128, 256, 512, 784), output=jnp.tanh, shape=(28, 28, 1))
    assert shapes(generator, 2, 100) == (dense(100, 128, 256, 512, 784), (2, 28, 28, 1))
    assert dense(100, 128, 256, 512, 784) == 579_728
    critic = MLP((512, 256, 1))
    assert shapes(critic, 2, 28, 28, 1) == (dense(784, 512, 256, 1), (2, 1))
    assert dense(784, 512, 256, 1) == 533_505


def test_a_perceptron_flattens_and_ends_linear():
    module = MLP((5, 3), activation=jnp.tanh)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(4, 2, 2)), jnp.float32)
    params = module.init(jax.random.key(0), x, train=True)["params"]
    hidden = np.tanh(np.asarray(x).reshape(4, 4) @ np.asarray(params["Dense_0"]["kernel"]))
    expected = hidden @ np.asarray(params["Dense_1"]["kernel"])
    np.testing.assert_allclose(
        module.apply({"params": params}, x, train=True), expected, rtol=1e-4, atol=1e-6
    )
    picture = MLP((5, 3), activation=jnp.tanh, output=jnp.sin, shape=(3, 1))
    np.testing.assert_allclose(
        picture.apply({"params": params}, x, train=True)[..., 0],
        np.sin(expected),
        rtol=1e-4,
        atol=1e-6,
    )
