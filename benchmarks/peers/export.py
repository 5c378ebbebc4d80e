"""Writes a subject's weights and data, and what jaxgan's own step loses on them.

    python -m benchmarks.peers.export --directory=DIR dcgan_mnist --experiment=dcgan_mnist ...

An experiment defines flags when it is loaded, so `export` runs this in a process of its own; on the
CPU, whose float32 is the same for every contestant.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.building import build
from benchmarks.contestant import run_python
from benchmarks.peers.exchange import Subject, write
from jaxgan import compilation_cache, gan_flags, parallel
from jaxgan import experiment as experiments
from jaxgan.compiling import new_state
from jaxgan.data.pipeline import row_seeds
from jaxgan.errors import UserError
from jaxgan.game import Phase, active_phases, rounds
from jaxgan.nets.dcgan import Critic28, Generator28
from jaxgan.nets.mlp import MLP
from jaxgan.nets.srresnet import SRCritic, SRResNet
from jaxgan.state import PlayerSpec, TrainState, count_parameters, fold


def export(subject: str, directory: Path, flags: Sequence[str], steps: int = 2) -> dict[str, Any]:
    """Writes `subject.json`, `subject.npz` and `expected.json` into a directory.

    Args:
      subject: its name.
      directory: made if need be.
      flags: of the engine, `--experiment` included.
      steps: how many steps are checked.

    Returns:
      What expected.json holds: `losses`, a dictionary with `critic` and `generator` for each step,
      and `parameters` by player.

    Raises:
      UserError: the engine refuses the flags, or no peer could play that game.
    """
    directory = Path(directory).absolute()
    arguments = [f"--directory={directory}", f"--checked_steps={steps}", subject, *flags]
    words = ["-m", "benchmarks.peers.export", *arguments]
    run_python(words, {"JAX_PLATFORMS": "cpu"}, f"exporting {subject}")
    return json.loads((directory / "expected.json").read_text())


def write_subject(subject: str, directory: Path, flags: Sequence[str], steps: int) -> None:
    """`export` without the process around it: flags can be parsed once in a process only."""
    compilation_cache.enable()
    built = build(flags, jax.devices()[:1])
    experiment, settings, data = built.experiment, built.settings, built.data
    size = settings.rules.batch_size
    active = active_phases(experiment.phases, settings.steps - 1)
    players = experiment.system.players
    about = describe(subject, built.loaded, players, active, size)

    state = new_state(experiment, built.state, settings.seed)
    number = jax.device_put(jnp.int32(settings.steps - 1), state.step.sharding)
    state = state.replace(step=number)
    compiled = built.compile([active])[active]
    arrays = {**player_arrays(state)}
    losses = []
    for step in range(steps):
        batches = []
        for index in range(rounds(active)):
            number = step * rounds(active) + index
            rows = (np.arange(size, dtype=np.int64) + number * size) % data.size
            batch = data.load(rows, row_seeds(settings.seed, number, size))
            batches.append(parallel.global_batch(batch, built.mesh))
            key = fold(state.key, "step", state.step, "round", index)
            given = experiment.system.prepare(batches[-1], fold(key, "prepare"))
            for name, values in {**given, **draws(about, key, active[0])}.items():
                arrays[f"step{step}/round{index}/{name}"] = np.asarray(values)
        state, metrics = compiled(state, batches)
        losses.append(
            {player: float(metrics[f"{player}_loss"]) for player in ("critic", "generator")}
        )
    write(directory, Subject(about, arrays))
    counts = {name: count_parameters(player.params) for name, player in built.state.players.items()}
    expected = {"losses": losses, "parameters": counts}
    (directory / "expected.json").write_text(json.dumps(expected, indent=2) + "\n")


def describe(
    subject: str,
    loaded: experiments.Loaded,
    players: Mapping[str, PlayerSpec],
    active: tuple[Phase, ...],
    batch_size: int,
) -> dict[str, Any]:
    """What subject.json holds.

    Raises:
      UserError: it is not one of the games that the peers can play.
    """
    flags = experiments.FLAGS
    if [phase.name for phase in active] != ["critic", "generator"] or active[1].repeats != 1:
        raise UserError(f"{subject}: the peers play a phase `critic` and a phase `generator` only")
    if flags.loss not in ("bce", "wgan_gp") or getattr(flags, "penalty", "none") != "none":
        raise UserError(f"{subject}: the peers play --loss=bce and --loss=wgan_gp only")
    adam = {name: read_adam(spec.optimiser) for name, spec in players.items()}
    weights = {"adversarial": getattr(flags, "adversarial_weight", 1.0)}
    if flags.loss == "wgan_gp":
        (penalty,) = gan_flags.weighted()
        weights[penalty.name] = penalty.weight
    return {
        "name": subject,
        "experiment": loaded.name,
        "batch_size": batch_size,
        "n_critic": active[0].repeats,
        "loss": flags.loss,
        "weights": weights,
        "networks": {name: sizes(spec) for name, spec in players.items()},
        "players": adam,
        **adam["generator"],
    }


def sizes(spec: PlayerSpec) -> dict[str, Any]:
    """A network's kind and sizes; UserError where the peers have no such network."""
    network, inputs = spec.network, spec.inputs[0].shape
    match network:
        case MLP():
            found: dict[str, Any] = {
                "features": list(network.features),
                "inputs": int(np.prod(inputs[1:])),
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
            names = ("channels", "blocks", "factor")
            found = {name: getattr(network, name) for name in names}
            same = network.normalise and not network.bicubic_skip and not network.smooth
        case SRCritic():
            found = {"channels": network.channels, "dense": network.dense, "side": inputs[1]}
            same = network.dense > 0
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


def _has_means(part: Any) -> bool:
    return isinstance(part, optax.ScaleByAdamState)


def _short(value: float) -> float:
    """Without the noise of float32."""
    return float(f"{value:.4g}")


def player_arrays(state: TrainState) -> dict[str, np.ndarray]:
    """Parameters and variables of all players by their paths."""
    found = {}
    for name, player in state.players.items():
        for kind in ("params", "variables"):
            for path, leaf in jax.tree_util.tree_leaves_with_path(getattr(player, kind)):
                joined = "/".join(part.key for part in path)
                found[f"{kind}/{name}/{joined}"] = np.array(leaf)
    return found


def draws(about: dict[str, Any], key: jax.Array, critic: Phase) -> dict[str, jax.Array]:
    """The random numbers that the engine draws in a round with this key.

    See `jaxgan.moves` for the names that are folded in, and `jaxgan.penalties` for `mix`.
    """
    rows, generator = about["batch_size"], about["networks"]["generator"]
    found = {}
    if "inputs" in generator:
        latent_key = fold(key, "generate")
        found["latent"] = jax.random.normal(latent_key, (rows, generator["inputs"]))
    if about["loss"] == "wgan_gp":
        phase_key = fold(key, "phase", critic.name)
        found["mix"] = jax.random.uniform(phase_key, (rows, 1, 1, 1))
    return found


def main() -> int:
    """Parses the arguments and writes the directory."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("subject")
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--checked_steps", type=int, default=2)
    arguments, flags = parser.parse_known_args()
    try:
        write_subject(arguments.subject, arguments.directory, flags, arguments.checked_steps)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
