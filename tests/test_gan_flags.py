"""The flags of the plain GANs decide the game; the experiments' networks are those they name."""

import itertools
import json
import shutil

import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver

from jaxgan import experiment as experiments
from jaxgan import gan_flags
from jaxgan.compiling import abstract_state
from jaxgan.parallel import make_mesh
from jaxgan.state import count_parameters

FLAGS = flags.FLAGS
pytestmark = pytest.mark.usefixtures("hasty_measures")


@pytest.fixture
def build():
    """Builds an experiment under flags; they are as before afterwards."""

    def built(name, **values):
        with flagsaver.flagsaver():
            loaded = experiments.load(experiments.find(name))
            for flag, value in values.items():
                FLAGS[flag].value = value
            return experiments.build(loaded)

    return built


def described(experiment):
    return [(phase.loss, phase.players, phase.repeats) for phase in experiment.phases]


@pytest.mark.parametrize("name", ["gaussians", "vanilla_mnist", "dcgan_mnist"])
def test_updates_at_once_take_one_pass_only_where_it_is_exact(name, build):
    apart = [
        ("critic_with_penalties", ("critic",), 1),
        ("generator", ("generator",), 1),
    ]
    at_once = [("both", ("critic", "generator"), 1)]
    assert described(build(name, n_critic=1, loss="bce")) == apart
    assert described(build(name, n_critic=1, loss="bce", update="simultaneous")) == at_once
    assert described(build(name, n_critic=1, loss="wgan_gp", update="simultaneous")) == at_once
    assert described(build(name, n_critic=1, loss="hinge", update="simultaneous")) == apart
    (critic, _) = described(build(name, loss="bce", update="simultaneous", n_critic=3))
    assert critic == ("critic_with_penalties", ("critic",), 3)


def test_wgan_gp_brings_its_penalty_and_keeps_n_critic(build):
    experiment = build("dcgan_mnist", loss="wgan_gp", n_critic=5)
    assert described(experiment)[0] == ("critic_with_penalties", ("critic",), 5)
    assert "gradient_penalty" in experiment.system.losses
    assert "r1" in build("dcgan_mnist", penalty="r1").system.losses


def test_the_critic_normalises_batches_only_without_a_penalty(build):
    def critics_variables(**flags):
        network = build("dcgan_faces", width=2, **flags).system.players["critic"].network
        return network.batch_norm

    assert critics_variables(loss="hinge", penalty="none")
    assert not critics_variables(loss="hinge", penalty="r1")
    assert not critics_variables(loss="wgan_gp", penalty="none")


def test_an_experiments_own_label_smoothing_is_for_bce_only(build, command, tiny_flags, tmp_path):
    build("line_gan", loss="hinge")
    run = ["--experiment=line_gan", f"--run_dir={tmp_path}/run", *tiny_flags("line_gan")]
    code, _, error = command(*run, "--loss=hinge", "--label_smoothing=0.1")
    assert code == 2 and "label smoothing belongs to the loss 'bce'" in error
    code, _, error = command(*run, "--data=mnist")
    assert code == 2 and "draws its own points" in error


@pytest.mark.usefixtures("idle_steps")
def test_conditional_experiments_say_what_is_wrong_with_their_labels(command, tiny_flags, tmp_path):
    pictures = np.zeros((6, 28, 28), np.uint8)
    np.savez(tmp_path / "bare.npz", x=pictures)
    np.savez(tmp_path / "two.npz", x=pictures, y=np.arange(6) % 2)
    tiny = tiny_flags("cgan_mnist", eval_samples=0)
    run = ["--experiment=cgan_mnist", f"--run_dir={tmp_path}/run", *tiny]
    code, _, error = command(*run, f"--data={tmp_path}/bare.npz")
    assert code == 2 and "label" in error and error.count("\n") == 1
    code, _, error = command(*run, f"--data={tmp_path}/two.npz")
    assert code == 2 and "has 2 classes (0, 1)" in error and "--class_count=2" in error
    code, out, _ = command(*run, f"--data={tmp_path}/two.npz", "--class_count=2")
    assert code == 0, out


