import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.nets.unet import UNet
from jaxgan.state import Network


def pictures(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_parameters_are_those_of_the_papers_networks(shapes):
    """54.414 M and 41.829 M in the authors' PyTorch code, whose C64 and bottleneck have no bias."""
    biases = 64 + 512
    assert shapes(UNet(), (1, 256, 256, 3)) == (54_413_955 + biases, (1, 256, 256, 3))
    assert shapes(UNet(depth=7), (1, 128, 128, 3)) == (41_828_995 + biases, (1, 128, 128, 3))
    # One-hot labels in, instance normalisation without parameters, another output.
    normalised = 2 * (128 + 256 + 4 * 512) + 2 * (4 * 512 + 256 + 128 + 64)
    count, out = shapes(UNet(1, norm="instance"), (2, 256, 512, 12))
    assert out == (2, 256, 512, 1)
    assert count == 54_414_531 - normalised + 16 * 64 * (12 - 3) - (16 * 2 * 64 + 1) * (3 - 1)


def test_the_network_layer_by_layer(plain, drawn, call):
    module = UNet(2, depth=3, channels=4, most=8, norm="instance")
    x = pictures(2, 16, 24, 3)
    variables = drawn(module, x, train=True)
    params = variables["params"]
    first = plain.conv(x, params["Conv_0"], 2, 1)
    second = plain.instance_norm(plain.conv(plain.relu(first, 0.2), params["Conv_1"], 2, 1))
    third = plain.conv(plain.relu(second, 0.2), params["Conv_2"], 2, 1)
    assert [y.shape[-1] for y in (first, second, third)] == [4, 8, 8]
    y = plain.conv_transpose(plain.relu(third), params["ConvTranspose_0"], (2, 2))
    y = np.concatenate([plain.instance_norm(y), second], axis=-1)
    y = plain.conv_transpose(plain.relu(y), params["ConvTranspose_1"], (2, 2))
    y = np.concatenate([plain.instance_norm(y), first], axis=-1)
    y = plain.conv_transpose(plain.relu(y), params["ConvTranspose_2"], (2, 2))
    assert y.shape == (2, 16, 24, 2)
    assert np.abs(y).max() > 0.1
    out = call(module, variables, x, train=True)
    np.testing.assert_allclose(out, np.tanh(y), rtol=1e-3, atol=1e-4)


@pytest.fixture
def network(drawn):
    """A function of a module, an input and options: a network of drawn parameters."""

    def of(module, x, **options):
        variables = drawn(module, x, train=True)
        return Network(module, variables.pop("params"), variables, **options)

    return of


@pytest.mark.parametrize("train", [True, False])
def test_dropout_acts_where_its_key_is_given(train, network):
    x = pictures(2, 8, 8, 3)
    player = network(UNet(depth=2, channels=8, norm="instance"), x, train=train)
    silent = player(x)
    np.testing.assert_array_equal(silent, player(x))
    one, again, other = (player(x, rngs={"dropout": jax.random.key(n)}) for n in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 1e-3
    assert np.abs(one - silent).max() > 1e-3
    # Each picture of a batch has noise of its own.
    twins = player(np.stack([x[0], x[0]]), rngs={"dropout": jax.random.key(1)})
    assert np.abs(twins[0] - twins[1]).max() > 1e-3


def test_a_key_does_nothing_without_dropout(network):
    x = pictures(1, 8, 8, 3)
    player = network(UNet(depth=2, channels=4, dropout=0.0), x)
    np.testing.assert_array_equal(player(x), player(x, rngs={"dropout": jax.random.key(1)}))


@pytest.mark.parametrize(("depth", "widths"), [(8, [512] * 3), (3, [128, 64])])
def test_dropout_is_in_the_three_innermost_layers_of_the_decoder(depth, widths, shapes):
    seen = []

    def note(run, args, kwargs, context):
        if isinstance(context.module, nn.Dropout):
            seen.append(args[0].shape[1:])
        return run(*args, **kwargs)

    side = 2**depth
    with nn.intercept_methods(note):
        shapes(UNet(depth=depth), (1, side, side, 3))
    # Initialisation and the call after it.
    assert seen == 2 * [(2**n, 2**n, width) for n, width in enumerate(widths, 1)]


def test_batch_statistics_are_the_batchs_only_in_training(network):
    x = pictures(3, 8, 8, 2)
    player = network(UNet(depth=2, channels=4), x)
    trained, moved = player.update(x)
    jax.tree.map(
        lambda old, new: np.testing.assert_raises(
            AssertionError, np.testing.assert_array_equal, old, new
        ),
        player.variables,
        moved.variables,
    )
    still = player.replace(train=False)
    np.testing.assert_allclose(still(x[:1]), still(x)[:1], rtol=1e-4, atol=1e-5)
    assert np.abs(player(x[:1]) - trained[:1]).max() > 1e-3


@pytest.mark.parametrize("shape", [(1, 12, 8, 3), (1, 8, 4, 3)])
def test_sides_that_do_not_divide(shape):
    with pytest.raises(ValueError, match="multiples of 8"):
        UNet(depth=3).init(jax.random.key(0), jnp.ones(shape), train=True)
