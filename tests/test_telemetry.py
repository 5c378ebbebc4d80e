"""What is written, printed and held back, read from the files and a stand-in for a terminal."""

import errno
import io
import json
import math
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from jaxgan import console, telemetry
from jaxgan.console import duration, figures_table, human_bytes, human_count, table
from jaxgan.errors import UserError
from jaxgan.media import Grid
from jaxgan.metrics_log import MetricsFile
from jaxgan.recordings import Sound
from jaxgan.telemetry import Telemetry


class Stream(io.StringIO):
    """A terminal, or a file."""

    encoding = "utf-8"

    def __init__(self, terminal=False):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


class Clock:
    """Time that passes only when told to."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now

    def time(self):
        return self.now

    def time_ns(self):
        return round(self.now * 1e9)


class Scalar:
    """Stands in for a device array and counts how often it is fetched."""

    fetched = 0

    def __init__(self, value):
        self.value = value

    def __float__(self):
        Scalar.fetched += 1
        return float(self.value)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(telemetry, "time", clock)
    monkeypatch.setattr(console, "time", clock)
    return clock


def open_run(folder, **changes):
    options = {"total_steps": 100, "batch_size": 16, "log_every": 2, "stream": Stream()}
    return Telemetry(folder, **(options | changes))


def rows(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def events(folder):
    reader = EventAccumulator(str(folder / "tensorboard"))
    reader.Reload()
    return reader


def test_rows_hold_means_and_speed(tmp_path, clock):
    stream = Stream()
    with open_run(tmp_path, stream=stream) as run:
        for step in range(1, 7):
            clock.now += 60.0 if step == 1 else 0.5  # the first step compiles
            run.train(step, {"critic_loss": jnp.float32(step)}, wait_seconds=0.1)
    first, second, third = rows(tmp_path)
    assert [r["step"] for r in (first, second, third)] == [2, 4, 6]
    assert [r["train/critic_loss"] for r in (first, second, third)] == [1.5, 3.5, 5.5]
    assert list(first) == [
        "step",
        "train/critic_loss",
        "train/images_per_second",
        "train/ms_per_step",
        "train/wait_share",
    ]
    for row in (first, second):
        assert math.isclose(row["train/ms_per_step"], 500, rel_tol=1e-6)
        assert math.isclose(row["train/images_per_second"], 32, rel_tol=1e-6)
        assert math.isclose(row["train/wait_share"], 0.2, rel_tol=1e-6)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3 and "\r" not in stream.getvalue()
    assert lines[0] == (
        "step   2/100  32 images/s  500 ms/step  wait 20%  critic_loss 1.5  0:02:27 left"
    )


def test_several_steps_at_once_are_logged_as_one_by_one(tmp_path, clock):
    values = np.arange(1.0, 11.0)
    values[6] = np.nan
    with open_run(tmp_path / "one", log_every=5) as run:
        for step, value in enumerate(values, 1):
            clock.now += 1.0
            metrics = {"critic_loss": jnp.float32(value), "skipped": jnp.float32(step >= 7)}
            run.train(step, metrics, wait_seconds=0.25)
    with open_run(tmp_path / "many", log_every=5) as run:
        step = 0
        for count in (1, 4, 3, 1, 1):
            clock.now += count
            padding = np.full(4 - count, 1e9)
            metrics = {
                "critic_loss": np.append(values[step : step + count], padding),
                "skipped": np.append(np.arange(step + 1, step + count + 1) >= 7, padding),
            }
            step += count
            run.train(step, metrics, steps=count, wait_seconds=0.25 * count)
    assert rows(tmp_path / "many") == rows(tmp_path / "one")
    first, second = rows(tmp_path / "many")
    assert first["train/critic_loss"] == 3.0 and second["train/critic_loss"] == 8.25
    assert second["train/skipped"] == 1 and second["train/wait_share"] == 0.25


def test_nothing_is_fetched_before_the_next_interval_is_over(tmp_path):
    Scalar.fetched = 0
    run = open_run(tmp_path, log_every=3)
    seen = []
    for step in range(1, 10):
        run.train(step, {"critic_loss": Scalar(step)})
        seen.append(Scalar.fetched)
    assert seen == [0, 0, 0, 0, 0, 3, 3, 3, 6]
    run.flush()
    assert Scalar.fetched == 9
    assert [r["step"] for r in rows(tmp_path)] == [3, 6, 9]
    run.close()


def test_flush_writes_a_part_of_an_interval_once(tmp_path):
    with open_run(tmp_path, log_every=4) as run:
        for step in range(1, 11):
            run.train(step, {"critic_loss": jnp.float32(step)})
            if step == 6:
                run.flush()
    assert [(r["step"], r["train/critic_loss"]) for r in rows(tmp_path)] == [
        (4, 2.5),
        (6, 5.5),
        (8, 7.5),
        (10, 9.5),
    ]


def test_a_pause_is_not_training_time(tmp_path, clock):
    with open_run(tmp_path) as run:
        for step in range(1, 9):
            clock.now += 1.0
            run.train(step, {"critic_loss": jnp.float32(0)})
            if step in (4, 5):
                with run.paused():
                    clock.now += 500.0
                    run.evaluation(step, {"psnr_rgb": 20.0})
                    if step == 5:
                        run.flush()
    speeds = [r["train/ms_per_step"] for r in rows(tmp_path) if "train/ms_per_step" in r]
    assert len(speeds) == 5
    np.testing.assert_allclose(speeds, 1000.0, rtol=1e-6)


def test_arrays_that_are_still_being_computed(tmp_path):
    step_function = jax.jit(lambda x: {"generator_loss": x * 2})
    with open_run(tmp_path) as run:
        for step in range(1, 5):
            run.train(step, step_function(jnp.float32(step)))
    assert [r["train/generator_loss"] for r in rows(tmp_path)] == [3.0, 7.0]


def test_not_finite_is_null_and_left_out_of_the_mean(tmp_path):
    with open_run(tmp_path) as run:
        run.train(1, {"critic_loss": np.nan, "gone": np.inf, "skipped": 1})
        run.train(2, {"critic_loss": 4.0, "gone": np.nan, "skipped": 2, "r1": 0.5})
        run.evaluation(2, {"eval/psnr_rgb": np.nan})
    text = (tmp_path / "metrics.jsonl").read_text()
    assert "NaN" not in text and "Infinity" not in text
    evaluation, train = rows(tmp_path)
    assert evaluation == {"step": 2, "eval/psnr_rgb": None}
    assert train["train/critic_loss"] == 4.0 and train["train/gone"] is None
    assert train["train/skipped"] == 2 and train["train/r1"] == 0.5
    assert "train/gone" not in events(tmp_path).Tags()["scalars"]


def test_a_resumed_run_holds_each_step_once(tmp_path):
    with open_run(tmp_path) as run:
        for step in range(1, 9):
            run.train(step, {"critic_loss": 1.0})
            if step % 4 == 0:
                run.evaluation(step, {"psnr_rgb": 1.0})
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"step": 10, "train/cri')
    with open_run(tmp_path, start_step=4) as run:
        run.evaluation(4, {"psnr_rgb": 2.0})
        for step in range(5, 9):
            run.train(step, {"critic_loss": 2.0})
        run.evaluation(8, {"psnr_rgb": 2.0})
    train = {r["step"]: r["train/critic_loss"] for r in rows(tmp_path) if "train/critic_loss" in r}
    assert train == {2: 1.0, 4: 1.0, 6: 2.0, 8: 2.0}
    evaluations = [(r["step"], r["eval/psnr_rgb"]) for r in rows(tmp_path) if "eval/psnr_rgb" in r]
    assert evaluations == [(4, 1.0), (8, 2.0)]
    assert len(rows(tmp_path)) == 6
    scalars = [(e.step, e.value) for e in events(tmp_path).Scalars("train/critic_loss")]
    assert scalars == [(2, 1.0), (4, 1.0), (6, 2.0), (8, 2.0)]


def test_a_run_begun_again_starts_empty(tmp_path):
    for value in (1.0, 2.0):
        with open_run(tmp_path) as run:
            run.evaluation(0, {"psnr_rgb": value})
    assert rows(tmp_path) == [{"step": 0, "eval/psnr_rgb": 2.0}]
    assert [e.value for e in events(tmp_path).Scalars("eval/psnr_rgb")] == [2.0]


def test_tensorboard_shows_pictures(tmp_path):
    path = Grid([[np.full((9, 7, 3), 90, np.uint8)]]).save(
        tmp_path / "samples" / "preview_00000003"
    )
    with open_run(tmp_path) as run:
        run.picture(3, "preview", path)
    (event,) = events(tmp_path).Images("samples/preview")
    assert event.step == 3 and event.encoded_image_string == path.read_bytes()


def test_tensorboard_plays_sounds_and_leaves_films_alone(tmp_path):
    path = Sound(np.zeros(50), 8000).save(tmp_path / "samples" / "said_00000003")
    with open_run(tmp_path) as run:
        run.picture(3, "said", path)
        run.picture(3, "film", tmp_path / "film.mp4")
    (event,) = events(tmp_path).Audio("samples/said")
    assert event.encoded_audio_string == path.read_bytes() and event.sample_rate == 8000


def test_a_terminal_gets_a_bar_in_place(tmp_path, clock, monkeypatch):
    monkeypatch.setenv("COLUMNS", "70")
    stream = Stream(terminal=True)
    with open_run(tmp_path, stream=stream) as run:
        for step in range(1, 51):
            clock.now += 0.01
            run.train(step, {"critic_loss": 0.25})
        run.say("saved")
    text = stream.getvalue()
    # Lines that stay: what was said, and the bar as it stood at the end.
    said, bar = (line.split("\r\x1b[K")[-1] for line in text.rstrip().split("\n"))
    assert said == "saved"
    assert bar.startswith("█████░░░░░ 50/100  1600 images/s  10 ms/step") and len(bar) <= 69
    # 25 intervals, and a redrawing each tenth of a second between.
    assert 25 <= text.count("\r") <= 40


def test_a_terminal_without_unicode(tmp_path):
    stream = Stream(terminal=True)
    stream.encoding = "ascii"
    with open_run(tmp_path, stream=stream) as run:
        run.train(50, {"critic_loss": 0.25})
    assert stream.getvalue().isascii() and "#" in stream.getvalue()


def test_other_processes_write_and_print_nothing(tmp_path):
    stream = Stream()
    Scalar.fetched = 0
    with open_run(tmp_path / "run", primary=False, stream=stream) as run:
        for step in range(1, 9):
            run.train(step, {"critic_loss": Scalar(1)})
        with run.paused():
            run.evaluation(8, {"psnr_rgb": 1.0})
        run.picture(8, "preview", tmp_path / "none.png")
        run.say("hello")
        run.flush()
    assert not (tmp_path / "run").exists() and stream.getvalue() == "" and Scalar.fetched == 0


def test_a_run_directory_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(UserError, match=r"cannot write to the run directory, .*file.*--run_dir"):
        open_run(tmp_path / "file" / "run")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "tensorboard").write_text("kept")
    with pytest.raises(UserError, match="tensorboard"):
        open_run(tmp_path / "run")


def test_a_full_disk_is_one_clear_line(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with open_run(tmp_path) as run:
        run.evaluation(0, {"psnr_rgb": 1.0})
        with monkeypatch.context() as patch:
            patch.setattr(MetricsFile, "write", full)
            with pytest.raises(UserError, match=rf"{tmp_path.name}: No space left on device"):
                run.evaluation(1, {"psnr_rgb": 1.0})
    assert rows(tmp_path) == [{"step": 0, "eval/psnr_rgb": 1.0}]


def test_closing_twice_is_harmless(tmp_path):
    run = open_run(tmp_path)
    run.close()
    run.close()


def test_table_aligns_words_left_and_numbers_right():
    text = table(["player", "parameters"], [["generator", "1.55 M"], ["critic", "734 k"]])
    assert text == (
        "player     parameters\n---------  ----------\ngenerator      1.55 M\ncritic          734 k"
    )


def test_figures_stand_beside_their_spread():
    text = figures_table({"kid": 0.5, "kid_spread": 0.01, "fid": 12.0, "odd_spread": 2.0})
    assert [line.split() for line in text.splitlines()[2:]] == [
        ["kid", "0.5000", "±", "0.0100"],
        ["fid", "12.0000"],
        ["odd_spread", "2.0000"],
    ]
    assert "spread" not in figures_table({"fid": 12.0})


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, "0"), (999, "999"), (1000, "1 k"), (734_222, "734 k"), (1.546e6, "1.55 M"), (2e12, "2 T")],
)
def test_human_count(value, expected):
    assert human_count(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(12, "12 B"), (1536, "1.5 KiB"), (3 * 2**30, "3.0 GiB"), (2**41, "2.0 TiB")],
)
def test_human_bytes(value, expected):
    assert human_bytes(value) == expected


def test_duration():
    assert [duration(s) for s in (0, 59.6, 3723)] == ["0:00:00", "0:01:00", "1:02:03"]
