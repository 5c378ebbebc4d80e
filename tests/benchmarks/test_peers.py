"""The peers play the engine's games: same parameters, same losses, only the right networks move."""

import dataclasses
import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from absl.testing import flagsaver

from benchmarks import peers
from benchmarks.contestant import ROOT
from benchmarks.peers import describe, exchange, export
from benchmarks.peers.draws import shown
from jaxgan.errors import UserError
from jaxgan.game import Phase, System
from jaxgan.nets.hifigan import HiFiGAN
from jaxgan.nets.patch import PatchCritic
from jaxgan.nets.resnet import ResNetGenerator
from jaxgan.nets.srresnet import SRCritic, SRResNet
from jaxgan.nets.text2image import WithLexicon, WordCritic, WordGenerator
from jaxgan.nets.unet import UNet
from jaxgan.nets.vgan import FilmGenerator
from jaxgan.nets.volumes import VolumeCritic, VoxelGenerator
from jaxgan.nets.wave_critics import WaveCritics
from jaxgan.ops.pool import empty_pool
from jaxgan.ops.pool import exchange as exchange_jax
from jaxgan.state import PlayerSpec
from jaxgan.step import Rules

TINY_SRGAN = (
    "--experiment=srgan_div2k",
    "--scale=full",
    "--data=sample",
    "--steps=4",
    "--pretrain_steps=2",
    "--batch_size=4",
    "--crop=32",
    "--blocks=1",
    "--channels=4",
    "--critic_channels=2",
    "--critic_dense=4",
)
TINY_WGAN = (
    "--experiment=dcgan_mnist",
    "--scale=full",
    "--data=sample",
    "--loss=wgan_gp",
    "--n_critic=2",
    "--batch_size=4",
    "--latent_size=4",
)
TINY_SIMULTANEOUS = (
    "--experiment=dcgan_mnist",
    "--scale=full",
    "--data=sample",
    "--update=simultaneous",
    "--batch_size=4",
    "--latent_size=4",
)
TINY_PIX2PIX = (
    "--experiment=pix2pix_facades",
    "--scale=full",
    "--data=sample",
    "--side=32",
    "--channels=4",
    "--critic_channels=4",
    "--receptive_field=16",
    "--batch_size=2",
)
# The pools are full after the first step.
TINY_CYCLEGAN = (
    "--experiment=cyclegan_horse2zebra",
    "--scale=full",
    "--data=sample",
    "--side=16",
    "--blocks=2",
    "--channels=4",
    "--critic_channels=4",
    "--receptive_field=16",
    "--batch_size=2",
    "--pool_size=2",
)
TINY_TEXT = (
    "--experiment=text2image_fashion_mnist",
    "--scale=full",
    "--data=sample",
    "--batch_size=4",
    "--latent_size=4",
    "--vocabulary_size=16",
)
TINY_FILMS = (
    "--experiment=video_gan",
    "--scale=full",
    "--data=sample",
    "--batch_size=2",
    "--latent_size=4",
    "--side=8",
    "--frames=2",
    "--width=2",
    "--ema_halflife=0",
)
TINY_VOCODER = (
    "--experiment=hifigan_vocoder",
    "--scale=full",
    "--data=sample",
    "--batch_size=2",
    "--version=v3",
    "--channels=8",
    "--critic_width=16",
    "--periods=3",
    "--scales=2",
    "--segment=512",
    "--rate=8000",
    "--fft=128",
    "--hop=64",
    "--mels=8",
    "--high=3000",
)
ONE_CRITIC = {"critic": ["critic"], "generator": ["generator"]}
TWO_CRITICS = {"generators": ["a_to_b", "b_to_a"], "critics": ["critic_a", "critic_b"]}


def play(arguments, directory):
    """A worker's answers to check, time and quit; its exit code comes last."""
    requests = [{"do": "check"}, {"do": "time", "seconds": 0}, {"do": "quit"}]
    done = subprocess.run(
        [sys.executable, *arguments, f"--subject_dir={directory}"],
        input="".join(json.dumps(request) + "\n" for request in requests),
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=300,
    )
    return [*map(json.loads, done.stdout.splitlines()), done.returncode]


