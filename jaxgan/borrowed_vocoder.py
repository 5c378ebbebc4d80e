"""A vocoder that another run has trained, for the sounds of this one."""

from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgan import copy_synthesis, processes, run_directory
from jaxgan.checkpoints import Checkpoints
from jaxgan.errors import UserError
from jaxgan.nets.hifigan import hifigan
from jaxgan.ops.spectrogram import MelScale
from jaxgan.state import Player, PlayerSpec, create_player, trained_networks

EXPERIMENT = "hifigan_vocoder"


def open_vocoder(run_dir: Path, rate: int) -> Callable[[np.ndarray], np.ndarray]:
    """The newest generator of a run of `hifigan_vocoder`.

    Args:
      run_dir: that run's directory.
      rate: samples a second of the sounds that it shall make.

    Returns:
      A function of a sound float32 [n] that makes it anew from its mel spectrogram, as the vocoder
      takes it: so sounds of any other kind of spectrogram come to it by way of Griffin-Lim.

    Raises:
      UserError: that is no such run, it has no checkpoint, or it makes sounds of another rate.
    """
    config = run_directory.read_config(run_dir)
    if config is None or config["experiment"] != EXPERIMENT:
        found = "nothing trained" if config is None else f"a run of {config['experiment']}"
        raise UserError(f"--vocoder={run_dir} holds {found}, where a run of {EXPERIMENT} should be")
    flags = config["flags"]
    if flags["rate"] != rate:
        raise UserError(
            f"--vocoder={run_dir} makes sounds of {flags['rate']} Hz, and this run has {rate} Hz: "
            f"train one with --experiment={EXPERIMENT} --rate={rate}"
        )
    high = min(flags["high"], rate / 2)
    scale = MelScale(rate, flags["fft"], flags["hop"], flags["mels"], 0.0, high)
    network = hifigan(
        flags["version"],
        flags["hop"],
        channels=flags["channels"],
        blocks=flags["blocks"],
        dtype=jnp.dtype(flags["dtype"]),
    )
    mel = jax.ShapeDtypeStruct((1, 1, flags["mels"]), jnp.float32)
    specs = {
        "generator": PlayerSpec(network, (mel,), optax.identity(), flags["ema_halflife"] or None)
    }
    abstract = jax.eval_shape(lambda key: create_player(specs["generator"], key), jax.random.key(0))
    parts = {"params": abstract.params, "variables": abstract.variables, "ema": abstract.ema}
    checkpoints = Checkpoints(run_dir / "checkpoints", read_only=True)
    try:
        restored = checkpoints.restore({"players": {"generator": parts}}, partial=True)
    finally:
        checkpoints.close()
    for sentence in restored.skipped:
        processes.say(sentence)
    players = {"generator": Player(opt_state=(), **restored.state["players"]["generator"])}
    networks = trained_networks(specs, players)

    def vocode(sound: np.ndarray) -> np.ndarray:
        least = max(len(sound), scale.fft)
        padded = np.pad(sound, (0, least + -least % scale.hop - len(sound)))
        return copy_synthesis.copied(networks, padded[None], scale)[0, : len(sound)]

    return vocode
