"""Networks against the numbers of their papers."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.nets.conditional import (
    ConditionalBatchNorm,
    ConditionalGenerator,
    PerceptronCritic,
    PerceptronGenerator,
    ProjectionCritic,
)
from jaxgan.nets.dcgan import Critic, Critic28, Generator, Generator28, halved
from jaxgan.nets.mlp import MLP
from jaxgan.nets.srresnet import SRCritic, SRResNet, TextureCritic
from jaxgan.ops.conv import conv
from jaxgan.state import count_parameters


def shapes(module, *shape, labelled=False):
    """Parameter count and output shape; nothing is computed."""
    inputs = (jax.ShapeDtypeStruct(shape, jnp.float32),)
    if labelled:
        inputs += (jax.ShapeDtypeStruct(shape[:1], jnp.int32),)
    key = jax.eval_shape(lambda: jax.random.key(0))
    variables = jax.eval_shape(lambda k, *x: module.init(k, *x, train=True), key, *inputs)
    out = jax.eval_shape(lambda v, *x: module.apply(v, *x, train=False), variables, *inputs)
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


def dense(*widths):
    """Weights and biases of dense layers, each fed by the one before it."""
    return sum((a + 1) * b for a, b in itertools.pairwise(widths))


def test_the_perceptrons_of_the_line():
    assert shapes(MLP((16, 2)), 2, 100) == (100 * 16 + 16 + 16 * 2 + 2, (2, 2)) == (1650, (2, 2))
    assert shapes(MLP((32, 8, 1)), 2, 2) == (2 * 32 + 32 + 32 * 8 + 8 + 8 + 1, (2, 1))
    assert dense(2, 32, 8, 1) == 369


def test_the_perceptrons_of_the_first_conditional_gan():
    generator = 10 * 100 + dense(100, 256, 512, 784) + 2 * (256 + 512)
    assert generator == 562_168
    count, out = shapes(PerceptronGenerator(10), 2, 100, labelled=True)
    assert (count, out) == (generator, (2, 28, 28, 1))
    critic = 10 * 10 + dense(784 + 10, 512, 256, 1)
    assert shapes(PerceptronCritic(10), 2, 28, 28, 1, labelled=True) == (critic, (2,))


def kernels(taps, *channels):
    return sum(taps * taps * a * b for a, b in itertools.pairwise(channels))


def test_the_dcgan_of_the_paper():
    widths = (1024, 512, 256, 128)
    generator = 100 * 4 * 4 * 1024 + 2 * sum(widths) + kernels(4, *widths, 3) + 3
    assert generator == 12_658_435
    assert shapes(Generator(), 2, 100) == (generator, (2, 64, 64, 3))
    critic = kernels(4, 3, 128, 256, 512, 1024) + 128 + 2 * (256 + 512 + 1024) + 4 * 4 * 1024 + 1
    assert shapes(Critic(), 2, 64, 64, 3) == (critic, (2,))
    # A bias for two numbers of batch normalisation.
    plain = critic - (256 + 512 + 1024)
    assert shapes(Critic(batch_norm=False), 2, 64, 64, 3) == (plain, (2,))


def test_the_dcgan_of_stacked_digits():
    widths = (512, 256, 128, 64)
    generator = 100 * 2 * 2 * 512 + 2 * sum(widths) + kernels(5, *widths, 3) + 3
    assert generator == 4_512_323
    assert shapes(Generator(side=28, width=64, kernel=5), 2, 100) == (generator, (2, 28, 28, 3))
    # Packed by two: six channels.
    critic = kernels(5, 6, 64, 128, 256, 512) + 64 + 2 * (128 + 256 + 512) + 2 * 2 * 512 + 1
    assert shapes(Critic(width=64, kernel=5), 2, 28, 28, 6) == (critic, (2,))


def test_the_dcgan_of_paintings():
    widths = (256, 128, 64, 32)
    generator = 100 * 8 * 8 * 256 + 2 * sum(widths) + kernels(4, *widths, 3) + 3
    assert shapes(Generator(side=128, width=32), 2, 100) == (generator, (2, 128, 128, 3))
    critic = kernels(4, 3, 32, 64, 128, 256) + 32 + 64 + 128 + 256 + 8 * 8 * 256 + 1
    assert shapes(Critic(width=32, batch_norm=False), 2, 128, 128, 3) == (critic, (2,))


def test_the_conditional_dcgan():
    widths = (512, 256, 128, 64)
    generator = 100 * 4 * 4 * 512 + 5 * 2 * sum(widths) + kernels(4, *widths, 1) + 1
    module = ConditionalGenerator(channels=1, width=64, classes=5)
    assert shapes(module, 2, 100, labelled=True) == (generator, (2, 64, 64, 1))
    critic = kernels(4, 3, *widths[::-1]) + sum(widths) + 4 * 4 * 512 + 1 + 5 * 512
    module = ProjectionCritic(width=64, classes=5)
    assert shapes(module, 2, 64, 64, 3, labelled=True) == (critic, (2,))


def test_sides_halve_as_strided_convolutions_do():
    assert halved(28, 4) == [28, 14, 7, 4, 2]
    for side in range(2, 40):
        for kernel in (3, 4, 5):
            small = Critic(width=1, stages=1, kernel=kernel, batch_norm=False)
            generator = Generator(side=side, width=1, stages=1, kernel=kernel, channels=1)
            assert shapes(generator, 1, 3)[1] == (1, side, side, 1)
            count, _ = shapes(small, 1, side, side, 1)
            assert count == kernel**2 + 1 + halved(side, 1)[1] ** 2 + 1


def test_conditional_batch_normalisation_scales_and_shifts_by_class():
    random = np.random.default_rng(0)
    x = random.normal(2.0, 3.0, (6, 4, 4, 3)).astype(np.float32)
    label = np.array([0, 1, 2, 2, 1, 0], np.int32)
    module = ConditionalBatchNorm(3)
    variables = module.init(jax.random.key(0), x, label, train=True)
    params = jax.tree.map(lambda p: random.normal(size=p.shape).astype(np.float32), variables)
    params = params["params"]
    y, _ = module.apply(
        {**variables, "params": params}, x, label, train=True, mutable=["batch_stats"]
    )
    normalised = (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 1e-5)
    scale, shift = (params[name]["embedding"][label][:, None, None] for name in ("scale", "shift"))
    np.testing.assert_allclose(y, normalised * scale + shift, rtol=1e-4, atol=1e-4)
    # At the beginning it is batch normalisation.
    y, _ = module.apply(variables, x, label, train=True, mutable=["batch_stats"])
    np.testing.assert_allclose(y, normalised, rtol=1e-4, atol=1e-4)


def test_the_class_reaches_a_projection_critic_by_an_inner_product():
    module = ProjectionCritic(width=2, stages=2, classes=3)
    images = np.random.default_rng(0).normal(size=(4, 8, 8, 1)).astype(np.float32)
    label = np.array([0, 1, 2, 1], np.int32)
    variables = module.init(jax.random.key(0), images, label, train=True)
    logits = module.apply(variables, images, label, train=True)
    plain = Critic(width=2, stages=2, batch_norm=False)
    params = dict(variables["params"])
    embedding = np.asarray(params.pop("Embed_0")["embedding"])
    judged = plain.apply({"params": params}, images, train=True)
    features = jnp.asarray(images)
    for layer in ("Conv_0", "Conv_1"):
        features = conv(features, params[layer]["kernel"], stride=2)
        features = jax.nn.leaky_relu(features, 0.2)
    projected = (embedding[label] * np.asarray(features).sum((1, 2))).sum(-1)
    np.testing.assert_allclose(logits, np.asarray(judged) + projected, rtol=1e-4, atol=1e-5)


def test_the_class_of_a_conditional_perceptron_multiplies_the_latent():
    module = PerceptronGenerator(3, units=(), shape=(2, 2, 1))
    latent = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    label = np.array([2, 0, 2], np.int32)
    params = module.init(jax.random.key(0), latent, label, train=True)["params"]
    embedding = np.asarray(params["Embed_0"]["embedding"])
    kernel = np.asarray(params["Dense_0"]["kernel"])
    expected = np.tanh((latent * embedding[label]) @ kernel).reshape(-1, 2, 2, 1)
    out = module.apply({"params": params}, latent, label, train=True)
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-5)
    critic = PerceptronCritic(3, units=())
    params = critic.init(jax.random.key(1), out, label, train=True)["params"]
    joined = np.concatenate(
        [np.asarray(out).reshape(3, 4), np.asarray(params["Embed_0"]["embedding"])[label]], axis=1
    )
    expected = joined @ np.asarray(params["Dense_0"]["kernel"])[:, 0]
    np.testing.assert_allclose(
        critic.apply({"params": params}, out, label, train=True), expected, rtol=1e-4, atol=1e-5
    )
