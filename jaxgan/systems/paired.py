"""Pictures from pictures, learned from pairs: pix2pix (Isola et al. 2017, arXiv 1611.07004).

The critic judges input and output together; the generator also keeps close to the target (equation
4). What the input is made of (a label map, a damaged target) is the experiment's choice.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array

from jaxgan import losses
from jaxgan.game import Batch, Outcome, System, Turn
from jaxgan.losses import AdversarialLoss
from jaxgan.ops.hidden import last_hidden
from jaxgan.ops.pixels import from_uint8
from jaxgan.state import Network, PlayerSpec, fold
from jaxgan.systems.balance import judged

Networks = dict[str, Network]
# Makes the generator's input of a batch of floats in [-1, 1] and a key.
Input = Callable[[Batch, Array], Array]


def given_input(batch: Batch, key: Array) -> Array:
    """The input that the data has."""
    return batch["input"]


def one_hot(label_count: int) -> Input:
    """Label maps `batch["input"]`, whole numbers `[batch, height, width]`, as so many channels.

    They are -1 or 1, as pictures are. A number that is not below `label_count` is in no channel.
    """

    def channels(batch: Batch, key: Array) -> Array:
        numbers = batch["input"].astype(jnp.int32)[..., None]
        known = jnp.arange(label_count, dtype=jnp.int32).reshape(1, 1, 1, -1)
        return jnp.where(numbers == known, 1.0, -1.0).astype(jnp.float32)

    return channels


def paired(
    generator: PlayerSpec,
    critic: PlayerSpec,
    loss: AdversarialLoss,
    *,
    make_input: Input = given_input,
    labels: bool = False,
    l1_weight: float = 100.0,
    adversarial_weight: float = 1.0,
    feature_matching: float = 0.0,
    features: Callable[[Array], Array] | None = None,
    perceptual_weight: float = 0.0,
) -> System:
    """The system of pix2pix.

    Args:
      generator: inputs to pictures in [-1, 1]; its dropout, the paper's only noise, is on.
      critic: `(input, picture)` to logits `[batch, ...]`.
      loss: the adversarial loss; the paper's is `losses.bce()`.
      make_input: what the generator sees.
      labels: whether `batch["input"]` holds whole numbers, which stay what they are.
      l1_weight: of the mean distance to the target; 100 in the paper.
      adversarial_weight: of the critic's opinion; 0 plays without (the paper's L1 row).
      feature_matching: weight of the mean distance of the critic's last hidden layer for the fake
        and for its own target (Wang et al., arXiv 1711.11585, equation 4).
      features, perceptual_weight: a network whose features' mean squared distance is added.

    Returns:
      A system with the players `generator` and `critic` and losses of these names. It reads
      `batch["target"]`, uint8, and what `make_input` does.
    """

    def prepare(batch: Batch, key: Array) -> Batch:
        plain = {"input"} if labels else set()
        ready = {n: v if n in plain else from_uint8(v) for n, v in batch.items()}
        return {"target": ready["target"], "input": make_input(ready, fold(key, "input"))}

    def generate(networks: Networks, batch: Batch, key: Array) -> tuple[Array, Networks]:
        fake, updated = networks["generator"].update(batch["input"], rngs={"dropout": key})
        return fake, {"generator": updated}

    def generator_loss(turn: Turn) -> Outcome:
        critic, given, target = turn.networks["critic"], turn.batch["input"], turn.batch["target"]
        distance = losses.l1(turn.fake, target).mean()
        total, metrics = l1_weight * distance, {"l1": distance}
        if adversarial_weight:
            fake_logits, fake_hidden = last_hidden(lambda: critic(given, turn.fake))
            real_logits = None
            if loss.needs_real or feature_matching:
                real_logits, real_hidden = last_hidden(lambda: critic(given, target))
            metrics["adversarial"] = loss.generator(fake_logits, real_logits).mean()
            total = total + adversarial_weight * metrics["adversarial"]
            if feature_matching:
                metrics["feature_distance"] = losses.l1(fake_hidden, real_hidden).mean()
                total = total + feature_matching * metrics["feature_distance"]
        if features is not None and perceptual_weight:
            seen = losses.perceptual(features(turn.fake), features(target)).mean()
            metrics["perceptual"] = seen
            total = total + perceptual_weight * seen
        return Outcome(total, metrics)

    def critic_loss(turn: Turn) -> Outcome:
        given = turn.batch["input"]
        real, fake = (given, turn.batch["target"]), (given, turn.fake)
        lost, metrics, critic = judged(loss, turn.networks["critic"], real, fake)
        return Outcome(lost, metrics, {"critic": critic})

    return System(
        players={"generator": generator, "critic": critic},
        losses={"generator": generator_loss, "critic": critic_loss},
        generate=generate,
        generators=("generator",),
        prepare=prepare,
    )
