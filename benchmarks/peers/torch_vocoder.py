"""HiFi-GAN in PyTorch, after its authors' repository: networks and game.

Layers are registered in the order in which the Flax modules make theirs: `torch_weights` finds a
layer's weights by it.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from benchmarks.peers.torch_games import Batch, Fakes, OneCritic

SLOPE = 0.1
# Channels, kernel, stride and groups of the layers where the widest has 1024.
BY_PERIOD = ((32, 5, 3, 1), (128, 5, 3, 1), (512, 5, 3, 1), (1024, 5, 3, 1), (1024, 5, 1, 1))
BY_SCALE = (
    (128, 15, 1, 1),
    (128, 41, 2, 4),
    (256, 41, 2, 16),
    (512, 41, 4, 16),
    (1024, 41, 4, 16),
    (1024, 41, 1, 16),
    (1024, 5, 1, 1),
)
WIDEST = 1024
# Of the spectrograms: added under the root, and what a band counts as at least.
SMOOTH, CLIPPED = 1e-9, 1e-5

Opinion = tuple[Tensor, list[Tensor]]


class SpectralNorm(nn.Module):
    """Divides a weight by an estimate of its largest singular value, with jaxgan's iteration.

    Of `torch.nn.utils.parametrizations.spectral_norm` it differs in that the right vector moves
    first, and in that the step it takes is forgotten while the weight rests: in the generator's
    phase.
    """

    def __init__(self, weight: Tensor):
        super().__init__()
        matrix = weight.detach().flatten(1)
        self.register_buffer("left", F.normalize(torch.randn(matrix.shape[0]), dim=0))
        self.register_buffer("right", F.normalize(torch.randn(matrix.shape[1]), dim=0))

    def forward(self, weight: Tensor) -> Tensor:
        matrix = weight.flatten(1)
        with torch.no_grad():
            right = F.normalize(torch.mv(matrix.T, self.left), dim=0)
            left = F.normalize(torch.mv(matrix, right), dim=0)
            if weight.requires_grad:
                self.right.copy_(right)
                self.left.copy_(left)
        sigma = torch.dot(left, torch.mv(matrix, right))
        return weight / sigma


def spectral_norm(layer: nn.Module) -> nn.Module:
    """The layer, with `SpectralNorm` on its weight."""
    parametrize.register_parametrization(layer, "weight", SpectralNorm(layer.weight))
    return layer


class ResidualBlock(nn.Module):
    """Dilated convolutions, each (if `deep`) followed by one without dilation."""

    def __init__(self, channels: int, kernel: int, dilations: list[int], deep: bool):
        super().__init__()

        def conv(dilation: int) -> nn.Module:
            padding = (kernel - 1) * dilation // 2
            return parametrizations.weight_norm(
                nn.Conv1d(channels, channels, kernel, dilation=dilation, padding=padding)
            )

        self.layers = nn.ModuleList(
            nn.ModuleList([conv(dilation), *([conv(1)] if deep else [])]) for dilation in dilations
        )

    def forward(self, x: Tensor) -> Tensor:
        for convs in self.layers:
            y = x
            for conv in convs:
                y = conv(F.leaky_relu(y, SLOPE))
            x = x + y
        return x


class HiFiGAN(nn.Module):
    """The generator of HiFi-GAN."""

    def __init__(
        self,
        inputs: int,
        channels: int,
        upsampling: list[tuple[int, int]],
        blocks: list[tuple[int, list[int]]],
        deep: bool,
    ):
        super().__init__()
        weight_norm = parametrizations.weight_norm
        self.first = weight_norm(nn.Conv1d(inputs, channels, 7, padding=3))
        self.stages = nn.ModuleList()
        for stride, kernel in upsampling:
            halved, padding = channels // 2, (kernel - stride) // 2
            self.stages.append(
                nn.ModuleList(
                    [
                        weight_norm(nn.ConvTranspose1d(channels, halved, kernel, stride, padding)),
                        nn.ModuleList(ResidualBlock(halved, *block, deep) for block in blocks),
                    ]
                )
            )
            channels = halved
        self.last = weight_norm(nn.Conv1d(channels, 1, 7, padding=3))

    def forward(self, mel: Tensor) -> Tensor:
        """`[batch, bands, frames]` to `[batch, frames * hop]`."""
        x = self.first(mel)
        for up, blocks in self.stages:
            x = up(F.leaky_relu(x, SLOPE))
            total = blocks[0](x)
            for block in blocks[1:]:
                total = total + block(x)
            x = total / len(blocks)
        return torch.tanh(self.last(F.leaky_relu(x)))[:, 0]


class PeriodCritic(nn.Module):
    """Judges every so-many-th sample together, as a picture with as many columns."""

    def __init__(self, period: int, width: int):
        super().__init__()
        self.period = period
        self.convs, inputs = nn.ModuleList(), 1
        for channels, kernel, stride, _ in BY_PERIOD:
            channels = max(channels * width // WIDEST, 1)
            conv = nn.Conv2d(inputs, channels, (kernel, 1), (stride, 1), (kernel // 2, 0))
            self.convs.append(parametrizations.weight_norm(conv))
            inputs = channels
        self.last = parametrizations.weight_norm(nn.Conv2d(inputs, 1, (3, 1), padding=(1, 0)))

    def forward(self, samples: Tensor) -> Opinion:
        """`[batch, 1, length]` to logits `[batch, 1, about length / period / 81, period]`."""
        batch, _, length = samples.shape
        if missing := -length % self.period:
            samples = F.pad(samples, (0, missing), "reflect")
        return judge(samples.view(batch, 1, -1, self.period), self.convs, self.last)


class ScaleCritic(nn.Module):
    """Judges the sound as it runs, by strided and grouped convolutions."""

    def __init__(self, width: int, spectral: bool):
        super().__init__()
        norm = spectral_norm if spectral else parametrizations.weight_norm
        self.convs, inputs = nn.ModuleList(), 1
        for channels, kernel, stride, groups in BY_SCALE:
            channels = max(channels * width // WIDEST, 1)
            # Narrow layers have as many channels to a group, if they can.
            groups = max(groups * width // WIDEST, 1)
            while channels % groups or inputs % groups:
                groups //= 2
            conv = nn.Conv1d(inputs, channels, kernel, stride, kernel // 2, groups=groups)
            self.convs.append(norm(conv))
            inputs = channels
        self.last = norm(nn.Conv1d(inputs, 1, 3, padding=1))

    def forward(self, samples: Tensor) -> Opinion:
        """`[batch, 1, length]` to logits `[batch, 1, about length / 64]`."""
        return judge(samples, self.convs, self.last)


class WaveCritics(nn.Module):
    """The critics by periods and by scales, one player."""

    def __init__(self, periods: list[int], scales: int, width: int):
        super().__init__()
        self.by_period = nn.ModuleList(PeriodCritic(period, width) for period in periods)
        self.by_scale = nn.ModuleList(ScaleCritic(width, scale == 0) for scale in range(scales))
        self.pool = nn.AvgPool1d(4, 2, padding=2)

    def forward(self, samples: Tensor) -> list[Opinion]:
        """Every critic's logits and features of `[batch, length]`."""
        x = samples.unsqueeze(1)
        opinions = [critic(x) for critic in self.by_period]
        for scale, critic in enumerate(self.by_scale):
            if scale:
                x = self.pool(x)
            opinions.append(critic(x))
        return opinions


