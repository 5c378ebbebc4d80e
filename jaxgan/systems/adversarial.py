"""A generator and a critic, with any adversarial loss and any penalty: the plain GAN."""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
from jax import Array

from jaxgan import penalties
from jaxgan.errors import UserError
from jaxgan.experiment import Networks, SampleRequest
from jaxgan.game import Batch, Outcome, System, Turn
from jaxgan.losses import AdversarialLoss
from jaxgan.media import Grid
from jaxgan.ops.pixels import from_uint8
from jaxgan.state import Network, PlayerSpec, PyTree

Penalty = Callable[[Network, Array, Array, Array], Array]

PENALTIES: dict[str, Penalty] = {
    "gradient_penalty": penalties.gradient_penalty,
    "dragan": lambda critic, real, fake, key: penalties.dragan(critic, real, key),
    "r1": lambda critic, real, fake, key: penalties.r1(critic, real),
    "r2": lambda critic, real, fake, key: penalties.r2(critic, fake),
}


@dataclasses.dataclass(frozen=True)
class Weighted:
    """A penalty on the critic, by its name in `PENALTIES`, and what it is multiplied by."""

    name: str
    weight: float


def adversarial(
    generator: PlayerSpec,
    critic: PlayerSpec,
    loss: AdversarialLoss,
    *,
    latent_size: int,
    weighted: tuple[Weighted, ...] = (),
) -> System:
    """The game of Goodfellow et al. (arXiv 1406.2661), whatever the two lose.

    Args:
      generator: `[batch, latent_size] float32` to samples.
      critic: samples to logits `[batch]` or `[batch, ...]`.
      loss: what both minimise.
      latent_size: dimensions of the standard normal latent.
      weighted: penalties added to the critic's loss.

    Returns:
      A system with the players `generator` and `critic`, the losses `generator` and `critic`, and a
      loss `PENALTY` (with its weight) for each of `weighted`, for phases of its own; and where one
      pass of the critic can serve both players (`one_pass`) the loss `both`, for a phase that moves
      them at once: the critic as `critic_with_penalties` does, the generator as `generator` does,
      each against the other as it was. It reads
      `batch["real"]`: samples as the critic sees them, or pictures in uint8, which become
      float32 in [-1, 1].
    """

    def prepare(batch: Batch, key: Array) -> Batch:
        return {name: from_uint8(values) for name, values in batch.items()}

    def generate(networks: Networks, batch: Batch, key: Array) -> tuple[Array, Networks]:
        latent = jax.random.normal(key, (batch["real"].shape[0], latent_size))
        fake, updated = networks["generator"].update(latent)
        return fake, {"generator": updated}

    def critic_loss(turn: Turn) -> Outcome:
        critic, real = turn.networks["critic"], turn.batch["real"]
        real_logits, updated = critic.update(real)
        fake_logits, updated = updated.update(turn.fake)
        return Outcome(
            loss.critic(real_logits, fake_logits).mean(),
            {"critic_real": real_logits.mean(), "critic_fake": fake_logits.mean()},
            {"critic": updated},
        )

    def generator_loss(turn: Turn) -> Outcome:
        critic = turn.networks["critic"]
        real_logits = critic(turn.batch["real"]) if loss.needs_real else None
        return Outcome(loss.generator(critic(turn.fake), real_logits).mean())

    def penalty_loss(item: Weighted) -> Callable[[Turn], Outcome]:
        def penalty(turn: Turn) -> Outcome:
            critic, real = turn.networks["critic"], turn.batch["real"]
            values = PENALTIES[item.name](critic, real, turn.fake, turn.key)
            return Outcome(item.weight * values.mean())

        return penalty

    def critic_with_penalties(turn: Turn) -> Outcome:
        outcome = critic_loss(turn)
        total, metrics = outcome.loss, dict(outcome.metrics)
        for item in weighted:
            metrics[item.name] = penalty_loss(item)(turn).loss
            total = total + metrics[item.name]
        return outcome.replace(loss=total, metrics=metrics)

    def both(turn: Turn) -> Outcome:
        critic, real = turn.networks["critic"], turn.batch["real"]
        if critic.variables:
            raise ValueError(f"`both` is for critics without {', '.join(critic.variables)}")
        real_logits, fake_logits = critic(real), critic(turn.fake)
        if fake_logits.size != len(fake_logits):
            raise ValueError(f"`both` needs one logit a sample, not {fake_logits.shape}")
        assert loss.ratio is not None
        total = loss.critic(real_logits, fake_logits).mean()
        metrics = {
            "critic_real": real_logits.mean(),
            "critic_fake": fake_logits.mean(),
            "generator_loss": loss.generator(fake_logits, real_logits).mean(),
        }
        # A penalty is the critic's alone: the generator must not move on it.
        aside = turn.replace(fake=jax.lax.stop_gradient(turn.fake))
        for item in weighted:
            metrics[item.name] = penalty_loss(item)(aside).loss
            total = total + metrics[item.name]
        metrics["critic_loss"] = total
        gain = loss.ratio(fake_logits, real_logits).reshape(-1)
        return Outcome(total, metrics, fake_gain=gain)

    return System(
        players={"generator": generator, "critic": critic},
        losses={
            "critic": critic_loss,
            "critic_with_penalties": critic_with_penalties,
            "generator": generator_loss,
            **{item.name: penalty_loss(item) for item in weighted},
            **({"both": both} if loss.ratio is not None else {}),
        },
        generate=generate,
        generators=("generator",),
        prepare=prepare,
    )


