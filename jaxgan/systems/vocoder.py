"""Sound from mel spectrograms: HiFi-GAN (Kong et al. 2020, arXiv 2010.05646), and Griffin-Lim.

The generator listens to every critic, to their features, and to the distance between the mel
spectrograms of what it made and of what was recorded (section 2.4).
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxgan import losses
from jaxgan.game import Batch, Outcome, System, Turn
from jaxgan.losses import AdversarialLoss
from jaxgan.nets.wave_critics import Opinion
from jaxgan.ops.griffin_lim import griffin_lim, inverse_mel
from jaxgan.ops.spectrogram import MelScale, log_mel
from jaxgan.state import Network, PlayerSpec
from jaxgan.systems.windows import windows

Networks = dict[str, Network]

# Frames that are made at a time: memory does not grow with the length of a clip.
CHUNK = 512
# Of the algorithm that needs no training, where it stands beside the network.
ITERATIONS = 60


def vocoder(
    generator: PlayerSpec,
    critic: PlayerSpec,
    loss: AdversarialLoss,
    scale: MelScale,
    *,
    segment: int = 8192,
    adversarial_weight: float = 2.0,
    feature_weight: float = 2.0,
    mel_weight: float = 45.0,
) -> System:
    """The system of HiFi-GAN.

    Args:
      generator: `[batch, frames, mels]`, as `log_mel` has them, to samples `[batch, frames * hop]`.
      critic: samples to opinions, logits and features each (`nets.wave_critics.WaveCritics`).
      loss: the adversarial loss; the paper's is `losses.lsgan()`.
      scale: of the spectrograms that the generator is given. Those that are compared reach up to
        half of the rate, as the authors have it.
      segment: samples that the networks see of a clip; a multiple of the hop.
      adversarial_weight: of both players' adversarial losses, which are summed over the critics;
        2 makes `losses.lsgan()` the paper's equations 1 and 2, where there is no half.
      feature_weight: of the features' mean distances, summed over layers and critics (equation 4).
      mel_weight: of the mean distance of the log mel spectrograms (equation 3).

    Returns:
      A system with the players `generator` and `critic`, losses of these names, and `pretrain`, the
      spectrograms' distance alone, which takes no critics and so a fraction of the time. It reads
      `batch["real"]`, float32 [batch, n, 1] in [-1, 1] with n at least `segment`: excerpts, of
      which the step takes a segment from any frame on. Frames at the ends of a segment thus see
      what is really beside it.
    """
    compared = dataclasses.replace(scale, high=None)
    count = segment // scale.hop

    def prepare(batch: Batch, key: Array) -> Batch:
        excerpts = batch["real"][..., 0]
        mel = log_mel(excerpts, scale)
        starts = jax.random.randint(key, (len(mel),), 0, mel.shape[1] - count + 1, jnp.int32)

        def cut(values: Array, step: int, size: int) -> Array:
            return jax.vmap(lambda row, start: lax.dynamic_slice_in_dim(row, start * step, size))(
                values, starts
            )

        return {"samples": cut(excerpts, scale.hop, segment), "mel": cut(mel, 1, count)}

    def generate(networks: Networks, batch: Batch, key: Array) -> tuple[Array, Networks]:
        fake, updated = networks["generator"].update(batch["mel"])
        return fake, {"generator": updated}

    def apart(turn: Turn) -> Array:
        real = log_mel(turn.batch["samples"], compared)
        return losses.l1(log_mel(turn.fake, compared), real).mean()

    def pretrain(turn: Turn) -> Outcome:
        distance = apart(turn)
        return Outcome(mel_weight * distance, {"mel_distance": distance})

    def generator_loss(turn: Turn) -> Outcome:
        real, critic = turn.batch["samples"], turn.networks["critic"]
        of_real: tuple[Opinion, ...] = critic(real)
        of_fake: tuple[Opinion, ...] = critic(turn.fake)
        opinion, matching = jnp.zeros(()), jnp.zeros(())
        for (real_logits, real_seen), (fake_logits, fake_seen) in zip(
            of_real, of_fake, strict=True
        ):
            opinion = opinion + loss.generator(fake_logits, real_logits).mean()
            for one, other in zip(real_seen, fake_seen, strict=True):
                matching = matching + losses.l1(other, one).mean()
        distance = apart(turn)
        return Outcome(
            adversarial_weight * opinion + feature_weight * matching + mel_weight * distance,
            {"adversarial": opinion, "feature_distance": matching, "mel_distance": distance},
        )

    def critic_loss(turn: Turn) -> Outcome:
        # Real and fake in one pass, side by side, so that a batch that lies on several devices
        # stays where it is. Nothing in these critics ties the sounds of a batch together.
        both = jnp.stack([turn.batch["samples"], turn.fake], axis=1).reshape(-1, segment)
        opinions, updated = turn.networks["critic"].update(both)
        lost, right = jnp.zeros(()), jnp.zeros(())
        for logits, _ in opinions:
            pairs = logits.reshape(-1, 2, *logits.shape[1:])
            lost = lost + loss.critic(pairs[:, 0], pairs[:, 1]).mean()
            right = right + loss.accuracy(pairs[:, 0], pairs[:, 1]) / len(opinions)
        return Outcome(adversarial_weight * lost, {"critic_accuracy": right}, {"critic": updated})

    return System(
        players={"generator": generator, "critic": critic},
        losses={"pretrain": pretrain, "generator": generator_loss, "critic": critic_loss},
        generate=generate,
        generators=("generator",),
        prepare=prepare,
    )


@jax.jit
def _made(network: Network, mel: Array) -> Array:
    return network(mel)


def vocode(network: Network, mel: Array, *, chunk: int = CHUNK) -> Array:
    """The sound that a trained generator makes of mel spectrograms of any length.

    Args:
      network: one whose module says its `hop` and its `reach`, as `nets.hifigan.HiFiGAN` does.
      mel: [batch, frames, mels] float32, as `log_mel` has them.
      chunk: longer spectrograms are worked on in parts of so many frames and their surroundings as
        far as the network looks, so that the result is that of the whole.

    Returns:
      [batch, frames * hop] float32 in [-1, 1].
    """
    frames, hop, reach = mel.shape[1], network.module.hop, network.module.reach
    width = min(frames, chunk + 2 * reach)
    parts = []
    for first, start, stop in windows(frames, chunk, reach):
        made = _made(network, mel[:, first : first + width])
        parts.append(made[:, (start - first) * hop : (stop - first) * hop])
    return jnp.concatenate(parts, axis=1)


@functools.partial(jax.jit, static_argnames=("scale", "iterations"))
def vocode_without(
    mel: Array, scale: MelScale, key: Array, *, iterations: int = ITERATIONS
) -> Array:
    """The sound that Griffin-Lim makes of the same spectrograms: what a network has to beat.

    Args:
      mel: [batch, frames, mels] float32, as `log_mel` has them.
      scale: theirs.
      key: of the phases it begins with.
      iterations: of the algorithm.

    Returns:
      [batch, frames * hop] float32.
    """
    sizes = inverse_mel(jnp.exp(mel), scale, power=1.0)
    samples = griffin_lim(sizes, fft=scale.fft, hop=scale.hop, iterations=iterations, key=key)
    # Its first frame is around its first sample, and that of `log_mel` half a hop later.
    before = scale.hop // 2
    return jnp.pad(samples, ((0, 0), (before, scale.hop - before)))
