"""Real pictures told from generated ones: a critic alone, with nobody to play against."""

import jax
from jax import Array

from jaxgan.game import Batch, Outcome, System, Turn
from jaxgan.losses import bce
from jaxgan.ops.augment import augment
from jaxgan.ops.pixels import from_uint8
from jaxgan.state import PlayerSpec, fold


def detecting(detector: PlayerSpec, augmentations: tuple[str, ...] = ()) -> System:
    """The system of a detector.

    Args:
      detector: pictures to logits `[batch]`, above 0 for real ones.
      augmentations: of `ops.augment`, by which both kinds are changed alike, so that a few pictures
        last longer.

    Returns:
      A system with the player and the loss `detector`; it reads `batch["a"]`, real pictures, and
      `batch["b"]`, generated ones, uint8.
    """
    loss = bce()

    def prepare(batch: Batch, key: Array) -> Batch:
        return {
            name: augment(from_uint8(pictures), fold(key, name), augmentations)
            for name, pictures in batch.items()
        }

    def detector_loss(turn: Turn) -> Outcome:
        real_logits, updated = turn.networks["detector"].update(turn.batch["a"])
        fake_logits, updated = updated.update(turn.batch["b"])
        accuracy = loss.accuracy(real_logits, fake_logits)
        return Outcome(
            # Both terms are added in the critic's loss; the mean is what a classifier minimises.
            0.5 * loss.critic(real_logits, fake_logits).mean(),
            {"accuracy": jax.lax.stop_gradient(accuracy)},
            {"detector": updated},
        )

    return System(
        players={"detector": detector}, losses={"detector": detector_loss}, prepare=prepare
    )
