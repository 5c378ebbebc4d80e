"""Losses against NumPy and SciPy, finite differences, and their own papers' identities."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from jaxgan import losses
from jaxgan.errors import UserError


def log_sigmoid(x):
    return -np.logaddexp(0.0, -x)


# Written with logarithms, maxima and squares of their own, from the papers' equations.
REFERENCE = {
    "bce": (
        lambda r, f: -log_sigmoid(r) - log_sigmoid(-f),
        lambda f, r: -log_sigmoid(f),
    ),
    "lsgan": (
        lambda r, f: ((r - 1) ** 2 + f**2) / 2,
        lambda f, r: (f - 1) ** 2 / 2,
    ),
    "wgan": (lambda r, f: f - r, lambda f, r: -f),
    "wgan_gp": (lambda r, f: f - r, lambda f, r: -f),
    "hinge": (
        lambda r, f: np.maximum(0, 1 - r) + np.maximum(0, 1 + f),
        lambda f, r: -f,
    ),
    "relativistic": (
        lambda r, f: -log_sigmoid(r - f),
        lambda f, r: -log_sigmoid(f - r),
    ),
}


def logits(seed, shape=(3, 4)):
    return 3.0 * np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize("name", losses.NAMES)
def test_adversarial_loss_equals_its_paper_in_float64(name):
    real, fake = logits(0), logits(1)
    loss = losses.by_name(name)
    critic, generator = REFERENCE[name]
    with jax.enable_x64(True):
        got_critic = jax.jit(loss.critic)(real, fake)
        got_generator = jax.jit(loss.generator)(fake, real)
    assert got_critic.dtype == got_generator.dtype == np.float64
    np.testing.assert_allclose(got_critic, critic(real, fake), rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(got_generator, generator(fake, real), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", losses.NAMES)
def test_gradients_equal_finite_differences(name):
    # Elementwise losses: one shifted evaluation gives every element's derivative.
    real, fake = logits(2), logits(3)
    loss = losses.by_name(name)
    step = 1e-6

    @jax.jit
    def analytic(real, fake):
        by_real, by_fake = jax.grad(lambda r, f: loss.critic(r, f).sum(), (0, 1))(real, fake)
        return by_real, by_fake, jax.grad(lambda f: loss.generator(f, real).sum())(fake)

    with jax.enable_x64(True):
        got = analytic(real, fake)
        want = (
            (loss.critic(real + step, fake) - loss.critic(real - step, fake)) / (2 * step),
            (loss.critic(real, fake + step) - loss.critic(real, fake - step)) / (2 * step),
            (loss.generator(fake + step, real) - loss.generator(fake - step, real)) / (2 * step),
        )
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", losses.NAMES)
def test_extreme_logits_give_finite_values_and_gradients(name):
    extreme = np.array([-1e4, -1e4, 0.0, 1e4, 1e4], np.float32)
    other = np.array([1e4, -1e4, 0.0, 1e4, -1e4], np.float32)
    loss = losses.by_name(name)

    @jax.jit
    def everything(real, fake):
        return (
            loss.critic(real, fake),
            loss.generator(fake, real),
            jax.grad(lambda r, f: loss.critic(r, f).sum(), (0, 1))(real, fake),
            jax.grad(lambda f: loss.generator(f, real).sum())(fake),
        )

    values = jax.tree.leaves(everything(extreme, other))
    assert all(np.all(np.isfinite(v)) for v in values)
    np.testing.assert_allclose(
        values[0],
        REFERENCE[name][0](extreme.astype(np.float64), other.astype(np.float64)),
        rtol=1e-6,
        atol=1e-6,
    )


@pytest.mark.parametrize("name", losses.NAMES)
def test_bfloat16_logits_are_computed_in_float32(name):
    real, fake = (jnp.asarray(logits(s), jnp.bfloat16) for s in (4, 5))
    loss = losses.by_name(name)
    critic, generator = loss.critic(real, fake), loss.generator(fake, real)
    assert critic.dtype == generator.dtype == jnp.float32
    exact = REFERENCE[name][0](np.asarray(real, np.float64), np.asarray(fake, np.float64))
    np.testing.assert_allclose(critic, exact, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", losses.NAMES)
def test_shapes_that_differ_are_refused_rather_than_broadcast(name):
    loss = losses.by_name(name)
    with pytest.raises(ValueError, match=r"\(3, 1\).*\(3,\)"):
        loss.critic(jnp.zeros((3, 1)), jnp.zeros((3,)))
    if loss.needs_real:
        with pytest.raises(ValueError, match="one shape"):
            loss.generator(jnp.zeros((3, 1)), jnp.zeros((3,)))
        with pytest.raises(ValueError, match="needs the real"):
            loss.generator(jnp.zeros((3, 1)), None)
    else:
        assert loss.generator(jnp.zeros((3, 1)), None).shape == (3, 1)


def test_integers_are_refused():
    with pytest.raises(ValueError, match="uint8"):
        losses.l1(jnp.zeros(3, jnp.uint8), jnp.zeros(3, jnp.uint8))


def test_label_smoothing_touches_the_real_term_only():
    real, fake, smoothing = logits(6), logits(7), 0.1
    plain, smooth = losses.bce(), losses.bce(smoothing)
    with jax.enable_x64(True):
        got = smooth.critic(real, fake)
        # Cross entropy with the target 0.9, by SciPy's own kernels.
        target = 1 - smoothing
        real_term = special.entr(target) + special.entr(1 - target)
        real_term = real_term + special.rel_entr(target, special.expit(real))
        real_term = real_term + special.rel_entr(1 - target, special.expit(-real))
        np.testing.assert_allclose(got, real_term - log_sigmoid(-fake), rtol=1e-12)

        by_fake = [jax.grad(lambda f, x=x: x.critic(real, f).sum())(fake) for x in (plain, smooth)]
        np.testing.assert_array_equal(*by_fake)
        np.testing.assert_array_equal(plain.generator(fake, None), smooth.generator(fake, None))

        # The best real logit is the log-odds of the target, not infinity.
        best = np.full((2,), np.log(target / smoothing))
        slope = jax.grad(lambda r: smooth.critic(r, np.zeros(2)).sum())(best)
        np.testing.assert_allclose(slope, 0.0, atol=1e-15)


@pytest.mark.parametrize("smoothing", [-0.1, 0.5, 1.0, float("nan")])
def test_label_smoothing_out_of_range(smoothing):
    with pytest.raises(UserError, match="label smoothing"):
        losses.bce(smoothing)


def test_relativistic_loss_sees_only_differences():
    real, fake = logits(8), logits(9)
    loss = losses.relativistic()
    with jax.enable_x64(True):
        shifted = loss.critic(real + 5.0, fake + 5.0)
        np.testing.assert_allclose(shifted, loss.critic(real, fake), rtol=1e-12)
        np.testing.assert_array_equal(loss.generator(fake, real), loss.critic(fake, real))


def test_wgan_gp_plays_as_wasserstein():
    plain, penalised = losses.wasserstein(), losses.by_name("wgan_gp")
    assert penalised.critic is plain.critic
    assert penalised.generator is plain.generator


def test_by_name_keeps_the_name_and_smoothing():
    assert [losses.by_name(name).name for name in losses.NAMES] == list(losses.NAMES)
    zeros = jnp.full((2,), 4.0), jnp.zeros((2,))
    np.testing.assert_array_equal(
        losses.by_name("bce", 0.2).critic(*zeros), losses.bce(0.2).critic(*zeros)
    )


@pytest.mark.parametrize(
    ("name", "hint"),
    [("wgangp", "'wgan_gp'"), ("hinges", "'hinge'"), ("relativstic", "'relativistic'")],
)
def test_a_typo_gets_a_suggestion(name, hint):
    with pytest.raises(UserError, match=f"did you mean .*{hint}"):
        losses.by_name(name)


def test_an_unknown_name_gets_the_list():
    with pytest.raises(UserError, match="known are: bce, hinge"):
        losses.by_name("xyzzy")


def test_smoothing_without_labels_is_refused():
    with pytest.raises(UserError, match="belongs to the loss 'bce'"):
        losses.by_name("hinge", 0.1)


def test_distances_against_numpy():
    a, b = logits(10, (2, 3, 3, 2)), logits(11, (2, 3, 3, 2))
    with jax.enable_x64(True):
        for function, want in [
            (losses.l1, abs(a - b)),
            (losses.l2, (a - b) ** 2),
            (losses.cycle, 10 * abs(a - b)),
            (lambda a, b: losses.cycle(a, b, weight=3.0), 3 * abs(a - b)),
            (losses.perceptual, (a - b) ** 2),
            (lambda a, b: losses.perceptual(a, b, scale=1 / 12.75), ((a - b) / 12.75) ** 2),
        ]:
            np.testing.assert_allclose(jax.jit(function)(a, b), want, rtol=1e-13)
            with pytest.raises(ValueError, match="one shape"):
                function(a, b[:1])


def test_feature_matching_compares_batch_means():
    real, fake = logits(12, (5, 2, 3)), logits(13, (4, 2, 3))
    with jax.enable_x64(True):
        got = jax.jit(losses.feature_matching)(real, fake)
        np.testing.assert_allclose(got, (real.mean(0) - fake.mean(0)) ** 2, rtol=1e-12)
        order = np.array([3, 1, 0, 2])
        np.testing.assert_allclose(losses.feature_matching(real, fake[order]), got, rtol=1e-12)
    with pytest.raises(ValueError, match="one shape"):
        losses.feature_matching(jnp.zeros((4, 2)), jnp.zeros((4, 3)))


@pytest.mark.parametrize("name", ["bce", "wgan", "relativistic"])
def test_the_ratio_is_that_of_the_derivatives_by_the_fake_logit(name):
    loss = losses.by_name(name)
    with jax.enable_x64(True):
        fake = jnp.linspace(-50.0, 50.0, 41)
        real = jnp.linspace(0.5, -0.5, 41)
        of_critic = jax.grad(lambda x: loss.critic(real, x).sum())(fake)
        of_generator = jax.grad(lambda x: loss.generator(x, real).sum())(fake)
        np.testing.assert_allclose(
            loss.ratio(fake, real) * of_critic, of_generator, rtol=1e-9, atol=1e-20
        )
    certain = loss.ratio(jnp.array([-1e4, 1e4]), jnp.zeros(2))
    assert np.isfinite(certain).all() and (certain <= 0).all()
