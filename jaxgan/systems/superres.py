"""Super-resolution: SRGAN (Ledig et al. 2017, arXiv 1609.04802).

The generator first learns the content alone (phase `pretrain`), then content and the critic's
opinion together (equation 3). Content is the mean squared error of pixels, or of VGG-19 features
where their weights are given (equation 5).
"""

import functools
from collections.abc import Callable

import jax
from jax import Array

from jaxgan import losses
from jaxgan.game import Batch, Outcome, System, Turn
from jaxgan.nets.vgg import load_vgg19
from jaxgan.ops.pixels import from_uint8
from jaxgan.state import Network, PlayerSpec


def superres(
    generator: PlayerSpec,
    critic: PlayerSpec,
    loss: losses.AdversarialLoss,
    *,
    adversarial_weight: float,
    features: Callable[[Array], Array] | None = None,
    feature_scale: float = 1 / 12.75,
) -> System:
    """The system of SRGAN.

    Args:
      generator: low-resolution pictures in [-1, 1] to high-resolution ones.
      critic: high-resolution pictures to logits.
      loss: the adversarial loss; the paper's is `losses.bce()`.
      adversarial_weight: of the critic's opinion beside the content; 1e-3 in the paper.
      features: `[batch, height, width, 3]` in [-1, 1] to features, whose mean squared error is the
        content of the adversarial phase; None compares pixels.
      feature_scale: multiplies the features; 1 / 12.75 in the paper, for VGG-19.

    Returns:
      A system with the players `generator` and `critic` and the losses `pretrain`, `generator` and
      `critic`. It reads `batch["low"]` and `batch["high"]`, uint8.
    """

    def prepare(batch: Batch, key: Array) -> Batch:
        return {name: from_uint8(pictures) for name, pictures in batch.items()}

    def generate(
        networks: dict[str, Network], batch: Batch, key: Array
    ) -> tuple[Array, dict[str, Network]]:
        fake, updated = networks["generator"].update(batch["low"])
        return fake, {"generator": updated}

    def pretrain(turn: Turn) -> Outcome:
        return Outcome(losses.l2(turn.fake, turn.batch["high"]).mean())

    def generator_loss(turn: Turn) -> Outcome:
        high, critic = turn.batch["high"], turn.networks["critic"]
        if features is None:
            content = losses.l2(turn.fake, high).mean()
        else:
            content = losses.perceptual(features(turn.fake), features(high), feature_scale).mean()
        real_logits = critic(high) if loss.needs_real else None
        opinion = loss.generator(critic(turn.fake), real_logits).mean()
        return Outcome(
            content + adversarial_weight * opinion, {"content": content, "adversarial": opinion}
        )

    def critic_loss(turn: Turn) -> Outcome:
        real_logits, updated = turn.networks["critic"].update(turn.batch["high"])
        fake_logits, updated = updated.update(turn.fake)
        return Outcome(
            loss.critic(real_logits, fake_logits).mean(),
            {"critic_real": real_logits.mean(), "critic_fake": fake_logits.mean()},
            {"critic": updated},
        )

    return System(
        players={"generator": generator, "critic": critic},
        losses={"pretrain": pretrain, "generator": generator_loss, "critic": critic_loss},
        generate=generate,
        generators=("generator",),
        prepare=prepare,
    )


def vgg_features(path: str) -> Callable[[Array], Array]:
    """phi_{5,4} of the paper: VGG-19's features after the last convolution's activation.

    The weights are read when a step that needs them is compiled, so a run can be used where they
    are not.
    """
    load = functools.cache(load_vgg19)

    def features(pictures: Array) -> Array:
        module, params, _ = load(path)
        return jax.nn.relu(Network(module, params, {}, train=False)(pictures))

    return features
