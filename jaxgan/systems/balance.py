"""Two cheap figures of every step that show a game going wrong; `jaxgan.health` judges them."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from jaxgan.game import Outcome, Turn
from jaxgan.losses import AdversarialLoss
from jaxgan.state import Network


def balance(
    loss: AdversarialLoss, real_logits: Array, fake_logits: Array, diversity: Array
) -> dict[str, Array]:
    """The metrics `critic_accuracy` and `diversity`.

    A critic that is to be trained to optimality is right by design; its share of pairs in the right
    order is called `critic_order`, which nobody judges.
    """
    name = "critic_order" if loss.to_optimality else "critic_accuracy"
    return {name: loss.accuracy(real_logits, fake_logits), "diversity": diversity}


def judged(
    loss: AdversarialLoss,
    critic: Network,
    real: tuple[Array, ...],
    fake: tuple[Array, ...],
    name: str = "critic",
) -> tuple[Array, dict[str, Array], Network]:
    """What a critic loses on real and fake inputs, its metrics `NAME_...`, and its new variables.

    Args:
      loss: of the critic.
      critic: takes `real`, then `fake`; each is all that it is shown at once.
      real, fake: `[batch, ...]` each.
      name: of the critic in the metrics.
    """
    real_logits, critic = critic.update(*real)
    fake_logits, critic = critic.update(*fake)
    metrics = {
        f"{name}_real": real_logits.mean(),
        f"{name}_fake": fake_logits.mean(),
        f"{name}_accuracy": loss.accuracy(real_logits, fake_logits),
    }
    return loss.critic(real_logits, fake_logits).mean(), metrics, critic


def relative_diversity(real: Array, fake: Array, label: Array | None, classes: int) -> Array:
    """How far apart two fakes are, over how far apart two real samples are.

    The ratio of root mean square distances. Without labels the pairs are neighbours in the batch,
    which lie on one device, so that it costs no more than a sum between devices. With labels only
    samples of one class are compared, all of a batch, by way of the variance: a generator that
    knows one picture a class is not diverse.

    Args:
      real, fake: `[batch, ...]`, floats.
      label: `[batch]` int32 in [0, classes), of the real and of the fake sample of each row; None
        where there are no classes.
      classes: how many classes there are.

    Returns:
      A float32 scalar: about 1 where the fakes are as diverse as the data, 0 where all are the
      same; not a number where the real samples are all the same, or one alone.
    """
    both = [
        jax.lax.stop_gradient(samples).reshape(len(samples), -1).astype(jnp.float32)
        for samples in (real, fake)
    ]
    if label is None:
        paired = [flat[: len(flat) // 2 * 2].reshape(len(flat) // 2, 2, -1) for flat in both]
        apart = [jnp.square(pairs[:, 0] - pairs[:, 1]).sum(axis=1) for pairs in paired]
        spreads = jnp.stack(apart, axis=1).sum(axis=0)
        return jnp.sqrt(spreads[1] / spreads[0])
    member = jax.nn.one_hot(label, classes, dtype=jnp.float32)
    count = jnp.maximum(member.sum(axis=0), 1.0)[:, None]
    within = []
    for flat in both:
        mean = jnp.dot(member.T, flat, precision="highest") / count
        around = flat - jnp.dot(member, mean, precision="highest")
        within.append(jnp.square(around).sum())
    return jnp.sqrt(within[1] / within[0])


def held_back(
    play: Callable[[Turn], Outcome], accuracy: float, *, metric: str = "critic_accuracy"
) -> Callable[[Turn], Outcome]:
    """A critic's loss that is nothing while the critic is right more often than `accuracy`.

    3D-GAN (Wu et al., arXiv 1610.07584, section 3.2) updates its critic only if it was right in
    less than 80 % of the last batch. Here it is the batch at hand; a gradient of nothing reaches
    the optimiser, so that Adam takes what is left of its momentum.

    Args:
      play: the loss; its metrics hold `metric`.
      accuracy: the share, in (0, 1].
      metric: the name of the critic's accuracy.

    Returns:
      The loss, with the metric `critic_plays`, 1 or 0.
    """

    def loss(turn: Turn) -> Outcome:
        outcome = play(turn)
        plays = (outcome.metrics[metric] <= accuracy).astype(jnp.float32)
        metrics = {**outcome.metrics, "critic_plays": plays}
        # Not a product: nothing times what is not finite would not be nothing.
        return outcome.replace(loss=jnp.where(plays > 0, outcome.loss, 0.0), metrics=metrics)

    return loss