def one_pass(critic: PlayerSpec, loss: AdversarialLoss) -> bool:
    """Whether one pass of the critic gives both players' gradients, exactly (the loss `both`).

    With one logit a sample, and every logit a function of its own sample only, the generator's loss
    has the gradient `r_i dL_D/dx_i` at fake `x_i`, where `L_D` is the critic's loss and `r_i` the
    ratio of the two losses' derivatives by the logit (`AdversarialLoss.ratio`).

    Returns:
      False for losses without such a ratio (lsgan, hinge), for several logits a sample, and for a
      critic that keeps variables: batch statistics tie the samples together, and spectral vectors
      are others in the second pass. A layer that ties samples together without variables (minibatch
      discrimination) cannot be seen here: do not use `both` with it.
    """

    def logits(key: Array) -> tuple[PyTree, Array]:
        pair = [jnp.zeros((2, *given.shape[1:]), given.dtype) for given in critic.inputs]
        out, variables = critic.network.init_with_output(key, *pair, train=True)
        return variables, out

    variables, out = jax.eval_shape(logits, jax.random.key(0))
    return loss.ratio is not None and set(variables) <= {"params"} and out.size == 2


@functools.partial(jax.jit, static_argnames=("count", "latent_size"))
def draw_samples(networks: Networks, key: Array, *, count: int, latent_size: int) -> Array:
    """`count` samples of a trained generator, `[count, ...]`."""
    return networks["generator"](jax.random.normal(key, (count, latent_size)))


def sample_grid(
    latent_size: int, *, count: int = 64, columns: int = 8, magnify: int = 1
) -> Callable[[Networks], dict[str, Grid]]:
    """Makes the `preview` of an experiment that draws pictures: always of the same latents."""

    def preview(networks: Networks) -> dict[str, Grid]:
        pictures = draw_samples(networks, jax.random.key(0), count=count, latent_size=latent_size)
        return {"preview": Grid.from_batch(pictures, columns, magnify=magnify)}

    return preview


def sample_file(latent_size: int, *, columns: int = 8) -> Callable[[Networks, SampleRequest], Path]:
    """Makes the `sample` of an experiment that draws pictures: a grid of `count` of them."""

    def sample(networks: Networks, request: SampleRequest) -> Path:
        if request.output.suffix != ".png":
            raise UserError(f"--output={request.output}: give it a name that ends in .png")
        key = jax.random.key(request.seed)
        pictures = draw_samples(networks, key, count=request.count, latent_size=latent_size)
        return Grid.from_batch(pictures, columns).save(request.output.with_suffix(""))

    return sample
