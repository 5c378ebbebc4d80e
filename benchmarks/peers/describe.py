"""What a peer is told of a game: who plays, in which order, with which networks and optimisers."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl.flags import FlagValues

from jaxgan import experiment as experiments
from jaxgan import gan_flags
from jaxgan.errors import UserError
from jaxgan.game import Phase, System
from jaxgan.nets.dcgan import Critic28, Generator28
from jaxgan.nets.mlp import MLP
from jaxgan.nets.patch import PatchCritic
from jaxgan.nets.resnet import ResNetGenerator
from jaxgan.nets.srresnet import SRCritic, SRResNet
from jaxgan.nets.unet import UNet
from jaxgan.ops.pool import Pool
from jaxgan.state import PlayerSpec, PyTree
from jaxgan.step import Rules


class Game(NamedTuple):
    """A game that the peers can play.

    Attributes:
      name: what the peers call it.
      reads: the arrays of a prepared batch that it is known by.
      phases: the names of a step's phases, in order.
      losses: what `--loss` may be.
      weights: of the losses' terms: NAME where the flag is `--NAME_weight`.
    """

    name: str
    reads: frozenset[str]
    phases: tuple[str, ...]
    losses: tuple[str, ...]
    weights: tuple[str, ...]


ONE_CRITIC = ("critic", "generator")
GAMES = (
    Game("noise", frozenset({"real"}), ONE_CRITIC, ("bce", "wgan_gp"), ()),
    Game("upscaling", frozenset({"low", "high"}), ONE_CRITIC, ("bce",), ("adversarial",)),
    Game(
        "paired",
        frozenset({"input", "target"}),
        ONE_CRITIC,
        ("bce", "lsgan"),
        ("adversarial", "l1"),
    ),
    Game(
        "unpaired",
        frozenset({"a", "b"}),
        ("generators", "critics"),
        ("bce", "lsgan"),
        ("cycle", "identity"),
    ),
)
# Flags that no peer knows, with what they must be.
LEFT_OUT = {
    "penalty": "none",
    "label_smoothing": 0,
    "feature_matching": 0,
    "perceptual_weight": 0,
}


def describe(
    options: FlagValues,
    subject: str,
    loaded: experiments.Loaded,
    system: System,
    active: Sequence[Phase],
    rules: Rules,
    reads: Iterable[str],
    memory: PyTree,
) -> dict[str, Any]:
    """What subject.json holds; see `exchange.Subject`.

    Args:
      options: the flags' values.
      subject: its name.
      loaded: the experiment's file.
      system: the players.
      active: the phases of a step.
      rules: how they are played.
      reads: the names of a prepared batch's arrays.
      memory: the system's, of which the pools are told.

    Raises:
      UserError: it is not one of the games that the peers can play.
    """
    reads = set(reads)
    game = next((game for game in GAMES if game.reads <= reads), None)
    if game is None:
        raise UserError(f"{subject}: no peer plays a game that reads {', '.join(sorted(reads))}")
    check_phases(subject, game, system, active, rules)
    if options.loss not in game.losses:
        known = " or ".join(f"--loss={loss}" for loss in game.losses)
        raise UserError(f"{subject}: the peers play with {known} only, not --loss={options.loss}")
    for name, value in LEFT_OUT.items():
        if (given := getattr(options, name, value)) != value:
            raise UserError(
                f"{subject}: the peers have no --{name}, which is {given}; leave it out"
            )
    weights = {name: getattr(options, f"{name}_weight") for name in game.weights}
    if options.loss == "wgan_gp":
        (penalty,) = gan_flags.weighted(options)
        weights[penalty.name] = penalty.weight
    return {
        "name": subject,
        "experiment": loaded.name,
        "game": game.name,
        "batch_size": rules.batch_size,
        "phases": [
            {
                "name": phase.name,
                "players": list(phase.players),
                "repeats": phase.repeats,
                "gain": phase.gain,
                "generates": generates(phase, system),
            }
            for phase in active
        ],
        "simultaneous": rules.simultaneous,
        "loss": options.loss,
        "weights": weights,
        "pools": {
            name: len(kept.pictures) for name, kept in memory.items() if isinstance(kept, Pool)
        },
        "networks": {name: sizes(spec) for name, spec in system.players.items()},
        "players": {name: read_adam(spec.optimiser) for name, spec in system.players.items()},
    }


def generates(phase: Phase, system: System) -> bool:
    """Whether a phase moves players that make the fakes."""
    return not {*system.generators}.isdisjoint(phase.players)


def check_phases(
    subject: str, game: Game, system: System, active: Sequence[Phase], rules: Rules
) -> None:
    """Raises UserError unless the peers take turns as these phases do."""
    names = tuple(phase.name for phase in active)
    if names != game.phases:
        raise UserError(
            f"{subject}: the peers play the phases {' and '.join(game.phases)}, "
            f"not {' and '.join(names)}"
        )
    if active[-1].repeats != 1 or any(phase.every != 1 for phase in active):
        raise UserError(f"{subject}: in the peers only the first phase repeats, and none is lazy")
    if rules.accumulate != 1:
        raise UserError(f"{subject}: the peers do not accumulate; leave --accumulate out")
    # Later phases may then see the others as they were by reading the fakes that there are.
    if rules.simultaneous and not generates(active[0], system):
        raise UserError(
            f"{subject}: with --update=simultaneous the peers need the generators to move first"
        )


def sizes(spec: PlayerSpec) -> dict[str, Any]:
    """A network's kind and sizes; UserError where the peers have no such network."""
    network, inputs = spec.network, spec.inputs[0].shape
    channels = sum(given.shape[-1] for given in spec.inputs)
    match network:
        case MLP():
            found: dict[str, Any] = {
                "inputs": int(np.prod(inputs[1:])),
                "features": list(network.features),
                "picture": bool(network.shape),
            }
            output = jnp.tanh if network.shape else None
            slope = 0.0 if network.shape else 0.2
            same = network.output is output and float(
                network.activation(jnp.float32(-1.0))
            ) == np.float32(-slope)
        case Generator28():
            found, same = {"inputs": inputs[1]}, True
        case Critic28():
            found, same = {}, True
        case SRResNet():
            found = _attributes(network, "channels", "blocks", "factor")
            same = network.normalise and not network.bicubic_skip and not network.smooth
        case SRCritic():
            found = {**_attributes(network, "channels", "dense"), "side": inputs[1]}
            same = network.dense > 0
        case UNet():
            names = ("out_channels", "depth", "channels", "most", "dropout")
            found = {"inputs": channels, **_attributes(network, *names)}
            same = network.norm == "batch"
        case ResNetGenerator():
            found = {
                "inputs": channels,
                **_attributes(network, "out_channels", "blocks", "channels"),
            }
            same = True
        case PatchCritic():
            found = {"inputs": channels, **_attributes(network, "layers", "channels", "norm")}
            same = network.norm in ("batch", "instance")
        case _:
            found, same = {}, False
    if not same:
        raise UserError(f"no peer has a network like {network}")
    return {"kind": type(network).__name__, **found}


