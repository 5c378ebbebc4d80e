import itertools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import losses, penalties
from jaxgan.errors import UserError
from jaxgan.nets.dcgan import Critic
from jaxgan.nets.inpaint import SNPatchCritic
from jaxgan.nets.patch import ImageCritic, PatchCritic, patch_critic, receptive_field
from jaxgan.ops.hidden import last_hidden
from jaxgan.ops.norm import SpectrallyNormalised


def pictures(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def kernels(taps, *channels):
    return sum(taps * taps * a * b for a, b in itertools.pairwise(channels))


def test_parameters_are_those_of_the_papers_networks(shapes):
    """2.769 M of pix2pix; CycleGAN's 2.765 M without the biases that its normalisation removes."""
    count, out = shapes(PatchCritic(), (2, 256, 256, 3), (2, 256, 256, 3))
    assert (count, out) == (2_768_705, (2, 30, 30))
    count, out = shapes(PatchCritic(norm="instance"), (1, 256, 256, 3))
    assert (count, out) == (2_764_737 - (128 + 256 + 512), (1, 30, 30))
    widths = (64, 128, 256, 512)
    count, _ = shapes(PatchCritic(norm="none"), (1, 64, 64, 6))
    assert count == kernels(4, 6, *widths, 1) + sum(widths) + 1


@pytest.mark.parametrize(
    ("side", "taps", "widths", "size"),
    [
        (1, 1, (64, 128), 256),
        (16, 4, (64, 128), 126),
        (34, 4, (64, 128, 256), 62),
        (70, 4, (64, 128, 256, 512), 30),
        (286, 4, (64, 128, 256, 512, 512, 512), 6),
    ],
)
def test_the_critics_of_the_papers_comparison(shapes, side, taps, widths, size):
    """Appendix 6.1.2: C64-C128 of one pixel, C64-C128 of 16, and so on to 286."""
    count, out = shapes(patch_critic(side), (1, 256, 256, 6))
    assert count == kernels(taps, 6, *widths, 1) + widths[0] + 2 * sum(widths[1:]) + 1
    assert out == (1, size, size)


@pytest.mark.parametrize("layers", range(6))
def test_a_logit_sees_its_receptive_field_and_no_more(layers, drawn, call):
    """One column after another is lit in a dark picture; a logit that moves has seen it."""
    side = receptive_field(layers)
    module = PatchCritic(layers, channels=1, norm="none")
    width = side + 2 * 2**layers
    height = max(24, 3 * 2**layers)
    dark = jnp.zeros((1, height, width, 1))
    # Nothing but positive weights, so that nothing cancels.
    variables = jax.tree.map(
        lambda leaf: np.abs(leaf) if leaf.ndim > 1 else 0 * leaf, drawn(module, dark, train=True)
    )
    assert not call(module, variables, dark, train=True).any()
    lit = jnp.broadcast_to(jnp.eye(width)[:, None, :, None], (width, height, width, 1))
    moved = np.asarray(call(module, variables, lit, train=True)).any(axis=1)
    seen = moved.sum(axis=0)
    assert seen.max() == side
    # Those columns are neighbours, and the next logit sees those one stride on.
    assert set(np.diff(np.flatnonzero(moved[:, seen.argmax()]))) <= {1}
    whole = np.flatnonzero(seen == side)
    assert len(whole) > 1
    starts = [np.flatnonzero(moved[:, logit])[0] for logit in whole]
    assert set(np.diff(starts)) == {2**layers}


def test_receptive_fields_that_a_critic_can_have():
    assert [receptive_field(n) for n in range(7)] == [1, 16, 34, 70, 142, 286, 574]
    assert patch_critic(70, channels=32, norm="instance") == PatchCritic(3, 32, "instance")
    with pytest.raises(UserError, match=r"sees 50 x 50 .* 34, 70, 142"):
        patch_critic(50)
    with pytest.raises(ValueError, match="not -1"):
        receptive_field(-1)


def test_pictures_are_joined_along_their_channels(drawn, call):
    condition, picture = pictures(2, 24, 32, 5), pictures(2, 24, 32, 3)
    critic = PatchCritic(channels=2)
    variables = drawn(critic, condition, picture, train=True)
    both = call(critic, variables, condition, picture, train=False)
    assert both.shape == (2, 1, 2)
    together = np.concatenate([condition, picture], axis=-1)
    one = call(critic, variables, together, train=False)
    np.testing.assert_allclose(both, one, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["bce", "lsgan", "hinge", "relativistic", "wgan_gp"])
def test_losses_and_penalties_take_a_logit_for_every_patch(name, drawn):
    module = PatchCritic(1, channels=2, norm="none")
    real, fake = pictures(3, 8, 12, 2), 2 * pictures(3, 8, 12, 2)
    variables = drawn(module, real, train=True)
    loss = losses.by_name(name)

    def critic(x):
        return module.apply(variables, x, train=True)

    @jax.jit
    def play(real, fake):
        real_logits, fake_logits = critic(real), critic(fake)
        return (
            loss.critic(real_logits, fake_logits),
            loss.generator(fake_logits, real_logits),
            penalties.r1(critic, real),
            loss.accuracy(real_logits, fake_logits),
        )

    of_critic, of_generator, penalty, accuracy = play(real, fake)
    assert of_critic.shape == of_generator.shape == (3, 2, 4)
    assert penalty.shape == (3,)
    assert 0 <= accuracy <= 1


def test_hidden_features_are_found(shapes):
    class Features(nn.Module):
        critic: nn.Module

        def __call__(self, picture, train):
            return last_hidden(lambda: self.critic(picture, train=train))

    for critic in (PatchCritic(channels=2), SpectrallyNormalised(PatchCritic(channels=2))):
        _, (logits, features) = shapes(Features(critic), (2, 24, 24, 3))
        assert (logits, features) == ((2, 1, 1), (2, 2, 2, 16))
    _, (logits, features) = shapes(Features(SNPatchCritic(2)), (2, 64, 64, 4))
    assert (logits, features) == ((2, 1, 1, 8), (2, 2, 2, 8))


def test_the_image_critic_is_dcgans_shown_several_pictures(drawn, call):
    condition, picture = pictures(2, 32, 32, 1), pictures(2, 32, 32, 3)
    module = ImageCritic(width=4, stages=3)
    variables = drawn(module, condition, picture, train=True)
    logits = call(module, variables, condition, picture, train=False)
    assert logits.shape == (2,)
    together = np.concatenate([condition, picture], axis=-1)
    expected = call(Critic(width=4, stages=3), variables, together, train=False)
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-6)
