"""The games in PyTorch: how fakes are made, and what each phase loses on them."""

import abc
import random
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# A round's arrays by name: tensors on the device, and of whole numbers lists, which the host reads.
Batch = dict[str, Any]
# What the generators made; all of it is detached for phases that do not move them.
Fakes = dict[str, Tensor]
Loss = Callable[[Batch, Fakes], Tensor]


class Game(abc.ABC):
    """One game; the peer moves the players.

    Attributes:
      losses: by phase, of a round and the fakes that belong to it, float32 whatever is computed in.
    """

    def __init__(
        self,
        about: dict[str, Any],
        networks: Mapping[str, Callable[..., Tensor]],
        plain: Mapping[str, nn.Module],
        constants: Mapping[str, Tensor],
    ):
        """Takes what subject.json holds, the networks by player, the same never compiled, and
        what else the losses are made of."""
        self.about, self.networks, self.plain = about, networks, plain
        self.constants = constants
        self.weights: dict[str, float] = about["weights"]
        self.losses: dict[str, Loss] = {}

    def redrawn(self, given: Batch) -> Batch:
        """A round with random numbers of its own instead of the given ones."""
        return given

    @abc.abstractmethod
    def generate(self, batch: Batch) -> Fakes:
        """The generators' forward pass."""

    def tell(self, real: Tensor, fake: Tensor) -> Tensor:
        """What a critic with these logits loses."""
        real, fake = real.float(), fake.float()
        match self.about["loss"]:
            case "bce":
                return F.binary_cross_entropy_with_logits(
                    real, torch.ones_like(real)
                ) + F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
            case "lsgan":
                right = F.mse_loss(real, torch.ones_like(real))
                return 0.5 * (right + F.mse_loss(fake, torch.zeros_like(fake)))
            case "wgan_gp":
                return fake.mean() - real.mean()
        raise ValueError(f"there is no loss {self.about['loss']} in PyTorch")

    def fool(self, fake: Tensor) -> Tensor:
        """What a generator loses that is given these logits."""
        fake = fake.float()
        match self.about["loss"]:
            case "bce":
                return F.binary_cross_entropy_with_logits(fake, torch.ones_like(fake))
            case "lsgan":
                return 0.5 * F.mse_loss(fake, torch.ones_like(fake))
            case "wgan_gp":
                return -fake.mean()
        raise ValueError(f"there is no loss {self.about['loss']} in PyTorch")


class OneCritic(Game):
    """A generator against a critic."""

    def __init__(self, *given: Any):
        super().__init__(*given)
        self.losses = {"critic": self.critic_loss, "generator": self.generator_loss}

    @abc.abstractmethod
    def critic_loss(self, batch: Batch, fakes: Fakes) -> Tensor:
        """What the critic's phase loses."""

    @abc.abstractmethod
    def generator_loss(self, batch: Batch, fakes: Fakes) -> Tensor:
        """What the generator's phase loses."""


