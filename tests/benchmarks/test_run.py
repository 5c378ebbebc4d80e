"""The runner, end to end on a tiny subject, with a contestant that is made here."""

import dataclasses
import json
import textwrap

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import flagsaver

from benchmarks import building, measure, run, stepper, subjects
from benchmarks.contestant import Contestant, run_python
from benchmarks.machine import kind, processor
from benchmarks.plain import plain_layers
from benchmarks.stepper import steady_groups
from benchmarks.worker import time_steps
from jaxgan import experiment as experiments
from jaxgan.dispatch import groups
from jaxgan.errors import UserError
from jaxgan.flops import count_flops
from jaxgan.game import Phase
from jaxgan.ops.layers import Conv, ConvTranspose
from jaxgan.step import make_step

PEER = """
import json, pathlib, sys
directory = pathlib.Path(sys.argv[-1].removeprefix("--subject_dir="))
subject = json.loads((directory / "subject.json").read_text())
print("a library says hello", flush=True)
say = lambda line: print(json.dumps(line), flush=True)
say({"ready": True, "versions": {"made up": "1"}, "shares_fake": sys.argv[2] == "shares",
     "parameters": subject["parameters"]})
turns = 0
for line in sys.stdin:
    request = json.loads(line)
    if request["do"] == "check":
        losses = [{"critic": 1.0 + float(sys.argv[1]), "generator": 2.0}] * 2
        moved = ["generator"] if sys.argv[2] == "moves" else ["critic"]
        say({"losses": losses, "moved": {"critic": moved}})
    elif request["do"] == "time":
        turns += 1
        if sys.argv[2] == "dies" and turns == 3:
            raise OSError("in its second group")
        say({"milliseconds": 5.0, "steps": 1})
    else:
        break
"""


@pytest.fixture
def peer(tmp_path):
    """A function of how far a peer's losses are off, and what else it does: its arguments."""
    script = tmp_path / "peer.py"
    script.write_text(textwrap.dedent(PEER))
    return lambda off, how="shares": [str(script), str(off), how]


def test_a_run_measures_everything(tiny_flags, peer, monkeypatch):
    def export(subject, directory, flags):
        assert subject == "ring" and flags[0] == "--experiment=gaussians"
        assert flags[-1] == "--learning_rate=1e-6"
        about = {"parameters": parameters}
        (directory / "subject.json").write_text(json.dumps(about))
        losses = [{"critic": 1.0, "generator": 2.0}] * 2
        expected = {"losses": losses, "moves": {"critic": ["critic"]}}
        (directory / "expected.json").write_text(json.dumps(expected))

    parameters = {"critic": 8 * 2 + 8 + 8 * 8 + 8 + 8 + 1, "generator": 8 * 4 + 8 + 72 + 2 * 8 + 2}
    monkeypatch.setattr(measure, "export", export)
    contestants = {
        "good": peer(5e-5),
        "twice": peer(0.0, "two fakes"),
        "wrong": peer(1e-3),
        "unruly": peer(0.0, "moves"),
        "gone": ["-c", "raise OSError('why')"],
        "dies": peer(0.0, "dies"),
    }
    monkeypatch.setattr(run, "peers_of", lambda subject, platform: contestants)
    flags = ("--experiment=gaussians", *tiny_flags("gaussians", batch_size=7))
    ring = subjects.Subject("ring", flags, checked=("--learning_rate=1e-6",))
    result = run.run_suite("cpu", [ring], groups=2, seconds=0.0, peers=True)
    json.dumps(result, allow_nan=False)
    system = result["systems"]["ring"]
    assert system["flags"] == [*flags] and system["checked"] == [*ring.checked]
    assert system["parameters"] == parameters
    assert system["batch_size"] == 7 and system["images_per_step"] == 7
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
    assert peers["good"]["shares_fake"] and "same_mathematics" not in peers["good"]
    unshared = peers["jaxgan, two fakes"]
    assert "ratio" not in unshared, "it is there for those that make two, too"
    pairs = [5.0 / other for other in unshared["milliseconds"]["groups"]]
    assert peers["twice"]["same_mathematics"]["pairs"] == pytest.approx(pairs)
    assert "dies: ended without a word (OSError: in its second group)" in peers["dies"]["error"]
    assert "milliseconds" not in peers["dies"]
    assert "not the same computation" in peers["wrong"]["error"]
    wrong = "unruly: the phase critic moves ['generator'], not ['critic']"
    assert wrong in peers["unruly"]["error"]
    assert "gone: ended without a word (OSError: why)" in peers["gone"]["error"]
    shown = run.show(result)
    assert "ring" in shown and "OSError" in shown and "same mathematics" in shown