@pytest.mark.parametrize(
    ("subject", "flags", "moves"),
    [
        ("srgan_div2k", TINY_SRGAN, ONE_CRITIC),
        ("wgan_gp", TINY_WGAN, ONE_CRITIC),
        ("dcgan_simultaneous", TINY_SIMULTANEOUS, ONE_CRITIC),
        ("pix2pix_facades", TINY_PIX2PIX, ONE_CRITIC),
        ("cyclegan_horse2zebra", TINY_CYCLEGAN, TWO_CRITICS),
        ("cyclegan_horse2zebra", (*TINY_CYCLEGAN, "--update=simultaneous"), TWO_CRITICS),
        ("text2image_fashion_mnist", TINY_TEXT, ONE_CRITIC),
        ("video_gan", TINY_FILMS, ONE_CRITIC),
        ("hifigan_vocoder", TINY_VOCODER, ONE_CRITIC),
    ],
)
def test_torch_plays_the_same_game(tmp_path, subject, flags, moves):
    pytest.importorskip("torch")
    expected = export.export(subject, tmp_path, flags)
    found = peers.contestants(subject, "cpu")
    arguments = found.get("torch channels-last", found["torch eager"])
    ready, checked, timed, code = play(arguments, tmp_path)
    assert ready["parameters"] == expected["parameters"] and ready["shares_fake"]
    assert checked["moved"] == expected["moves"] == moves
    # Adam turns rounding errors into whole steps where a gradient is next to nothing.
    steps = zip(checked["losses"], expected["losses"], (1e-4, 5e-3), strict=True)
    for found, wanted, tolerance in steps:
        assert found == pytest.approx(wanted, rel=tolerance, abs=tolerance)
    assert timed["steps"] == 1 and code == 0


@pytest.mark.parametrize("style", ["train_on_batch", "train_step"])
def test_keras_moves_both_players_at_once_too(tmp_path, style):
    pytest.importorskip("keras")
    pytest.importorskip("tensorflow")
    expected = export.export("dcgan_simultaneous", tmp_path, TINY_SIMULTANEOUS)
    arguments = ["-m", "benchmarks.peers.keras_worker", f"--style={style}"]
    _, checked, _, code = play(arguments, tmp_path)
    assert checked["moved"] == expected["moves"] == ONE_CRITIC and code == 0
    for found, wanted in zip(checked["losses"], expected["losses"], strict=True):
        assert found == pytest.approx(wanted, rel=5e-3)


def test_the_pool_in_torch_shows_what_the_engine_shows():
    torch = pytest.importorskip("torch")
    from benchmarks.peers.torch_games import Pool

    kept, pool = empty_pool(4, 2, (3, 3, 1)), Pool(4)
    random = np.random.default_rng(0)
    older = 0
    for key in jax.random.split(jax.random.key(0), 12):
        fakes = random.normal(size=(2, 3, 3, 1)).astype(np.float32)
        wanted, kept = exchange_jax(kept, jnp.asarray(fakes), key)
        places = shown(4, 2, key).tolist()
        found = pool.exchange(torch.from_numpy(fakes), places).numpy()
        np.testing.assert_array_equal(found, wanted)
        older += not np.array_equal(found, fakes)
    assert older > 1, "the pool has never shown its past"
    assert {place >= 0 for _ in range(20) for place in pool.draw(2)} == {True, False}


def test_the_gradient_of_instance_normalisation_of_a_batch_of_one_in_torch():
    torch = pytest.importorskip("torch")
    from benchmarks.peers.torch_translators import InstanceNorm2d

    random = np.random.default_rng(0)
    pictures, back = (random.normal(size=(1, 8, 8, 16)) for _ in range(2))

    def normalised(x):
        deviation = jnp.sqrt(x.var(axis=(1, 2), keepdims=True) + 1e-5)
        return ((x - x.mean(axis=(1, 2), keepdims=True)) / deviation * back).sum()

    wanted = jax.grad(normalised)(jnp.asarray(pictures, jnp.float32))
    given = torch.tensor(pictures, dtype=torch.float32).permute(0, 3, 1, 2).requires_grad_()
    gradient = torch.tensor(back, dtype=torch.float32).permute(0, 3, 1, 2)
    assert gradient.is_contiguous(memory_format=torch.channels_last)
    InstanceNorm2d(16)(given).backward(gradient)
    np.testing.assert_allclose(given.grad.permute(0, 2, 3, 1), wanted, atol=1e-5)


def test_a_worker_says_what_went_wrong_in_one_line(tmp_path):
    pytest.importorskip("torch")
    answer, code = play(["-m", "benchmarks.peers.torch_worker", "--variant=eager"], tmp_path)
    assert "subject.json" in answer["error"] and code == 1


def test_without_their_packages_there_are_no_peers(monkeypatch):
    monkeypatch.setattr(peers, "_installed", lambda package: False)
    assert peers.contestants("dcgan_mnist", "cpu") == {}
    (reason,) = peers.missing("cpu")
    assert "torch" in reason and "pip install -e '.[peers]'" in reason


def test_without_a_compiler_nothing_is_compiled(monkeypatch):
    monkeypatch.setattr(peers, "_installed", lambda package: True)
    monkeypatch.setattr(peers, "compiler", lambda: None)
    assert "torch compile" not in peers.contestants("dcgan_mnist", "cpu")
    assert any("C++ compiler" in reason for reason in peers.missing("cpu"))


