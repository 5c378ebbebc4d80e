"""What the players of paired, unpaired and inpainting games lose, written out; the pool."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgan import losses
from jaxgan.game import Phase, Turn
from jaxgan.ops.pool import empty_pool, exchange
from jaxgan.ops.warp import random_warp
from jaxgan.state import PlayerSpec, create_state, playing_networks
from jaxgan.step import Rules, make_step
from jaxgan.systems.faceswap import faceswap, swap
from jaxgan.systems.inpaint import inpaint
from jaxgan.systems.paired import one_hot, paired
from jaxgan.systems.unpaired import unpaired

BATCH, SIDE = 2, 3


class Pixelwise(nn.Module):
    """Every pixel by itself, through one hidden layer."""

    out: int
    drop: float = 0.0

    @nn.compact
    def __call__(self, *pictures, train):
        x = jnp.tanh(nn.Dense(4)(jnp.concatenate(pictures, -1)))
        if self.drop:
            x = nn.Dropout(self.drop, deterministic=not self.has_rng("dropout"))(x)
        return nn.Dense(self.out)(x)


def spec(module, *channels):
    inputs = tuple(jax.ShapeDtypeStruct((1, SIDE, SIDE, c), jnp.float32) for c in channels)
    return PlayerSpec(module, inputs, optax.sgd(0.1))


def turn_of(system, batch):
    state = create_state(system.players, system.memory, jax.random.key(0))
    networks = playing_networks(system.players, state.players)
    prepared = system.prepare(batch, jax.random.key(1))
    fake, _ = system.generate(networks, prepared, jax.random.key(2))
    return Turn(networks, prepared, fake, state.memory, jax.random.key(3), state.step)


def some(seed, channels=3):
    values = np.random.default_rng(seed).integers(0, 256, (BATCH, SIDE, SIDE, channels), np.uint8)
    return jnp.asarray(values)


def floats(pictures):
    return np.asarray(pictures, np.float64) / 127.5 - 1


def softplus(x):
    return np.logaddexp(0, np.asarray(x, np.float64))


def game(**options):
    generator = spec(Pixelwise(3, options.pop("drop", 0.0)), options.pop("channels", 3))
    critic = spec(Pixelwise(1), generator.inputs[0].shape[-1], 3)
    return paired(generator, critic, losses.by_name(options.pop("loss", "bce")), **options)


def test_a_pair_is_judged_together_and_the_target_is_near():
    system = game(l1_weight=7.0, adversarial_weight=0.5)
    batch = {"input": some(0), "target": some(1)}
    turn = turn_of(system, batch)
    critic, given = turn.networks["critic"], turn.batch["input"]
    np.testing.assert_allclose(given, floats(batch["input"]), atol=1e-6)
    outcome = system.losses["generator"](turn)
    distance = np.abs(np.asarray(turn.fake) - floats(batch["target"])).mean()
    opinion = softplus(-critic(given, turn.fake)).mean()
    assert float(outcome.loss) == pytest.approx(7 * distance + 0.5 * opinion, rel=1e-5)
    lost = softplus(-critic(given, turn.batch["target"])) + softplus(critic(given, turn.fake))
    assert float(system.losses["critic"](turn).loss) == pytest.approx(lost.mean(), rel=1e-5)


def test_without_the_critics_opinion_only_the_distance_is_left():
    system = game(l1_weight=1.0, adversarial_weight=0.0)
    turn = turn_of(system, {"input": some(0), "target": some(1)})
    outcome = system.losses["generator"](turn)
    assert set(outcome.metrics) == {"l1"} and float(outcome.loss) == float(outcome.metrics["l1"])


def test_features_of_the_critic_and_of_a_fixed_network_are_matched_row_by_row():
    def means(x):
        return x.mean((1, 2))

    options = {"l1_weight": 0.0, "loss": "relativistic"}
    system = game(feature_matching=2.0, features=means, perceptual_weight=3.0, **options)
    turn = turn_of(system, {"input": some(0), "target": some(1)})
    outcome = system.losses["generator"](turn)
    params = turn.networks["critic"].params["Dense_0"]

    def hidden(picture):
        both = np.concatenate([turn.batch["input"], picture], -1)
        return np.tanh(both @ np.asarray(params["kernel"]) + np.asarray(params["bias"]))

    matching = np.abs(hidden(turn.fake) - hidden(turn.batch["target"])).mean()
    seen = np.square(means(turn.fake) - means(turn.batch["target"])).mean()
    metrics = {name: float(value) for name, value in outcome.metrics.items()}
    assert metrics["feature_distance"] == pytest.approx(matching, rel=1e-5)
    assert metrics["perceptual"] == pytest.approx(float(seen), rel=1e-5)
    expected = metrics["adversarial"] + 2 * matching + 3 * float(seen)
    assert float(outcome.loss) == pytest.approx(expected, rel=1e-5)


def test_label_maps_become_channels_and_unknown_labels_none():
    labels = jnp.asarray([[[0, 1, 2], [2, 2, 9], [1, 0, 0]]] * BATCH, jnp.uint8)
    system = game(channels=3, labels=True, make_input=one_hot(3))
    prepared = system.prepare({"input": labels, "target": some(1)}, jax.random.key(0))
    got = np.asarray(prepared["input"][0])
    assert got.shape == (3, 3, 3)
    np.testing.assert_array_equal(got[0], [[1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    np.testing.assert_array_equal(got[1, 2], [-1, -1, -1])


def test_dropout_acts_in_training_and_differs_from_step_to_step():
    system = game(drop=0.5)
    turn = turn_of(system, {"input": some(0), "target": some(1)})
    again, _ = system.generate(turn.networks, turn.batch, jax.random.key(2))
    other, _ = system.generate(turn.networks, turn.batch, jax.random.key(4))
    np.testing.assert_array_equal(again, turn.fake)
    assert np.abs(np.asarray(other) - np.asarray(turn.fake)).max() > 0
    steady = turn.networks["generator"](turn.batch["input"])
    np.testing.assert_array_equal(steady, turn.networks["generator"](turn.batch["input"]))


def circle(loss="lsgan", **options):
    maker, judge = spec(Pixelwise(3), 3), spec(Pixelwise(1), 3)
    return unpaired(
        maker,
        maker,
        judge,
        judge,
        losses.by_name(loss),
        shape=(SIDE, SIDE, 3),
        batch_size=BATCH,
        **options,
    )


def test_generators_go_round_and_leave_their_own_kind_alone():
    system = circle(cycle_weight=4.0, identity_weight=0.25)
    batch = {"a": some(0), "b": some(1)}
    turn = turn_of(system, batch)
    to_b, to_a = turn.networks["a_to_b"], turn.networks["b_to_a"]
    a, b = turn.batch["a"], turn.batch["b"]
    opinion = sum(
        0.5 * np.square(np.asarray(critic(fake)) - 1).mean()
        for critic, fake in (
            (turn.networks["critic_b"], to_b(a)),
            (turn.networks["critic_a"], to_a(b)),
        )
    )
    round_trip = np.abs(to_a(to_b(a)) - a).mean() + np.abs(to_b(to_a(b)) - b).mean()
    same = np.abs(to_a(a) - a).mean() + np.abs(to_b(b) - b).mean()
    outcome = system.losses["generators"](turn)
    expected = opinion + 4.0 * float(round_trip) + 1.0 * float(same)
    assert float(outcome.loss) == pytest.approx(float(expected), rel=1e-5)
    without = circle(identity_weight=0.0).losses["generators"](turn)
    assert not any("identity" in name for name in without.metrics)


def test_critics_are_shown_the_pool():
    system = circle(pool_size=BATCH)
    turn = turn_of(system, {"a": some(0), "b": some(1)})
    outcome = system.losses["critics"](turn)
    expected = 0.0
    for kind in "ab":
        critic = turn.networks[f"critic_{kind}"]
        real, fake = np.asarray(critic(turn.batch[kind])), np.asarray(critic(turn.fake[kind]))
        expected += (0.5 * np.square(real - 1) + 0.5 * np.square(fake)).mean()
        # The pool was empty: it holds these fakes now.
        np.testing.assert_array_equal(outcome.memory[kind].pictures, turn.fake[kind])
        assert int(outcome.memory[kind].filled) == BATCH
    assert float(outcome.loss) == pytest.approx(expected, rel=1e-5)


def test_a_pool_keeps_whole_batches_and_then_gives_half_of_its_past():
    pool = empty_pool(7, 2, (1,))
    assert pool.pictures.shape == (8, 1)
    swap = jax.jit(exchange)
    for number in range(4):
        new = jnp.asarray([[2.0 * number], [2.0 * number + 1]])
        shown, pool = swap(pool, new, jax.random.key(number))
        np.testing.assert_array_equal(shown, new)
    np.testing.assert_array_equal(pool.pictures[:, 0], np.arange(8.0))
    past, swapped = set(range(8)), 0
    for number in range(4, 300):
        new = jnp.asarray([[2.0 * number], [2.0 * number + 1]])
        shown, pool = swap(pool, new, jax.random.key(number))
        for given, seen in zip(np.asarray(new)[:, 0], np.asarray(shown)[:, 0], strict=True):
            if seen != given:
                # What is shown instead leaves the pool, and the new one takes its place.
                past.remove(int(seen))
                past.add(int(given))
                swapped += 1
        assert past == {int(value) for value in np.asarray(pool.pictures)[:, 0]}
    assert 0.4 < swapped / (2 * 296) < 0.6


def test_no_pool_shows_the_fakes_themselves():
    fake = jnp.ones((2, 1))
    shown, pool = exchange(empty_pool(0, 2, (1,)), fake, jax.random.key(0))
    assert shown is fake and pool.pictures.shape == (0, 1)


def test_a_skipped_step_leaves_the_pool_as_it_was():
    system = circle(pool_size=4)
    phases = (
        Phase("generators", ("a_to_b", "b_to_a"), "generators"),
        Phase("critics", ("critic_a", "critic_b"), "critics"),
    )
    step = jax.jit(make_step(system, phases, Rules(BATCH)))
    state = create_state(system.players, system.memory, jax.random.key(0))
    first, _ = step(state, [{"a": some(0), "b": some(1)}])
    assert int(first.memory["a"].filled) == BATCH
    wrong = jnp.full((BATCH, SIDE, SIDE, 3), jnp.nan)
    second, _ = step(first, [{"a": wrong, "b": wrong}])
    assert int(second.skipped) == 1 and int(second.memory["a"].filled) == BATCH
    np.testing.assert_array_equal(second.memory["b"].pictures, first.memory["b"].pictures)


class Stages(Pixelwise):
    """Two pictures, a coarse and a fine one."""

    @nn.compact
    def __call__(self, pictures, mask, train):
        x = nn.Dense(6)(jnp.concatenate([pictures, mask], -1))
        return x[..., :3], x[..., 3:]


def test_a_hole_and_the_rest_are_weighed_apart():
    mask = np.zeros((BATCH, SIDE, SIDE, 1), np.float32)
    mask[0, 0, 0] = mask[1, 1:] = 1
    system = inpaint(
        spec(Stages(6), 3, 1),
        spec(Pixelwise(1), 3, 1),
        losses.hinge(),
        lambda key, *shape: jnp.asarray(mask),
        hole_weight=3.0,
        rest_weight=2.0,
        adversarial_weight=0.5,
    )
    real = some(0)
    turn = turn_of(system, {"real": real})
    whole = np.broadcast_to(mask, real.shape) > 0
    coarse, fine = (np.abs(np.asarray(stage) - floats(real)) for stage in turn.fake)
    hole, rest = coarse[whole].mean() + fine[whole].mean(), coarse[~whole].mean()
    rest += fine[~whole].mean()
    shown = np.where(whole, turn.fake[-1], turn.batch["real"])
    critic = turn.networks["critic"]
    opinion = -np.asarray(critic(jnp.asarray(shown), mask)).mean()
    outcome = system.losses["generator"](turn)
    expected = 3 * hole + 2 * rest + 0.5 * opinion
    assert float(outcome.loss) == pytest.approx(float(expected), rel=1e-5)
    real_logits = np.asarray(critic(turn.batch["real"], mask))
    fake_logits = np.asarray(critic(jnp.asarray(shown), mask))
    lost = np.maximum(0, 1 - real_logits) + np.maximum(0, 1 + fake_logits)
    assert float(system.losses["critic"](turn).loss) == pytest.approx(lost.mean(), rel=1e-5)


def test_the_generator_never_sees_what_is_in_the_hole():
    mask = np.ones((BATCH, SIDE, SIDE, 1), np.float32)
    mask[:, 0] = 0
    system = inpaint(
        spec(Stages(6), 3, 1),
        spec(Pixelwise(1), 3, 1),
        losses.hinge(),
        lambda key, *shape: jnp.asarray(mask),
    )
    real = np.asarray(some(0))
    other = real.copy()
    other[:, 1:] = 255 - other[:, 1:]
    one, two = (turn_of(system, {"real": jnp.asarray(r)}).fake for r in (real, other))
    jax.tree.map(np.testing.assert_array_equal, one, two)


class Coder(nn.Module):
    """Half the colours, and back to a face and a mask."""

    out: int

    @nn.compact
    def __call__(self, x, train):
        x = nn.Dense(self.out)(x)
        return jnp.concatenate([jnp.tanh(x[..., :3]), nn.sigmoid(x[..., 3:])], -1)


def people(**options):
    return faceswap(
        spec(Pixelwise(2), 3), spec(Coder(4), 2), spec(Pixelwise(1), 3), losses.bce(), **options
    )


def test_each_decoder_learns_its_own_person_through_one_encoder():
    system = people(face_weight=2.0, adversarial_weight=0.5, mask_weight=0.25, warp=0.2)
    turn = turn_of(system, {"a": some(0), "b": some(1)})
    expected = 0.0
    for person in "ab":
        warped, target = turn.batch[f"warped_{person}"], turn.batch[person]
        assert np.abs(np.asarray(warped) - np.asarray(target)).max() > 0.01
        made = turn.networks[f"decoder_{person}"](turn.networks["encoder"](warped))
        face, mask = np.asarray(made[..., :3]), np.asarray(made[..., 3:])
        whole = mask * face + (1 - mask) * np.asarray(warped)
        expected += 2 * np.abs(face - target).mean() + 2 * np.abs(whole - target).mean()
        critic = turn.networks[f"critic_{person}"]
        expected += 0.5 * softplus(-critic(jnp.asarray(whole))).mean()
        expected += 0.25 * (1 - mask).mean()
    outcome = system.losses["makers"](turn)
    assert float(outcome.loss) == pytest.approx(float(expected), rel=1e-5)
    swapped = swap(turn.networks, turn.batch["a"], "b")
    made = turn.networks["decoder_b"](turn.networks["encoder"](turn.batch["a"]))
    face, mask = made[..., :3], made[..., 3:]
    np.testing.assert_allclose(swapped, mask * face + (1 - mask) * turn.batch["a"], atol=1e-6)


def test_warps_move_pixels_smoothly_and_not_at_all_without_strength():
    rows = jnp.linspace(-1, 1, 24).reshape(1, -1, 1, 1)
    pictures = jnp.broadcast_to(rows, (2, 24, 24, 3)).astype(jnp.float32)
    still = random_warp(pictures, jax.random.key(0), 0.0)
    np.testing.assert_allclose(still, pictures, atol=1e-6)
    moved = np.asarray(random_warp(pictures, jax.random.key(0), 0.05))
    assert np.abs(moved - np.asarray(pictures)).max() > 0.05
    assert np.abs(moved[0] - moved[1]).max() > 0.05
    # Neighbours stay neighbours: no jump is larger than a few rows' difference.
    assert np.abs(np.diff(moved, axis=1)).max() < 0.5 and np.abs(np.diff(moved, axis=2)).max() < 0.5
    # All channels are moved alike, and nothing is made up.
    np.testing.assert_allclose(moved[..., 0], moved[..., 2], atol=1e-6)
    assert moved.min() >= -1 - 1e-6 and moved.max() <= 1 + 1e-6
    # Where a pixel comes from does not depend on its value.
    expected = random_warp(pictures * 2, jax.random.key(0), 0.05)
    np.testing.assert_allclose(expected, 2 * moved, atol=1e-5)
