"""Two cheap figures of every step that show a game going wrong; `jaxgan.health` judges them."""

import jax
import jax.numpy as jnp
from jax import Array

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

    Each is the root mean square distance of two samples of the batch, by way of the variance: one
    pass over the batch instead of all its pairs. With labels only samples of one class are
    compared: a generator that knows one picture a class is not diverse.

    Args:
      real, fake: `[batch, ...]`, floats.
      label: `[batch]` int32 in [0, classes), of the real and of the fake sample of each row; None
        where there are no classes.
      classes: how many classes there are.

    Returns:
      A float32 scalar: about 1 where the fakes are as diverse as the data, 0 where all are the
      same; not a number where the real samples are all the same.
    """
    membership = jnp.zeros(len(real), jnp.int32) if label is None else label
    spreads = []
    for samples in (real, fake):
        flat = jax.lax.stop_gradient(samples).reshape(len(samples), -1).astype(jnp.float32)
        member = jax.nn.one_hot(membership, max(classes, 1), dtype=jnp.float32)
        count = jnp.maximum(member.sum(axis=0), 1.0)[:, None]
        mean = jnp.dot(member.T, flat, precision="highest") / count
        around = flat - jnp.dot(member, mean, precision="highest")
        spreads.append(jnp.square(around).sum())
    return jnp.sqrt(spreads[1] / spreads[0])
