"""jaxgan's networks in PyTorch by their names, and its weights in them.

Layers are registered in the order in which the Flax modules make theirs, so a layer's Flax name is
its kind and its number among those of its kind, or its `flax_name` (`flax_layers`).
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn.utils import parametrize

from benchmarks.peers import torch_films as films
from benchmarks.peers import torch_networks as networks
from benchmarks.peers import torch_text as text
from benchmarks.peers import torch_translators as translators
from benchmarks.peers import torch_vocoder as vocoder

NETWORKS: dict[str, type[nn.Module]] = {
    "MLP": networks.MLP,
    "Generator28": networks.Generator28,
    "Critic28": networks.Critic28,
    "SRResNet": networks.SRResNet,
    "SRCritic": networks.SRCritic,
    "UNet": translators.UNet,
    "ResNetGenerator": translators.ResNetGenerator,
    "PatchCritic": translators.PatchCritic,
    "WordGenerator": text.WordGenerator,
    "WordCritic": text.WordCritic,
    "FilmGenerator": films.FilmGenerator,
    "VolumeCritic": films.VolumeCritic,
    "HiFiGAN": vocoder.HiFiGAN,
    "WaveCritics": vocoder.WaveCritics,
}

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
BATCH_NORMS = (nn.BatchNorm2d, nn.BatchNorm3d)
KINDS: dict[type[nn.Module], str] = {
    nn.Linear: "Dense",
    nn.Embedding: "Embed",
    text.LSTM: "OptimizedLSTMCell",
    nn.Conv1d: "Conv",
    nn.Conv2d: "Conv",
    nn.Conv3d: "Conv",
    networks.SameConv: "Conv",
    **dict.fromkeys(TRANSPOSED, "ConvTranspose"),
    **dict.fromkeys(BATCH_NORMS, "BatchNorm"),
    nn.PReLU: "PReLU",
    networks.ResidualBlock: "ResidualBlock",
    translators.ReflectBlock: "ReflectBlock",
    text.TextEncoder: "TextEncoder",
    vocoder.PeriodCritic: "PeriodCritic",
    vocoder.ScaleCritic: "ScaleCritic",
}
# Those that Flax numbers the layers of anew; `films.Growing` only where it has a name.
BLOCKS = (
    networks.ResidualBlock,
    translators.ReflectBlock,
    text.TextEncoder,
    films.Growing,
    vocoder.PeriodCritic,
    vocoder.ScaleCritic,
)
# What PyTorch calls the parts of a normalised weight.
GAIN = "parametrizations.weight.original0"
KERNELS = ("weight", "parametrizations.weight.original", "parametrizations.weight.original1")
# The order in which PyTorch's LSTM has its gates.
GATES = "ifgo"


class Layer(NamedTuple):
    """A layer with parameters.

    Attributes:
      path: of its Flax counterpart.
      norm: the path of what normalises that one's kernel; empty where nothing does.
      module: the layer.
    """

    path: str
    norm: str
    module: nn.Module


def make_network(sizes: dict[str, Any]) -> nn.Module:
    """The network of a player as `subject.json` describes it: its `kind`, and its arguments."""
    arguments = {name: size for name, size in sizes.items() if name != "kind"}
    return NETWORKS[sizes["kind"]](**arguments)


def flax_layers(module: nn.Module, path: str = "") -> Iterator[Layer]:
    """The layers with parameters, each with the path of its Flax counterpart."""
    counts: dict[str, int] = {}

    def numbered(kind: str) -> str:
        counts[kind] = counts.get(kind, -1) + 1
        return f"{path}{kind}_{counts[kind]}"

    def walk(parent: nn.Module) -> Iterator[Layer]:
        for child in parent.children():
            kind = KINDS.get(parametrize.type_before_parametrizations(child))
            own = getattr(child, "flax_name", None)
            if kind is None and own is None:
                yield from walk(child)
                continue
            name = f"{path}{own}" if own else numbered(str(kind))
            if isinstance(child, BLOCKS):
                yield from flax_layers(child, f"{name}/")
            else:
                norm = _norm(child)
                yield Layer(name, numbered(norm) if norm else "", child)

    return walk(module)


def load_weights(
    module: nn.Module, params: dict[str, np.ndarray], variables: dict[str, np.ndarray]
) -> None:
    """Puts parameters and spectral vectors into a network.

    Args:
      module: the network.
      params: by their Flax paths.
      variables: likewise. Averages of batch normalisation begin anew.

    Raises:
      ValueError: a parameter without its place.
    """
    # jaxgan keeps a network and the words that it reads in a module around both.
    left = {path.removeprefix("network/"): array for path, array in params.items()}
    with torch.no_grad():
        for layer in flax_layers(module):
            for name, tensor in layer.module.named_parameters():
                array = _take(layer, name, left)
                if array.shape != tensor.shape:
                    raise ValueError(f"{layer.path}: {name} has {array.shape}, not {tensor.shape}")
                tensor.copy_(torch.from_numpy(np.ascontiguousarray(array)))
            if isinstance(layer.module, BATCH_NORMS):
                layer.module.reset_running_stats()
            if layer.norm and _norm(layer.module) == "SpectralNorm":
                _load_vectors(layer, variables)
    if left:
        raise ValueError(f"the PyTorch network has no place for {sorted(left)}")


def _norm(layer: nn.Module) -> str:
    """The kind of what normalises a layer's weight."""
    if not parametrize.is_parametrized(layer, "weight"):
        return ""
    (norm,) = layer.parametrizations.weight
    return "SpectralNorm" if isinstance(norm, vocoder.SpectralNorm) else "WeightNorm"


