"""The peer in PyTorch: the loop of its tutorials with one forward pass of the generator a round.

    python -m benchmarks.peers.torch_worker --subject_dir=DIR --variant=channels-last

The critic steps on `fake.detach()`, the generator on the same `fake`; the critic is frozen while
the generator steps, since its gradients would be thrown away.
"""

import contextlib
import importlib.metadata
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.peers import compiler
from benchmarks.peers.exchange import Round, Subject
from benchmarks.peers.torch_networks import load_weights, make_network
from benchmarks.peers.worker import CRITIC, GENERATOR, PLAYERS, cores, parser, serve


def allow_tf32(allowed: bool) -> None:
    """Whether CUDA may round what it multiplies in float32 to TF32, which JAX's default does."""
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed


class TorchPeer:
    """The game on one device; see `benchmarks.peers.worker.Peer` for the methods."""

    shares_fake = True

    def __init__(self, subject: Subject, variant: str, device: str, bf16: bool):
        self.subject, self.about = subject, subject.about
        self.device, self.bf16 = torch.device(device), bf16
        self.channels_last = variant != "eager"
        self.versions = {"torch": importlib.metadata.version("torch")}
        self.networks = {}
        for player in PLAYERS:
            network = make_network(self.about["networks"][player]).to(self.device)
            if self.channels_last:
                network = network.to(memory_format=torch.channels_last)
            self.networks[player] = network
        # AOTAutograd has no second derivatives, so a gradient penalty runs the plain critic.
        compiled = variant == "compile"
        self.generator, self.critic = (
            torch.compile(self.networks[player]) if compiled else self.networks[player]
            for player in PLAYERS
        )
        self.data = [self.place(given) for given in subject.steps()[0]]

    def reset(self) -> None:
        self.optimisers = {}
        for player, network in self.networks.items():
            load_weights(network, self.subject.params(player))
            adam = self.about["players"][player]
            self.optimisers[player] = torch.optim.Adam(
                network.parameters(),
                lr=adam["learning_rate"],
                betas=(adam["b1"], adam["b2"]),
                eps=adam["eps"],
                fused=True,
            )

    def weights(self, player: str) -> list[np.ndarray]:
        parameters = self.networks[player].parameters()
        return [tensor.detach().cpu().numpy().copy() for tensor in parameters]

    def place(self, given: Round) -> dict[str, Tensor]:
        """A round's arrays on the device, pictures with channels first."""
        placed = {}
        for name, array in given.items():
            tensor = torch.from_numpy(array)
            if array.ndim == 4:
                tensor = tensor.permute(0, 3, 1, 2)
                if not self.channels_last:
                    tensor = tensor.contiguous()
            placed[name] = tensor.to(self.device)
        return placed

    def checked_step(self, rounds: list[Round], turned: Callable[[str], None]) -> dict[str, float]:
        placed = [self.place(given) for given in rounds]
        allow_tf32(False)
        critic, generator = self.step(placed, turned, False)
        allow_tf32(True)
        return {"critic": float(critic), "generator": float(generator)}

    def timed_step(self) -> None:
        size = self.about["batch_size"]
        rounds = []
        for placed in self.data:
            drawn = dict(placed)
            if "latent" in placed:
                drawn["latent"] = torch.randn(placed["latent"].shape, device=self.device)
            if "mix" in placed:
                drawn["mix"] = torch.rand((size, 1, 1, 1), device=self.device)
            rounds.append(drawn)
        self.step(rounds, lambda phase: None, self.bf16)
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def step(
        self, rounds: list[dict[str, Tensor]], turned: Callable[[str], None], bf16: bool
    ) -> tuple[Tensor, Tensor]:
        """One step: the critic in every round, the generator in the last; returns their losses."""

        def autocast() -> contextlib.AbstractContextManager[Any]:
            if not bf16:
                return contextlib.nullcontext()
            return torch.autocast(self.device.type, dtype=torch.bfloat16)

        last = len(rounds) - 1
        for number, batch in enumerate(rounds):
            inputs = batch["low"] if "low" in batch else batch["latent"]
            with torch.set_grad_enabled(number == last), autocast():
                fake = self.generator(inputs)
            with autocast():
                critic_loss = self.critic_loss(batch, fake.detach())
            self.update("critic", critic_loss)
            turned(CRITIC)
        self.networks["critic"].requires_grad_(False)
        with autocast():
            generator_loss = self.generator_loss(batch, fake)
        self.update("generator", generator_loss)
        self.networks["critic"].requires_grad_(True)
        turned(GENERATOR)
        return critic_loss.detach(), generator_loss.detach()

    def update(self, player: str, loss: Tensor) -> None:
        """One step of a player's optimiser."""
        self.optimisers[player].zero_grad(set_to_none=True)
        loss.backward()
        self.optimisers[player].step()

    def critic_loss(self, batch: dict[str, Tensor], fake: Tensor) -> Tensor:
        """On a real batch and a detached fake one."""
        real = batch["high"] if "high" in batch else batch["real"]
        real_logits, fake_logits = self.critic(real).float(), self.critic(fake).float()
        if self.about["loss"] == "bce":
            return F.binary_cross_entropy_with_logits(
                real_logits, torch.ones_like(real_logits)
            ) + F.binary_cross_entropy_with_logits(fake_logits, torch.zeros_like(fake_logits))
        loss = fake_logits.mean() - real_logits.mean()
        return loss + self.about["weights"]["gradient_penalty"] * self.penalty(
            real, fake, batch["mix"]
        )

    def penalty(self, real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
        """WGAN-GP's (Gulrajani et al. 2017, equation 3)."""
        mixed = (mix * real + (1 - mix) * fake).requires_grad_(True)
        logits = self.networks["critic"](mixed).float()
        (gradient,) = torch.autograd.grad(logits.sum(), mixed, create_graph=True)
        return ((gradient.flatten(1).norm(2, dim=1) - 1) ** 2).mean()

    def generator_loss(self, batch: dict[str, Tensor], fake: Tensor) -> Tensor:
        """Through the critic as it is after its update."""
        logits = self.critic(fake).float()
        if self.about["loss"] != "bce":
            return -logits.mean()
        opinion = F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))
        if "high" not in batch:
            return opinion
        content = F.mse_loss(fake.float(), batch["high"])
        return content + self.about["weights"]["adversarial"] * opinion


def main() -> int:
    """Parses the arguments and serves."""
    arguments = parser(__doc__)
    arguments.add_argument("--variant", choices=["eager", "channels-last", "compile"])
    arguments.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    arguments.add_argument("--bf16", action="store_true", help="times under bfloat16 autocast")
    chosen = arguments.parse_args()

    def build(subject: Subject) -> TorchPeer:
        if chosen.device == "cuda" and not torch.cuda.is_available():
            raise RuntimeError("this PyTorch sees no CUDA device")
        if chosen.variant == "compile" and chosen.device == "cpu" and compiler() is None:
            raise RuntimeError("torch.compile needs a C++ compiler: install g++ or set CXX")
        # Denormals, which trained networks are full of, would slow it by an accident.
        torch.set_flush_denormal(True)
        torch.set_num_threads(cores())
        torch.manual_seed(0)
        torch.backends.cudnn.benchmark = True
        allow_tf32(True)
        return TorchPeer(subject, chosen.variant or "eager", chosen.device, chosen.bf16)

    return serve(build, chosen.subject_dir)


if __name__ == "__main__":
    sys.exit(main())
