"""The command line: help, mistakes, and what a run leaves behind."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from jaxgan import main, run_directory
from jaxgan.data.images import read_image


def one_line(error):
    assert error.startswith("jaxgan: ") and error.count("\n") == 1, error
    return error


def test_list_names_every_experiment_in_a_line(command):
    code, out, _ = command("--list")
    assert code == 0
    assert any(
        line.split()[:1] == ["srgan_div2k"] and " SRGAN" in line for line in out.splitlines()
    )


def test_help_shows_the_experiments_own_flags_first(command):
    code, out, _ = command("--experiment=srgan_div2k", "--help")
    assert code == 0
    assert out.index("--pretrain_steps") < out.index("--run_dir")
    assert "--batch_size=16" in out
    code, out, _ = command("--help")
    assert code == 0 and "srgan_div2k" in out and "--pretrain_steps" not in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--experiment=NAME"),
        (("--experiment=srgan_div2",), "did you mean 'srgan_div2k'"),
        (("--experiment=no/such.py",), "no such file"),
        (("--experiment=gaussians", "--stepz=3"), "steps"),
        (("--experiment=gaussians", "--steps=none"), "steps"),
        (("--experiment=gaussians", "--loss=hinges"), "did you mean 'hinge'"),
        (("--experiment=gaussians", "--batch_size=3"), "--batch_size=3"),
        (("--experiment=gaussians", "--accumulate=3", "--batch_size=8"), "--accumulate=3"),
        (("--experiment=gaussians", "stray"), "'stray'"),
        (("--experiment=dcgan_mnist", "--data=sample", "--classes=5-3"), "leaves nothing"),
        (("--experiment=dcgan_mnist", "--data=sample", "--classes=A"), "no class 'A'"),
        (("--experiment=srgan_div2k", "--scale=full"), "prepare"),
        (("--experiment=srgan_div2k", "--data=folder:nowhere"), "nowhere"),
        (("--experiment=gaussians", "--data=folder:x"), "draws its own points"),
        (("--experiment=srgan_div2k", "--factor=3"), "--factor=3"),
        (("--experiment=srgan_div2k", "--crop=90"), "--crop=90"),
        (("--experiment=srgan_div2k", "--loss=wgan_gp"), "--loss=wgan_gp"),
        (("--experiment=srgan_div2k", "--held_out=folder:nowhere"), "nowhere"),
        (("--mode=eval",), "--run_dir"),
        (("--run_dir=nowhere",), "nowhere"),
        (("--mode=sample", "--run_dir=nowhere"), "nowhere"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    arguments, message, command, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    code, _, error = command(*arguments)
    assert code == main.MISTAKE
    assert message in one_line(error)
    assert not (tmp_path / "runs").exists()


@pytest.mark.usefixtures("idle_steps")
def test_pictures_that_cannot_be_used_are_named_before_step_1(
    command, tiny_flags, photos, tmp_path
):
    folder = tmp_path / "mine"
    flags = [f"--data=folder:{folder}", f"--run_dir={tmp_path / 'run'}"]
    flags += ["--experiment=srgan_div2k", *tiny_flags("srgan_div2k")]

    def mistake(*more):
        code, _, error = command(*flags, *more)
        assert code == main.MISTAKE and not (tmp_path / "run").exists()
        return one_line(error)

    assert "mine" in mistake()
    folder.mkdir()
    assert "mine" in mistake()
    for photo in photos.iterdir():
        shutil.copy(photo, folder)
    (folder / "broken.png").write_bytes((folder / "photo0.png").read_bytes()[:60])
    assert "broken.png" in mistake()
    Image.new("RGB", (9, 70)).save(folder / "small.png")
    assert "small.png (9x70)" in mistake("--skip_broken")
    (folder / "small.png").unlink()
    code, out, _ = command(*flags, "--skip_broken", "--steps=1", "--pretrain_steps=1")
    assert code == 0 and "left out 1 files that cannot be read: broken.png" in out
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert "broken.png" in json.dumps(config["data"])


def test_a_run_directory_is_never_taken_from_something_else(command, tiny_flags, tmp_path):
    file = tmp_path / "file"
    file.write_text("kept")
    tiny = tiny_flags("gaussians")
    code, _, error = command("--experiment=gaussians", f"--run_dir={file}/run", *tiny)
    assert code == main.MISTAKE and "cannot be written" in one_line(error)
    code, _, error = command("--experiment=gaussians", f"--run_dir={tmp_path}", *tiny)
    assert code == main.MISTAKE and "not empty" in one_line(error)
    assert [path.name for path in tmp_path.iterdir()] == ["file"] and file.read_text() == "kept"


@pytest.fixture
def trained(command, tiny_flags, tmp_path, idle_steps):
    """A run of `gaussians` with checkpoints at steps 2 and 4."""
    run_dir = tmp_path / "run"
    flags = ["--experiment=gaussians", f"--run_dir={run_dir}"]
    code, out, _ = command(*flags, *tiny_flags("gaussians", checkpoint_every=2))
    assert code == 0, out
    return run_dir, flags


def contents(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_run_cannot_become_another(trained, command, tiny_flags):
    run_dir, flags = trained
    before = contents(run_dir)
    tiny = tiny_flags("gaussians", checkpoint_every=2)
    for changed, message in (
        (["--seed=1"], "--seed=1 (it was 0)"),
        (["--batch_size=16"], "--batch_size=16 (it was 8)"),
        (["--units=16", "--steps=6"], "is of another model"),
    ):
        code, _, error = command(*flags, *tiny, *changed)
        assert code == main.MISTAKE, message
        assert message in one_line(error)
        assert contents(run_dir) == before
    other = ["--experiment=srgan_div2k", f"--run_dir={run_dir}", *tiny_flags("srgan_div2k")]
    code, _, error = command(*other)
    assert code == main.MISTAKE and "holds a run of gaussians" in one_line(error)


def test_another_architecture_is_refused_and_the_run_stays_usable(
    command, photos, tmp_path, monkeypatch
):
    source = (
        "from absl import flags\n"
        "from jaxgan import experiment\n"
        "gaussians = experiment.load(experiment.find('gaussians')).module\n"
        "flags.FLAGS.set_default('units', 4)\n"
        "experiment = gaussians.experiment\n"
    )
    mine, run_dir = tmp_path / "mine.py", tmp_path / "run"
    mine.write_text(source)
    flags = [f"--experiment={mine}", f"--run_dir={run_dir}", "--batch_size=8"]
    assert command(*flags, "--steps=2")[0] == main.DONE
    mine.write_text(source.replace("4", "6"))
    code, _, error = command(*flags, "--steps=4")
    assert code == main.MISTAKE and "another model" in one_line(error)
    mine.unlink()
    code, out, _ = command("--mode=eval", f"--run_dir={run_dir}")
    assert code == main.DONE and "step 2" in out


def test_two_runs_do_not_share_a_directory(trained, command, tiny_flags):
    run_dir, flags = trained
    with run_directory.locked(run_dir):
        code, _, error = command(*flags, *tiny_flags("gaussians", checkpoint_every=2, steps=9))
    assert code == main.MISTAKE and "under way" in one_line(error)


def test_a_run_that_was_killed_while_it_began_begins_again(trained, command, tiny_flags):
    run_dir, flags = trained
    shutil.rmtree(run_dir / "checkpoints")
    for path in run_dir.iterdir():
        if path.name not in ("experiment.py", ".lock"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    (run_dir / "config.json.new").write_text("{")
    # Without a checkpoint nothing is fixed yet.
    code, out, _ = command(*flags, *tiny_flags("gaussians", batch_size=16))
    assert code == main.DONE, out


def test_somebody_elses_configuration_is_left_alone(command, tiny_flags, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    flags = ["--experiment=gaussians", f"--run_dir={tmp_path}", *tiny_flags("gaussians")]
    code, _, error = command(*flags)
    assert code == main.MISTAKE and "is not of a run" in one_line(error)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_a_run_goes_on_and_is_used_with_its_directory_alone(trained, command):
    run_dir, _ = trained
    code, out, _ = command(f"--run_dir={run_dir}", "--steps=6")
    assert code == main.DONE and "goes on from step 4" in out
    code, out, _ = command("--mode=eval", f"--run_dir={run_dir}")
    assert code == main.DONE
    rows = [json.loads(line) for line in (run_dir / "evaluations.jsonl").read_text().splitlines()]
    assert rows[-1]["step"] == 6 and rows[-1]["data"] == "sample" and "modes" in rows[-1]


@pytest.mark.usefixtures("idle_steps")
def test_a_phase_that_never_plays_is_said(command, tiny_flags, photos, tmp_path):
    flags = ["--experiment=srgan_div2k", f"--data=folder:{photos}", f"--run_dir={tmp_path / 'run'}"]
    code, out, _ = command(*flags, *tiny_flags("srgan_div2k", steps=2))
    assert code == main.DONE and "phase 'generator' does not play" in out
    flags[-1] = f"--run_dir={tmp_path / 'other'}"
    code, out, _ = command(*flags, *tiny_flags("srgan_div2k", steps=1, pretrain_steps=0))
    assert code == main.DONE and "phase 'pretrain' does not play" in out


def test_changed_flags_that_can_be_honoured_are_said(trained, command, tiny_flags):
    _, flags = trained
    tiny = tiny_flags("gaussians", checkpoint_every=2, steps=6)
    code, out, _ = command(*flags, *tiny, "--learning_rate=0.01")
    assert code == 0
    assert "goes on with --learning_rate=0.01 (it was 0.002)" in out
    assert "goes on with --steps=6 (it was 4)" in out


def test_a_finished_run_says_so(trained, command, tiny_flags):
    _, flags = trained
    code, out, _ = command(*flags, *tiny_flags("gaussians", checkpoint_every=2))
    assert code == 0 and "all 4 steps are done" in out


def test_a_truncated_checkpoint_gives_way_to_the_one_before(trained, command, tiny_flags):
    run_dir, flags = trained
    newest = run_dir / "checkpoints" / "00000004"
    largest = max((p for p in newest.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    largest.write_bytes(largest.read_bytes()[: largest.stat().st_size // 2])
    code, out, _ = command(*flags, *tiny_flags("gaussians", checkpoint_every=2))
    assert code == 0
    assert "The checkpoint of step 4 is broken" in out and "goes on from step 2" in out
    assert (run_dir / "checkpoints" / "broken-00000004").is_dir()
    assert (run_dir / "checkpoints" / "00000004").is_dir()


def test_a_checkpoint_is_chosen_by_name_or_step(trained, command):
    run_dir, _ = trained
    for name, step in (("2", 2), ("newest", 4)):
        code, out, _ = command("--mode=eval", f"--run_dir={run_dir}", f"--checkpoint={name}")
        assert code == 0 and f"step {step}" in out
    code, out, _ = command("--mode=eval", f"--run_dir={run_dir}", "--checkpoint=best")
    assert code == 0
    code, _, error = command("--mode=eval", f"--run_dir={run_dir}", "--checkpoint=3")
    assert code == main.MISTAKE and "it has: 2, 4" in one_line(error)


@pytest.mark.usefixtures("idle_steps")
def test_a_persons_own_picture_is_enlarged(command, tiny_flags, photos, tmp_path):
    run_dir, output = tmp_path / "run", tmp_path / "big.png"
    flags = ["--experiment=srgan_div2k", f"--data=folder:{photos}", f"--run_dir={run_dir}"]
    code, out, _ = command(*flags, *tiny_flags("srgan_div2k"))
    assert code == 0, out
    # Nothing but the run's directory is needed, and a picture of any mode will do.
    picture = tmp_path / "small.png"
    Image.fromarray(np.arange(21 * 13, dtype=np.uint8).reshape(13, 21)).save(picture)
    sample = ["--mode=sample", f"--run_dir={run_dir}"]
    code, out, _ = command(*sample, f"--input={picture}", f"--output={output}")
    assert code == 0, out
    assert read_image(output).shape == (52, 84, 3)
    for more, message in (
        ([], "--output"),
        ([f"--output={output}"], "--input"),
        ([f"--output={output}", "--input=none.png"], "none.png"),
        ([f"--output={tmp_path}/no/big.png", f"--input={picture}"], "no folder"),
        ([f"--output={output}", f"--input={run_dir / 'config.json'}"], "config.json"),
    ):
        code, _, error = command(*sample, *more)
        assert code == main.MISTAKE and message in one_line(error)


@pytest.mark.parametrize(("steps", "log_every"), [(40, 5), (6, 50)])
def test_a_diverged_run_ends_with_a_reason(steps, log_every, command, tiny_flags, tmp_path):
    flags = ["--experiment=gaussians", f"--run_dir={tmp_path / 'run'}"]
    flags += tiny_flags("gaussians", steps=steps, log_every=log_every)
    code, _, error = command(*flags, "--penalty_weight=inf")
    assert code == main.MISTAKE and "not finite" in one_line(error)


def test_a_reader_who_has_had_enough_is_no_error():
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "w") as closed:
        found = subprocess.run(
            [sys.executable, "-m", "jaxgan.main", "--list"],
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
        )
    assert found.returncode == main.INTERRUPTED and found.stderr == ""
