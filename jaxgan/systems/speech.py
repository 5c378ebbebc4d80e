"""Text to speech: phonemes to a mel spectrogram, against a critic that hears them beside the text.

Donahue et al. 2020 (arXiv 2006.03575), with the recording's own spectrogram to keep close to, as
pix2pix has it (arXiv 1611.07004, equation 4), and the critic's features matched layer by layer
(Kong et al. 2020, arXiv 2010.05646, equation 4).
"""

import jax
import jax.numpy as jnp
from jax import Array

from jaxgan import losses
from jaxgan.game import Batch, Outcome, System, Turn
from jaxgan.losses import AdversarialLoss
from jaxgan.nets.speech import Opinion, Speech
from jaxgan.ops.pixels import from_uint8
from jaxgan.state import Network, PlayerSpec

Networks = dict[str, Network]


def mean_where(values: Array, mask: Array) -> Array:
    """The mean of values `[batch, n, ...]` where a mask `[batch, n]` or of their rank is not 0."""
    wide = mask.reshape(*mask.shape, *(1,) * (values.ndim - mask.ndim)).astype(jnp.float32)
    wide = jnp.broadcast_to(wide, values.shape)
    return (values * wide).sum() / jnp.maximum(wide.sum(), 1.0)


def speech(
    generator: PlayerSpec,
    critic: PlayerSpec,
    loss: AdversarialLoss,
    *,
    latent_size: int,
    l1_weight: float = 20.0,
    adversarial_weight: float = 1.0,
    feature_matching: float = 2.0,
    length_weight: float = 1.0,
) -> System:
    """The system.

    Args:
      generator: as `nets.speech.SpeechGenerator`.
      critic: as `nets.speech.SpeechCritic`.
      loss: the adversarial loss; each patch of frames has a logit.
      latent_size: dimensions of the standard normal latent.
      l1_weight: of the mean distance to the recording's spectrogram, over its frames.
      adversarial_weight: of the critic's opinion.
      feature_matching: of the mean distance of the critic's hidden layers for the fake and for the
        recording, the mean of all layers.
      length_weight: of `(predicted / recorded - 1)^2 / 2`, of the frames of the whole utterance:
        the paper's equation 4, as a share so that long utterances do not outweigh the others.

    Returns:
      A system with the players `generator` and `critic`, losses of these names, and the loss
      `content`: the generator's without the critic. It reads, of each row, `mel` [frames, mels],
      uint8 or float32 in [-1, 1]; `frames` int32, how many of them are spoken; `phonemes` int32
      [symbols], padded with 0; and `speaker` int32.
    """

    def prepare(batch: Batch, key: Array) -> Batch:
        mel = from_uint8(batch["mel"])
        place = jnp.arange(mel.shape[1], dtype=jnp.int32)[None, :]
        return {**batch, "mel": mel, "spoken": place < batch["frames"][:, None]}

    def generate(networks: Networks, batch: Batch, key: Array) -> tuple[Speech, Networks]:
        latent = jax.random.normal(key, (batch["speaker"].shape[0], latent_size))
        fake, updated = networks["generator"].update(
            batch["phonemes"], batch["speaker"], latent, batch["spoken"]
        )
        return fake, {"generator": updated}

    def given(turn: Turn) -> tuple[Array, ...]:
        # The critic must not move the text about, only what is heard of it.
        weights = jax.lax.stop_gradient(turn.fake.weights)
        batch = turn.batch
        return batch["phonemes"], weights, batch["speaker"], batch["spoken"]

    def content(turn: Turn) -> Outcome:
        batch, fake = turn.batch, turn.fake
        distance = mean_where(losses.l1(fake.mel, batch["mel"]), batch["spoken"])
        recorded = jnp.maximum(batch["frames"].astype(jnp.float32), 1.0)
        length = 0.5 * jnp.square(fake.lengths.sum(axis=1) / recorded - 1.0).mean()
        total = l1_weight * distance + length_weight * length
        return Outcome(total, {"l1": distance, "length": length})

    def generator_loss(turn: Turn) -> Outcome:
        batch, fake, critic = turn.batch, turn.fake, turn.networks["critic"]
        before = content(turn)
        total, metrics = before.loss, dict(before.metrics)
        if adversarial_weight or feature_matching:
            heard: Opinion = critic(fake.mel, *given(turn))
            known: Opinion | None = None
            if loss.needs_real or feature_matching:
                known = critic(batch["mel"], *given(turn))
            opinion = loss.generator(heard.logits, None if known is None else known.logits)
            metrics["adversarial"] = mean_where(opinion, heard.shown)
            total = total + adversarial_weight * metrics["adversarial"]
            if feature_matching and known is not None:
                layers = [
                    mean_where(losses.l1(a, jax.lax.stop_gradient(b)), mask)
                    for a, b, mask in zip(
                        heard.features, known.features, heard.present, strict=True
                    )
                ]
                metrics["feature_distance"] = jnp.stack(layers).mean()
                total = total + feature_matching * metrics["feature_distance"]
        return Outcome(total, metrics)

    def critic_loss(turn: Turn) -> Outcome:
        known, updated = turn.networks["critic"].update(turn.batch["mel"], *given(turn))
        heard, updated = updated.update(turn.fake.mel, *given(turn))
        shown = known.shown
        count = jnp.maximum(shown.sum(axis=1), 1).astype(jnp.float32)
        means = [jnp.where(shown, one.logits, 0.0).sum(axis=1) / count for one in (known, heard)]
        metrics = {
            "critic_real": means[0].mean(),
            "critic_fake": means[1].mean(),
            "critic_accuracy": loss.accuracy(*means),
        }
        lost = mean_where(loss.critic(known.logits, heard.logits), shown)
        return Outcome(lost, metrics, {"critic": updated})

    return System(
        players={"generator": generator, "critic": critic},
        losses={"content": content, "generator": generator_loss, "critic": critic_loss},
        generate=generate,
        generators=("generator",),
        prepare=prepare,
    )