EQUAL = {"parameters_equal": True}


def test_a_mistake_in_the_flags_is_one_line():
    with pytest.raises(UserError, match=r"jaxgan: .*--batch_size=7"):
        words = ["-m", "benchmarks.worker", "--devices=2", "--experiment=gaussians"]
        Contestant("jaxgan", [*words, "--batch_size=7"])


def test_a_process_that_fails_in_jax_says_what_failed(tmp_path):
    failing = tmp_path / "failing.py"
    failing.write_text("import jax\njax.jit(lambda x: x + no_such_name)(1.0)\n")
    with pytest.raises(UserError, match=r"^it failed: NameError: name 'no_such_name' is not"):
        run_python([str(failing)], {}, "it")
    with pytest.raises(UserError, match=r"^x: ended without a word \(NameError: name 'no_such"):
        Contestant("x", [str(failing)])


def test_a_contestant_that_hangs_is_ended():
    with pytest.raises(UserError, match="slow: said nothing for"):
        Contestant("slow", ["-c", "import time; time.sleep(60)"], patience=0.2)


def test_every_experiment_is_a_subject():
    names = [subject.name for subject in subjects.subjects("cpu")]
    simultaneous = ["dcgan_simultaneous", "vanilla_simultaneous"]
    variants = ["wgan_gp", *simultaneous, "dcgan_r1", "dcgan_gradient_penalty"]
    assert names == [*experiments.available(), *variants]
    assert [one.name for one in subjects.subjects("cpu", ["wgan_gp"])] == ["wgan_gp"]
    with pytest.raises(UserError, match="did you mean 'wgan_gp'"):
        subjects.subjects("cpu", ["wgan"])
    known = experiments.available()
    for suite in ("cpu", "gpu", "gate"):
        for subject in subjects.subjects(suite):
            assert subject.flags[0].removeprefix("--experiment=") in known


def test_systems_of_pictures_have_sizes_for_the_device():
    for suite in ("cpu", "gpu"):
        (cyclegan,) = subjects.subjects(suite, ["cyclegan_horse2zebra"])
        assert {"--scale=full", "--side=128", "--blocks=6", "--batch_size=1"} <= {*cyclegan.flags}
    small, full = (subjects.subjects(suite, ["inpaint_celeba"])[0] for suite in ("cpu", "gpu"))
    assert "--scale=small" in small.flags and "--scale=full" in full.flags
    assert {*subjects.SIZES, *subjects.SMALL_ON_CPU} <= {*experiments.available()}
    checked = {one.name: one.checked for one in subjects.subjects("cpu") if one.checked}
    assert checked == subjects.CHECKED


def test_a_step_of_cyclegan_is_counted_in_plain_layers(tiny_flags):
    flags = ["--experiment=cyclegan_horse2zebra", *tiny_flags("cyclegan_horse2zebra")]
    with flagsaver.flagsaver(), plain_layers() as convolutions:
        built = building.build([*flags, "--data=sample"], jax.devices()[:1])
        step = make_step(built.experiment.system, built.experiment.phases, built.settings.rules)
        assert count_flops(step, built.state, [built.batch]) > 0
        assert convolutions() > 0


def test_the_steps_that_are_timed_are_the_last_of_a_run():
    pretrain = Phase("pretrain", ("g",), "p", stop=10)
    critic = Phase("critic", ("c",), "c", start=10)
    assert steady_groups((pretrain, critic), 100, 1) == [((critic,), 1)]
    assert steady_groups((pretrain, critic), 100, 8) == [((critic,), 8)]
    (group,) = steady_groups((pretrain, critic), 10, 1)
    assert [phase.name for phase in group.active] == ["pretrain"]


