"""A generator of films against two critics: MoCoGAN (Tulyakov et al. 2018, arXiv 1707.04993)."""

import jax
import jax.numpy as jnp
from jax import Array

from jaxgan.game import Batch, Outcome, Phase, System, Turn
from jaxgan.losses import AdversarialLoss
from jaxgan.ops.pixels import from_uint8
from jaxgan.state import Network, PlayerSpec, fold
from jaxgan.systems.balance import judged, relative_diversity

Networks = dict[str, Network]

PHASES = (
    Phase("image_critic", ("image_critic",), "image_critic"),
    Phase("video_critic", ("video_critic",), "video_critic"),
    Phase("generator", ("generator",), "generator"),
)


def motion_content(
    generator: PlayerSpec,
    image_critic: PlayerSpec,
    video_critic: PlayerSpec,
    loss: AdversarialLoss,
    *,
    latent_size: int,
) -> System:
    """The game of equation 8: one critic sees a frame of each film, drawn at random, one all.

    Args:
      generator: `[batch, latent_size] float32` to films `[batch, frames, height, width, channels]`.
      image_critic: frames to logits `[batch, ...]`.
      video_critic: films to logits `[batch, ...]`.
      loss: what they play; the paper's is `losses.bce()`.
      latent_size: dimensions of the standard normal latent.

    Returns:
      A system with the players `generator`, `image_critic` and `video_critic` and losses of these
      names; `PHASES` plays it. It reads `batch["real"]`, uint8 films.
    """

    def prepare(batch: Batch, key: Array) -> Batch:
        return {"real": from_uint8(batch["real"])}

    def generate(networks: Networks, batch: Batch, key: Array) -> tuple[Array, Networks]:
        latent = jax.random.normal(key, (len(batch["real"]), latent_size))
        fake, updated = networks["generator"].update(latent)
        return fake, {"generator": updated}

    def frame(turn: Turn, films: Array, name: str) -> Array:
        """A frame of each film."""
        count, frames = films.shape[:2]
        chosen = jax.random.randint(fold(turn.key, "frame", name), (count,), 0, frames)
        # A product and no look-up: its derivative is one as well, and stays on its device.
        share = jax.nn.one_hot(chosen, frames, dtype=films.dtype).reshape(count, frames, 1, 1, 1)
        return jnp.sum(films * share, axis=1)

    def image_loss(turn: Turn) -> Outcome:
        real = (frame(turn, turn.batch["real"], "real"),)
        fake = (frame(turn, turn.fake, "fake"),)
        lost, metrics, critic = judged(
            loss, turn.networks["image_critic"], real, fake, name="image_critic"
        )
        return Outcome(lost, metrics, {"image_critic": critic})

    def video_loss(turn: Turn) -> Outcome:
        real, fake = (turn.batch["real"],), (turn.fake,)
        lost, metrics, critic = judged(
            loss, turn.networks["video_critic"], real, fake, name="video_critic"
        )
        metrics["diversity"] = relative_diversity(turn.batch["real"], turn.fake, None, 0)
        return Outcome(lost, metrics, {"video_critic": critic})

    def generator_loss(turn: Turn) -> Outcome:
        shown = {
            "image_critic": (
                frame(turn, turn.fake, "fake"),
                frame(turn, turn.batch["real"], "real"),
            ),
            "video_critic": (turn.fake, turn.batch["real"]),
        }
        metrics = {}
        for name, (fake, real) in shown.items():
            critic = turn.networks[name]
            real_logits = critic(real) if loss.needs_real else None
            metrics[f"{name}_opinion"] = loss.generator(critic(fake), real_logits).mean()
        return Outcome(metrics["image_critic_opinion"] + metrics["video_critic_opinion"], metrics)

    return System(
        players={
            "generator": generator,
            "image_critic": image_critic,
            "video_critic": video_critic,
        },
        losses={
            "generator": generator_loss,
            "image_critic": image_loss,
            "video_critic": video_loss,
        },
        generate=generate,
        generators=("generator",),
        prepare=prepare,
    )
