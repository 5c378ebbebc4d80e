"""The peer in PyTorch: the loop of its tutorials with one forward pass of the generator a round.

    python -m benchmarks.peers.torch_worker --subject_dir=DIR --variant=channels-last

A critic steps on `fake.detach()`, a generator on the same `fake` unless that was made before it
moved; critics are frozen while generators step, since their gradients would be thrown away.
"""

import contextlib
import importlib.metadata
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.peers import compiler, torch_games
from benchmarks.peers.exchange import Round, Subject
from benchmarks.peers.torch_films import Films
from benchmarks.peers.torch_games import Batch, Fakes, Game
from benchmarks.peers.torch_text import TextToImage
from benchmarks.peers.torch_vocoder import Vocoder
from benchmarks.peers.torch_weights import load_weights, make_network
from benchmarks.peers.worker import cores, parser, serve

GAMES: dict[str, type[Game]] = {
    **torch_games.GAMES,
    "text": TextToImage,
    "films": Films,
    "vocoder": Vocoder,
}
# By the number of axes.
CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


def allow_tf32(allowed: bool) -> None:
    """Whether CUDA may round what it multiplies in float32 to TF32, which JAX's default does."""
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed


def put_channels_last(network: nn.Module) -> None:
    """Lays the kernels of a network's convolutions over two or three axes out channels last."""
    for parameter in network.parameters():
        if layout := CHANNELS_LAST.get(parameter.ndim):
            parameter.data = parameter.data.contiguous(memory_format=layout)


class TorchPeer:
    """The game on one device; see `benchmarks.peers.worker.Peer` for the methods."""

    shares_fake = True

    def __init__(self, subject: Subject, variant: str, device: str, bf16: bool):
        self.subject, self.about = subject, subject.about
        self.device, self.bf16 = torch.device(device), bf16
        # Sounds have no such layout.
        self.channels_last = variant != "eager" and self.about["game"] != "vocoder"
        self.versions = {"torch": importlib.metadata.version("torch")}
        self.networks = {}
        for player, sizes in self.about["networks"].items():
            network = make_network(sizes).to(self.device)
            if self.channels_last:
                put_channels_last(network)
            self.networks[player] = network
        self.called = {
            player: torch.compile(network) if variant == "compile" else network
            for player, network in self.networks.items()
        }
        self.data = [self.place(given) for given in subject.steps()[0]]
        self.constants = self.place(subject.constants())

    def reset(self) -> None:
        game = GAMES[self.about["game"]]
        self.game = game(self.about, self.called, self.networks, self.constants)
        self.optimisers = {}
        for player, network in self.networks.items():
            load_weights(network, self.subject.params(player), self.subject.variables(player))
            adam = self.about["players"][player]
            decays = adam["weight_decay"] > 0
            kind = torch.optim.AdamW if decays else torch.optim.Adam
            self.optimisers[player] = kind(
                network.parameters(),
                lr=adam["learning_rate"],
                betas=(adam["b1"], adam["b2"]),
                eps=adam["eps"],
                weight_decay=adam["weight_decay"],
                fused=True,
            )

    def weights(self, player: str) -> list[np.ndarray]:
        parameters = self.networks[player].parameters()
        return [tensor.detach().cpu().numpy().copy() for tensor in parameters]

    def place(self, given: Round) -> Batch:
        """A round's arrays on the device, pictures and films with channels first; what a pool shows
        stays here."""
        placed: Batch = {}
        for name, array in given.items():
            if name.startswith("shown_"):
                placed[name] = array.tolist()
                continue
            tensor = torch.from_numpy(array)
            if array.ndim in CHANNELS_LAST:
                tensor = tensor.movedim(-1, 1)
                if not self.channels_last:
                    tensor = tensor.contiguous()
            placed[name] = tensor.to(self.device)
        return placed

    def checked_step(self, rounds: list[Round], turned: Callable[[str], None]) -> dict[str, float]:
        placed = [self.place(given) for given in rounds]
        allow_tf32(False)
        losses = self.step(placed, turned, False)
        allow_tf32(True)
        return {phase: float(loss) for phase, loss in losses.items()}

    def timed_step(self) -> None:
        rounds = [self.game.redrawn(placed) for placed in self.data]
        self.step(rounds, lambda phase: None, self.bf16)
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def step(
        self, rounds: list[Batch], turned: Callable[[str], None], bf16: bool
    ) -> dict[str, Tensor]:
        """One step; returns what each phase has lost the last time that it moved.

        A forward pass of the generators is kept for the phases that follow, until they move.
        """
        phases, last = self.about["phases"], len(rounds) - 1
        losses: dict[str, Tensor] = {}
        kept: Fakes | None = None
        for place, phase in enumerate(phases):
            to_come = any(later["generates"] for later in phases[place + 1 :])
            for number in range(len(rounds) - phase["repeats"], len(rounds)):
                fakes = kept if number == last else None
                if fakes is None:
                    differentiated = phase["generates"] or (number == last and to_come)
                    with torch.set_grad_enabled(differentiated), self.autocast(bf16):
                        fakes = self.game.generate(rounds[number])
                losses[phase["name"]] = self.move(phase, rounds[number], fakes, bf16)
                stale = phase["generates"] and not self.about["simultaneous"]
                kept = None if stale or number < last else fakes
            turned(phase["name"])
        return losses

    def move(self, phase: dict[str, Any], batch: Batch, fakes: Fakes, bf16: bool) -> Tensor:
        """Moves a phase's players once; returns its loss."""
        others = [player for player in self.networks if player not in phase["players"]]
        if not phase["generates"]:
            fakes = {name: fake.detach() for name, fake in fakes.items()}
            others = []
        for player in others:
            self.networks[player].requires_grad_(False)
        with self.autocast(bf16):
            loss = self.game.losses[phase["name"]](batch, fakes)
        for player in phase["players"]:
            self.optimisers[player].zero_grad(set_to_none=True)
        (phase["gain"] * loss).backward()
        for player in phase["players"]:
            self.optimisers[player].step()
        for player in others:
            self.networks[player].requires_grad_(True)
        return loss.detach()

    def autocast(self, bf16: bool) -> contextlib.AbstractContextManager[Any]:
        """Computes what is inside in bfloat16, if it is to."""
        if not bf16:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)


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
