"""jaxgan's networks in Keras, and its weights in them.

As in `torch_weights`, layers lie in a model in the order in which Flax makes them: a layer's Flax
name is its kind and its number.
"""

from typing import Any

import keras
import numpy as np
from keras import layers


def batch_norm() -> layers.Layer:
    """With jaxgan's constants: Keras has 1e-3 and 0.99 of its own."""
    return layers.BatchNormalization(epsilon=1e-5, momentum=0.9)


def conv(channels: int, taps: int, stride: int = 1, bias: bool = True) -> layers.Layer:
    """A convolution that pads as jaxgan's does."""
    return layers.Conv2D(channels, taps, stride, padding="same", use_bias=bias)


def prelu() -> layers.Layer:
    """With a slope of each channel."""
    return layers.PReLU(shared_axes=[1, 2])


def shuffle(x: Any, factor: int) -> Any:
    """Channels, read as [rows, columns, channels], unfold into space."""
    _, height, width, channels = x.shape
    inner = channels // factor**2
    x = layers.Reshape((height, width, factor, factor * inner))(x)
    x = layers.Permute((1, 3, 2, 4))(x)
    return layers.Reshape((height * factor, width * factor, inner))(x)


def mlp(inputs: int, features: list[int], picture: bool) -> keras.Model:
    """Dense layers; the generator's end in tanh and a picture, the critic's in a logit."""
    x = given = keras.Input((inputs,) if picture else (28, 28, 1))
    x = x if picture else layers.Flatten()(x)
    for index, units in enumerate(features):
        if index:
            x = layers.ReLU()(x) if picture else layers.LeakyReLU(0.2)(x)
        x = layers.Dense(units)(x)
    if picture:
        x = layers.Reshape((28, 28, 1))(layers.Activation("tanh")(x))
    return keras.Model(given, x)


def generator28(latent_size: int) -> keras.Model:
    """The generator of the tutorials for 28x28 grey pictures."""
    given = keras.Input((latent_size,))
    x = layers.Dense(7 * 7 * 256, use_bias=False)(given)
    x = layers.Reshape((7, 7, 256))(x)
    for channels in (128, 64):
        x = layers.LeakyReLU(0.2)(batch_norm()(x))
        x = layers.Conv2DTranspose(channels, 4, 2, padding="same", use_bias=False)(x)
    x = layers.LeakyReLU(0.2)(batch_norm()(x))
    x = layers.Conv2DTranspose(1, 4, padding="same", activation="tanh")(x)
    return keras.Model(given, x)


def critic28() -> keras.Model:
    """The critic of the tutorials for 28x28 grey pictures."""
    x = given = keras.Input((28, 28, 1))
    for channels in (64, 128):
        x = layers.LeakyReLU(0.2)(conv(channels, 4, 2)(x))
    return keras.Model(given, layers.Dense(1)(layers.Flatten()(x)))


def srresnet(side: int, channels: int, blocks: int, factor: int) -> keras.Model:
    """The generator of SRGAN, for low-resolution pictures of that side."""
    given = keras.Input((side, side, 3))
    x = skip = prelu()(conv(channels, 9)(given))
    for _ in range(blocks):
        y = prelu()(batch_norm()(conv(channels, 3, bias=False)(x)))
        x = layers.Add()([x, batch_norm()(conv(channels, 3, bias=False)(y))])
    x = layers.Add()([batch_norm()(conv(channels, 3, bias=False)(x)), skip])
    for _ in range(factor.bit_length() - 1):
        x = prelu()(shuffle(conv(4 * channels, 3)(x), 2))
    return keras.Model(given, conv(3, 9)(x))


def srcritic(channels: int, dense: int, side: int) -> keras.Model:
    """The critic of SRGAN."""
    x = given = keras.Input((side, side, 3))
    for index in range(8):
        x = conv(channels * 2 ** (index // 2), 3, 1 + index % 2, bias=index == 0)(x)
        x = batch_norm()(x) if index else x
        x = layers.LeakyReLU(0.2)(x)
    x = layers.LeakyReLU(0.2)(layers.Dense(dense)(layers.Flatten()(x)))
    return keras.Model(given, layers.Dense(1)(x))


def make_network(sizes: dict[str, Any], side: int) -> keras.Model:
    """The network of a player as `subject.json` describes it; `side` is a low picture's."""
    match sizes["kind"]:
        case "MLP":
            return mlp(sizes["inputs"], sizes["features"], sizes["picture"])
        case "Generator28":
            return generator28(sizes["inputs"])
        case "Critic28":
            return critic28()
        case "SRResNet":
            return srresnet(side, sizes["channels"], sizes["blocks"], sizes["factor"])
        case "SRCritic":
            return srcritic(sizes["channels"], sizes["dense"], sizes["side"])
    raise ValueError(f"there is no {sizes['kind']} in Keras")


KINDS = {
    "Dense": "Dense",
    "Conv2D": "Conv",
    "Conv2DTranspose": "ConvTranspose",
    "BatchNormalization": "BatchNorm",
    "PReLU": "PReLU",
}
NAMES = {"gamma": "norm/scale", "beta": "norm/bias", "alpha": "slope"}


def flax_layers(model: keras.Model, blocks: int) -> list[tuple[str, layers.Layer]]:
    """The layers with parameters, each with the path of its Flax counterpart.

    Of a generator with residual blocks, the layers after the first convolution and its PReLU are
    the blocks', five each.
    """
    weighted = [layer for layer in model.layers if layer.trainable_variables]
    groups = [("", weighted)]
    if blocks:
        inner = {i: weighted[2 + 5 * i : 7 + 5 * i] for i in range(blocks)}
        outer = weighted[:2] + weighted[2 + 5 * blocks :]
        groups = [("", outer), *((f"ResidualBlock_{i}/", part) for i, part in inner.items())]
    found = []
    for prefix, members in groups:
        counts: dict[str, int] = {}
        for layer in members:
            kind = KINDS[type(layer).__name__]
            found.append((f"{prefix}{kind}_{counts.setdefault(kind, 0)}", layer))
            counts[kind] += 1
    return found


def load_weights(model: keras.Model, params: dict[str, np.ndarray], blocks: int) -> None:
    """Puts parameters into a network; ValueError unless every one has its place."""
    left = dict(params)
    for path, layer in flax_layers(model, blocks):
        for variable in layer.trainable_variables:
            array = left.pop(f"{path}/{NAMES.get(variable.name, variable.name)}")
            if isinstance(layer, layers.Conv2DTranspose) and array.ndim == 4:
                array = np.swapaxes(array, 2, 3)  # Keras has [..., out, in]
            if isinstance(layer, layers.PReLU):
                array = array.reshape(variable.shape)
            if array.shape != tuple(variable.shape):
                raise ValueError(f"{path}: {array.shape} is not {tuple(variable.shape)}")
            variable.assign(array)
    if left:
        raise ValueError(f"the Keras network has no place for {sorted(left)}")