def test_the_figures_of_the_line(build):
    with flagsaver.flagsaver():
        module = experiments.load(experiments.find("line_gan")).module
    x = np.linspace(-0.5, 0.5, 1001)
    found = module.figures(np.stack([x, x + 0.25], axis=1))
    assert found["distance"] == pytest.approx(0.25)
    assert found["coverage"] == pytest.approx(0.5, abs=0.011)
    outside = module.figures(np.array([[-1.5, -1.5], [3.0, 3.0]]))
    assert outside == {"distance": 0.0, "coverage": 0.0}


def dense(*widths):
    return sum((a + 1) * b for a, b in itertools.pairwise(widths))


@pytest.mark.parametrize(
    ("name", "generator", "critic"),
    [
        ("line_gan", dense(100, 16, 2), dense(2, 32, 8, 1)),
        ("vanilla_mnist", dense(100, 128, 256, 512, 784), dense(784, 512, 256, 1)),
        (
            "dcgan_mnist",
            # Dense without bias, three kernels of 4x4, the last bias, three normalisations.
            100 * 7 * 7 * 256 + 16 * (256 * 128 + 128 * 64 + 64) + 1 + 2 * (256 + 128 + 64),
            16 * (1 * 64 + 64 * 128) + 64 + 128 + 7 * 7 * 128 + 1,
        ),
    ],
)
def test_the_networks_have_the_papers_sizes(name, generator, critic, build):
    state = abstract_state(build(name), make_mesh(), fsdp=False)
    counts = {key: count_parameters(player.params) for key, player in state.players.items()}
    assert counts == {"generator": generator, "critic": critic}


@pytest.mark.usefixtures("idle_steps")
def test_a_run_remembers_the_flags_that_were_defined_for_it(command, tiny_flags, tmp_path):
    run_dir = tmp_path / "run"
    tiny = tiny_flags("vanilla_mnist", steps=1, penalty="r1", update="simultaneous")
    code, out, _ = command("--experiment=vanilla_mnist", f"--run_dir={run_dir}", *tiny)
    assert code == 0, out
    kept = json.loads((run_dir / "config.json").read_text())["flags"]
    assert kept["penalty"] == "r1" and kept["latent_size"] == 4
    output = tmp_path / "grid.png"
    code, out, _ = command("--mode=sample", f"--run_dir={run_dir}", f"--output={output}")
    assert code == 0 and output.stat().st_size > 1000, out
    code, out, _ = command("--experiment=vanilla_mnist", "--help")
    assert code == 0 and out.index("--latent_size=100") < out.index("Flags of every experiment")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--eval_samples=5"], "at least 10 fake samples and was given 5"),
        (["--data={}/six.npz"], "--eval_samples=0"),
        (["--feature_weights={}/none.pth"], "none.pth"),
        (["--feature_weights={0}/six.npz", "--feature_weights_sha256=12345678"], "SHA-256"),
    ],
)
def test_figures_that_cannot_be_measured_are_said_before_step_1(
    command, tiny_flags, tmp_path, flags, said
):
    np.savez(tmp_path / "six.npz", x=np.zeros((6, 28, 28), np.uint8))
    run = ["--experiment=dcgan_mnist", f"--run_dir={tmp_path}/run", *tiny_flags("dcgan_mnist")]
    code, _, error = command(*run, *(flag.format(tmp_path) for flag in flags))
    assert code == 2 and said in error and error.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("idle_steps")
def test_held_out_pictures_are_what_figures_are_measured_against(command, tiny_flags, tmp_path):
    random = np.random.default_rng(0)
    for name in ("train", "other"):
        np.savez(tmp_path / f"{name}.npz", x=random.integers(0, 256, (40, 28, 28), np.uint8))
    run = ["--experiment=dcgan_mnist", f"--run_dir={tmp_path}/run"]
    tiny = tiny_flags("dcgan_mnist", data=f"npz:{tmp_path}/train.npz")
    code, out, _ = command(*run, *tiny, f"--held_out=npz:{tmp_path}/other.npz")
    assert code == 0, out
    stamps = json.loads((tmp_path / "run" / "stamps.json").read_text())
    assert stamps["fid"]["data"]["where"].endswith("other.npz")
    assert stamps["fid"]["real"] == 40 and stamps["fid"]["fake"] == 12
    assert str(tmp_path / "other.npz") in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.usefixtures("idle_steps")
