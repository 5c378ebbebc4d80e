"""Films in PyTorch: VGAN's networks as jaxgan has them, and its game.

Layers are registered in the order in which the Flax modules make theirs: `torch_weights` finds a
layer's weights by it, or by `flax_name` where Flax's has a name of its own.
"""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.peers.torch_games import Batch, Fakes, Noise


class Growing(nn.Module):
    """A dense layer, then transposed convolutions that double every axis.

    Attributes:
      hidden: all but the last of them, each after batch normalisation and ReLU.
      result: batch normalisation, ReLU and the last.
    """

    def __init__(self, inputs: int, first: tuple[int, ...], width: int, stages: int, result: int):
        super().__init__()
        widths = [width * 2**stage for stage in reversed(range(stages))]
        self.first = (widths[0], *first)
        cells = 1
        for side in first:
            cells *= side
        self.dense = nn.Linear(inputs, cells * widths[0], bias=False)
        self.dense.unfolds = (*first, widths[0])
        films = len(first) == 3
        conv = nn.ConvTranspose3d if films else nn.ConvTranspose2d
        norm = nn.BatchNorm3d if films else nn.BatchNorm2d
        self.format = torch.channels_last_3d if films else torch.channels_last
        made: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            made += [norm(before), nn.ReLU(True)]
            made.append(conv(before, after, 4, stride=2, padding=1, bias=False))
        self.hidden = nn.Sequential(*made)
        last = conv(width, result, 4, stride=2, padding=1)
        self.result = nn.Sequential(norm(width), nn.ReLU(True), last)

    def forward(self, latent: Tensor) -> Tensor:
        x = self.dense(latent).reshape(-1, *self.first)
        if self.result[-1].weight.is_contiguous(memory_format=self.format):
            x = x.contiguous(memory_format=self.format)
        return self.result(self.hidden(x))


class FilmGenerator(nn.Module):
    """What moves, in front of what does not (Vondrick et al. 2016, equation 3)."""

    def __init__(self, inputs: int, first: list[int], width: int, stages: int, channels: int):
        super().__init__()
        # One convolution makes the foreground and its mask.
        self.video = Growing(inputs, tuple(first), width, stages, channels + 1)
        self.background = Growing(inputs, (first[-1],) * 2, width, stages, channels)
        self.background.flax_name = "background"

    def forward(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """`[batch, latent size]` to films `[batch, channels, frames, side, side]` and masks."""
        both = self.video(latent)
        foreground, mask = torch.tanh(both[:, :-1]), torch.sigmoid(both[:, -1:])
        background = torch.tanh(self.background(latent)).unsqueeze(2)
        return mask * foreground + (1 - mask) * background, mask


class VolumeCritic(nn.Module):
    """Convolutions over time and space of stride 2, and a dense layer."""

    def __init__(self, inputs: int, first: list[int], width: int, stages: int):
        super().__init__()
        widths = [inputs, *(width * 2**stage for stage in range(stages))]
        made: list[nn.Module] = []
        for stage, (before, after) in enumerate(itertools.pairwise(widths)):
            made.append(nn.Conv3d(before, after, 4, stride=2, padding=1, bias=stage == 0))
            made += [nn.BatchNorm3d(after)] if stage else []
            made.append(nn.LeakyReLU(0.2, True))
        self.layers = nn.Sequential(*made)
        frames, height, across = first
        self.dense = nn.Linear(frames * height * across * widths[-1], 1)
        self.dense.folds = (*first, widths[-1])

    def forward(self, films: Tensor) -> Tensor:
        return self.dense(self.layers(films).flatten(1))[:, 0]


class Films(Noise):
    """Films of noise, whose generator keeps its mask small (VGAN)."""

    def generate(self, batch: Batch) -> Fakes:
        film, mask = self.networks["generator"](batch["latent"])
        return {"real": film, "mask": mask}

    def generator_loss(self, batch: Batch, fakes: Fakes) -> Tensor:
        mask = fakes["mask"].float()
        cost = self.weights["mask_cost"] * F.l1_loss(mask, torch.zeros_like(mask))
        # jaxgan pays for the mask too, but does not count it in the loss that it reports.
        return super().generator_loss(batch, fakes) + cost - cost.detach()