def read_adam(optimiser: optax.GradientTransformation) -> dict[str, float]:
    """The constants of an Adam, read off the first step that it takes.

    With a gradient g the means become (1 - b1) g and (1 - b2) g^2, and the step is
    -learning rate * g / (g + eps).

    Raises:
      UserError: it keeps no such means.
    """

    def first(gradient: float) -> tuple[float, Any]:
        value = jnp.float32(1.0)
        with jax.numpy_dtype_promotion("standard"):
            update, state = optimiser.update(jnp.float32(gradient), optimiser.init(value), value)
        means = [part for part in jax.tree.leaves(state, is_leaf=_has_means) if _has_means(part)]
        if len(means) != 1:
            raise UserError("the peers have no optimiser but Adam")
        return -float(update), means[0]

    learning_rate, means = first(1.0)
    small = 1e-8
    damped, _ = first(small)
    return {
        "learning_rate": _short(learning_rate),
        "b1": _short(1 - float(means.mu)),
        "b2": _short(1 - float(means.nu)),
        "eps": _short(small * (learning_rate / damped - 1)),
    }


def _attributes(network: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(network, name) for name in names}


def _has_means(part: Any) -> bool:
    return isinstance(part, optax.ScaleByAdamState)


def _short(value: float) -> float:
    """Without the noise of float32."""
    return float(f"{value:.4g}")
