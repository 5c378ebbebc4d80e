"""SeqGAN: a generator of tokens that learns by policy gradient (Yu et al. 2017, arXiv 1609.05473).

What is sampled has no derivative, so the critic's opinion comes to the generator as a reward: a
token is worth what the critic thinks of the sentences that begin up to it, completed by sampling
(equations 4 and 7). A phase of maximum likelihood comes before (section 2.4 of the paper).

A sequence is int32 `[length]`: tokens, then END, then PADDING to its length; a sequence that is as
long as there is room may lack END.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxgan import losses
from jaxgan.data.sentences import END
from jaxgan.data.vocabulary import PADDING
from jaxgan.experiment import Networks
from jaxgan.game import Batch, Outcome, System, Turn
from jaxgan.ops.categorical import draw_categories
from jaxgan.state import Network, PlayerSpec, fold

# Prefixes are completed in as many groups of similar lengths, but no group is smaller than so many:
# a group takes as many steps as its shortest prefix needs.
_GROUPS, _GROUP_PREFIXES = 4, 4


def said(sequences: Array) -> Array:
    """Which tokens were chosen, END among them and what stands behind it not: bool, same shape."""
    return sequences != PADDING


def log_probabilities(generator: Network, sequences: Array) -> Array:
    """`log G(y_t | y_1 ... y_{t-1})` of each token, float32 `[batch, length]`; 0 for padding.

    Args:
      generator: a `SequenceGenerator`.
      sequences: int32 `[batch, length]`.
    """
    every = jax.nn.log_softmax(generator(sequences), axis=-1)
    chosen = jnp.take_along_axis(every, sequences[..., None], axis=-1)[..., 0]
    return jnp.where(said(sequences), chosen, 0.0)


def sample_sequences(generator: Network, key: Array, count: int, length: int) -> Array:
    """Draws sequences of a generator token by token, int32 `[count, length]`.

    Args:
      generator: a `SequenceGenerator`.
      key: a random key.
      count: how many.
      length: of the longest, with its end.
    """
    nothing = jnp.zeros((count, length), jnp.int32)
    carry = generator(nothing, method="first_carry")
    return complete(generator, key, nothing, carry, jnp.zeros((count,), jnp.int32))


def complete(
    generator: Network,
    key: Array,
    sequences: Array,
    carry: tuple,
    kept: Array,
    *,
    shortest: int = 0,
) -> Array:
    """Draws what follows a prefix, by the generator.

    Args:
      generator: a `SequenceGenerator`.
      key: a random key.
      sequences: int32 `[batch, length]`; what stands behind the prefixes is not looked at.
      carry: the generator's states `[batch, hidden]` in which the first new tokens are chosen.
      kept: int32 `[batch]`, how many tokens are a prefix; where END is among them nothing follows.
      shortest: the least of `kept`.

    Returns:
      int32 `[batch, length]`, the prefixes as they were.
    """
    length = sequences.shape[1]
    last = jnp.maximum(kept - 1, 0)[:, None]
    final = jnp.take_along_axis(sequences, last, axis=1)[:, 0]
    ended = (kept > 0) & ((final == END) | (final == PADDING))
    logits = generator(carry, method="logits")

    def write(state: tuple, numbers: Array) -> tuple[tuple, Array]:
        carry, logits, ended = state
        token = jnp.where(ended, PADDING, draw_categories(numbers, logits))
        carry, logits = generator(carry, token, method="advance")
        return (carry, logits, ended | (token == END)), token

    # All at once: a random generator's call costs more than the few numbers that it gives.
    numbers = jax.random.uniform(key, (length - shortest, len(sequences)))
    _, drawn = jax.lax.scan(write, (carry, logits, ended), numbers)
    places = jnp.arange(length)
    # The i-th drawn token stands at `kept + i`.
    shifted = jnp.clip(places[None, :] - kept[:, None], 0, length - shortest - 1)
    following = jnp.take_along_axis(drawn.T, shifted, axis=1)
    return jnp.where(places[None, :] < kept[:, None], sequences, following)


def rewards(
    generator: Network,
    critic: Network,
    sequences: Array,
    key: Array,
    *,
    rollouts: int,
    at_once: int = 1,
) -> Array:
    """`Q(y_1 ... y_{t-1}, y_t)`, what each chosen token is worth (equation 4).

    Every prefix is completed `rollouts` times by sampling, all prefixes at once; a token's reward
    is the mean probability, by the critic, that what came of it is real. A sequence that has its
    last token is judged as it is.

    Args:
      generator: the rollout policy.
      critic: sequences to logits, used without dropout.
      sequences: int32 `[batch, length]`.
      key: a random key.
      rollouts: completions of each prefix; 16 in the paper's experiments.
      at_once: how many of them are made at once, a matter of memory; it divides `rollouts`.

    Returns:
      float32 `[batch, length]` in [0, 1]; 0 for padding.
    """
    critic = critic.replace(train=False)
    batch, length = sequences.shape
    whole = jax.nn.sigmoid(critic(sequences))[:, None]
    # Behind the last token there is nothing to complete.
    lengths = np.arange(1, length)
    groups = np.array_split(lengths, np.clip(len(lengths) // _GROUP_PREFIXES, 1, _GROUPS))
    carries = generator(sequences, method="carries")

    def worth_of(prefixes: np.ndarray, key: Array) -> Array:
        # Rows are prefix-major: all sequences up to the first length, then to the next, ...
        first, last = int(prefixes[0]), int(prefixes[-1])
        after = jax.tree.map(
            lambda state: state[first : last + 1].reshape(-1, state.shape[-1]), carries
        )
        repeated = jnp.tile(sequences, (len(prefixes), 1))
        kept = jnp.repeat(jnp.asarray(prefixes, jnp.int32), batch)

        def one(number: Array) -> Array:
            completed = complete(
                generator, fold(key, number), repeated, after, kept, shortest=first
            )
            return jax.nn.sigmoid(critic(completed))

        worth = jax.lax.map(one, jnp.arange(rollouts), batch_size=at_once).mean(axis=0)
        return worth.reshape(len(prefixes), batch).T

    worth = [worth_of(part, fold(key, i)) for i, part in enumerate(groups) if len(part)]
    return jnp.where(said(sequences), jnp.concatenate([*worth, whole], axis=1), 0.0)


def advantages(worth: Array, chosen: Array) -> Array:
    """Rewards less a baseline: at each position the mean of the other sequences' rewards there.

    As no reward is in its own baseline, and no later token in any, the gradient stays unbiased
    (Kool et al. 2019, "Buy 4 REINFORCE samples, get a baseline for free"). The paper has none.

    Args:
      worth: float32 `[batch, length]`.
      chosen: bool `[batch, length]`, where there is a token; others neither count nor get any.

    Returns:
      float32 `[batch, length]`.
    """
    weight = chosen.astype(jnp.float32)
    others = weight.sum(axis=0, keepdims=True) - weight
    total = (worth * weight).sum(axis=0, keepdims=True) - worth * weight
    return weight * (worth - total / jnp.maximum(others, 1.0))


def seqgan(
    generator: PlayerSpec,
    critic: PlayerSpec,
    loss: losses.AdversarialLoss,
    *,
    rollouts: int,
    at_once: int = 1,
) -> System:
    """The system of SeqGAN.

    Args:
      generator: a `SequenceGenerator`. Where it keeps a moving average, that is the rollout policy,
        else the generator itself is (the paper's is a copy that lags behind).
      critic: a `SequenceCritic`.
      loss: the critic's, on logits whose sigmoid is a probability; the paper's is `losses.bce()`.
      rollouts: completions of each prefix.
      at_once: how many of them are made at once; it divides `rollouts`.

    Returns:
      A system with the players `generator` and `critic` and the losses `pretrain` (nats a token),
      `generator` (policy gradient, equation 8) and `critic`. It reads `batch["real"]`, integers
      `[batch, length]`.
    """

    def prepare(batch: Batch, key: Array) -> Batch:
        return {name: values.astype(jnp.int32) for name, values in batch.items()}

    def generate(networks: Networks, batch: Batch, key: Array) -> tuple[Array, Networks]:
        # Nothing flows through what is drawn; so nothing is kept to differentiate it, either.
        policy = jax.lax.stop_gradient(networks["generator"])
        return sample_sequences(policy, key, *batch["real"].shape), {}

    def pretrain(turn: Turn) -> Outcome:
        real = turn.batch["real"]
        chances = log_probabilities(turn.networks["generator"], real)
        return Outcome(-chances.sum() / said(real).sum().astype(jnp.float32))

    def rollout_policy(turn: Turn) -> Network:
        player = turn.players["generator"]
        average = player.params if player.ema is None else player.ema
        return jax.lax.stop_gradient(turn.networks["generator"].replace(params=average))

    def generator_loss(turn: Turn) -> Outcome:
        policy, judge = rollout_policy(turn), jax.lax.stop_gradient(turn.networks["critic"])
        worth = rewards(policy, judge, turn.fake, turn.key, rollouts=rollouts, at_once=at_once)
        chosen = said(turn.fake)
        advantage = jax.lax.stop_gradient(advantages(worth, chosen))
        chances = log_probabilities(turn.networks["generator"], turn.fake)
        count = chosen.sum().astype(jnp.float32)
        return Outcome(
            -(advantage * chances).sum(axis=1).mean(),
            {
                "reward": worth.sum() / count,
                "surprise": -chances.sum() / count,
                "length": count / len(chosen),
            },
        )

    def critic_loss(turn: Turn) -> Outcome:
        network = turn.networks["critic"]

        def judged(sequences: Array, name: str) -> Array:
            return network(sequences, rngs={"dropout": fold(turn.key, name)})

        real, fake = judged(turn.batch["real"], "real"), judged(turn.fake, "fake")
        return Outcome(
            loss.critic(real, fake).mean(),
            {
                "critic_real": real.mean(),
                "critic_fake": fake.mean(),
                "critic_accuracy": loss.accuracy(real, fake),
            },
        )

    return System(
        players={"generator": generator, "critic": critic},
        losses={"pretrain": pretrain, "generator": generator_loss, "critic": critic_loss},
        generate=generate,
        generators=("generator",),
        prepare=prepare,
    )


@functools.partial(jax.jit, static_argnames=("count", "length"))
def draw_sequences(networks: Networks, key: Array, *, count: int, length: int) -> Array:
    """`count` sequences of a trained generator, int32 `[count, length]`."""
    return sample_sequences(networks["generator"], key, count, length)


@jax.jit
def surprise(networks: Networks, sequences: Array) -> Array:
    """`-log G` of each sequence, its end included: nats, float32 `[batch]`."""
    return -log_probabilities(networks["generator"], sequences).sum(axis=1)
