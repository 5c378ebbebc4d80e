"""Face swap: one encoder for two people, a decoder and a critic for each.

The autoencoders of the deepfakes community, for which there is no paper, with a critic: each
decoder learns to make its own person out of that person's warped face. At sampling the other
person's face goes through it, and comes out with the pose and the light of the one and the looks of
the other. The decoder's mask says how much of it covers the frame.
"""

import jax.numpy as jnp
from jax import Array

from jaxgan import losses
from jaxgan.game import Batch, Outcome, System, Turn
from jaxgan.losses import AdversarialLoss
from jaxgan.ops.pixels import from_uint8
from jaxgan.ops.warp import random_warp
from jaxgan.state import Network, PlayerSpec, fold
from jaxgan.systems.balance import judged

Networks = dict[str, Network]
PEOPLE = ("a", "b")
# The players that make faces.
MAKERS = ("encoder", "decoder_a", "decoder_b")


def covered(frame: Array, made: Array) -> Array:
    """A decoder's output `[batch, height, width, 4]` over frames `[batch, height, width, 3]`."""
    face, mask = made[..., :3], made[..., 3:]
    return mask * face + (1.0 - mask) * frame


def swap(networks: Networks, faces: Array, onto: str) -> Array:
    """Faces `[batch, height, width, 3]` in [-1, 1] with the looks of person `onto`, 'a' or 'b'."""
    made = networks[f"decoder_{onto}"](networks["encoder"](faces))
    return covered(faces, made)


def faceswap(
    encoder: PlayerSpec,
    decoder: PlayerSpec,
    critic: PlayerSpec,
    loss: AdversarialLoss,
    *,
    warp: float = 0.03,
    face_weight: float = 10.0,
    adversarial_weight: float = 0.1,
    mask_weight: float = 2.0,
) -> System:
    """The system of the swap.

    Args:
      encoder: faces in [-1, 1] to features.
      decoder: features to `[batch, height, width, 4]`: a face and, in [0, 1], its mask. There are
        two of these.
      critic: faces to logits `[batch, ...]`, two as well.
      loss: the adversarial loss.
      warp: strength of the warp that the encoder sees faces through (`ops.warp`).
      face_weight: of the distance of the face, and of what is left when it covers the warped frame,
        to the unwarped one.
      adversarial_weight: of the critics' opinions.
      mask_weight: of the mean of `1 - mask`. In training the frame shows the right person already,
        so that to let it through is easiest, and nothing would ever be swapped: the mask must open
        only where the face is worse than the frame by more than `mask_weight / face_weight`.

    Returns:
      A system with the players `encoder`, `decoder_a`, `decoder_b`, `critic_a`, `critic_b` and the
      losses `makers` and `critics`; it reads `batch["a"]` and `batch["b"]`, uint8.
    """

    def prepare(batch: Batch, key: Array) -> Batch:
        ready = {}
        for person in PEOPLE:
            ready[person] = from_uint8(batch[person])
            ready[f"warped_{person}"] = random_warp(ready[person], fold(key, person), warp)
        return ready

    def generate(networks: Networks, batch: Batch, key: Array) -> tuple[dict[str, Array], Networks]:
        made, updated = {}, {}
        encode = networks["encoder"]
        for person in PEOPLE:
            features, encode = encode.update(batch[f"warped_{person}"])
            name = f"decoder_{person}"
            made[person], updated[name] = networks[name].update(features)
        return made, {**updated, "encoder": encode}

    def makers_loss(turn: Turn) -> Outcome:
        metrics: dict[str, Array] = {}
        total = jnp.zeros(())
        for person in PEOPLE:
            made, target = turn.fake[person], turn.batch[person]
            whole = covered(turn.batch[f"warped_{person}"], made)
            distance = losses.l1(made[..., :3], target).mean() + losses.l1(whole, target).mean()
            critic = turn.networks[f"critic_{person}"]
            real_logits = critic(target) if loss.needs_real else None
            opinion = loss.generator(critic(whole), real_logits).mean()
            uncovered = 1.0 - made[..., 3:].mean()
            metrics |= {
                f"distance_{person}": distance,
                f"adversarial_{person}": opinion,
                f"uncovered_{person}": uncovered,
            }
            total = total + face_weight * distance + adversarial_weight * opinion
            total = total + mask_weight * uncovered
        return Outcome(total, metrics)

    def critics_loss(turn: Turn) -> Outcome:
        metrics: dict[str, Array] = {}
        updated: Networks = {}
        total = jnp.zeros(())
        for person in PEOPLE:
            name = f"critic_{person}"
            whole = covered(turn.batch[f"warped_{person}"], turn.fake[person])
            lost, told, updated[name] = judged(
                loss, turn.networks[name], (turn.batch[person],), (whole,), name
            )
            total, metrics = total + lost, metrics | told
        return Outcome(total, metrics, updated)

    return System(
        players={
            "encoder": encoder,
            **{f"decoder_{person}": decoder for person in PEOPLE},
            **{f"critic_{person}": critic for person in PEOPLE},
        },
        losses={"makers": makers_loss, "critics": critics_loss},
        generate=generate,
        generators=MAKERS,
        prepare=prepare,
    )