def judge(x: Tensor, convs: nn.ModuleList, last: nn.Module) -> Opinion:
    """Logits, and every layer's features, the logits among them."""
    features = []
    for conv in convs:
        x = F.leaky_relu(conv(x), SLOPE)
        features.append(x)
    logits = last(x)
    return logits, [*features, logits]


class Vocoder(OneCritic):
    """Sound of mel spectrograms (HiFi-GAN, section 2.4), by least squares without their half."""

    def generate(self, batch: Batch) -> Fakes:
        return {"samples": self.networks["generator"](batch["mel"].mT)}

    def critic_loss(self, batch: Batch, fakes: Fakes) -> Tensor:
        # One pass for both: the spectral norm's vectors move once a step.
        opinions = self.networks["critic"](torch.cat([batch["samples"], fakes["samples"]]))
        terms = []
        for logits, _ in opinions:
            real, fake = logits.float().chunk(2)
            terms.append(torch.mean((1 - real) ** 2) + torch.mean(fake**2))
        return torch.stack(terms).sum()

    def generator_loss(self, batch: Batch, fakes: Fakes) -> Tensor:
        critic, opinion, matching = self.networks["critic"], [], []
        pairs = zip(critic(batch["samples"]), critic(fakes["samples"]), strict=True)
        for (_, of_real), (logits, of_fake) in pairs:
            opinion.append(torch.mean((1 - logits.float()) ** 2))
            for real, fake in zip(of_real, of_fake, strict=True):
                matching.append(F.l1_loss(fake.float(), real.float()))
        distance = F.l1_loss(self.log_mel(fakes["samples"]), self.log_mel(batch["samples"]))
        return (
            torch.stack(opinion).sum()
            + self.weights["feature_matching"] * torch.stack(matching).sum()
            + self.weights["mel"] * distance
        )

    def log_mel(self, samples: Tensor) -> Tensor:
        """`[batch, length]` to log mel spectrograms `[batch, bands, frames]`."""
        filters = self.constants["filters"]
        fft, hop = self.about["spectrogram"]["fft"], self.about["spectrogram"]["hop"]
        around = (fft - hop) // 2
        padded = F.pad(samples.float().unsqueeze(1), (around, around), "reflect").squeeze(1)
        window = torch.hann_window(fft, device=samples.device)
        spectrum = torch.stft(padded, fft, hop, window=window, center=False, return_complex=True)
        size = torch.sqrt(spectrum.real**2 + spectrum.imag**2 + SMOOTH)
        return torch.log(torch.clamp(filters.T @ size, min=CLIPPED))
