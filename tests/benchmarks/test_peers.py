"""The peers play the engine's games: same parameters, same losses, only the right networks move."""

import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from benchmarks import peers
from benchmarks.contestant import ROOT
from benchmarks.peers import exchange, export
from jaxgan.errors import UserError
from jaxgan.nets.srresnet import SRCritic, SRResNet
from jaxgan.state import PlayerSpec

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
    ("subject", "flags"), [("srgan_div2k", TINY_SRGAN), ("wgan_gp", TINY_WGAN)]
)
def test_torch_plays_the_same_game(tmp_path, subject, flags):
    pytest.importorskip("torch")
    expected = export.export(subject, tmp_path, flags)
    arguments = peers.contestants(subject, "cpu")["torch channels-last"]
    ready, checked, timed, code = play(arguments, tmp_path)
    assert ready["parameters"] == expected["parameters"] and ready["shares_fake"]
    assert checked["moved"] == {"critic phase": ["critic"], "generator phase": ["generator"]}
    # Adam turns rounding errors into whole steps where a gradient is next to nothing.
    steps = zip(checked["losses"], expected["losses"], (1e-4, 5e-3), strict=True)
    for found, wanted, tolerance in steps:
        assert found == pytest.approx(wanted, rel=tolerance, abs=tolerance)
    assert timed["steps"] == 1 and code == 0


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


def test_networks_that_no_peer_has_are_refused():
    def sizes(network, side):
        inputs = (jax.ShapeDtypeStruct((1, side, side, 3), jnp.float32),)
        return export.sizes(PlayerSpec(network, inputs, optax.adam(1e-3)))

    assert sizes(SRResNet(), 24)["blocks"] == 16
    assert sizes(SRCritic(), 96) == {"kind": "SRCritic", "channels": 64, "dense": 1024, "side": 96}
    for other in (SRResNet(smooth=True), SRResNet(bicubic_skip=True), SRResNet(normalise=False)):
        with pytest.raises(UserError, match="no peer has a network"):
            sizes(other, 24)


def test_adam_is_read_off_its_first_step():
    found = export.read_adam(optax.adam(3e-4, b1=0.5, b2=0.99, eps=1e-7))
    assert found == {"learning_rate": 3e-4, "b1": 0.5, "b2": 0.99, "eps": 1e-7}


def test_a_subject_survives_its_directory(tmp_path):
    arrays = {
        "params/critic/Dense_0/kernel": np.ones((2, 3), np.float32),
        "step0/round0/real": np.zeros((1, 2, 2, 1), np.float32),
        "step0/round1/real": np.ones((1, 2, 2, 1), np.float32),
    }
    exchange.write(tmp_path, exchange.Subject({"name": "x"}, arrays))
    subject = exchange.read(tmp_path)
    assert subject.about == {"name": "x"}
    assert list(subject.params("critic")) == ["Dense_0/kernel"]
    ((first, second),) = subject.steps()
    assert first["real"].max() == 0 and second["real"].min() == 1
