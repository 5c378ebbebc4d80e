"""What is said of a run's health, from made-up series, and where it is shown."""

import io
import math

import pytest

from jaxgan.health import LASTING, LEARNING, SENTENCES, Episode, Watch, episodes, in_words
from jaxgan.report import health_notes
from jaxgan.report_figures import Series
from jaxgan.telemetry import Telemetry

COUNT = 30
STEPS = [50 * (i + 1) for i in range(COUNT)]


def steady(value, until=None, then=0.0):
    until = COUNT if until is None else until
    return [value] * until + [then] * (COUNT - until)


@pytest.mark.parametrize(
    ("accuracy", "diversity", "sign", "first"),
    [
        (steady(0.8), steady(0.95, 15, 0.2), "collapse", 15),
        (steady(0.7, 20, 1.0), steady(0.9), "strong", 20),
        (steady(0.5), steady(0.7), "weak", LEARNING),
    ],
)
def test_what_lasts_is_an_episode(accuracy, diversity, sign, first):
    assert episodes(STEPS, accuracy, diversity) == [Episode(sign, STEPS[first], STEPS[-1])]


@pytest.mark.parametrize(
    ("accuracy", "diversity"),
    [
        (steady(0.8), steady(0.9)),
        # A good end: nothing is left to find.
        (steady(0.8, 15, 0.5), steady(0.97)),
        # The first intervals: one grey blot, which every critic notices.
        (steady(1.0, LEARNING, 0.8), steady(0.05, LEARNING, 0.9)),
        # A dip that does not last.
        (steady(0.8), [0.9] * 12 + [0.1] * (LASTING - 1) + [0.9] * (COUNT - 11 - LASTING)),
        (steady(math.nan), steady(math.nan)),
        (steady(0.5), steady(math.nan)),
    ],
)
def test_a_healthy_run_is_left_alone(accuracy, diversity):
    assert episodes(STEPS, accuracy, diversity) == []


def test_two_episodes_of_one_kind_are_two():
    diversity = [0.9] * 6 + [0.1] * 6 + [0.9] * 6 + [0.1] * 12
    found = episodes(STEPS, steady(0.8), diversity)
    assert [(e.first, e.last) for e in found] == [(350, 600), (950, 1500)]


def test_the_watch_says_each_episode_once_and_when_it_has_lasted():
    watch, said = Watch(), []
    diversity = [0.9] * 6 + [0.1] * 8 + [0.9] * 2 + [0.1] * 6
    for index, value in enumerate(diversity):
        said += [(index, s) for s in watch.note({"critic_accuracy": 0.8, "diversity": value})]
    assert said == [(10, SENTENCES["collapse"]), (20, SENTENCES["collapse"])]
    assert Watch().note({}) == []


def test_the_console_shows_both_figures_and_warns_in_a_line_of_its_own(tmp_path):
    stream = io.StringIO()
    with Telemetry(tmp_path, total_steps=12, batch_size=4, log_every=1, stream=stream) as telemetry:
        for step in range(1, 13):
            metrics = {"critic_loss": 1.0, "critic_accuracy": 0.875, "diversity": 0.123}
            telemetry.train(step, metrics)
    lines = stream.getvalue().splitlines()
    assert "critic_loss 1  accuracy 88%  diversity 0.12" in lines[0]
    warnings = [line for line in lines if "warning" in line]
    assert warnings == [f"warning, step {LEARNING + LASTING}: {SENTENCES['collapse']}"]
    assert in_words({"critic_loss": 1.0}) == []


@pytest.mark.parametrize("interrupted", [3, LEARNING + LASTING - 1, LEARNING + LASTING])
def test_an_interrupted_run_warns_where_an_uninterrupted_one_would(tmp_path, interrupted):
    stream = io.StringIO()
    for first, last in ((0, interrupted), (interrupted, 14)):
        with Telemetry(
            tmp_path, total_steps=14, batch_size=4, log_every=1, start_step=first, stream=stream
        ) as telemetry:
            for step in range(first + 1, last + 1):
                # Not-a-number is null in the file.
                metrics = {"critic_accuracy": float("nan"), "diversity": 0.1}
                telemetry.train(step, metrics)
    warnings = [line for line in stream.getvalue().splitlines() if "warning" in line]
    assert warnings == [f"warning, step {LEARNING + LASTING}: {SENTENCES['collapse']}"]


def test_the_report_marks_what_stayed_wrong():
    metrics = {
        "train/critic_accuracy": Series(STEPS, steady(0.8)),
        "train/diversity": Series(STEPS, steady(0.95, 15, 0.2)),
    }
    page = health_notes(metrics)
    assert "<b>Steps 800 to 1,500:</b>" in page and "collapsing" in page
    metrics["train/diversity"] = Series(STEPS, steady(0.95))
    assert health_notes(metrics) == "" and health_notes({}) == ""