@pytest.mark.parametrize("steps", [100, 101, 102, 103])
def test_the_dispatches_that_are_timed_are_cut_as_in_training(steps):
    critic, lazy = Phase("critic", ("c",), "c"), Phase("r1", ("c",), "r", every=5)
    for most in (1, 3, 8):
        timed = steady_groups((critic, lazy), steps, most)
        assert sum(group.length for group in timed) == 5
        trained = list(groups((critic, lazy), 0, steps, most, ()))
        assert {*timed} <= {*trained}
        assert max(group.length for group in timed) == min(most, 4)


def test_a_step_with_a_lazy_phase_is_timed_in_whole_periods(tiny_flags, monkeypatch):
    flags = ["--experiment=gaussians", *tiny_flags("gaussians", steps_per_dispatch=4)]
    build = stepper.build

    def lazy(*arguments):
        built = build(*arguments)
        critic, generator = built.experiment.phases
        phases = (critic, dataclasses.replace(generator, every=3))
        return dataclasses.replace(
            built, experiment=dataclasses.replace(built.experiment, phases=phases)
        )

    monkeypatch.setattr(stepper, "build", lazy)
    with flagsaver.flagsaver():
        made = stepper.Stepper(flags)
    assert sorted(group.length for group in made.period) == [1, 2]
    assert made.images_per_step == made.settings.rules.batch_size
    assert time_steps(made, 0.0)["steps"] == 3
    shares = sorted(step["share_of_steps"] for step in made.facts().values())
    assert shares == pytest.approx([1 / 3, 2 / 3])
    assert made.dispatch_milliseconds(0.0) > 0
    assert 0 <= made.pipeline(0.0)["wait_share"] < 1


@pytest.mark.parametrize("argument", ["--groups=0", "--json=nowhere/result.json"])
def test_what_could_not_be_measured_or_kept_is_refused_before(argument, capsys):
    assert run.main([argument]) == 2
    assert argument.partition("=")[2].partition("/")[0] in capsys.readouterr().err


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


@pytest.mark.parametrize(("kernel", "padding", "more"), [(3, 1, 1), (4, 1, 0), (5, 2, 1)])
def test_plain_transposed_layers_are_padded_as_the_engine_pads(kernel, padding, more):
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 7, 8, 3)), jnp.float32)
    layer = ConvTranspose(4, kernel, stride=2, padding=padding, output_padding=more)
    own, variables = layer.init_with_output(jax.random.key(0), x)
    # Flax's kernel lies the other way round.
    turned = jax.tree.map(lambda leaf: leaf[::-1, ::-1] if leaf.ndim == 4 else leaf, variables)
    with plain_layers():
        np.testing.assert_allclose(layer.apply(turned, x), own, atol=1e-5)


def test_kinds_of_machines():
    assert kind("cpu", "cpu", 2, "AMD EPYC 9B14") == "cpu-2-cores-amd-epyc-9b14"
    name = "Intel(R) Xeon(R) CPU @ 2.20GHz"
    assert kind("cpu", "cpu", 4, name) == "cpu-4-cores-intel-xeon"
    assert kind("gpu", "NVIDIA H100 80GB HBM3", 16, name) == "gpu-nvidia-h100-80gb-hbm3"


def test_generations_that_share_a_name_are_told_apart(tmp_path):
    listing = tmp_path / "cpuinfo"
    core = "processor\t: 0\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: {}\nflags\t: a b\n\n"
    listing.write_text(2 * core.format("AMD EPYC"))
    assert processor(listing) == "AMD EPYC family 25 model 17"
    assert kind("cpu", "cpu", 2, processor(listing)) == "cpu-2-cores-amd-epyc-family-25-model-17"
    listing.write_text(2 * core.format("AMD EPYC 9B14 96-Core Processor"))
    assert processor(listing) == "AMD EPYC 9B14 96-Core Processor"
    listing.write_text("processor\t: 0\nBogoMIPS\t: 48.00\n")
    assert processor(listing) == processor(tmp_path / "nothing")
