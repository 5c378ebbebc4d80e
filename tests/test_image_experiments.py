"""Pictures of pictures from the command line: resuming, sampling, and what is said of bad input."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from jaxgan.data.images import read_image
from jaxgan.provenance import says_synthetic


@pytest.fixture
def trained(command, tiny_flags, idle_steps, tmp_path):
    """A function of an experiment's name that gives the directory of a tiny run of it."""

    def run(name):
        run_dir = tmp_path / "run"
        flags = tiny_flags(name, steps=1, eval_pictures=0)
        code, out, error = command(f"--experiment={name}", f"--run_dir={run_dir}", *flags)
        assert code == 0, out + error
        return run_dir

    return run


def noise(*size, seed=0):
    return np.random.default_rng(seed).integers(0, 256, size, np.uint8)


def test_pools_and_decay_survive_a_resume_bit_for_bit(command, tiny_flags, tmp_path):
    """From step 4 on the pools are full, and from step 3 on the learning rate falls."""
    run = ["--experiment=cyclegan_horse2zebra", f"--run_dir={tmp_path / 'run'}"]
    changes = {"steps": 6, "log_every": 1, "checkpoint_every": 4, "keep": 5, "eval_pictures": 0}
    flags = tiny_flags("cyclegan_horse2zebra", pool_size=4, **changes)
    code, out, error = command(*run, *flags)
    assert code == 0, out + error

    def result():
        rows = [json.loads(r) for r in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
        rows = {row["step"]: row for row in rows if "train/critics_loss" in row}
        timed = ("images_per_second", "ms_per_step", "wait_share")
        kept = {k: v for k, v in rows[6].items() if not k.endswith(timed)}
        return kept, (tmp_path / "run/samples/preview_00000006.png").read_bytes()

    straight = result()
    shutil.rmtree(tmp_path / "run/checkpoints/00000006")
    (tmp_path / "run/samples/preview_00000006.png").unlink()
    code, out, _ = command(*run, *flags)
    assert code == 0 and "goes on from step 4" in out
    assert result() == straight


def test_a_folder_of_any_sizes_goes_either_way(trained, command, tmp_path):
    run_dir = trained("cyclegan_horse2zebra")
    (tmp_path / "in").mkdir()
    for name, size in (("wide", (21, 50)), ("small", (9, 9))):
        Image.fromarray(noise(*size, 3)).save(tmp_path / "in" / f"{name}.png")
    made = {}
    for direction in ("AtoB", "BtoA"):
        out = tmp_path / direction
        code, _, error = command(
            "--mode=sample",
            f"--run_dir={run_dir}",
            f"--input={tmp_path / 'in'}",
            f"--output={out}",
            f"--direction={direction}",
        )
        assert code == 0, error
        made[direction] = read_image(out / "wide.png")
        assert made[direction].shape == (21, 50, 3)
        assert read_image(out / "small.png").shape == (9, 9, 3)
    assert (made["AtoB"] != made["BtoA"]).any()


def test_a_label_map_becomes_a_picture_of_its_size(trained, command, tmp_path):
    run_dir = trained("pix2pix_facades")
    sample = ["--mode=sample", f"--run_dir={run_dir}", f"--output={tmp_path / 'out.png'}"]
    numbers = noise(37, 45) % 9
    Image.fromarray(numbers).save(tmp_path / "labels.png")
    code, _, error = command(*sample, f"--input={tmp_path / 'labels.png'}")
    assert code == 0, error
    assert read_image(tmp_path / "out.png").shape == (37, 45, 3)
    Image.fromarray(numbers + 1).save(tmp_path / "beyond.png")
    code, _, error = command(*sample, f"--input={tmp_path / 'beyond.png'}")
    assert code == 2 and "beyond.png holds the label 9" in error and error.count("\n") == 1


@pytest.mark.parametrize("name", ["colorize", "denoise"])
def test_a_damaged_picture_is_mended_in_its_size(trained, command, tmp_path, name):
    run_dir = trained(name)
    Image.fromarray(noise(19, 40, 3)).convert("L").save(tmp_path / "old.jpg")
    code, _, error = command(
        "--mode=sample",
        f"--run_dir={run_dir}",
        f"--input={tmp_path / 'old.jpg'}",
        f"--output={tmp_path / 'new.png'}",
    )
    assert code == 0, error
    assert read_image(tmp_path / "new.png").shape == (19, 40, 3)


def test_a_transparent_hole_is_filled_and_nothing_else_changes(trained, command, tmp_path):
    run_dir = trained("inpaint_celeba")
    sample = ["--mode=sample", f"--run_dir={run_dir}", f"--output={tmp_path / 'out.png'}"]
    picture = noise(30, 41, 4)
    hole = np.zeros((30, 41), bool)
    hole[5:20, 10:30] = True
    picture[..., 3] = np.where(hole, 0, 255)
    Image.fromarray(picture).save(tmp_path / "torn.png")
    code, _, error = command(*sample, f"--input={tmp_path / 'torn.png'}")
    assert code == 0, error
    made = read_image(tmp_path / "out.png")
    np.testing.assert_array_equal(made[~hole], picture[~hole][:, :3])
    assert (made[hole] != 255).any()

    plain = tmp_path / "plain.png"
    Image.fromarray(picture[..., :3].copy()).save(plain)
    for name, mask in (("mask", hole), ("full", hole | True), ("none", hole & False)):
        Image.fromarray((mask * 255).astype(np.uint8)).save(tmp_path / f"{name}.png")
    Image.fromarray(noise(8, 8)).save(tmp_path / "other.png")
    code, _, error = command(*sample, f"--input={plain}", f"--mask={tmp_path / 'mask.png'}")
    assert code == 0, error
    for flags, said in (
        ([], "nothing says where its hole is"),
        ([f"--mask={tmp_path / 'full.png'}"], "its hole covers everything"),
        ([f"--mask={tmp_path / 'none.png'}"], "its hole is empty"),
        ([f"--mask={tmp_path / 'other.png'}"], "is 8x8 pixels and the picture 41x30"),
    ):
        code, _, error = command(*sample, f"--input={plain}", *flags)
        assert code == 2 and said in error and error.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "flags", "said"),
    [
        ("pix2pix_facades", ["--loss=wgan"], "--loss=wgan needs a penalty"),
        ("colorize", ["--perceptual_weight=1"], "needs both --vgg_weights"),
        ("pix2pix_facades", ["--side=36"], "--side=36 must be a multiple of 8"),
        ("pix2pix_facades", ["--receptive_field=50"], "choose one of 1, 16, 34, 70"),
        ("pix2pix_facades", ["--data=folder:{}"], "without a partner"),
        ("inpaint_celeba", ["--share_low=0.6"], "--share_low=0.6 is above --share_high=0.4"),
        ("denoise", ["--noise_low=60"], "--noise_low=60 is above --noise_high=50"),
        ("cyclegan_horse2zebra", ["--data=folder:{}"], "holds no two domains"),
        ("cyclegan_horse2zebra", ["--eval_pictures=3"], "needs at least 10 held-out A samples"),
    ],
)
def test_bad_input_is_said_before_step_1(command, tiny_flags, tmp_path, name, flags, said):
    folder = tmp_path / "data"
    for side, stem in (("A", "one"), ("B", "two")) if "pix2pix" in name else (("", "one"),):
        (folder / side).mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise(40, 40, 3)).save(folder / side / f"{stem}.png")
    run = [f"--experiment={name}", f"--run_dir={tmp_path}/run", *tiny_flags(name)]
    code, _, error = command(*run, *(flag.format(folder) for flag in flags))
    assert code == 2 and said in error and error.count("\n") == 1, error
    assert not (tmp_path / "run").exists()


