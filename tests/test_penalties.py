"""Penalties against closed forms of linear and quadratic critics, and finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgan import penalties
from jaxgan.errors import UserError

KEY = jax.random.key(3)
WEIGHTS = np.array([[0.5, -1.0], [2.0, 0.25], [-0.75, 1.5]], np.float32)


def samples(seed, batch=4):
    return np.random.default_rng(seed).standard_normal((batch, 3, 2)).astype(np.float32)


def linear(x):
    return jnp.tensordot(x, jnp.asarray(WEIGHTS), 2) + 0.25


def curved(params, x):
    """A small network with curvature everywhere; logits `[batch, 1]`."""
    first, second = params
    return jnp.tanh(x.reshape(x.shape[0], -1) @ first) @ second


def curved_params(dtype=np.float64):
    rng = np.random.default_rng(0)
    return (
        rng.standard_normal((6, 5)).astype(dtype),
        rng.standard_normal((5, 1)).astype(dtype),
    )


def optax_promotion():
    # optax raises a float decay to an integer count, which strict promotion refuses.
    return jax.numpy_dtype_promotion("standard")


def penalty_functions(critic):
    real, fake = samples(1).astype(np.float64), samples(2).astype(np.float64)
    return {
        "gradient_penalty": lambda: penalties.gradient_penalty(critic, real, fake, KEY),
        "dragan": lambda: penalties.dragan(critic, real, KEY),
        "r1": lambda: penalties.r1(critic, real),
        "r2": lambda: penalties.r2(critic, fake),
    }


@pytest.mark.parametrize("target", [0.0, 1.0])
def test_linear_critic(target):
    norm = np.sqrt(np.sum(WEIGHTS.astype(np.float64) ** 2))
    real, fake = samples(1), samples(2)

    @jax.jit
    def all_four(real, fake):
        return (
            penalties.gradient_penalty(linear, real, fake, KEY, target),
            penalties.dragan(linear, real, KEY, target),
            penalties.r1(linear, real),
            penalties.r2(linear, fake),
        )

    got = all_four(real, fake)
    for value, want in zip(got, [(norm - target) ** 2] * 2 + [norm**2] * 2, strict=True):
        assert value.shape == (4,)
        assert value.dtype == np.float32
        np.testing.assert_allclose(value, np.full(4, want), rtol=1e-6)


def test_quadratic_critic():
    # D(x) = x A x / 2 has the gradient A x: the penalty shows at which x it was taken.
    a = np.random.default_rng(5).standard_normal((6, 6))
    a = a + a.T

    def quadratic(x):
        flat = x.reshape(x.shape[0], -1)
        return 0.5 * jnp.sum((flat @ a) * flat, axis=1)

    x = samples(6).astype(np.float64)
    squared = np.sum((x.reshape(4, 6) @ a) ** 2, axis=1)
    with jax.enable_x64(True):
        np.testing.assert_allclose(penalties.r1(quadratic, x), squared, rtol=1e-12)
        np.testing.assert_allclose(penalties.r2(quadratic, x), squared, rtol=1e-12)
        both_ends = penalties.gradient_penalty(quadratic, x, x, KEY)
        np.testing.assert_allclose(both_ends, (np.sqrt(squared) - 1) ** 2, rtol=1e-12)
        no_noise = penalties.dragan(quadratic, x, KEY, spread=0.0)
        np.testing.assert_allclose(no_noise, (np.sqrt(squared) - 1) ** 2, rtol=1e-12)


def test_where_the_gradient_penalty_looks():
    # With D(x) = |x|^2 / 2 and target 0 the penalty is |x|^2: of x on the line from real to fake.
    seen = penalties.gradient_penalty(
        lambda x: 0.5 * jnp.sum(x**2, axis=1),
        jnp.zeros((2000, 1)),
        jnp.ones((2000, 1)),
        KEY,
        target=0.0,
    )
    shares = np.sort(np.sqrt(seen))
    assert shares[0] >= 0.0 and shares[-1] <= 1.0
    # Kolmogorov-Smirnov distance from the uniform distribution; 0.0436 is the 0.1 % level.
    assert np.max(np.abs(shares - (np.arange(2000) + 0.5) / 2000)) < 0.0436

    pairs = penalties.gradient_penalty(
        lambda x: x[:, 0] * x[:, 1] + 0.5 * x[:, 0] ** 2,  # gradient (x0 + x1, x0)
        jnp.tile(jnp.array([[1.0, 0.0]]), (8, 1)),
        jnp.tile(jnp.array([[0.0, 1.0]]), (8, 1)),
        KEY,
        target=0.0,
    )
    # On that line x0 + x1 = 1 whatever the share: one share serves all of a sample's elements.
    share = np.sqrt(np.asarray(pairs) - 1.0)
    assert np.all((share >= 0) & (share <= 1)) and np.std(share) > 0.05


def test_where_dragan_looks():
    real = jnp.asarray(np.random.default_rng(1).standard_normal((1000, 2)), jnp.float32) * 3.0
    points = []
    penalties.dragan(lambda x: points.append(jax.lax.stop_gradient(x)) or x[:, 0], real, KEY)
    offset = np.asarray(points[0] - real)
    width = 0.5 * np.std(np.asarray(real))
    assert offset.min() >= -1e-6 and offset.max() <= width + 1e-5
    # Mean of a product of two independent uniforms: a quarter.
    np.testing.assert_allclose(offset.mean(), width / 4, rtol=0.05)


@pytest.mark.parametrize("name", ["gradient_penalty", "dragan", "r1", "r2"])
def test_input_gradient_against_finite_differences(name):
    params = curved_params()
    points = []

    def critic(x):
        points.append(jax.lax.stop_gradient(x))
        return curved(params, x)

    with jax.enable_x64(True), jax.disable_jit():
        got = penalty_functions(critic)[name]()
        where = np.asarray(points[0])
    step, squared = 1e-6, np.zeros(4)
    for index in np.ndindex(3, 2):
        shift = np.zeros((1, 3, 2))
        shift[(0, *index)] = step
        up, down = (np.tanh((where + s).reshape(4, 6) @ params[0]) for s in (shift, -shift))
        squared += (((up - down) @ params[1])[:, 0] / (2 * step)) ** 2
    want = squared if name in ("r1", "r2") else (np.sqrt(squared) - 1) ** 2
    np.testing.assert_allclose(got, want, rtol=1e-6)


@pytest.mark.parametrize("name", ["gradient_penalty", "dragan", "r1", "r2"])
def test_gradient_by_the_critics_parameters_against_finite_differences(name):
    def mean_penalty(params):
        return jnp.mean(penalty_functions(lambda x: curved(params, x))[name]())

    params = curved_params()
    rng = np.random.default_rng(7)
    with jax.enable_x64(True):
        value = jax.jit(mean_penalty)
        got = jax.jit(jax.grad(mean_penalty))(params)
        for _ in range(3):
            way = jax.tree.map(lambda p: rng.standard_normal(p.shape), params)
            up, down = (
                value(jax.tree.map(lambda p, w, s=s: p + s * w, params, way)) for s in (1e-5, -1e-5)
            )
            slope = sum(np.sum(g * w) for g, w in zip(got, way, strict=True))
            np.testing.assert_allclose(slope, (up - down) / 2e-5, rtol=1e-6)


def test_one_samples_penalty_does_not_depend_on_the_others():
    params = curved_params(np.float32)
    real, fake = samples(1), samples(2)

    @jax.jit
    def compute(real, fake):
        def critic(x):
            return curved(params, x)

        return (
            penalties.gradient_penalty(critic, real, fake, KEY),
            penalties.r1(critic, real),
            penalties.r2(critic, fake),
        )

    before = compute(real, fake)
    only_one = np.zeros((4, 3, 2), np.float32)
    only_one[2] = 1.0
    for a, b in zip(before, compute(real + only_one, fake - only_one), strict=True):
        others = np.array([0, 1, 3])
        np.testing.assert_allclose(a[others], b[others], rtol=1e-5)
        assert abs(a[2] - b[2]) > 1e-3 * abs(a[2])


def test_several_logits_per_sample_are_summed():
    x = samples(1)
    one = penalties.r1(linear, x)
    patches = penalties.r1(lambda x: jnp.stack([linear(x), 2.0 * linear(x)], axis=1), x)
    np.testing.assert_allclose(patches, 9.0 * one, rtol=1e-6)


@pytest.mark.parametrize("name", ["gradient_penalty", "dragan"])
def test_a_flat_critic_has_a_finite_gradient(name):
    def mean_penalty(scale):
        critic = lambda x: scale * linear(x)  # noqa: E731
        functions = {
            "gradient_penalty": lambda: penalties.gradient_penalty(
                critic, samples(1), samples(2), KEY
            ),
            "dragan": lambda: penalties.dragan(critic, samples(1), KEY),
        }
        return jnp.mean(functions[name]())

    compute = jax.jit(jax.value_and_grad(mean_penalty))
    # The squares of the small ones are subnormal or underflow.
    for scale in (0.0, 1e-30, 1e-22, 1e-20, 1e-19, 1e-18):
        value, slope = compute(jnp.float32(scale))
        assert value == 1.0
        assert np.isfinite(slope)


def test_bfloat16_critic_is_penalised_in_float32():
    def critic(x):
        weights = jnp.asarray(WEIGHTS, jnp.bfloat16)
        return jnp.tensordot(x.astype(jnp.bfloat16), weights, 2)

    value = penalties.r1(critic, jnp.asarray(samples(1), jnp.bfloat16))
    assert value.dtype == jnp.float32
    np.testing.assert_allclose(value, np.full(4, np.sum(WEIGHTS**2)), rtol=1e-6)


def test_wrong_shapes_are_refused():
    x = samples(1)
    with pytest.raises(ValueError, match="one shape"):
        penalties.gradient_penalty(linear, x, x[:1], KEY)
    for critic in (lambda x: jnp.sum(x), lambda x: linear(x)[:2]):
        with pytest.raises(ValueError, match="logits per sample"):
            penalties.r1(critic, x)


def test_clip_weights():
    params = {"a": jnp.array([-1.0, 0.005, 0.02]), "b": (jnp.array([[-0.01]]),)}
    clipped = jax.jit(penalties.clip_weights(0.01))(params)
    want = {"a": [-0.01, 0.005, 0.01], "b": ([[-0.01]],)}
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6),
        clipped,
        jax.tree.map(np.float32, want, is_leaf=lambda x: isinstance(x, list)),
    )
    for limit in (0.0, -1.0, float("nan")):
        with pytest.raises(UserError, match="limit"):
            penalties.clip_weights(limit)


def test_lazy_adam_is_adam_rescaled():
    # StyleGAN2: every 16 gives 16/17 of the learning rate and the betas to that power.
    gradients = np.random.default_rng(4).standard_normal((6, 3)).astype(np.float32)
    share, b1, b2 = 16 / 17, 0.5, 0.99
    optimiser = penalties.lazy_adam(0.002, b1, b2, 1e-8, every=16)
    params = jnp.zeros(3)
    state = optimiser.init(params)
    m = v = want = np.zeros(3)
    for t, g in enumerate(gradients.astype(np.float64), 1):
        with optax_promotion():
            updates, state = optimiser.update(jnp.asarray(g, jnp.float32), state)
        params = optax.apply_updates(params, updates)
        m = b1**share * m + (1 - b1**share) * g
        v = b2**share * v + (1 - b2**share) * g**2
        m_hat, v_hat = m / (1 - b1 ** (share * t)), v / (1 - b2 ** (share * t))
        want = want - share * 0.002 * m_hat / (np.sqrt(v_hat) + 1e-8)
    np.testing.assert_allclose(params, want, rtol=1e-5)


def test_lazy_adams_schedule_counts_the_losses_updates_only():
    # b1 = b2 = 0 makes Adam's step the learning rate itself, so the steps show the schedule.
    optimiser = penalties.lazy_adam(lambda count: 1.0 + count, 0.0, 0.0, 0.0, every=2)
    state = optimiser.init(jnp.zeros(()))
    rates = []
    for _ in range(6):
        with optax_promotion():
            update, state = optimiser.update(jnp.ones(()), state)
        rates.append(-float(update) * 3 / 2)
    # Updates: loss, loss, regulariser, loss, loss, regulariser; 0, 1, -, 2, 3, - loss updates done.
    np.testing.assert_allclose(rates, [1.0, 2.0, 3.0, 3.0, 4.0, 5.0], rtol=1e-6)


def test_lazy_adam_refuses_zero():
    with pytest.raises(ValueError, match="every 1 or more"):
        penalties.lazy_adam(0.1, every=0)