def test_held_out_is_the_part_that_the_data_holds_out(command, tiny_flags, tmp_path):
    random = np.random.default_rng(0)
    arrays = {
        f"{name}_{part}": value
        for part, count in (("train", 40), ("test", 24))
        for name, value in (
            ("x", random.integers(0, 256, (count, 28, 28), np.uint8)),
            ("y", np.arange(count) % 2),
        )
    }
    np.savez(tmp_path / "both.npz", **arrays)
    data = f"npz:{tmp_path}/both.npz"
    run = ["--experiment=cgan_mnist", f"--run_dir={tmp_path}/run", f"--held_out={data}"]
    code, out, _ = command(*run, *tiny_flags("cgan_mnist", data=data), "--class_count=2")
    assert code == 0, out
    stamps = json.loads((tmp_path / "run" / "stamps.json").read_text())
    assert stamps["fid"]["real"] == 24 and stamps["fid"]["data"]["part"] == "held out"
    assert stamps["class_agreement"]["data"]["count"] == 40
    # What figures mean stays what it was.
    again = [*run[:2], *tiny_flags("cgan_mnist", data=data), "--class_count=2"]
    code, _, error = command(*again)
    assert code == 2 and "--held_out=None (it was npz:" in error


@pytest.mark.usefixtures("idle_steps")
def test_colour_experiments_train_on_what_is_there_to_train_on(
    command, tiny_flags, tmp_path, photos
):
    for folder in ("train", "trainannot", "val"):
        (tmp_path / "data" / folder).mkdir(parents=True)
        for copy in range(4):
            for photo in photos.iterdir():
                shutil.copy(photo, tmp_path / "data" / folder / f"{copy}{photo.name}")
    run = ["--experiment=dcgan_faces", f"--run_dir={tmp_path}/run"]
    tiny = tiny_flags("dcgan_faces", data=f"folder:{tmp_path}/data", steps=1)
    code, out, _ = command(*run, *tiny)
    assert code == 0, out
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["data"]["count"] == 24 and config["data"]["part"] == "train"


@pytest.mark.parametrize(
    ("experiment", "flags", "said"),
    [
        ("dcgan_mnist", ["--loss=wgan_gp", "--penalty=r1"], "--penalty=r1 does not go"),
        ("dcgan_mnist", ["--penalty_weight=2"], "--penalty_weight=2 needs a penalty"),
        ("dcgan_mnist", ["--feature_weights_sha256=12345678"], "is the hash of no file"),
        ("gaussians", ["--classes=1"], "leave --data, --held_out and --classes alone"),
        ("stacked_mnist", ["--held_out=mnist"], "--held_out: modes are counted without"),
        ("dcgan_mnist", ["--ema_halflife=-5"], "ema_halflife"),
    ],
)
def test_no_flag_is_silently_ignored(command, tiny_flags, tmp_path, experiment, flags, said):
    run = [f"--experiment={experiment}", f"--run_dir={tmp_path}/run", *tiny_flags(experiment)]
    code, _, error = command(*run, *flags)
    assert code == 2 and said in error
    assert not (tmp_path / "run").exists()


def test_a_typed_weight_is_that_of_wgan_gp():
    with flagsaver.flagsaver():
        experiments.load(experiments.find("dcgan_mnist"))
        FLAGS.loss = "wgan_gp"
        assert [item.weight for item in gan_flags.weighted(FLAGS)] == [10.0]
        FLAGS["penalty_weight"].parse("3")
        FLAGS["penalty_weight"].present += 1
        assert [item.weight for item in gan_flags.weighted(FLAGS)] == [3.0]