class Noise(OneCritic):
    """Pictures of noise."""

    def redrawn(self, given: Batch) -> Batch:
        drawn = {**given, "latent": torch.randn_like(given["latent"])}
        if "mix" in given:
            drawn["mix"] = torch.rand_like(given["mix"])
        return drawn

    def generate(self, batch: Batch) -> Fakes:
        return {"real": self.networks["generator"](batch["latent"])}

    def critic_loss(self, batch: Batch, fakes: Fakes) -> Tensor:
        real, fake = batch["real"], fakes["real"]
        critic = self.networks["critic"]
        loss = self.tell(critic(real), critic(fake))
        if "mix" in batch:
            penalty = self.penalty(real, fake, batch["mix"])
            loss = loss + self.weights["gradient_penalty"] * penalty
        return loss

    def penalty(self, real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
        """WGAN-GP's (Gulrajani et al. 2017, equation 3)."""
        mixed = (mix * real + (1 - mix) * fake).requires_grad_(True)
        # AOTAutograd has no second derivatives, so this runs the plain critic.
        logits = self.plain["critic"](mixed).float()
        (gradient,) = torch.autograd.grad(logits.sum(), mixed, create_graph=True)
        return ((gradient.flatten(1).norm(2, dim=1) - 1) ** 2).mean()

    def generator_loss(self, batch: Batch, fakes: Fakes) -> Tensor:
        return self.fool(self.networks["critic"](fakes["real"]))


class Upscaling(OneCritic):
    """Large pictures of small ones (SRGAN)."""

    def generate(self, batch: Batch) -> Fakes:
        return {"high": self.networks["generator"](batch["low"])}

    def critic_loss(self, batch: Batch, fakes: Fakes) -> Tensor:
        critic = self.networks["critic"]
        return self.tell(critic(batch["high"]), critic(fakes["high"]))

    def generator_loss(self, batch: Batch, fakes: Fakes) -> Tensor:
        content = F.mse_loss(fakes["high"].float(), batch["high"])
        opinion = self.fool(self.networks["critic"](fakes["high"]))
        return content + self.weights["adversarial"] * opinion


class Paired(OneCritic):
    """Pictures of pictures, learned from pairs (pix2pix)."""

    def redrawn(self, given: Batch) -> Batch:
        # Without factors the network draws its dropout itself.
        return {name: given[name] for name in ("input", "target")}

    def generate(self, batch: Batch) -> Fakes:
        given = [name for name in batch if name.startswith("dropout")]
        factors = [batch[f"dropout{number}"] for number in range(len(given))]
        return {"target": self.networks["generator"](batch["input"], factors or None)}

    def critic_loss(self, batch: Batch, fakes: Fakes) -> Tensor:
        critic, given = self.networks["critic"], batch["input"]
        return self.tell(critic(given, batch["target"]), critic(given, fakes["target"]))

    def generator_loss(self, batch: Batch, fakes: Fakes) -> Tensor:
        opinion = self.fool(self.networks["critic"](batch["input"], fakes["target"]))
        distance = F.l1_loss(fakes["target"].float(), batch["target"])
        return self.weights["l1"] * distance + self.weights["adversarial"] * opinion


class Pool:
    """Fakes of the past, shown to a critic (CycleGAN)."""

    def __init__(self, size: int):
        self.size = size
        self.kept: list[Tensor] = []

    def draw(self, rows: int) -> list[int]:
        """For each new fake the place of an older one to be shown instead, or -1."""
        places = random.sample(range(self.size), rows)
        return [place if random.random() < 0.5 else -1 for place in places]

    def exchange(self, fakes: Tensor, places: list[int]) -> Tensor:
        """What is shown of these and of older fakes; until the pool is full, these."""
        shown = []
        for fake, place in zip(fakes.split(1), places, strict=True):
            if len(self.kept) < self.size:
                self.kept.append(fake)
            elif place >= 0:
                fake, self.kept[place] = self.kept[place], fake
            shown.append(fake)
        return torch.cat(shown)


class Unpaired(Game):
    """One kind of picture into another and back, without pairs (CycleGAN)."""

    MAKERS = (("a", "b_to_a"), ("b", "a_to_b"))

    def __init__(self, *given: Any):
        super().__init__(*given)
        self.pools = {kind: Pool(size) for kind, size in self.about["pools"].items() if size}
        self.losses = {"generators": self.generators_loss, "critics": self.critics_loss}

    def redrawn(self, given: Batch) -> Batch:
        drawn = {f"shown_{kind}": pool.draw(len(given[kind])) for kind, pool in self.pools.items()}
        return {**given, **drawn}

    def generate(self, batch: Batch) -> Fakes:
        return {
            "a": self.networks["b_to_a"](batch["b"]),
            "b": self.networks["a_to_b"](batch["a"]),
        }

    def generators_loss(self, batch: Batch, fakes: Fakes) -> Tensor:
        cycle, identity = self.weights["cycle"], self.weights["identity"]
        other = {"a": "b", "b": "a"}
        terms = []
        for kind, maker in self.MAKERS:
            real, make = batch[kind], self.networks[maker]
            back = make(fakes[other[kind]]).float()
            terms.append(self.fool(self.networks[f"critic_{kind}"](fakes[kind])))
            terms.append(cycle * F.l1_loss(back, real))
            if identity:
                terms.append(cycle * identity * F.l1_loss(make(real).float(), real))
        return torch.stack(terms).sum()

    def critics_loss(self, batch: Batch, fakes: Fakes) -> Tensor:
        terms = []
        for kind in "ab":
            critic, shown = self.networks[f"critic_{kind}"], fakes[kind]
            if kind in self.pools:
                shown = self.pools[kind].exchange(shown, batch[f"shown_{kind}"])
            terms.append(self.tell(critic(batch[kind]), critic(shown)))
        return torch.stack(terms).sum()


GAMES: dict[str, type[Game]] = {
    "noise": Noise,
    "upscaling": Upscaling,
    "paired": Paired,
    "unpaired": Unpaired,
}
