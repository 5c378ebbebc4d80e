"""Holes in pictures, filled: a generator with gated convolutions against a critic of patches.

Yu et al. 2019 (arXiv 1806.03589); the holes are drawn anew for every picture of every step, inside
the compiled step.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array

from jaxgan import losses
from jaxgan.game import Batch, Outcome, System, Turn
from jaxgan.losses import AdversarialLoss
from jaxgan.nets.inpaint import fill
from jaxgan.ops.pixels import from_uint8
from jaxgan.state import Network, PlayerSpec, fold
from jaxgan.systems.balance import judged

Networks = dict[str, Network]
# `(key, batch, height, width)` to masks float32 [batch, height, width, 1], 1 in the hole.
Holes = Callable[[Array, int, int, int], Array]


def with_hole(pictures: Array, mask: Array) -> Array:
    """Pictures whose hole is grey (0), all of `[batch, height, width, ...]`."""
    return pictures * (1.0 - mask)


def inpaint(
    generator: PlayerSpec,
    critic: PlayerSpec,
    loss: AdversarialLoss,
    holes: Holes,
    *,
    hole_weight: float = 1.0,
    rest_weight: float = 1.0,
    adversarial_weight: float = 1.0,
) -> System:
    """The system of free-form inpainting.

    Args:
      generator: `(pictures with a hole, mask)` to whole pictures, or to several stages of them, of
        which the last counts and all are held to the picture.
      critic: `(filled pictures, mask)` to logits `[batch, ...]`.
      loss: the adversarial loss; the paper's is `losses.hinge()`.
      holes: draws the masks of a batch.
      hole_weight, rest_weight: of the mean distance to the picture inside the hole and around it.
      adversarial_weight: of the critic's opinion.

    Returns:
      A system with the players `generator` and `critic` and losses of these names; it reads
      `batch["real"]`, uint8.
    """

    def prepare(batch: Batch, key: Array) -> Batch:
        real = from_uint8(batch["real"])
        return {"real": real, "mask": holes(fold(key, "holes"), *real.shape[:3])}

    def generate(
        networks: Networks, batch: Batch, key: Array
    ) -> tuple[tuple[Array, ...], Networks]:
        mask = batch["mask"]
        made, updated = networks["generator"].update(with_hole(batch["real"], mask), mask)
        stages = made if isinstance(made, tuple) else (made,)
        return stages, {"generator": updated}

    def generator_loss(turn: Turn) -> Outcome:
        real, mask, critic = turn.batch["real"], turn.batch["mask"], turn.networks["critic"]
        distances = [losses.l1(stage, real) for stage in turn.fake]
        hole = sum((_mean(one, mask) for one in distances), jnp.zeros(()))
        rest = sum((_mean(one, 1.0 - mask) for one in distances), jnp.zeros(()))
        total, metrics = hole_weight * hole + rest_weight * rest, {"hole": hole, "rest": rest}
        if adversarial_weight:
            real_logits = critic(real, mask) if loss.needs_real else None
            fake_logits = critic(fill(real, turn.fake[-1], mask), mask)
            metrics["adversarial"] = loss.generator(fake_logits, real_logits).mean()
            total = total + adversarial_weight * metrics["adversarial"]
        return Outcome(total, metrics)

    def critic_loss(turn: Turn) -> Outcome:
        real, mask = turn.batch["real"], turn.batch["mask"]
        fake = (fill(real, turn.fake[-1], mask), mask)
        lost, metrics, critic = judged(loss, turn.networks["critic"], (real, mask), fake)
        return Outcome(lost, metrics, {"critic": critic})

    return System(
        players={"generator": generator, "critic": critic},
        losses={"generator": generator_loss, "critic": critic_loss},
        generate=generate,
        generators=("generator",),
        prepare=prepare,
    )


def _mean(values: Array, mask: Array) -> Array:
    """The mean of `[batch, height, width, channels]` where the mask is 1; 0 where it is nowhere."""
    weight = jnp.broadcast_to(mask, values.shape)
    return (values * weight).sum() / jnp.maximum(weight.sum(), 1.0)