def test_a_gpu_has_peers_of_its_own(monkeypatch):
    monkeypatch.setattr(peers, "_installed", lambda package: True)
    found = peers.contestants("srgan_div2k", "cuda")
    assert "torch cuda compile bf16" in found and not any("keras" in label for label in found)
    assert peers.contestants("gaussians", "cuda") == {}


@pytest.mark.parametrize(
    "subject",
    ["pix2pix_facades", "cyclegan_horse2zebra", "text2image_fashion_mnist", "video_gan"],
)
def test_keras_has_neither_pictures_of_pictures_nor_texts_nor_films(monkeypatch, subject):
    monkeypatch.setattr(peers, "_installed", lambda package: True)
    monkeypatch.setattr(peers, "compiler", lambda: "g++")
    found = peers.contestants(subject, "cpu")
    assert [*found] == ["torch eager", "torch channels-last", "torch compile"]


def test_sounds_have_no_second_layout(monkeypatch):
    monkeypatch.setattr(peers, "_installed", lambda package: True)
    monkeypatch.setattr(peers, "compiler", lambda: "g++")
    assert [*peers.contestants("hifigan_vocoder", "cpu")] == ["torch eager", "torch compile"]
    assert "torch cuda eager bf16" in peers.contestants("hifigan_vocoder", "cuda")


def sizes(network, *shapes):
    """What the peers are told of a network with inputs of these shapes."""
    inputs = tuple(jax.ShapeDtypeStruct((1, *shape), jnp.float32) for shape in shapes)
    return describe.sizes(PlayerSpec(network, inputs, optax.adam(1e-3)))


def test_networks_that_no_peer_has_are_refused():
    assert sizes(SRResNet(), (24, 24, 3))["blocks"] == 16
    critic = {"kind": "SRCritic", "channels": 64, "dense": 1024, "side": 96}
    assert sizes(SRCritic(), (96, 96, 3)) == critic
    for other in (SRResNet(smooth=True), SRResNet(bicubic_skip=True), SRResNet(normalise=False)):
        with pytest.raises(UserError, match="no peer has a network"):
            sizes(other, (24, 24, 3))


def test_networks_of_pictures_to_pictures_are_described():
    side = (32, 32)
    found = sizes(UNet(depth=5, channels=4), (*side, 1))
    assert (found["inputs"], found["out_channels"], found["depth"]) == (1, 3, 5)
    assert sizes(ResNetGenerator(blocks=6), (*side, 3))["blocks"] == 6
    assert sizes(PatchCritic(norm="instance"), (*side, 1), (*side, 3)) == {
        "kind": "PatchCritic",
        "inputs": 4,
        "layers": 3,
        "channels": 64,
        "norm": "instance",
    }
    for other in (UNet(norm="instance"), PatchCritic(norm="none")):
        with pytest.raises(UserError, match="no peer has a network"):
            sizes(other, (*side, 3))


def test_networks_of_texts_films_and_sounds_are_described():
    text = jax.ShapeDtypeStruct((1, 2), jnp.int32)
    latent, picture = (
        jax.ShapeDtypeStruct((1, *shape), jnp.float32) for shape in ((4,), (28, 28, 1))
    )
    words = WithLexicon(WordGenerator(8), dict)
    found = describe.sizes(PlayerSpec(words, (latent, text), optax.adam(1e-3)))
    assert (found["kind"], found["inputs"], found["size"]) == ("WordGenerator", 4, 8)
    critic = PlayerSpec(WordCritic(8, width=2), (picture, text), optax.adam(1e-3))
    assert describe.sizes(critic)["width"] == 2
    film = (4, 8, 8, 3)
    assert sizes(FilmGenerator(first=(1, 2, 2), stages=2), (4,))["first"] == (1, 2, 2)
    assert sizes(VolumeCritic(stages=2), film)["first"] == [1, 2, 2]
    assert sizes(HiFiGAN(), (32, 80))["inputs"] == 80
    assert sizes(WaveCritics(scales=2), (8192,))["scales"] == 2
    for other, shape in ((VolumeCritic(batch_norm=False), film), (VoxelGenerator(), (4,))):
        with pytest.raises(UserError, match="no peer has a network"):
            sizes(other, shape)


def test_a_game_is_known_by_what_it_reads_and_by_its_generator():
    def found(reads, generator):
        inputs = (jax.ShapeDtypeStruct((1, 4), jnp.float32),)
        players = {"generator": PlayerSpec(generator, inputs, optax.adam(1e-3))}
        system = System(players=players, losses={}, generators=("generator",))
        return describe.find_game("x", system, {*reads}).name

    assert found(["real", "text", "meaning"], WithLexicon(WordGenerator(8), dict)) == "text"
    assert found(["real"], FilmGenerator()) == "films"
    assert found(["real"], VoxelGenerator()) == "noise"
    assert found(["samples", "mel"], HiFiGAN()) == "vocoder"
    with pytest.raises(UserError, match="x: no peer plays a game that reads mel"):
        found(["mel"], HiFiGAN())


