"""A generator and a critic, with any adversarial loss and any penalty: the plain GAN."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from jaxgan import losses, penalties
from jaxgan.errors import UserError
from jaxgan.experiment import Networks
from jaxgan.game import Batch, Outcome, System, Turn
from jaxgan.losses import AdversarialLoss
from jaxgan.nets.mixture import Mixture
from jaxgan.ops.hidden import last_hidden
from jaxgan.ops.pixels import from_uint8
from jaxgan.state import Network, Player, PlayerSpec, PyTree, fold
from jaxgan.systems.balance import balance, relative_diversity
from jaxgan.systems.sampling import draw_samples, sample_file, sample_grid
from jaxgan.systems.unrolled import unroll
from jaxgan.systems.view import View

__all__ = [
    "PENALTIES",
    "Weighted",
    "adversarial",
    "draw_samples",
    "one_pass",
    "sample_file",
    "sample_grid",
]

Penalty = Callable[[penalties.Critic, Array, Array, Array], Array]

NO_VIEW = View()

PENALTIES: dict[str, Penalty] = {
    "gradient_penalty": penalties.gradient_penalty,
    "dragan": lambda critic, real, fake, key: penalties.dragan(critic, real, key),
    "r1": lambda critic, real, fake, key: penalties.r1(critic, real),
    "r2": lambda critic, real, fake, key: penalties.r2(critic, fake),
    # Both with one weight, as R3GAN has them beside its relativistic loss (arXiv 2501.05441).
    "r1r2": lambda critic, real, fake, key: penalties.r1(critic, real) + penalties.r2(critic, fake),
}


@dataclasses.dataclass(frozen=True)
class Weighted:
    """A penalty on the critic.

    Attributes:
      name: of one of `PENALTIES`.
      weight: what it is multiplied by.
      alone: the critic's loss leaves it out; a phase of its own plays it (lazy regularisation).
    """

    name: str
    weight: float
    alone: bool = False


def adversarial(
    generator: PlayerSpec,
    critic: PlayerSpec,
    loss: AdversarialLoss,
    *,
    latent_size: int,
    weighted: tuple[Weighted, ...] = (),
    classes: int = 0,
    view: View = NO_VIEW,
    feature_matching: float = 0.0,
    unrolled: int = 0,
) -> System:
    """The game of Goodfellow et al. (arXiv 1406.2661), whatever the two lose.

    Args:
      generator: `[batch, latent_size] float32` to samples; with classes `(latent, label)`.
      critic: what `view` makes of samples, to logits `[batch]` or `[batch, ...]`; with classes
        `(samples, label)`.
      loss: what both minimise.
      latent_size: dimensions of the standard normal latent.
      weighted: penalties added to the critic's loss.
      classes: how many classes `batch["label"]` (integers in [0, classes)) has, for a conditional
        game (Mirza and Osindero, arXiv 1411.1784): each fake is asked for with the label of the
        real sample of its row. 0: without labels.
      view: how samples are shown to the critic, in every loss and penalty. With packing there are
        no classes.
      feature_matching: weight in the generator's loss of `|mean f(x) - mean f(G(z))|^2`, f the
        critic's last hidden layer (Salimans et al., arXiv 1606.03498, section 3.1); 0 leaves it
        out.
      unrolled: the generator plays against the critic as it will be after so many updates, and is
        differentiated through them (`unroll`).

    Returns:
      A system with the players `generator` and `critic`, the losses `generator` and `critic`, and a
      loss `PENALTY` (with its weight) for each of `weighted`, for phases of its own; and where one
      pass of the critic can serve both players (`one_pass`) the loss `both`, for a phase that moves
      them at once: the critic as `critic_with_penalties` does, the generator as `generator` does,
      each against the other as it was. It reads
      `batch["real"]`: samples as the critic sees them, or pictures in uint8, which become
      float32 in [-1, 1]. The critic's losses report `critic_accuracy` and `diversity` (`balance`).
    """

    # Packs of neighbours would else hold the same generators in the same places, and each of them
    # would have to make all of the data.
    mixed = isinstance(generator.network, Mixture) and view.packing > 1

    def prepare(batch: Batch, key: Array) -> Batch:
        if classes and "label" not in batch:
            raise UserError("a conditional experiment needs labels, and this data has none")
        return {
            name: values.astype(jnp.int32) if name == "label" else from_uint8(values)
            for name, values in batch.items()
        }

    def given(batch: Batch) -> tuple[Array, ...]:
        return (batch["label"],) if classes else ()

    def generate(networks: Networks, batch: Batch, key: Array) -> tuple[Array, Networks]:
        latent = jax.random.normal(key, (batch["real"].shape[0], latent_size))
        fake, updated = networks["generator"].update(latent, *given(batch))
        if mixed:
            fake = jax.random.permutation(fold(key, "mixed"), fake)
        return fake, {"generator": updated}

    def shown(turn: Turn) -> tuple[Array, Array]:
        return view(turn.batch["real"], turn.key, "real"), view(turn.fake, turn.key, "fake")

    def balanced(turn: Turn, real_logits: Array, fake_logits: Array) -> dict[str, Array]:
        label = turn.batch["label"] if classes else None
        diversity = relative_diversity(turn.batch["real"], turn.fake, label, classes)
        return {
            "critic_real": real_logits.mean(),
            "critic_fake": fake_logits.mean(),
            **balance(loss, real_logits, fake_logits, diversity),
        }

    def critic_loss(turn: Turn) -> Outcome:
        (real, fake), labels = shown(turn), given(turn.batch)
        real_logits, updated = turn.networks["critic"].update(real, *labels)
        fake_logits, updated = updated.update(fake, *labels)
        return Outcome(
            loss.critic(real_logits, fake_logits).mean(),
            balanced(turn, real_logits, fake_logits),
            {"critic": updated},
        )

    def penalty_loss(item: Weighted) -> Callable[[Turn], Outcome]:
        def penalty(turn: Turn) -> Outcome:
            labels = given(turn.batch)

            def critic(samples: Array) -> Array:
                return turn.networks["critic"](samples, *labels)

            values = PENALTIES[item.name](critic, *shown(turn), turn.key)
            return Outcome(item.weight * values.mean())

        return penalty

    def penalised(turn: Turn, outcome: Outcome) -> Outcome:
        total, metrics = outcome.loss, dict(outcome.metrics)
        for item in weighted:
            if not item.alone:
                metrics[item.name] = penalty_loss(item)(turn).loss
                total = total + metrics[item.name]
        return outcome.replace(loss=total, metrics=metrics)

    def critic_with_penalties(turn: Turn) -> Outcome:
        return penalised(turn, critic_loss(turn))

    def critic_to_come(turn: Turn) -> Network:
        now = turn.networks["critic"]

        def lost(player: Player, number: Array) -> tuple[Array, PyTree]:
            network = now.replace(params=player.params, variables=player.variables)
            networks = {**turn.networks, "critic": network}
            outcome = critic_with_penalties(
                turn.replace(networks=networks, key=fold(turn.key, "unrolled", number))
            )
            return outcome.loss, outcome.networks["critic"].variables

        player = unroll(critic, turn.players["critic"], lost, unrolled)
        return now.replace(params=player.params, variables=player.variables)

    def generator_loss(turn: Turn) -> Outcome:
        opponent = critic_to_come(turn) if unrolled else turn.networks["critic"]
        (real, fake), labels = shown(turn), given(turn.batch)
        if not feature_matching:
            real_logits = opponent(real, *labels) if loss.needs_real else None
            return Outcome(loss.generator(opponent(fake, *labels), real_logits).mean())
        real_logits, real_features = last_hidden(lambda: opponent(real, *labels))
        fake_logits, fake_features = last_hidden(lambda: opponent(fake, *labels))
        opinion = loss.generator(fake_logits, real_logits).mean()
        matching = losses.feature_matching(real_features, fake_features).sum()
        return Outcome(
            opinion + feature_matching * matching,
            {"adversarial": opinion, "feature_distance": matching},
        )

    def both(turn: Turn) -> Outcome:
        critic = turn.networks["critic"]
        if critic.variables:
            raise ValueError(f"`both` is for critics without {', '.join(critic.variables)}")
        (real, fake), labels = shown(turn), given(turn.batch)
        # Side by side in one call, the real ones would be differentiated as the fakes must be.
        real_logits, fake_logits = critic(real, *labels), critic(fake, *labels)
        if fake_logits.size != len(fake):
            raise ValueError(f"`both` needs one logit a sample, not {fake_logits.shape}")
        assert loss.ratio is not None
        metrics = {
            **balanced(turn, real_logits, fake_logits),
            "generator_loss": loss.generator(fake_logits, real_logits).mean(),
        }
        # A penalty is the critic's alone: the generator must not move on it.
        aside = turn.replace(fake=jax.lax.stop_gradient(turn.fake))
        outcome = penalised(aside, Outcome(loss.critic(real_logits, fake_logits).mean(), metrics))
        gain = view.by_sample(loss.ratio(fake_logits, real_logits).reshape(-1))
        metrics = {**outcome.metrics, "critic_loss": outcome.loss}
        return outcome.replace(metrics=metrics, fake_gain=gain)

    at_once = loss.ratio is not None and not feature_matching and not unrolled
    return System(
        players={"generator": generator, "critic": critic},
        losses={
            "critic": critic_loss,
            "critic_with_penalties": critic_with_penalties,
            "generator": generator_loss,
            **{item.name: penalty_loss(item) for item in weighted},
            **({"both": both} if at_once else {}),
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
