"""The compiled step against hand-written updates, and the promises it makes to every system."""

import dataclasses
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgan import losses, parallel
from jaxgan.game import Outcome, Phase, System, rounds
from jaxgan.moves import EMA_RAMPUP
from jaxgan.state import PlayerSpec, create_state, fold, trained_networks
from jaxgan.step import Rules, make_step
from jaxgan.systems.adversarial import Weighted, adversarial, one_pass

BATCH, LATENT = 8, 4
CRITIC = Phase("critic", ("critic",), "critic")
GENERATOR = Phase("generator", ("generator",), "generator")


class Net(nn.Module):
    """Two dense layers; batch normalisation between them if asked."""

    outputs: int
    normalise: bool = False
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x, train):
        x = nn.Dense(8, dtype=self.dtype)(x.astype(self.dtype))
        if self.normalise:
            x = nn.BatchNorm(use_running_average=not train, momentum=0.5, dtype=self.dtype)(x)
        return nn.Dense(self.outputs, dtype=self.dtype)(jax.nn.tanh(x))


def player(inputs, outputs, **options):
    module = {key: options.pop(key) for key in ("normalise", "dtype") if key in options}
    shape = jax.ShapeDtypeStruct((1, inputs), jnp.float32)
    return PlayerSpec(Net(outputs, **module), (shape,), optax.adam(0.01), **options)


def game(loss="bce", weighted=(), **options):
    return adversarial(
        player(LATENT, 2, **options),
        player(2, 1, **{k: v for k, v in options.items() if k != "ema_halflife"}),
        losses.by_name(loss),
        latent_size=LATENT,
        weighted=weighted,
    )


def start(system):
    create = jax.jit(lambda key: create_state(system.players, system.memory, key))
    return create(jax.random.key(1))


def batches(count, seed=0):
    random = np.random.default_rng(seed)
    return [
        {"real": jnp.asarray(random.normal(size=(BATCH, 2)), jnp.float32)} for _ in range(count)
    ]


def take(system, phases, state, data=None, **rules):
    step = jax.jit(make_step(system, phases, Rules(BATCH, **rules)))
    return step(state, data or batches(rounds(phases)))


def close(a, b, rtol=2e-5):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=rtol, atol=1e-6), a, b)