@pytest.mark.parametrize(
    ("subject", "flags", "flag"),
    [
        ("text2image_fashion_mnist", TINY_TEXT, "--r1_weight=1"),
        ("text2image_fashion_mnist", TINY_TEXT, "--augment=colour"),
        ("hifigan_vocoder", TINY_VOCODER, "--loss=hinge"),
    ],
)
def test_what_the_peers_do_not_know_is_refused_in_one_line(tmp_path, subject, flags, flag):
    words = f"{subject}: the peers"
    with flagsaver.flagsaver(), pytest.raises(UserError, match=words) as refused:
        export.write_subject(subject, tmp_path, (*flags, flag), steps=2)
    assert flag.partition("=")[0] in str(refused.value) and "\n" not in str(refused.value)


def test_what_the_exporting_process_refuses_is_said_in_one_line(tmp_path):
    with pytest.raises(UserError, match="video_gan: the peers") as refused:
        export.export("video_gan", tmp_path, (*TINY_FILMS, "--ema_halflife=10"))
    assert "--ema_halflife" in str(refused.value) and "\n" not in str(refused.value)


def test_games_that_no_peer_plays_are_refused():
    game = next(game for game in describe.GAMES if game.name == "unpaired")
    makers = Phase("generators", ("a_to_b",), "generators")
    judges = Phase("critics", ("critic_a",), "critics")
    system = System(players={}, losses={}, generators=("a_to_b", "b_to_a"))

    def check(*phases, game=game, **rules):
        describe.check_phases("x", game, system, phases, Rules(batch_size=2, **rules))

    check(makers, judges)
    check(makers, judges, simultaneous=True)
    with pytest.raises(UserError, match="generators and critics, not critics and generators"):
        check(judges, makers)
    with pytest.raises(UserError, match="generators to move first"):
        check(judges, makers, simultaneous=True)
    with pytest.raises(UserError, match="only the first phase repeats"):
        check(makers, dataclasses.replace(judges, repeats=2))
    with pytest.raises(UserError, match="leave --accumulate out"):
        check(makers, judges, accumulate=2)


def test_one_pass_for_both_players_is_two_turns_to_the_peers():
    both = (Phase("both", ("critic", "generator"), "both"),)
    turns = describe.in_turns(both)
    assert [(turn.name, turn.players) for turn in turns] == [
        ("generator", ("generator",)),
        ("critic", ("critic",)),
    ]
    assert describe.in_turns(turns) == turns
    game = next(game for game in describe.GAMES if game.name == "noise")
    system = System(players={}, losses={}, generators=("generator",))
    rules = Rules(batch_size=2, simultaneous=True)
    describe.check_phases("x", game, system, turns, rules)
    with pytest.raises(UserError, match="critic and generator, not generator and critic"):
        describe.check_phases("x", game, system, turns, Rules(batch_size=2))


def test_adam_is_read_off_its_first_step():
    found = describe.read_adam(optax.adam(3e-4, b1=0.5, b2=0.99, eps=1e-7))
    constants = {"learning_rate": 3e-4, "b1": 0.5, "b2": 0.99, "eps": 1e-7}
    assert found == {**constants, "weight_decay": 0}
    slowing = optax.exponential_decay(3e-4, 10, 0.9, staircase=True)
    decaying = optax.adamw(slowing, b1=0.5, b2=0.99, eps=1e-7, weight_decay=0.02)
    assert describe.read_adam(decaying) == {**constants, "weight_decay": 0.02}


def test_a_subject_survives_its_directory(tmp_path):
    arrays = {
        "params/critic/Dense_0/kernel": np.ones((2, 3), np.float32),
        "variables/critic/spectral/SpectralNorm_0/u": np.ones(3, np.float32),
        "constants/filters": np.ones((5, 2), np.float32),
        "step0/round0/real": np.zeros((1, 2, 2, 1), np.float32),
        "step0/round1/real": np.ones((1, 2, 2, 1), np.float32),
    }
    exchange.write(tmp_path, exchange.Subject({"name": "x"}, arrays))
    subject = exchange.read(tmp_path)
    assert subject.about == {"name": "x"}
    assert list(subject.params("critic")) == ["Dense_0/kernel"]
    assert list(subject.variables("critic")) == ["spectral/SpectralNorm_0/u"]
    assert list(subject.constants()) == ["filters"]
    ((first, second),) = subject.steps()
    assert first["real"].max() == 0 and second["real"].min() == 1
