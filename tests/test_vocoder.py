"""The vocoder's system: what its players lose, and its copies of any length."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgan import losses
from jaxgan.copy_synthesis import copy_file
from jaxgan.data.audio import read_clip, write_wav
from jaxgan.errors import UserError
from jaxgan.experiment import SampleRequest
from jaxgan.game import Turn
from jaxgan.nets.hifigan import HiFiGAN
from jaxgan.nets.wave_critics import WaveCritics
from jaxgan.ops.spectrogram import MelScale, log_mel
from jaxgan.state import Network, PlayerSpec, create_state, playing_networks
from jaxgan.systems.vocoder import vocode, vocode_without, vocoder

SCALE = MelScale(8000, 64, 16, 6, 0.0, 3000.0)
SEGMENT = 128
GENERATOR = HiFiGAN(4, ((4, 8), (4, 8)), ((3, (1,)),), False)
CRITICS = WaveCritics(periods=(3,), scales=2, width=16)


def spec(module, *shape):
    return PlayerSpec(module, (jax.ShapeDtypeStruct((1, *shape), jnp.float32),), optax.sgd(1.0))


@pytest.fixture(scope="module")
def turn():
    system = game()
    excerpts = 0.3 * np.random.default_rng(0).normal(size=(2, 3 * SEGMENT, 1)).astype(np.float32)

    @jax.jit
    def make(excerpts):
        state = create_state(system.players, system.memory, jax.random.key(0))
        networks = playing_networks(system.players, state.players)
        batch = system.prepare({"real": excerpts}, jax.random.key(1))
        fake, _ = system.generate(networks, batch, jax.random.key(2))
        return Turn(networks, batch, fake, {}, jax.random.key(3), state.step)

    return make(excerpts), excerpts[..., 0]


@jax.jit
def opinions(critics, samples):
    return critics(samples)


def game(**options):
    return vocoder(
        spec(GENERATOR, SEGMENT // SCALE.hop, SCALE.mels),
        spec(CRITICS, SEGMENT),
        losses.lsgan(),
        SCALE,
        segment=SEGMENT,
        **options,
    )


def test_segments_are_cut_out_with_their_own_frames(turn):
    turn, excerpts = turn
    whole = np.asarray(log_mel(jnp.asarray(excerpts), SCALE))
    for row in range(2):
        segment = np.asarray(turn.batch["samples"][row])
        starts = range(0, excerpts.shape[1] - SEGMENT + 1, SCALE.hop)
        found = [s for s in starts if np.array_equal(excerpts[row, s : s + SEGMENT], segment)]
        assert len(found) == 1
        first = found[0] // SCALE.hop
        expected = whole[row, first : first + SEGMENT // SCALE.hop]
        np.testing.assert_allclose(turn.batch["mel"][row], expected, rtol=1e-5, atol=1e-5)
    assert turn.fake.shape == (2, SEGMENT)


def test_the_generator_loses_what_the_paper_adds_up(turn):
    """Equations 2, 3 and 4: least squares without a half, 2 and 45 times the distances."""
    turn, _ = turn
    real, fake = turn.batch["samples"], turn.fake
    critics = turn.networks["critic"]
    of_real, of_fake = opinions(critics, real), opinions(critics, fake)
    opinion = sum(np.square(np.asarray(logits) - 1).mean() for logits, _ in of_fake)
    matching = sum(
        np.abs(np.asarray(a) - np.asarray(b)).mean()
        for (_, ours), (_, theirs) in zip(of_real, of_fake, strict=True)
        for a, b in zip(ours, theirs, strict=True)
    )
    wide = MelScale(8000, 64, 16, 6, 0.0, None)
    distance = np.abs(np.asarray(log_mel(real, wide) - log_mel(fake, wide))).mean()
    lost = jax.jit(game().losses["generator"])(turn)
    expected = opinion + 2 * matching + 45 * distance
    np.testing.assert_allclose(lost.loss, expected, rtol=1e-4)
    np.testing.assert_allclose(lost.metrics["mel_distance"], distance, rtol=1e-4)
    alone = jax.jit(game(mel_weight=3.0).losses["pretrain"])(turn)
    np.testing.assert_allclose(alone.loss, 3 * distance, rtol=1e-4)


def test_the_critics_lose_least_squares_of_both(turn):
    """Equation 1, the sum over the critics; real and fake go through them at once."""
    turn, _ = turn
    critics = turn.networks["critic"]
    _, moved = jax.jit(lambda network, x: network.update(x))(critics, turn.fake)
    expected = 0.0
    for (real, _), (fake, _) in zip(
        opinions(critics, turn.batch["samples"]), opinions(critics, turn.fake), strict=True
    ):
        expected += np.square(np.asarray(real) - 1).mean() + np.square(np.asarray(fake)).mean()
    lost = jax.jit(game().losses["critic"])(turn)
    np.testing.assert_allclose(lost.loss, expected, rtol=1e-4)
    assert 0 <= lost.metrics["critic_accuracy"] <= 1
    for one, other in zip(
        jax.tree.leaves(lost.networks["critic"].variables),
        jax.tree.leaves(moved.variables),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_only_what_a_loss_is_about_moves(turn):
    """The distance of the spectrograms has a gradient by every parameter of the generator."""
    turn, _ = turn
    system = game()

    @jax.jit
    @jax.grad
    def slope(params):
        networks = {
            **turn.networks,
            "generator": turn.networks["generator"].replace(params=params),
        }
        fake, _ = system.generate(networks, turn.batch, turn.key)
        return system.losses["pretrain"](turn.replace(networks=networks, fake=fake)).loss

    slopes = jax.tree.leaves(slope(turn.networks["generator"].params))
    assert all(np.isfinite(leaf).all() and np.abs(leaf).max() > 0 for leaf in slopes)


def test_a_long_clip_in_parts_is_the_whole(drawn_network):
    mel = np.random.default_rng(1).normal(size=(2, 61, SCALE.mels)).astype(np.float32)
    whole = vocode(drawn_network, mel, chunk=100)
    assert whole.shape == (2, 61 * SCALE.hop)
    parts = vocode(drawn_network, mel, chunk=9)
    np.testing.assert_allclose(parts, whole, rtol=1e-4, atol=1e-5)


@pytest.fixture
def drawn_network():
    params = jax.jit(GENERATOR.init)(jax.random.key(0), jnp.zeros((1, 4, SCALE.mels)))["params"]
    return Network(GENERATOR, params, {}, train=False)


def test_griffin_lims_copy_lies_where_the_clip_does():
    """A click in the middle of a tone stays where it was, to a fraction of a hop."""
    scale = MelScale(8000, 256, 64, 40, 0.0, 4000.0)
    time = np.arange(4096)
    clip = (0.3 * np.sin(2 * np.pi * 440 / 8000 * time) * (time > 2000)).astype(np.float32)[None]
    copy = np.asarray(vocode_without(log_mel(jnp.asarray(clip), scale), scale, jax.random.key(0)))
    assert copy.shape == clip.shape
    energy = np.convolve(np.square(copy[0]), np.ones(64), "same")
    onset = np.flatnonzero(energy > 0.5 * np.median(energy[2500:3500]))[0]
    assert abs(onset - 2000) < 64


def test_a_file_is_copied_and_both_ways_are_timed(drawn_network, tmp_path, capsys):
    clip = 0.3 * np.sin(np.arange(517) / 5).astype(np.float32)
    given = write_wav(tmp_path / "given.wav", clip, SCALE.rate, synthetic=False)
    request = SampleRequest(given, tmp_path / "copy.wav", 0, 1)
    assert copy_file(SCALE)({"generator": drawn_network}, request) == request.output
    copy = read_clip(request.output, SCALE.rate)
    assert copy.shape == clip.shape and np.abs(copy).max() > 0
    said = capsys.readouterr().out
    network, without = re.findall(
        r"in ([\d.]+) s by (?:the network|Griffin-Lim), [\d.]+ times", said
    )
    assert said.startswith("0.06 s of sound on cpu: in ") and float(network) + float(without) >= 0
    write_wav(given, clip[: SCALE.fft - 1], SCALE.rate, synthetic=False)
    with pytest.raises(UserError, match=r"63 samples at 8000 Hz, and a frame .* has 64"):
        copy_file(SCALE)({"generator": drawn_network}, request)
