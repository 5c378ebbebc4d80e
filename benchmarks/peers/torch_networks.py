"""jaxgan's networks in PyTorch that make digits of noise and small pictures large.

Layers are registered in the order in which the Flax modules make theirs: `torch_weights` finds a
layer's weights by it.
"""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SameConv(nn.Conv2d):
    """A convolution that pads as SAME does, which for kernel 3 and stride 2 is at the end only."""

    def __init__(self, inputs: int, outputs: int, taps: int, stride: int = 1, bias: bool = True):
        lopsided = (taps - stride) % 2 == 1
        padding = 0 if lopsided else (taps - stride + 1) // 2
        super().__init__(inputs, outputs, taps, stride, padding, bias=bias)
        self.lopsided = lopsided

    def forward(self, x: Tensor) -> Tensor:
        if self.lopsided:
            taps, stride = self.kernel_size[0], self.stride[0]
            height, width = (max((-(-n // stride) - 1) * stride + taps - n, 0) for n in x.shape[2:])
            top, left = height // 2, width // 2
            x = F.pad(x, (left, width - left, top, height - top))
        return super().forward(x)


class MLP(nn.Module):
    """Dense layers; the generator's end in tanh and a picture, the critic's in a logit."""

    def __init__(self, inputs: int, features: list[int], picture: bool):
        super().__init__()
        sizes = [inputs, *features]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
        self.picture = picture

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        for index, layer in enumerate(self.layers):
            if index:
                x = F.relu(x) if self.picture else F.leaky_relu(x, 0.2)
            x = layer(x)
        return torch.tanh(x).reshape(-1, 1, 28, 28) if self.picture else x[:, 0]


class Generator28(nn.Module):
    """The generator of the tutorials for 28x28 grey pictures."""

    def __init__(self, inputs: int):
        super().__init__()
        self.dense = nn.Linear(inputs, 7 * 7 * 256, bias=False)
        self.dense.unfolds = (7, 7, 256)
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for channels in (256, 128, 64))
        self.convs = nn.ModuleList(
            [
                nn.ConvTranspose2d(256, 128, 4, stride=2, padding=1, bias=False),
                nn.ConvTranspose2d(128, 64, 4, stride=2, padding=1, bias=False),
                nn.ConvTranspose2d(64, 1, 4, stride=1, padding=1),
            ]
        )

    def forward(self, latent: Tensor) -> Tensor:
        x = self.dense(latent).reshape(-1, 256, 7, 7)
        if self.convs[0].weight.is_contiguous(memory_format=torch.channels_last):
            x = x.contiguous(memory_format=torch.channels_last)
        for norm, conv in zip(self.norms, self.convs, strict=True):
            x = conv(F.leaky_relu(norm(x), 0.2))
        # SAME takes one position from the start and two from the end.
        return torch.tanh(x[:, :, :-1, :-1])


class Critic28(nn.Module):
    """The critic of the tutorials for 28x28 grey pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList([SameConv(1, 64, 4, 2), SameConv(64, 128, 4, 2)])
        self.dense = nn.Linear(7 * 7 * 128, 1)
        self.dense.folds = (7, 7, 128)

    def forward(self, x: Tensor) -> Tensor:
        for conv in self.convs:
            x = F.leaky_relu(conv(x), 0.2)
        return self.dense(x.flatten(1))[:, 0]


class ResidualBlock(nn.Module):
    """conv - BN - PReLU - conv - BN, added to its input."""

    def __init__(self, channels: int):
        super().__init__()
        self.first = SameConv(channels, channels, 3, bias=False)
        self.first_norm = nn.BatchNorm2d(channels)
        self.activation = nn.PReLU(channels)
        self.second = SameConv(channels, channels, 3, bias=False)
        self.second_norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.activation(self.first_norm(self.first(x)))
        return x + self.second_norm(self.second(y))


class SRResNet(nn.Module):
    """The generator of SRGAN."""

    def __init__(self, channels: int, blocks: int, factor: int):
        super().__init__()
        doublings = factor.bit_length() - 1
        self.head = SameConv(3, channels, 9)
        self.head_activation = nn.PReLU(channels)
        self.blocks = nn.ModuleList(ResidualBlock(channels) for _ in range(blocks))
        self.body = SameConv(channels, channels, 3, bias=False)
        self.body_norm = nn.BatchNorm2d(channels)
        self.up = nn.ModuleList(SameConv(channels, 4 * channels, 3) for _ in range(doublings))
        for conv in self.up:
            conv.shuffles = 2
        self.up_activations = nn.ModuleList(nn.PReLU(channels) for _ in range(doublings))
        self.tail = SameConv(channels, 3, 9)

    def forward(self, low: Tensor) -> Tensor:
        x = skip = self.head_activation(self.head(low))
        for block in self.blocks:
            x = block(x)
        x = self.body_norm(self.body(x)) + skip
        for conv, activation in zip(self.up, self.up_activations, strict=True):
            x = activation(F.pixel_shuffle(conv(x), 2))
        return self.tail(x)


class SRCritic(nn.Module):
    """The critic of SRGAN."""

    def __init__(self, channels: int, dense: int, side: int):
        super().__init__()
        sizes = [3, *(channels * 2 ** (index // 2) for index in range(8))]
        self.convs = nn.ModuleList(
            SameConv(sizes[i], sizes[i + 1], 3, 1 + i % 2, bias=i == 0) for i in range(8)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(size) for size in sizes[2:])
        for _ in range(4):
            side = -(-side // 2)
        self.hidden = nn.Linear(side * side * sizes[-1], dense)
        self.hidden.folds = (side, side, sizes[-1])
        self.logit = nn.Linear(dense, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.leaky_relu(self.convs[0](x), 0.2)
        for conv, norm in zip(list(self.convs)[1:], self.norms, strict=True):
            x = F.leaky_relu(norm(conv(x)), 0.2)
        return self.logit(F.leaky_relu(self.hidden(x.flatten(1)), 0.2))[:, 0]
