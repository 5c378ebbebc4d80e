import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.nets.resnet import ResNetGenerator


def test_parameters_are_those_of_the_papers_networks(shapes):
    """11.378 M and 7.838 M in the authors' code, whose normalised layers have biases to no end."""
    without = 64 + 128 + 256 + 128 + 64
    count, out = shapes(ResNetGenerator(), (2, 256, 256, 3))
    assert count == 11_378_179 - without - 9 * 2 * 256 == 11_372_931
    assert out == (2, 256, 256, 3)
    count, out = shapes(ResNetGenerator(blocks=6), (1, 128, 64, 3))
    assert count == 7_837_699 - without - 6 * 2 * 256
    assert out == (1, 128, 64, 3)


def test_the_network_layer_by_layer(plain, drawn, call):
    module = ResNetGenerator(2, blocks=2, channels=2)
    x = np.random.default_rng(0).normal(size=(2, 12, 16, 3)).astype(np.float32)
    variables = drawn(module, x, train=True)
    params = variables["params"]

    def mirrored(x, n):
        return np.pad(x, [(0, 0), (n, n), (n, n), (0, 0)], mode="reflect")

    def settled(x):
        return plain.relu(plain.instance_norm(x))

    y = settled(plain.conv(mirrored(x, 3), params["Conv_0"], 1, 0))
    y = settled(plain.conv(y, params["Conv_1"], 2, 1))
    y = settled(plain.conv(y, params["Conv_2"], 2, 1))
    assert y.shape == (2, 3, 4, 8)
    for block in ("ReflectBlock_0", "ReflectBlock_1"):
        z = settled(plain.conv(mirrored(y, 1), params[block]["Conv_0"], 1, 0))
        y = y + plain.instance_norm(plain.conv(mirrored(z, 1), params[block]["Conv_1"], 1, 0))
    y = settled(plain.conv_transpose(y, params["ConvTranspose_0"], (1, 2)))
    y = settled(plain.conv_transpose(y, params["ConvTranspose_1"], (1, 2)))
    y = np.tanh(plain.conv(mirrored(y, 3), params["Conv_3"], 1, 0))
    assert y.shape == (2, 12, 16, 2)
    assert y.std() > 0.1
    out = call(module, variables, x, train=False)
    np.testing.assert_allclose(out, y, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("shape", "message"),
    [((1, 16, 18, 3), "multiples of 4, not 16 x 18"), ((1, 4, 16, 3), "nothing to reflect")],
)
def test_sides_that_do_not_fit(shape, message):
    with pytest.raises(ValueError, match=message):
        ResNetGenerator(blocks=1, channels=1).init(jax.random.key(0), jnp.ones(shape), train=True)
