"""What happens next in a film: beyond mean square error (Mathieu et al. 2016, arXiv 1511.05440)."""

import jax.numpy as jnp
from jax import Array

from jaxgan import losses
from jaxgan.game import Batch, Outcome, System, Turn
from jaxgan.losses import AdversarialLoss
from jaxgan.ops.pixels import from_uint8
from jaxgan.state import Network, PlayerSpec
from jaxgan.systems.balance import judged

Networks = dict[str, Network]


def gradient_difference(made: Array, wanted: Array) -> Array:
    """The gradient difference loss (equation 6, alpha 1), a float32 scalar.

    The mean, over pixels and both directions, of how much the differences of neighbours differ in
    size; it punishes blur, which an L1 distance hardly does.

    Args:
      made, wanted: `[..., height, width, channels]`.
    """
    total = jnp.zeros((), jnp.float32)
    for axis in (-3, -2):
        steps = [jnp.abs(jnp.diff(frames, axis=axis)) for frames in (made, wanted)]
        total = total + losses.l1(*steps).mean()
    return total


def predicting(
    generator: PlayerSpec,
    critic: PlayerSpec,
    loss: AdversarialLoss,
    *,
    past: int,
    l1_weight: float = 1.0,
    gradient_weight: float = 1.0,
    adversarial_weight: float = 0.05,
) -> System:
    """The system that continues films (equation 7).

    Args:
      generator: past frames `[batch, past, height, width, channels]` to those that follow.
      critic: films, past and future together, to logits `[batch, ...]`.
      loss: the adversarial loss; the paper's is `losses.bce()`.
      past: how many frames of a batch's films are given.
      l1_weight: of the mean distance to what really follows; 1 in the paper.
      gradient_weight: of `gradient_difference`; 1 in the paper.
      adversarial_weight: of the critic's opinion, 0.05 in the paper; 0 plays without.

    Returns:
      A system with the players `generator` and `critic` and losses of these names. It reads
      `batch["real"]`, uint8 films `[batch, past + future, height, width, channels]`.
    """

    def prepare(batch: Batch, key: Array) -> Batch:
        films = from_uint8(batch["real"])
        return {"past": films[:, :past], "future": films[:, past:]}

    def generate(networks: Networks, batch: Batch, key: Array) -> tuple[Array, Networks]:
        fake, updated = networks["generator"].update(batch["past"])
        return fake, {"generator": updated}

    def whole(turn: Turn, future: Array) -> Array:
        return jnp.concatenate([turn.batch["past"], future], axis=1)

    def generator_loss(turn: Turn) -> Outcome:
        wanted, critic = turn.batch["future"], turn.networks["critic"]
        distance = losses.l1(turn.fake, wanted).mean()
        edges = gradient_difference(turn.fake, wanted)
        total = l1_weight * distance + gradient_weight * edges
        metrics = {"l1": distance, "gradient_difference": edges}
        if adversarial_weight:
            real_logits = critic(whole(turn, wanted)) if loss.needs_real else None
            opinion = loss.generator(critic(whole(turn, turn.fake)), real_logits).mean()
            total, metrics["adversarial"] = total + adversarial_weight * opinion, opinion
        return Outcome(total, metrics)

    def critic_loss(turn: Turn) -> Outcome:
        real, fake = (whole(turn, turn.batch["future"]),), (whole(turn, turn.fake),)
        lost, metrics, critic = judged(loss, turn.networks["critic"], real, fake)
        return Outcome(lost, metrics, {"critic": critic})

    return System(
        players={"generator": generator, "critic": critic},
        losses={"generator": generator_loss, "critic": critic_loss},
        generate=generate,
        generators=("generator",),
        prepare=prepare,
    )
