"""Text to image in PyTorch: jaxgan's networks that read words, and the game of GAN-CLS.

Layers are registered in the order in which the Flax modules make theirs: `torch_weights` finds a
layer's weights by it, or by `flax_name` where Flax's has a name of its own.
"""

import itertools
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from benchmarks.peers.torch_games import Batch, Fakes, OneCritic
from benchmarks.peers.torch_networks import SameConv

PADDING = 0


class LSTM(nn.LSTM):
    """PyTorch's with a single bias, as Flax has it: two would be moved twice as far."""

    def __init__(self, inputs: int, features: int):
        super().__init__(inputs, features, batch_first=True)
        del self.bias_ih_l0
        self.register_buffer("bias_ih_l0", torch.zeros(4 * features))
        self._init_flat_weights()


class TextEncoder(nn.Module):
    """Embedding, dropout, LSTM: its output at a text's last token."""

    def __init__(self, size: int, embedding: int, features: int, dropout: float = 0.0):
        super().__init__()
        self.flax_name = "encoder"
        self.embed = nn.Embedding(size, embedding)
        self.dropout = nn.Dropout(dropout)
        self.lstm = LSTM(embedding, features)

    def forward(self, text: Tensor, factor: Tensor | None = None) -> Tensor:
        """`[batch, length]` to `[batch, features]`; `factor` takes the place of the dropout."""
        x = self.embed(text)
        x = self.dropout(x) if factor is None else x * factor
        lengths = (text != PADDING).sum(1).clamp(min=1).cpu()
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        _, (last, _) = self.lstm(packed)
        return last[0]


class WordGenerator(nn.Module):
    """The generator of the tutorials: a word and noise to 28x28."""

    def __init__(
        self,
        inputs: int,
        size: int,
        embedding: int,
        features: int,
        dropout: float,
        start: int,
        channels: list[int],
        kernel: int,
    ):
        super().__init__()
        self.start = start
        self.encoder = TextEncoder(size, embedding, features, dropout)
        self.noise = nn.Linear(inputs, inputs)
        self.noise.flax_name = "noise"
        self.dense = nn.Linear(features + inputs, 7 * 7 * start)
        self.dense.unfolds = (7, 7, start)
        widths = [start, *channels]
        self.convs = nn.ModuleList(
            nn.Conv2d(before, after, kernel, padding=kernel // 2, bias=False)
            for before, after in itertools.pairwise(widths)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in channels)
        self.last = nn.Conv2d(widths[-1], 1, kernel, padding=kernel // 2)

    def forward(self, latent: Tensor, text: Tensor, factor: Tensor | None = None) -> Tensor:
        x = torch.cat([self.encoder(text, factor), self.noise(latent)], 1)
        x = self.dense(x).reshape(-1, self.start, 7, 7)
        if self.convs[0].weight.is_contiguous(memory_format=torch.channels_last):
            x = x.contiguous(memory_format=torch.channels_last)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = conv(F.interpolate(x, scale_factor=2, mode="nearest"))
            x = F.leaky_relu(norm(x), 0.2)
        return torch.tanh(self.last(x))


class WordCritic(nn.Module):
    """The critic of the tutorials: a word as a plane beside the picture."""

    def __init__(self, size: int, embedding: int, features: int, width: int, kernel: int):
        super().__init__()
        self.encoder = TextEncoder(size, embedding, features)
        self.plane = nn.Linear(features, 28 * 28)
        self.plane.flax_name = "plane"
        widths = [2, *(width * 2**stage for stage in range(4))]
        self.convs = nn.ModuleList(
            SameConv(before, after, kernel, 2) for before, after in itertools.pairwise(widths)
        )
        self.dense = nn.Linear(2 * 2 * widths[-1], 1)
        self.dense.folds = (2, 2, widths[-1])

    def forward(self, pictures: Tensor, text: Tensor) -> Tensor:
        plane = self.plane(self.encoder(text)).reshape(-1, 1, 28, 28)
        x = torch.cat([pictures, plane], 1)
        for conv in self.convs:
            x = F.leaky_relu(conv(x), 0.2)
        return self.dense(x.flatten(1))[:, 0]


class TextToImage(OneCritic):
    """GAN-CLS (Reed et al. 2016): the critic also rejects real pictures with a wrong text."""

    def redrawn(self, given: Batch) -> Batch:
        # Without a factor the network draws its dropout itself.
        drawn: dict[str, Any] = {name: given[name] for name in ("real", "text", "meaning")}
        drawn["latent"] = torch.randn_like(given["latent"])
        text, meaning = given["text"], given["meaning"]
        other = meaning[:, None] != meaning[None]
        other &= (text[:, None] != text[None]).any(2)
        found = other.any(1)
        chances = (other | ~found[:, None]).float()
        drawn["wrong"] = text[torch.multinomial(chances, 1)[:, 0]]
        drawn["wrong_found"] = found
        return drawn

    def generate(self, batch: Batch) -> Fakes:
        factor = batch.get("dropout0")
        return {"real": self.networks["generator"](batch["latent"], batch["text"], factor)}

    def critic_loss(self, batch: Batch, fakes: Fakes) -> Tensor:
        critic, text = self.networks["critic"], batch["text"]
        lost = self.losses_of(critic(batch["real"], text), 1.0)
        rejected = self.losses_of(critic(fakes["real"], text), 0.0)
        if wrong_share := self.weights["wrong_share"]:
            share = wrong_share * batch["wrong_found"].float()
            wrong = self.losses_of(critic(batch["real"], batch["wrong"]), 0.0)
            rejected = (1 - share) * rejected + share * wrong
        return (lost + rejected).mean()

    def losses_of(self, logits: Tensor, label: float) -> Tensor:
        """What the critic loses on each sample that it should call that."""
        logits, labels = logits.float(), torch.full_like(logits, label, dtype=torch.float32)
        if self.about["loss"] == "lsgan":
            return 0.5 * F.mse_loss(logits, labels, reduction="none")
        return F.binary_cross_entropy_with_logits(logits, labels, reduction="none")

    def generator_loss(self, batch: Batch, fakes: Fakes) -> Tensor:
        loss = self.fool(self.networks["critic"](fakes["real"], batch["text"]))
        if weight := self.weights["l1"]:
            loss = loss + weight * F.l1_loss(fakes["real"].float(), batch["real"])
        return loss
