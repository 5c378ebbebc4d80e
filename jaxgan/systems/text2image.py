"""Pictures from text: GAN-CLS (Reed et al. 2016, arXiv 1605.05396), with any adversarial loss.

The critic is matching-aware: beside real pictures with their text and fakes with the text that they
were asked for it sees real pictures with a wrong text, which it shall reject as well (algorithm 1,
lines 7 to 11).
"""

import jax
import jax.numpy as jnp
from jax import Array

from jaxgan import losses, penalties
from jaxgan.errors import UserError
from jaxgan.experiment import Networks
from jaxgan.game import Batch, Outcome, System, Turn
from jaxgan.losses import AdversarialLoss
from jaxgan.ops.hidden import last_hidden
from jaxgan.ops.pixels import from_uint8
from jaxgan.state import PlayerSpec, fold
from jaxgan.systems.balance import balance, relative_diversity
from jaxgan.systems.view import View

NO_VIEW = View()


def wrong_text(text: Array, meaning: Array, key: Array) -> tuple[Array, Array]:
    """For each row of a batch the text of another row that says something else, drawn evenly.

    Args:
      text: int32 `[batch, length]`.
      meaning: int32 `[batch]`; rows with the same number are right for each other (the same class,
        or captions of the same picture).
      key: decides which.

    Returns:
      int32 `[batch, length]`, and bool `[batch]`: whether there was such a row. Where there was
      none, the text is that of any row.
    """
    other = meaning[:, None] != meaning[None, :]
    other &= (text[:, None] != text[None, :]).any(axis=-1)
    chances = jnp.where(other, 0.0, -jnp.inf).astype(jnp.float32)
    chosen = jax.random.categorical(key, chances, axis=-1)
    return text[chosen], other.any(axis=-1)


def text2image(
    generator: PlayerSpec,
    critic: PlayerSpec,
    loss: AdversarialLoss,
    *,
    latent_size: int,
    wrong_share: float = 0.5,
    l1_weight: float = 0.0,
    feature_matching: float = 0.0,
    r1_weight: float = 0.0,
    classes: int = 0,
    view: View = NO_VIEW,
) -> System:
    """The game of GAN-CLS.

    The critic minimises `(1 - w) C(real, fake) + w C(real, wrong)`, where `C` is its adversarial
    loss, the term of the real pictures and that of the others, and `w` is `wrong_share`. With a
    half and a loss of two such terms that is the paper's `real + (wrong + fake) / 2`. A row whose
    batch holds no wrong text has `w = 0`.

    Args:
      generator: `(latent [batch, latent_size], text int32 [batch, length])` to pictures in [-1, 1];
        its dropout is on.
      critic: `(pictures, text)` to logits `[batch, ...]`.
      loss: the adversarial loss.
      latent_size: dimensions of the standard normal latent.
      wrong_share: in [0, 1); 0 is a critic that is not matching-aware.
      l1_weight: of the mean distance to the real picture of the row (100 in the tutorials, as in
        pix2pix).
      feature_matching: of `|mean f(x) - mean f(G(z, t))|^2`, f the critic's last hidden layer
        (arXiv 1606.03498, section 3.1).
      r1_weight: of R1 on real pictures with their text (arXiv 1801.04406, equation 9).
      classes: how many meanings there are, for the metric `diversity`; 0: it does not look at them.
      view: how pictures are shown to the critic.

    Returns:
      A system with the players `generator` and `critic` and losses of these names. It reads
      `batch["real"]` (uint8 pictures), `batch["text"]` (int32 `[batch, length]`) and
      `batch["meaning"]` (int32 `[batch]`; `wrong_text`).

    Raises:
      UserError: `wrong_share` is out of range.
    """
    if not 0.0 <= wrong_share < 1.0:
        raise UserError(f"--wrong_share={wrong_share:g}: it must be at least 0 and below 1")

    def prepare(batch: Batch, key: Array) -> Batch:
        return {
            "real": from_uint8(batch["real"]),
            "text": batch["text"].astype(jnp.int32),
            "meaning": batch["meaning"].astype(jnp.int32),
        }

    def generate(networks: Networks, batch: Batch, key: Array) -> tuple[Array, Networks]:
        latent = jax.random.normal(fold(key, "latent"), (batch["real"].shape[0], latent_size))
        rngs = {"dropout": fold(key, "dropout")}
        fake, updated = networks["generator"].update(latent, batch["text"], rngs=rngs)
        return fake, {"generator": updated}

    def shown(turn: Turn) -> tuple[Array, Array]:
        return view(turn.batch["real"], turn.key, "real"), view(turn.fake, turn.key, "fake")

    def critic_loss(turn: Turn) -> Outcome:
        (real, fake), text, meaning = shown(turn), turn.batch["text"], turn.batch["meaning"]
        real_logits, critic = turn.networks["critic"].update(real, text)
        fake_logits, critic = critic.update(fake, text)
        lost = loss.critic(real_logits, fake_logits)
        metrics = {"critic_real": real_logits.mean(), "critic_fake": fake_logits.mean()}
        if wrong_share:
            wrong, found = wrong_text(text, meaning, fold(turn.key, "wrong"))
            wrong_logits, critic = critic.update(real, wrong)
            share = jnp.where(found, wrong_share, 0.0).astype(jnp.float32)
            share = share.reshape(-1, *(1,) * (lost.ndim - 1))
            lost = (1.0 - share) * lost + share * loss.critic(real_logits, wrong_logits)
            metrics["critic_wrong"] = wrong_logits.mean()
            metrics["wrong_accuracy"] = loss.accuracy(real_logits, wrong_logits)
        total = lost.mean()
        if r1_weight:
            player = turn.networks["critic"]
            metrics["r1"] = penalties.r1(lambda images: player(images, text), real).mean()
            total = total + r1_weight * metrics["r1"]
        label = meaning if classes else None
        diversity = relative_diversity(turn.batch["real"], turn.fake, label, classes)
        metrics |= balance(loss, real_logits, fake_logits, diversity)
        return Outcome(total, metrics, {"critic": critic})

    def generator_loss(turn: Turn) -> Outcome:
        critic, (real, fake), text = turn.networks["critic"], shown(turn), turn.batch["text"]
        fake_logits, fake_features = last_hidden(lambda: critic(fake, text))
        real_logits = None
        if loss.needs_real or feature_matching:
            real_logits, real_features = last_hidden(lambda: critic(real, text))
        opinion = loss.generator(fake_logits, real_logits).mean()
        total, metrics = opinion, {"adversarial": opinion}
        if l1_weight:
            metrics["l1"] = losses.l1(turn.fake, turn.batch["real"]).mean()
            total = total + l1_weight * metrics["l1"]
        if feature_matching:
            matching = losses.feature_matching(real_features, fake_features).sum()
            metrics["feature_distance"] = matching
            total = total + feature_matching * matching
        return Outcome(total, metrics)

    return System(
        players={"generator": generator, "critic": critic},
        losses={"generator": generator_loss, "critic": critic_loss},
        generate=generate,
        generators=("generator",),
        prepare=prepare,
    )
