"""Pictures of one kind into another without pairs: CycleGAN (Zhu et al. 2017, arXiv 1703.10593).

Two generators go round in a circle, and each has a critic that knows the kind it makes.
"""

import jax.numpy as jnp
from jax import Array

from jaxgan import losses
from jaxgan.game import Batch, Outcome, System, Turn
from jaxgan.losses import AdversarialLoss
from jaxgan.ops.pixels import from_uint8
from jaxgan.ops.pool import Pool, empty_pool, exchange
from jaxgan.state import Network, PlayerSpec, fold
from jaxgan.systems.balance import judged

Networks = dict[str, Network]
GENERATORS = {"b": "a_to_b", "a": "b_to_a"}
CRITICS = {"b": "critic_b", "a": "critic_a"}


def unpaired(
    a_to_b: PlayerSpec,
    b_to_a: PlayerSpec,
    critic_a: PlayerSpec,
    critic_b: PlayerSpec,
    loss: AdversarialLoss,
    *,
    shape: tuple[int, int, int],
    batch_size: int,
    pool_size: int = 50,
    cycle_weight: float = 10.0,
    identity_weight: float = 0.5,
) -> System:
    """The system of CycleGAN.

    Args:
      a_to_b, b_to_a: pictures in [-1, 1] to pictures of the other kind.
      critic_a, critic_b: pictures to logits `[batch, ...]`.
      loss: the adversarial loss; the paper's is `losses.lsgan()`.
      shape: of one picture, (height, width, channels).
      batch_size: of the whole batch, on which the pool's size depends.
      pool_size: fakes of each kind that are kept for the critics (`ops.pool`); 0 keeps none.
      cycle_weight: of the distance of a picture to itself after both generators; 10 in the paper.
      identity_weight: of the distance of a picture to what the generator of its own kind makes of
        it, in shares of `cycle_weight`; 0.5 in the authors' experiments, 0 leaves it out.

    Returns:
      A system with these four players, whose losses are `generators` and `critics`; it reads
      `batch["a"]` and `batch["b"]`, uint8. The pools are its memory.
    """

    def prepare(batch: Batch, key: Array) -> Batch:
        return {name: from_uint8(pictures) for name, pictures in batch.items()}

    def generate(networks: Networks, batch: Batch, key: Array) -> tuple[dict[str, Array], Networks]:
        to_b, first = networks["a_to_b"].update(batch["a"])
        to_a, second = networks["b_to_a"].update(batch["b"])
        return {"a": to_a, "b": to_b}, {"a_to_b": first, "b_to_a": second}

    def generators_loss(turn: Turn) -> Outcome:
        networks, fake, batch = turn.networks, turn.fake, turn.batch
        back = {"a": networks["b_to_a"](fake["b"]), "b": networks["a_to_b"](fake["a"])}
        metrics: dict[str, Array] = {}
        total = jnp.zeros(())
        for kind in "ab":
            critic = networks[CRITICS[kind]]
            real_logits = critic(batch[kind]) if loss.needs_real else None
            opinion = loss.generator(critic(fake[kind]), real_logits).mean()
            distance = losses.l1(back[kind], batch[kind]).mean()
            metrics |= {f"adversarial_{kind}": opinion, f"cycle_{kind}": distance}
            total = total + opinion + cycle_weight * distance
            if identity_weight:
                same = networks[GENERATORS[kind]](batch[kind])
                metrics[f"identity_{kind}"] = losses.l1(same, batch[kind]).mean()
                total = total + cycle_weight * identity_weight * metrics[f"identity_{kind}"]
        return Outcome(total, metrics)

    def critics_loss(turn: Turn) -> Outcome:
        memory: dict[str, Pool] = {}
        metrics: dict[str, Array] = {}
        updated: Networks = {}
        total = jnp.zeros(())
        for kind in "ab":
            key = fold(turn.key, "pool", kind)
            shown, memory[kind] = exchange(turn.memory[kind], turn.fake[kind], key)
            name = CRITICS[kind]
            lost, told, updated[name] = judged(
                loss, turn.networks[name], (turn.batch[kind],), (shown,), name
            )
            total, metrics = total + lost, metrics | told
        return Outcome(total, metrics, updated, memory=memory)

    return System(
        players={"a_to_b": a_to_b, "b_to_a": b_to_a, "critic_a": critic_a, "critic_b": critic_b},
        losses={"generators": generators_loss, "critics": critics_loss},
        generate=generate,
        generators=("a_to_b", "b_to_a"),
        prepare=prepare,
        memory=lambda: {kind: empty_pool(pool_size, batch_size, shape) for kind in "ab"},
    )