def _take(layer: Layer, name: str, left: dict[str, np.ndarray]) -> np.ndarray:
    """Takes what belongs to a parameter from what is left, as PyTorch lays it out."""
    module, path = layer.module, layer.path
    if isinstance(module, text.LSTM):
        part = "i" if name == "weight_ih_l0" else "h"
        kind = "bias" if name.startswith("bias") else "kernel"
        return np.concatenate([left.pop(f"{path}/{part}{gate}/{kind}").T for gate in GATES])
    if name == GAIN:
        gain = left.pop(f"{layer.norm}/gain")
        return gain.reshape(-1, *[1] * (_axes(module) + 1))
    return _lay_out(module, name, left.pop(f"{path}/{_flax_name(module, name)}"))


def _load_vectors(layer: Layer, variables: dict[str, np.ndarray]) -> None:
    (norm,) = layer.module.parametrizations.weight
    left, right = (variables[f"spectral/{layer.norm}/{name}"] for name in "uv")
    taps = layer.module.kernel_size
    right = np.moveaxis(right.reshape(*taps, -1), -1, 0).ravel()
    for buffer, array in ((norm.left, left), (norm.right, right)):
        buffer.copy_(torch.from_numpy(np.ascontiguousarray(array)))


def _axes(layer: nn.Module) -> int:
    """Over how many axes a convolution goes."""
    return len(layer.kernel_size)


def _flax_name(layer: nn.Module, name: str) -> str:
    if isinstance(layer, BATCH_NORMS):
        return "norm/scale" if name == "weight" else "norm/bias"
    if isinstance(layer, nn.PReLU):
        return "slope"
    if isinstance(layer, nn.Embedding):
        return "embedding"
    return "kernel" if name in KERNELS else name


def _lay_out(layer: nn.Module, name: str, array: np.ndarray) -> np.ndarray:
    """From channels last, and [..., in, out], to PyTorch's order."""
    if isinstance(layer, nn.Linear):
        if (folds := getattr(layer, "folds", None)) and name == "weight":
            channels_first = np.moveaxis(array.reshape(*folds, -1), -2, 0)
            array = channels_first.reshape(array.shape)
        if unfolds := getattr(layer, "unfolds", None):
            channels_first = np.moveaxis(array.reshape(-1, *unfolds), -1, 1)
            array = channels_first.reshape(array.shape)
        return array.T
    if factor := getattr(layer, "shuffles", None):
        # PyTorch's PixelShuffle reads [channels, rows, columns], jaxgan's the channels last.
        split = array.reshape(*array.shape[:-1], factor * factor, -1)
        array = np.swapaxes(split, -1, -2).reshape(array.shape)
    if array.ndim < 3:
        return array
    if isinstance(layer, TRANSPOSED):
        return np.moveaxis(array, (-2, -1), (0, 1))
    kernel = np.moveaxis(array, (-1, -2), (0, 1))
    # jaxgan's critics by periods have kernels without the axis of a single column.
    return kernel.reshape(*kernel.shape, *[1] * (_axes(layer) + 2 - kernel.ndim))
