"""jaxgan's networks in PyTorch by their names, and its weights in them.

Layers are registered in the order in which the Flax modules make theirs, so a layer's Flax name is
its kind and its number among those of its kind (`flax_layers`).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.peers import torch_networks as networks
from benchmarks.peers import torch_translators as translators

NETWORKS: dict[str, type[nn.Module]] = {
    "MLP": networks.MLP,
    "Generator28": networks.Generator28,
    "Critic28": networks.Critic28,
    "SRResNet": networks.SRResNet,
    "SRCritic": networks.SRCritic,
    "UNet": translators.UNet,
    "ResNetGenerator": translators.ResNetGenerator,
    "PatchCritic": translators.PatchCritic,
}

KINDS: dict[type[nn.Module], str] = {
    nn.Linear: "Dense",
    nn.Conv2d: "Conv",
    networks.SameConv: "Conv",
    nn.ConvTranspose2d: "ConvTranspose",
    nn.BatchNorm2d: "BatchNorm",
    nn.PReLU: "PReLU",
    networks.ResidualBlock: "ResidualBlock",
    translators.ReflectBlock: "ReflectBlock",
}
# Those that Flax numbers the layers of anew.
BLOCKS = (networks.ResidualBlock, translators.ReflectBlock)


def make_network(sizes: dict[str, Any]) -> nn.Module:
    """The network of a player as `subject.json` describes it: its `kind`, and its arguments."""
    arguments = {name: size for name, size in sizes.items() if name != "kind"}
    return NETWORKS[sizes["kind"]](**arguments)


def flax_layers(module: nn.Module, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The layers with parameters, each with the path of its Flax counterpart."""
    counts: dict[str, int] = {}

    def walk(parent: nn.Module) -> Iterator[tuple[str, nn.Module]]:
        for child in parent.children():
            kind = KINDS.get(type(child))
            if kind is None:
                yield from walk(child)
                continue
            name = f"{path}{kind}_{counts.setdefault(kind, 0)}"
            counts[kind] += 1
            if isinstance(child, BLOCKS):
                yield from flax_layers(child, f"{name}/")
            else:
                yield name, child

    return walk(module)


def load_weights(module: nn.Module, params: dict[str, np.ndarray]) -> None:
    """Puts parameters into a network; ValueError unless every one has its place."""
    left = dict(params)
    with torch.no_grad():
        for path, layer in flax_layers(module):
            for name, tensor in layer.named_parameters():
                array = left.pop(f"{path}/{_flax_name(layer, name)}")
                array = _lay_out(layer, name, array)
                if array.shape != tensor.shape:
                    raise ValueError(f"{path}: {name} has {array.shape}, not {tensor.shape}")
                tensor.copy_(torch.from_numpy(np.ascontiguousarray(array)))
            if isinstance(layer, nn.BatchNorm2d):
                layer.reset_running_stats()
    if left:
        raise ValueError(f"the PyTorch network has no place for {sorted(left)}")


def _flax_name(layer: nn.Module, name: str) -> str:
    if isinstance(layer, nn.BatchNorm2d):
        return "norm/scale" if name == "weight" else "norm/bias"
    if isinstance(layer, nn.PReLU):
        return "slope"
    return "kernel" if name == "weight" else name


def _lay_out(layer: nn.Module, name: str, array: np.ndarray) -> np.ndarray:
    """From channels last, and [..., in, out], to PyTorch's order."""
    if isinstance(layer, nn.Linear) and name == "weight":
        if folds := getattr(layer, "folds", None):
            array = array.reshape(*folds, -1).transpose(2, 0, 1, 3).reshape(array.shape)
        if unfolds := getattr(layer, "unfolds", None):
            array = array.reshape(-1, *unfolds).transpose(0, 3, 1, 2).reshape(array.shape)
        return array.T
    if factor := getattr(layer, "shuffles", None):
        # PyTorch's PixelShuffle reads [channels, rows, columns], jaxgan's the channels last.
        split = array.reshape(*array.shape[:-1], factor * factor, -1)
        array = np.swapaxes(split, -1, -2).reshape(array.shape)
    if array.ndim == 4:
        transposed = isinstance(layer, nn.ConvTranspose2d)
        return array.transpose(2, 3, 0, 1) if transposed else array.transpose(3, 2, 0, 1)
    return array
