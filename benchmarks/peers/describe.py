"""What a peer is told of a game: who plays, in which order, with which networks and optimisers."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from absl.flags import FlagValues

from benchmarks.peers.network_sizes import bare, sizes
from jaxgan import experiment as experiments
from jaxgan import gan_flags
from jaxgan.errors import UserError
from jaxgan.game import Phase, System
from jaxgan.nets.vgan import FilmGenerator
from jaxgan.ops.pool import Pool
from jaxgan.state import PyTree
from jaxgan.step import Rules


class Game(NamedTuple):
    """A game that the peers can play.

    Attributes:
      name: what the peers call it.
      reads: the arrays of a prepared batch that it is known by.
      phases: the names of a step's phases, in order.
      losses: what `--loss` may be.
      weights: of the losses' terms: the flags that say them.
      generator: the network that makes its fakes, where nothing else tells it from other games.
      spectrogram: flags of the mel spectrograms that it compares.
    """

    name: str
    reads: frozenset[str]
    phases: tuple[str, ...]
    losses: tuple[str, ...]
    weights: tuple[str, ...]
    generator: type | None = None
    spectrogram: tuple[str, ...] = ()


ONE_CRITIC = ("critic", "generator")
# The first that fits is played: those that read more come before those that read less.
GAMES = (
    Game(
        "text",
        frozenset({"real", "text", "meaning"}),
        ONE_CRITIC,
        ("bce", "lsgan"),
        ("l1_weight", "wrong_share"),
    ),
    Game("films", frozenset({"real"}), ONE_CRITIC, ("bce",), ("mask_cost",), FilmGenerator),
    Game("noise", frozenset({"real"}), ONE_CRITIC, ("bce", "wgan_gp"), ()),
    Game("upscaling", frozenset({"low", "high"}), ONE_CRITIC, ("bce",), ("adversarial_weight",)),
    Game(
        "paired",
        frozenset({"input", "target"}),
        ONE_CRITIC,
        ("bce", "lsgan"),
        ("adversarial_weight", "l1_weight"),
    ),
    Game(
        "unpaired",
        frozenset({"a", "b"}),
        ("generators", "critics"),
        ("bce", "lsgan"),
        ("cycle_weight", "identity_weight"),
    ),
    Game(
        "vocoder",
        frozenset({"samples", "mel"}),
        ONE_CRITIC,
        ("lsgan",),
        ("feature_matching", "mel_weight"),
        spectrogram=("rate", "fft", "hop", "mels"),
    ),
)
# Flags that no peer knows, with what they must be; a game may have them among its weights.
LEFT_OUT: dict[str, Any] = {
    "penalty": "none",
    "label_smoothing": 0,
    "feature_matching": 0,
    "perceptual_weight": 0,
    "r1_weight": 0,
    "augment": [],
    "packing": 1,
    "unrolled": 0,
    "ema_halflife": 0,
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
    reads, active = set(reads), in_turns(active)
    game = find_game(subject, system, reads)
    check_phases(subject, game, system, active, rules)
    if options.loss not in game.losses:
        known = " or ".join(f"--loss={loss}" for loss in game.losses)
        raise UserError(f"{subject}: the peers play with {known} only, not --loss={options.loss}")
    for name, value in LEFT_OUT.items():
        if name not in game.weights and (given := getattr(options, name, value)) != value:
            raise UserError(
                f"{subject}: the peers have no --{name}, which is {given}; "
                f"say --{name}={'' if value == [] else value}"
            )
    weights = {name.removesuffix("_weight"): getattr(options, name) for name in game.weights}
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
        "spectrogram": {name: getattr(options, name) for name in game.spectrogram},
        "pools": {
            name: len(kept.pictures) for name, kept in memory.items() if isinstance(kept, Pool)
        },
        "networks": {name: sizes(spec) for name, spec in system.players.items()},
        "players": {name: read_adam(spec.optimiser) for name, spec in system.players.items()},
    }


def find_game(subject: str, system: System, reads: set[str]) -> Game:
    """The game of a system whose prepared batches have these arrays; UserError if there is none."""
    makers = {type(bare(system.players[name])) for name in system.generators}
    for game in GAMES:
        if game.reads <= reads and (game.generator is None or game.generator in makers):
            return game
    raise UserError(f"{subject}: no peer plays a game that reads {', '.join(sorted(reads))}")


def generates(phase: Phase, system: System) -> bool:
    """Whether a phase moves players that make the fakes."""
    return not {*system.generators}.isdisjoint(phase.players)


def in_turns(active: Sequence[Phase]) -> tuple[Phase, ...]:
    """The phases as the peers play them.

    What `jaxgan.systems.adversarial` does for both players in one pass of the critic they do in
    two: the generator moves, then the critic, on the fakes that there were.
    """
    if [phase.loss for phase in active] != ["both"]:
        return tuple(active)
    return (
        Phase("generator", ("generator",), "generator"),
        Phase("critic", ("critic",), "critic_with_penalties"),
    )


def check_phases(
    subject: str, game: Game, system: System, active: Sequence[Phase], rules: Rules
) -> None:
    """Raises UserError unless the peers take turns as these phases do."""
    names = tuple(phase.name for phase in active)
    if names not in (game.phases, game.phases[::-1] if rules.simultaneous else game.phases):
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


def read_adam(optimiser: optax.GradientTransformation) -> dict[str, float]:
    """The constants of an Adam or AdamW, read off the first step that it takes.

    With a gradient g the means become (1 - b1) g and (1 - b2) g^2, and the step is
    -learning rate * (g / (g + eps) + weight decay * parameter).

    Raises:
      UserError: it keeps no such means.
    """

    def first(gradient: float, parameter: float) -> tuple[float, Any]:
        value = jnp.float32(parameter)
        with jax.numpy_dtype_promotion("standard"):
            update, state = optimiser.update(jnp.float32(gradient), optimiser.init(value), value)
        means = [part for part in jax.tree.leaves(state, is_leaf=_has_means) if _has_means(part)]
        if len(means) != 1:
            raise UserError("the peers have no optimiser but Adam and AdamW")
        return -float(update), means[0]

    learning_rate, means = first(1.0, 0.0)
    small = 1e-8
    damped, _ = first(small, 0.0)
    decayed, _ = first(0.0, 1.0)
    return {
        "learning_rate": _short(learning_rate),
        "b1": _short(1 - float(means.mu)),
        "b2": _short(1 - float(means.nu)),
        "eps": _short(small * (learning_rate / damped - 1)),
        "weight_decay": _short(decayed / learning_rate),
    }


def _has_means(part: Any) -> bool:
    return isinstance(part, optax.ScaleByAdamState)


def _short(value: float) -> float:
    """Without the noise of float32."""
    return float(f"{value:.4g}")
