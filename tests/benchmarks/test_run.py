"""The runner, end to end on a tiny subject, with a contestant that is made here."""

import json
import textwrap

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import measure, run, subjects
from benchmarks.contestant import Contestant
from benchmarks.machine import kind
from benchmarks.plain import plain_layers
from benchmarks.stepper import steady_steps
from jaxgan import experiment as experiments
from jaxgan.errors import UserError
from jaxgan.game import Phase
from jaxgan.ops.layers import Conv, ConvTranspose

PEER = """
import json, pathlib, sys
directory = pathlib.Path(sys.argv[-1].removeprefix("--subject_dir="))
subject = json.loads((directory / "subject.json").read_text())
print("a library says hello", flush=True)
say = lambda line: print(json.dumps(line), flush=True)
say({"ready": True, "framework": "made up", "versions": {"made up": "1"},
     "parameters": subject["parameters"], "compile_seconds": 0.0})
for line in sys.stdin:
    request = json.loads(line)
    if request["do"] == "check":
        losses = [{"critic": 1.0 + float(sys.argv[1]), "generator": 2.0}] * 2
        say({"losses": losses, "moved": {"critic phase": ["critic"]}})
    elif request["do"] == "time":
        say({"milliseconds": 5.0, "steps": 1})
    else:
        break
"""


@pytest.fixture
def peer(tmp_path):
    """A function of how far a peer's losses are off that gives its arguments."""
    script = tmp_path / "peer.py"
    script.write_text(textwrap.dedent(PEER))
    return lambda off: [str(script), str(off)]


def test_a_run_measures_everything(tiny_flags, peer, monkeypatch):
    def export(subject, directory):
        assert subject.name == "ring"
        about = {"parameters": parameters}
        (directory / "subject.json").write_text(json.dumps(about))
        losses = [{"critic": 1.0, "generator": 2.0}] * 2
        (directory / "expected.json").write_text(json.dumps({"losses": losses}))

    parameters = {"critic": 8 * 2 + 8 + 8 * 8 + 8 + 8 + 1, "generator": 8 * 4 + 8 + 72 + 2 * 8 + 2}
    monkeypatch.setattr(measure, "export", export)
    contestants = {"good": peer(5e-5), "wrong": peer(1e-3), "gone": ["-c", "raise OSError('why')"]}
    monkeypatch.setattr(run, "peers_of", lambda subject, platform: contestants)
    flags = ("--experiment=gaussians", *tiny_flags("gaussians"))
    result = run.run_suite(
        "cpu", [subjects.Subject("ring", flags)], groups=2, seconds=0.0, peers=True
    )
    json.dumps(result, allow_nan=False)
    system = result["systems"]["ring"]
    assert system["parameters"] == parameters
    assert system["batch_size"] == 8 and system["images_per_step"] == 8
    assert len(system["milliseconds"]["groups"]) == 2
    assert system["after_step_2"] == 0 and system["executables"] >= 2
    (step,) = system["steps"].values()
    assert step["flops"] == round(1e9 * system["gflop"]) > 0
    assert step["collectives"]["all-reduce"] >= 1
    assert system["pipeline"]["images_per_second"] > 0
    assert system["peak_memory_bytes"] > 2**20 and system["dispatch_milliseconds"] > 0
    assert set(result["ceilings"]) == {"matmul_gflops", "copy_gigabytes_per_second"}
    peers = system["peers"]
    assert "plain flax" not in peers, "there are no convolutions to replace"
    assert peers["good"]["check"] == {"differences": pytest.approx([5e-5] * 2), **EQUAL}
    pairs = [5.0 / own for own in system["milliseconds"]["groups"]]
    assert peers["good"]["ratio"]["pairs"] == pytest.approx(pairs)
    assert peers["jaxgan, two fakes"]["ratio"]["median"] > 0
    assert "not the same computation" in peers["wrong"]["error"]
    assert "gone: ended without a word (OSError: why)" in peers["gone"]["error"]
    shown = run.show(result)
    assert "ring" in shown and "OSError" in shown


EQUAL = {"parameters_equal": True}


def test_a_mistake_in_the_flags_is_one_line():
    with pytest.raises(UserError, match=r"jaxgan: .*--batch_size=7"):
        words = ["-m", "benchmarks.worker", "--devices=2", "--experiment=gaussians"]
        Contestant("jaxgan", [*words, "--batch_size=7"])


def test_a_contestant_that_hangs_is_ended():
    with pytest.raises(UserError, match="slow: said nothing for"):
        Contestant("slow", ["-c", "import time; time.sleep(60)"], patience=0.2)


def test_every_experiment_is_a_subject():
    names = [subject.name for subject in subjects.subjects("cpu")]
    assert names == [*experiments.available(), "wgan_gp"]
    assert [one.name for one in subjects.subjects("cpu", ["wgan_gp"])] == ["wgan_gp"]
    with pytest.raises(UserError, match="did you mean 'wgan_gp'"):
        subjects.subjects("cpu", ["wgan"])
    known = experiments.available()
    for suite in ("cpu", "gate"):
        for subject in subjects.subjects(suite):
            assert subject.flags[0].removeprefix("--experiment=") in known


def test_the_steps_that_are_timed_are_the_last_of_a_run():
    pretrain = Phase("pretrain", ("g",), "p", stop=10)
    critic, lazy = Phase("critic", ("c",), "c", start=10), Phase("r1", ("c",), "r", every=4)
    assert steady_steps((pretrain, critic), 100) == [99]
    assert steady_steps((pretrain, critic), 10) == [9]
    assert steady_steps((critic, lazy), 100) == [96, 97, 98, 99]


def test_plain_layers_compute_the_same():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 7, 8, 3)), jnp.float32)
    for layer in (
        Conv(4, 3, stride=2),
        Conv(6, (3, 2), padding=1, groups=3),
        Conv(4, 3, dilation=2),
    ):
        own, variables = layer.init_with_output(jax.random.key(0), x)
        with plain_layers() as called:
            np.testing.assert_allclose(layer.apply(variables, x), own, atol=1e-5)
            assert called() == 1
    layer = ConvTranspose(4, 5, stride=2)
    _, variables = layer.init_with_output(jax.random.key(0), x)
    with plain_layers():
        assert layer.apply(variables, x).shape == (2, 14, 16, 4)


def test_kinds_of_machines():
    assert kind("cpu", "cpu", 2, "AMD EPYC 9B14") == "cpu-2-cores-amd-epyc-9b14"
    name = "Intel(R) Xeon(R) CPU @ 2.20GHz"
    assert kind("cpu", "cpu", 4, name) == "cpu-4-cores-intel-xeon"
    assert kind("gpu", "NVIDIA H100 80GB HBM3", 16, name) == "gpu-nvidia-h100-80gb-hbm3"
