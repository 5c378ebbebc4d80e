"""From a name and flags to an experiment's sizes."""

import pytest
from absl import flags
from absl.testing import flagsaver

from jaxgan import experiment as experiments
from jaxgan import main

FLAGS = flags.FLAGS


@pytest.fixture
def settled():
    """A function that parses flags and settles the scale, undone afterwards."""
    with flagsaver.flagsaver():

        def settle(*arguments):
            loaded, _ = main.parse(["jaxgan", "--experiment=srgan_div2k", *arguments])
            return experiments.settle_scale(FLAGS, loaded)[0]

        yield settle


@pytest.fixture
def prepared(monkeypatch):
    monkeypatch.setattr(experiments, "is_prepared", lambda name, data_dir: name == "div2k")


def test_without_the_data_set_the_sample_at_small_sizes(settled, monkeypatch, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    assert settled() == "small"
    assert FLAGS.data == "sample" and FLAGS.blocks < 16


def test_what_is_typed_wins_over_the_small_scale(settled, monkeypatch, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    assert settled("--blocks=16", "--steps=7") == "small"
    assert (FLAGS.blocks, FLAGS.steps, FLAGS.data) == (16, 7, "sample")


def test_with_the_data_set_the_papers_sizes(settled, prepared):
    assert settled() == "full"
    assert (FLAGS.data, FLAGS.blocks, FLAGS.channels, FLAGS.steps) == ("div2k", 16, 64, 1_200_000)


def test_scale_is_as_asked(settled, prepared):
    assert settled("--scale=small") == "small" and FLAGS.data == "sample"


def test_own_pictures_take_the_sizes_that_the_device_can_carry(settled, photos, monkeypatch):
    assert settled(f"--data=folder:{photos}") == "small"
    assert FLAGS.data == f"folder:{photos}"
    monkeypatch.setattr("jax.default_backend", lambda: "gpu")
    assert settled(f"--data=folder:{photos}") == "full"


def test_typing_the_default_changes_nothing(settled, prepared):
    assert settled("--data=div2k") == "full"


def test_a_run_keeps_the_scale_it_was_begun_at(prepared):
    with flagsaver.flagsaver():
        loaded, _ = main.parse(["jaxgan", "--experiment=srgan_div2k"])
        assert experiments.settle_scale(FLAGS, loaded, "small")[0] == "small"
        assert FLAGS.data == "sample" and FLAGS.blocks < 16


def test_a_typed_flag_is_found_before_flags_are_parsed():
    assert main.typed(["--run_dir=a=b", "-mode", "eval"], "run_dir") == "a=b"
    assert main.typed(["--run_dir=a", "-mode", "eval"], "mode") == "eval"
    assert main.typed(["--run_dir=a", "--run_dir=b"], "run_dir") == "b"
    assert main.typed(["--run_dirs=a"], "run_dir") is None
