"""What the players of each system lose, written out."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgan import losses
from jaxgan.game import Turn
from jaxgan.nets.mlp import MLP
from jaxgan.state import PlayerSpec, create_state, playing_networks
from jaxgan.systems.adversarial import PENALTIES, Weighted, adversarial
from jaxgan.systems.superres import superres

SIDE = 4


class Pictures(MLP):
    """A perceptron whose output is a picture."""

    def __call__(self, x, train):
        return super().__call__(x, train).reshape(-1, SIDE, SIDE, 3)


def spec(module, *shape):
    return PlayerSpec(module, (jax.ShapeDtypeStruct((1, *shape), jnp.float32),), optax.sgd(1.0))


def turn_of(system, batch):
    state = create_state(system.players, system.memory, jax.random.key(0))
    networks = playing_networks(system.players, state.players)
    prepared = system.prepare(batch, jax.random.key(1))
    fake, _ = system.generate(networks, prepared, jax.random.key(2))
    return Turn(networks, prepared, fake, {}, jax.random.key(3), state.step)


def softplus(x):
    return np.logaddexp(0, np.asarray(x, np.float64))


@pytest.fixture
def pictures():
    random = np.random.default_rng(0)
    return {
        "low": jnp.asarray(random.integers(0, 256, (2, 1, 1, 3)), jnp.uint8),
        "high": jnp.asarray(random.integers(0, 256, (2, SIDE, SIDE, 3)), jnp.uint8),
    }


def test_srgan_weighs_content_and_opinion(pictures):
    def game(features=None, scale=1.0):
        return superres(
            spec(Pictures((48,)), 1, 1, 3),
            spec(MLP((1,)), SIDE, SIDE, 3),
            losses.bce(),
            adversarial_weight=0.25,
            features=features,
            feature_scale=scale,
        )

    system = game()
    turn = turn_of(system, pictures)
    high = np.asarray(pictures["high"], np.float64) / 127.5 - 1
    content = np.mean((np.asarray(turn.fake) - high) ** 2)
    critic = turn.networks["critic"]
    opinion = softplus(-critic(turn.fake)).mean()
    assert float(system.losses["pretrain"](turn).loss) == pytest.approx(content, rel=1e-5)
    outcome = system.losses["generator"](turn)
    assert float(outcome.loss) == pytest.approx(content + 0.25 * opinion, rel=1e-5)
    expected = (softplus(-critic(turn.batch["high"])) + softplus(critic(turn.fake))).mean()
    assert float(system.losses["critic"](turn).loss) == pytest.approx(expected, rel=1e-5)

    def blurred(x):
        return x.mean(axis=(1, 2))

    outcome = game(blurred, scale=0.5).losses["generator"](turn)
    felt = np.mean((0.5 * (blurred(np.asarray(turn.fake)) - blurred(high))) ** 2)
    assert float(outcome.metrics["content"]) == pytest.approx(felt, rel=1e-4)


@pytest.mark.parametrize("name", sorted(PENALTIES))
def test_a_penalty_is_the_same_alone_and_in_the_critics_loss(name):
    system = adversarial(
        spec(MLP((3,)), 2),
        spec(MLP((4, 1)), 3),
        losses.by_name("relativistic"),
        latent_size=2,
        weighted=(Weighted(name, 3.0),),
    )
    real = jnp.asarray(np.random.default_rng(1).normal(size=(5, 3)), jnp.float32)
    turn = turn_of(system, {"real": real})
    alone = system.losses[name](turn).loss
    assert float(alone) > 0
    with_penalty, without = (system.losses[n](turn) for n in ("critic_with_penalties", "critic"))
    assert float(with_penalty.loss) == pytest.approx(float(without.loss + alone), rel=1e-5)
    assert float(with_penalty.metrics[name]) == pytest.approx(float(alone))
    # The relativistic generator needs the real logits.
    difference = turn.networks["critic"](turn.fake) - turn.networks["critic"](real)
    expected = softplus(-difference).mean()
    assert float(system.losses["generator"](turn).loss) == pytest.approx(expected, rel=1e-4)


def test_r3gans_penalty_holds_gradients_at_real_and_at_fake_samples():
    """Of D(x) = |x|^2 the squared gradient is 4 |x|^2."""
    real, fake = np.random.default_rng(2).normal(size=(2, 4, 3)).astype(np.float32)
    found = PENALTIES["r1r2"](lambda x: jnp.square(x).sum(1), real, fake, jax.random.key(0))
    np.testing.assert_allclose(found, 4 * (real**2 + fake**2).sum(1), rtol=1e-5)


def test_pictures_in_bytes_become_floats_and_floats_stay():
    system = adversarial(spec(MLP((3,)), 2), spec(MLP((1,)), 3), losses.bce(), latent_size=2)
    prepared = system.prepare({"real": jnp.asarray([[0, 255, 51]], jnp.uint8)}, None)
    np.testing.assert_allclose(prepared["real"], [[-1, 1, -0.6]], atol=1e-6)
    labels = jnp.asarray([3, 200], jnp.int32)
    assert system.prepare({"label": labels}, None)["label"] is labels
    floats = jnp.asarray([[0.1, 7.0, -2.0]])
    assert system.prepare({"real": floats}, None)["real"] is floats