def test_without_the_critics_opinion_only_the_generator_plays(command, tiny_flags, tmp_path):
    run_dir = tmp_path / "run"
    flags = tiny_flags("pix2pix_sketch2face", steps=2, log_every=1, adversarial_weight=0)
    code, out, error = command("--experiment=pix2pix_sketch2face", f"--run_dir={run_dir}", *flags)
    assert code == 0, out + error
    last = json.loads((run_dir / "metrics.jsonl").read_text().splitlines()[-1])
    assert "train/l1" in last and not any("critic" in name for name in last)


def test_swapped_frames_are_marked_and_keep_their_size(trained, command, tmp_path):
    run_dir = trained("faceswap")
    (tmp_path / "film").mkdir()
    for name, size in (("1", (48, 64)), ("2", (30, 30))):
        Image.fromarray(noise(*size, 3)).save(tmp_path / "film" / f"{name}.jpg")
    sample = ["--mode=sample", f"--run_dir={run_dir}", f"--input={tmp_path / 'film'}"]
    code, _, error = command(*sample, f"--output={tmp_path / 'swapped'}")
    assert code == 0, error
    assert read_image(tmp_path / "swapped" / "1.png").shape == (48, 64, 3)
    assert all(says_synthetic(tmp_path / "swapped" / f"{name}.png") for name in "12")
    one = ["--mode=sample", f"--run_dir={run_dir}", f"--input={tmp_path / 'film' / '1.jpg'}"]
    code, _, error = command(*one, f"--output={tmp_path / 'out.bmp'}")
    assert code == 2 and "which say so" in error
    # The other way, the other decoder.
    code, _, _ = command(*one, f"--output={tmp_path / 'back.png'}", "--direction=BtoA")
    assert code == 0
    there, back = (read_image(tmp_path / name) for name in ("swapped/1.png", "back.png"))
    assert (there != back).any()


def test_a_detector_scores_files_and_does_not_look_at_the_mark(trained, command, tmp_path):
    run_dir = trained("deepfake_detector")
    (tmp_path / "faces").mkdir()
    picture = noise(60, 50, 3)
    marked = picture.copy()
    marked[-10:] = 0
    other = noise(60, 50, 3, seed=1)
    for name, content in (("plain", picture), ("marked", marked), ("other", other)):
        Image.fromarray(content).save(tmp_path / "faces" / f"{name}.png")
    out = tmp_path / "faces.csv"
    code, _, error = command(
        "--mode=sample", f"--run_dir={run_dir}", f"--input={tmp_path / 'faces'}", f"--output={out}"
    )
    assert code == 0, error
    header, *rows = out.read_text().splitlines()
    assert header == "file,generated"
    chances = dict(row.split(",") for row in rows)
    assert set(chances) == {"plain.png", "marked.png", "other.png"}
    assert chances["plain.png"] == chances["marked.png"] != chances["other.png"]
    assert all(0 < float(chance) < 1 for chance in chances.values())