def equal(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


class ByHand:
    """The same game written out: whole losses differentiated, nothing shared, Adam by optax."""

    def __init__(self, state):
        self.params = {name: p.params for name, p in state.players.items()}
        self.optimiser = {name: optax.adam(0.01) for name in self.params}
        self.state = {name: o.init(self.params[name]) for name, o in self.optimiser.items()}
        self.key = fold(state.key, "step", state.step)

    def fake(self, generator, round_number):
        latent_key = fold(self.key, "round", round_number, "generate")
        latent = jax.random.normal(latent_key, (BATCH, LATENT))
        return Net(2).apply({"params": generator}, latent, train=True)

    def critic_gradient(self, real, round_number):
        def loss(critic):
            real_logits = Net(1).apply({"params": critic}, real, train=True)
            fake = self.fake(self.params["generator"], round_number)
            fake_logits = Net(1).apply({"params": critic}, fake, train=True)
            return (jax.nn.softplus(-real_logits) + jax.nn.softplus(fake_logits)).mean()

        return jax.jit(jax.grad(loss))(self.params["critic"])

    def generator_gradient(self, round_number):
        def loss(generator):
            fake = self.fake(generator, round_number)
            logits = Net(1).apply({"params": self.params["critic"]}, fake, train=True)
            return jax.nn.softplus(-logits).mean()

        return jax.jit(jax.grad(loss))(self.params["generator"])

    def apply(self, name, gradient):
        with jax.numpy_dtype_promotion("standard"):
            updates, self.state[name] = self.optimiser[name].update(gradient, self.state[name])
        self.params[name] = optax.apply_updates(self.params[name], updates)


def params_of(state):
    return {name: p.params for name, p in state.players.items()}


def test_alternating_updates_with_a_shared_fake_are_exact():
    system, data = game(), batches(3)
    state = start(system)
    hand = ByHand(state)
    after, metrics = take(system, (dataclasses.replace(CRITIC, repeats=3), GENERATOR), state, data)
    for number, batch in enumerate(data):
        hand.apply("critic", hand.critic_gradient(batch["real"], number))
    hand.apply("generator", hand.generator_gradient(2))
    close(params_of(after), hand.params)
    assert int(after.step) == 1
    assert {"critic_loss", "generator_loss", "critic_grad_norm", "skipped"} <= set(metrics)


def test_simultaneous_updates_see_the_players_as_they_were():
    system, data = game(), batches(1)
    state = start(system)
    hand = ByHand(state)
    gradients = hand.critic_gradient(data[0]["real"], 0), hand.generator_gradient(0)
    hand.apply("critic", gradients[0])
    hand.apply("generator", gradients[1])
    for share_fake in (True, False):
        after, _ = take(
            system, (CRITIC, GENERATOR), state, data, simultaneous=True, share_fake=share_fake
        )
        if share_fake:
            close(params_of(after), hand.params)
        else:
            # Fakes of their own: the same game on other latents.
            with pytest.raises(AssertionError):
                close(params_of(after), hand.params)


@pytest.mark.parametrize("double", [False, True], ids=["float32", "float64"])
@pytest.mark.parametrize(
    ("name", "penalty"),
    [
        ("bce", None),
        ("relativistic", None),
        ("wgan", None),
        ("wgan_gp", "gradient_penalty"),
        ("bce", "r2"),
    ],
)
def test_one_pass_of_the_critic_is_the_simultaneous_update(name, penalty, double, monkeypatch):
    critic_loss = "critic_with_penalties"
    apart = (dataclasses.replace(CRITIC, loss=critic_loss), GENERATOR)
    # Under the critic's name, so that the penalty draws the same numbers.
    at_once = (Phase("critic", ("critic", "generator"), "both"),)
    if double:
        monkeypatch.setattr("jaxgan.state.as_float32", lambda tree: tree)
    with jax.enable_x64(double):
        dtype = jnp.float64 if double else jnp.float32
        system = game(name, (Weighted(penalty, 3.0),) if penalty else (), dtype=dtype)
        players = {
            key: dataclasses.replace(spec, optimiser=optax.sgd(1.0))
            for key, spec in system.players.items()
        }
        system = dataclasses.replace(system, players=players)
        state = jax.tree.map(
            lambda leaf: leaf.astype(dtype) if leaf.dtype == jnp.float32 else leaf, start(system)
        )
        data = [{"real": batches(1)[0]["real"].astype(dtype)}]
        expected, metrics = take(system, apart, state, data, simultaneous=True)
        found, found_metrics = take(system, at_once, state, data, simultaneous=True)
        rtol, atol = (1e-9, 1e-12) if double else (1e-5, 1e-6)
        for player in ("generator", "critic"):
            jax.tree.map(
                functools.partial(np.testing.assert_allclose, rtol=rtol, atol=atol),
                found.players[player].params,
                expected.players[player].params,
            )
            with pytest.raises(AssertionError):
                close(found.players[player].params, state.players[player].params)
        for key in ("critic_loss", "generator_loss"):
            assert float(found_metrics[key]) == pytest.approx(float(metrics[key]), rel=1e-5)


def test_one_pass_is_refused_where_it_would_not_be_exact():
    critic = player(2, 1)
    for name, exact in (("bce", True), ("relativistic", True), ("wgan", True), ("hinge", False)):
        assert one_pass(critic, losses.by_name(name)) == exact
        assert ("both" in game(name).losses) == exact
    assert not one_pass(player(2, 1, normalise=True), losses.bce())
    assert not one_pass(player(2, 3), losses.bce())
    both = Phase("both", ("critic", "generator"), "both")
    system = game(normalise=True)
    with pytest.raises(ValueError, match="without batch_stats"):
        take(system, (both,), start(system))


def test_one_pass_in_parts_is_that_of_the_whole_batch():
    # The same fake in every part and row: what is drawn does not depend on the parts.
    system = dataclasses.replace(game(), generate=constant_latents)
    state, data = start(system), [{"real": batches(1)[0]["real"]}]
    both = Phase("both", ("critic", "generator"), "both")
    whole, _ = take(system, (both,), state, data)
    parts, _ = take(system, (both,), state, data, accumulate=2)
    close(params_of(parts), params_of(whole), rtol=1e-4)


def constant_latents(networks, batch, key):
    fake, updated = networks["generator"].update(jnp.ones((len(batch["real"]), LATENT)))
    return fake, {"generator": updated}


def test_a_phase_changes_its_own_players_only():
    system = game(normalise=True, ema_halflife=100.0)
    state = start(system)
    for phase, other in ((CRITIC, "generator"), (GENERATOR, "critic")):
        after, _ = take(system, (phase,), state)
        equal(after.players[other], state.players[other])
        own = phase.players[0]
        for kind in ("params", "variables"):
            with pytest.raises(AssertionError):
                equal(getattr(after.players[own], kind), getattr(state.players[own], kind))


def test_batch_statistics_are_those_of_the_passes_that_were_made():
    system, data = game(normalise=True), batches(1)
    state = start(system)
    after, _ = take(system, (CRITIC, GENERATOR), state, data)
    key = fold(state.key, "step", state.step, "round", 0, "generate")
    latent = jax.random.normal(key, (BATCH, LATENT))

    def hidden(name, x):
        layer = state.players[name].params["Dense_0"]
        return np.asarray(x) @ np.asarray(layer["kernel"]) + np.asarray(layer["bias"])

    generator = state.players["generator"]
    fake = Net(2, True).apply(
        {"params": generator.params, **generator.variables}, latent, True, mutable=["batch_stats"]
    )[0]
    passes = {
        "generator": [hidden("generator", latent)],
        "critic": [hidden("critic", data[0]["real"]), hidden("critic", fake)],
    }
    for name, inputs in passes.items():
        mean = np.zeros(8)
        for x in inputs:
            mean = 0.5 * mean + 0.5 * x.mean(0)
        got = after.players[name].variables["batch_stats"]["BatchNorm_0"]["mean"]
        np.testing.assert_allclose(got, mean, rtol=1e-4, atol=1e-5)
    # Sampling uses the running statistics, training those of the batch.
    networks = trained_networks(system.players, after.players)
    assert not np.allclose(networks["generator"](latent), fake)


def test_gain_multiplies_a_penalty_that_plays_on_its_own():
    system = game(weighted=(Weighted("r1", 2.0),))
    sgd = dataclasses.replace(system.players["critic"], optimiser=optax.sgd(0.1))
    system = dataclasses.replace(system, players={**system.players, "critic": sgd})
    state = start(system)

    def moved(gain):
        after, _ = take(system, (Phase("r1", ("critic",), "r1", every=16, gain=gain),), state)
        return jax.tree.map(
            jnp.subtract, after.players["critic"].params, state.players["critic"].params
        )

    close(jax.tree.map(lambda leaf: 16 * leaf, moved(1.0)), moved(16.0), rtol=1e-3)


def test_moving_average_has_its_half_life_in_images_and_ramps_up():
    system = game(ema_halflife=1000.0)
    state = start(system)
    for step in (0, 10_000):
        before = state.replace(step=jnp.asarray(step, jnp.int32))
        after, _ = take(system, (GENERATOR,), before)
        halflife = min(1000.0, EMA_RAMPUP * (step + 1) * BATCH)
        keep = 0.5 ** (BATCH / halflife)
        generator = after.players["generator"]
        expected = jax.tree.map(
            lambda old, new, keep=keep: keep * old + (1 - keep) * new,
            state.players["generator"].ema,
            generator.params,
        )
        close(generator.ema, expected)


@pytest.mark.parametrize(
    "phases",
    [
        (dataclasses.replace(CRITIC, repeats=3), GENERATOR),
        (GENERATOR, dataclasses.replace(CRITIC, repeats=3)),
        (CRITIC, GENERATOR, Phase("again", ("critic",), "broken")),
        (CRITIC, Phase("both", ("critic", "generator"), "broken")),
        (Phase("first", ("critic",), "broken"), GENERATOR, CRITIC),
    ],
    ids=lambda phases: " ".join(phase.name for phase in phases),
)
def test_a_step_that_is_not_finite_changes_nothing_and_is_counted(phases):
    """Whichever phase it was, and whoever has moved before it or moves after it."""

    def broken(turn):
        outcome = system.losses["critic"](turn)
        return dataclasses.replace(outcome, loss=outcome.loss * jnp.nan, metrics={})

    system = game(normalise=True, ema_halflife=100.0)
    state = start(system)
    data = batches(rounds(phases))
    if len(data) > 1:
        # Only an early round of the critic is spoilt; the whole step must go.
        data[0] = {"real": data[0]["real"].at[0, 0].set(jnp.nan)}
    spoilt = dataclasses.replace(system, losses={**system.losses, "broken": broken})
    after, metrics = take(spoilt, phases, state, data)
    equal(after.players, state.players)
    assert int(after.step) == 1 and int(after.skipped) == 1 and float(metrics["skipped"]) == 1
    again, _ = take(system, (CRITIC, GENERATOR), after)
    assert int(again.skipped) == 1
    with pytest.raises(AssertionError):
        equal(again.players, state.players)


def regression():
    """A system whose generator reads the batch and draws nothing: parts must add up exactly."""

    def generate(networks, batch, key):
        fake, updated = networks["generator"].update(batch["real"])
        return fake, {"generator": updated}

    def loss(turn):
        return Outcome(losses.l2(turn.fake, -turn.batch["real"]).mean(), {"size": turn.fake.mean()})

    return System({"generator": player(2, 2)}, {"generator": loss}, generate, ("generator",))


def test_accumulated_gradients_are_those_of_the_whole_batch():
    system = regression()
    state = start(system)
    whole, whole_metrics = take(system, (GENERATOR,), state)
    parts, part_metrics = take(system, (GENERATOR,), state, accumulate=4)
    close(parts.players, whole.players, rtol=1e-4)
    close(part_metrics, whole_metrics, rtol=1e-4)


def test_parameters_stay_float32_when_networks_compute_in_bfloat16():
    system = game(dtype=jnp.bfloat16)
    state = start(system)
    after, metrics = take(system, (CRITIC, GENERATOR), state)
    for leaf in jax.tree.leaves([params_of(after), metrics]):
        assert leaf.dtype == jnp.float32
    _, exact = take(game(), (CRITIC, GENERATOR), state)
    assert float(metrics["critic_loss"]) == pytest.approx(float(exact["critic_loss"]), rel=0.02)
    assert float(metrics["critic_loss"]) != float(exact["critic_loss"])


def test_every_random_use_has_a_key_of_its_own():
    key = jax.random.key(0)
    uses = [fold(key, *names) for names in (("a",), ("b",), ("a", "b"), ("b", "a"), ("a", 1), (1,))]
    assert len({tuple(np.asarray(jax.random.key_data(use))) for use in uses}) == len(uses)


def cycle_game():
    """Four players and an image pool, as CycleGAN plays."""

    def generate(networks, batch, key):
        to_b, generator_b = networks["a_to_b"].update(batch["a"])
        to_a, generator_a = networks["b_to_a"].update(batch["b"])
        return {"a": to_a, "b": to_b}, {"a_to_b": generator_b, "b_to_a": generator_a}

    def generators(turn):
        networks, fake = turn.networks, turn.fake
        back = {"a": networks["b_to_a"](fake["b"]), "b": networks["a_to_b"](fake["a"])}
        opinion = sum(jnp.square(networks[f"critic_{s}"](fake[s]) - 1).mean() for s in "ab")
        cycle = sum(losses.cycle(turn.batch[side], back[side]).mean() for side in "ab")
        return Outcome(opinion + cycle, {"cycle": cycle})

    def critics(turn):
        swap = jax.random.bernoulli(turn.key, 0.5, (BATCH, 1))
        shown = {s: jnp.where(swap, turn.memory[s], turn.fake[s]) for s in "ab"}
        total = sum(
            jnp.square(turn.networks[f"critic_{s}"](turn.batch[s]) - 1).mean()
            + jnp.square(turn.networks[f"critic_{s}"](shown[s])).mean()
            for s in "ab"
        )
        return Outcome(total, memory=turn.fake)

    return System(
        players={
            "a_to_b": player(2, 2),
            "b_to_a": player(2, 2),
            "critic_a": player(2, 1),
            "critic_b": player(2, 1),
        },
        losses={"generators": generators, "critics": critics},
        generate=generate,
        generators=("a_to_b", "b_to_a"),
        memory=lambda: {side: jnp.zeros((BATCH, 2)) for side in "ab"},
    )


@functools.cache
def cycle_step():
    phases = (
        Phase("generators", ("a_to_b", "b_to_a"), "generators"),
        Phase("critics", ("critic_a", "critic_b"), "critics"),
    )
    return make_step(cycle_game(), phases, Rules(BATCH))


def cycle_batches(steps):
    random = np.random.default_rng(3)
    sides = random.normal(size=(steps, 2, BATCH, 2)).astype(np.float32)
    return [{"a": a, "b": b} for a, b in sides]


def test_four_players_with_a_cycle_and_a_pool_learn():
    system, step = cycle_game(), jax.jit(cycle_step())
    state, history = start(system), []
    for batch in cycle_batches(150):
        before = state
        state, metrics = step(state, [batch])
        history.append(float(metrics["cycle"]))
    assert np.mean(history[-10:]) < 0.5 * np.mean(history[:10])
    # The pool holds what the generators made after their own update, for the next step.
    assert not np.allclose(state.memory["a"], before.memory["a"])


@pytest.mark.parametrize("fsdp", [False, True])
def test_one_device_and_two_give_the_same_numbers(fsdp, monkeypatch):
    monkeypatch.setattr(parallel, "FSDP_MIN_BYTES", 64)
    system = cycle_game()
    results = []
    for count in (1, 2):
        mesh = parallel.make_mesh(jax.devices()[:count])
        shapes = jax.eval_shape(lambda: start(system))
        shardings = parallel.state_sharding(shapes, mesh, fsdp=fsdp)
        create = jax.jit(
            lambda key: create_state(system.players, system.memory, key), out_shardings=shardings
        )
        state, step = create(jax.random.key(1)), jax.jit(cycle_step(), donate_argnums=0)
        for batch in cycle_batches(5):
            state, metrics = step(state, [parallel.global_batch(batch, mesh)])
        results.append(jax.device_get((params_of(state), metrics)))
    close(*results, rtol=1e-5)


def test_the_average_moves_once_a_step_however_often_the_player_does():
    system = game(ema_halflife=1000.0)
    state = start(system).replace(step=jnp.asarray(10_000, jnp.int32))
    after, _ = take(system, (dataclasses.replace(GENERATOR, repeats=3),), state)
    keep = 0.5 ** (BATCH / 1000.0)
    generator = after.players["generator"]
    expected = jax.tree.map(
        lambda old, new: keep * old + (1 - keep) * new,
        state.players["generator"].ema,
        generator.params,
    )
    close(generator.ema, expected)


def test_two_phases_cannot_report_under_one_name():
    system = game()
    phases = (CRITIC, dataclasses.replace(CRITIC, name="again"))
    with pytest.raises(ValueError, match="critic_fake"):
        take(system, phases, start(system))


def test_accumulation_goes_with_repeats():
    system = game()
    state = start(system)
    phases = (dataclasses.replace(CRITIC, repeats=2), GENERATOR)
    after, metrics = take(system, phases, state, accumulate=2)
    assert int(after.skipped) == 0 and np.isfinite(metrics["critic_loss"])
    for name in ("critic", "generator"):
        with pytest.raises(AssertionError):
            equal(after.players[name].params, state.players[name].params)


def test_spoilt_parts_of_a_batch_are_noticed():
    system = regression()
    state = start(system)
    data = batches(1)
    data[0]["real"] = data[0]["real"].at[3, 0].set(jnp.inf)
    after, _ = take(system, (GENERATOR,), state, data, accumulate=4)
    equal(after.players, state.players)
    assert int(after.skipped) == 1
