"""jaxgan's networks in PyTorch that make pictures of pictures, and their critics.

They are written as PyTorch's users write them, after the authors' repository. Layers are registered
in the order in which the Flax modules make theirs: `torch_weights` finds a layer's weights by it.
"""

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class UNet(nn.Module):
    """The generator of pix2pix."""

    def __init__(
        self,
        inputs: int,
        out_channels: int,
        depth: int,
        channels: int,
        most: int,
        dropout: float,
    ):
        super().__init__()
        widths = [min(channels * 2**level, most) for level in range(depth)]
        self.down = nn.ModuleList(
            nn.Conv2d(before, width, 4, stride=2, padding=1, bias=level in (0, depth - 1))
            for level, (before, width) in enumerate(itertools.pairwise([inputs, *widths]))
        )
        self.down_norms = nn.ModuleList(nn.BatchNorm2d(width) for width in widths[1:-1])
        narrowing = [*reversed(widths[:-1])]
        given = [widths[-1], *(2 * width for width in narrowing)]
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False)
            for before, after in zip(given, narrowing, strict=False)
        )
        self.up.append(nn.ConvTranspose2d(given[-1], out_channels, 4, stride=2, padding=1))
        self.up_norms = nn.ModuleList(nn.BatchNorm2d(width) for width in narrowing)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, factors: Sequence[Tensor] | None = None) -> Tensor:
        """Pictures of pictures; `factors` take the places of what the dropout layers draw."""
        seen = []
        last = len(self.down) - 1
        for level, conv in enumerate(self.down):
            # What a skip hands on is passed through ReLU later, to which this makes no difference.
            x = conv(F.leaky_relu(x, 0.2, inplace=True) if level else x)
            if 0 < level < last:
                x = self.down_norms[level - 1](x)
            seen.append(x)
        seen.pop()
        for place, norm in enumerate(self.up_norms):
            x = norm(self.up[place](F.relu(x, inplace=True)))
            if place < 3:
                x = self.dropout(x) if factors is None else x * factors[place]
            x = torch.cat([x, seen.pop()], 1)
        return torch.tanh(self.up[-1](F.relu(x, inplace=True)))


class InstanceNorm2d(nn.InstanceNorm2d):
    """PyTorch's, with the gradient in the layout that it needs.

    On a CPU the gradient of a batch of one has nothing to do with the right one if what comes back
    to it has channels last (PyTorch 2.13). What `torch.compile` makes of it is right.
    """

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        if y.requires_grad and not torch.compiler.is_compiling():
            y.register_hook(Tensor.contiguous)
        return y


class ReflectBlock(nn.Module):
    """Two convolutions padded by reflection, added to their input."""

    def __init__(self, channels: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=False),
            InstanceNorm2d(channels),
            nn.ReLU(True),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=False),
            InstanceNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class ResNetGenerator(nn.Module):
    """The generator of CycleGAN."""

    def __init__(self, inputs: int, out_channels: int, blocks: int, channels: int):
        super().__init__()

        def settled(conv: nn.Module, width: int) -> list[nn.Module]:
            return [conv, InstanceNorm2d(width), nn.ReLU(True)]

        layers: list[nn.Module] = [nn.ReflectionPad2d(3)]
        layers += settled(nn.Conv2d(inputs, channels, 7, bias=False), channels)
        width = channels
        for _ in range(2):
            conv = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, bias=False)
            width *= 2
            layers += settled(conv, width)
        layers += [ReflectBlock(width) for _ in range(blocks)]
        for _ in range(2):
            grown = nn.ConvTranspose2d(
                width, width // 2, 3, stride=2, padding=1, output_padding=1, bias=False
            )
            width //= 2
            layers += settled(grown, width)
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, out_channels, 7), nn.Tanh()]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class PatchCritic(nn.Module):
    """The PatchGAN of both."""

    def __init__(self, inputs: int, layers: int, channels: int, norm: str):
        super().__init__()
        make_norm = {"batch": nn.BatchNorm2d, "instance": InstanceNorm2d}[norm]
        strides = [2] * layers + [1] if layers else [1, 1]
        kernel, padding = (4, 1) if layers else (1, 0)
        made: list[nn.Module] = []
        for place, stride in enumerate(strides):
            width = channels * min(2**place, 8)
            made.append(nn.Conv2d(inputs, width, kernel, stride, padding, bias=place == 0))
            made += [make_norm(width)] if place else []
            made.append(nn.LeakyReLU(0.2, True))
            inputs = width
        self.layers = nn.Sequential(*made, nn.Conv2d(inputs, 1, kernel, 1, padding))

    def forward(self, *pictures: Tensor) -> Tensor:
        """Logits of pictures that belong together, joined along the channels."""
        return self.layers(torch.cat(pictures, 1))[:, 0]
