"""The page is read back as a browser would: its elements, its data, and nothing from outside it."""

import base64
import json
import math
import re
import wave
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from jaxgan.errors import UserError
from jaxgan.media import Grid
from jaxgan.metrics.stamp import Stamp
from jaxgan.report import flat, grouped, in_words, number, together, write_report
from jaxgan.report_charts import (
    LETTER,
    Axis,
    Chart,
    Line,
    draw,
    labels,
    phase_marks,
    thin,
    training_charts,
    value_axis,
)
from jaxgan.report_figures import Series, best, describe, figures, last, read_metrics
from jaxgan.report_samples import SHOWN, find_samples, thin_samples
from jaxgan.run_directory import record_stamps

CONFIG = {
    "experiment": "srgan_div2k",
    "command": ["python", "-m", "jaxgan.main", "--run_dir=runs/my run"],
    "flags": {"steps": 600, "batch_size": 16, "loss": "bce"},
    "scale": "small",
    "data": {"kind": "photographs", "count": 11, "held_out": {"names": ["astronaut", "chelsea"]}},
    "versions": {"jax": "0.10.2"},
    "devices": ["cpu", "cpu"],
    "started": "2026-11-21T20:31:07+00:00",
    "players": {"generator": 1_546_000, "critic": 734_222},
    "figures": ["Not DIV2K."],
    "phases": [{"name": "pre-training", "start": 0}, {"name": "adversarial", "start": 300}],
}
VOID = {"meta", "link", "img", "input", "br", "hr"}


class Page(HTMLParser):
    """Notes every element and its text; fails where elements are not nested."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.text = [], [], ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("script", "style"):
            self.text += f" {data}"

    def having(self, tag, **wanted):
        return [
            a
            for t, a in self.elements
            if t == tag and wanted.items() <= {k: a.get(k) for k in wanted}.items()
        ]


def make_run(folder, rows=(), config=CONFIG):
    (folder / "samples").mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    if rows:
        (folder / "metrics.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return folder


def read(folder):
    path = write_report(folder)
    assert path == folder / "report.html"
    return Page(path.read_text(encoding="utf-8"))


def rows_of_a_run():
    for step in range(0, 601, 10):
        if step:
            row = {"step": step, "train/generator_loss": 0.5 / step, "train/ms_per_step": 200.0}
            row |= {"train/images_per_second": 80.0, "train/skipped": 0, "train/wait_share": 0.01}
            if step > 300:
                row |= {"train/critic_loss": None if step == 400 else 0.7, "train/critic_real": 1.0}
            yield row
        if step % 200 == 0:
            psnr = {0: 20.0, 200: 24.0, 400: 24.5, 600: 24.31}[step]
            yield {
                "step": step,
                "eval/psnr_rgb": psnr,
                "eval/psnr_rgb_bicubic": 23.62,
                "eval/psnr_rgb_gain": psnr - 23.62,
            }


def grid(folder, step, name="preview", size=(30, 40)):
    picture = np.full((*size, 3), step % 256, np.uint8)
    return Grid([[picture, picture]], ["bicubic", "generated"]).save(
        folder / "samples" / f"{name}_{step:08d}"
    )


def test_a_whole_run(tmp_path):
    run = make_run(tmp_path / "run", list(rows_of_a_run()))
    paths = [grid(run, step, size=(300, 400)) for step in (0, 200, 400, 600)]
    page = read(run)
    text = " ".join(page.text.split())
    assert "srgan_div2k small scale" in text
    assert "PSNR (RGB) 24.31 dB bicubic 23.62, +0.69 best 24.50 at step 400" in text
    assert "600 of 600" in text and "2 min 0 s" in text and "2 \u00d7 cpu" in text
    assert "Generator 1.55 M parameters" in text and "Not DIV2K." in text
    assert "python -m jaxgan.main '--run_dir=runs/my run'" in text
    assert "held_out.names astronaut, chelsea" in text and "All 3 flags" in text
    assert "skipped" not in text
    assert [a["data-step"] for a in page.having("button")] == ["0", "200", "400", "600"]
    assert page.having("input", type="range")[0]["max"] == "3"
    large = page.having("img")[0]["src"]
    assert base64.b64decode(large.partition(",")[2]) == paths[-1].read_bytes()
    charts = [json.loads(a["data-chart"]) for a in page.having("figure", **{"class": "chart"})]
    titles = [a["aria-label"].partition(" over")[0] for a in page.having("svg")]
    assert titles == [
        "PSNR (RGB)",
        "Losses",
        "Critic's answer",
        "Images per second",
        "Waiting for data",
    ]
    assert charts[0]["step"] == [0, 200, 400, 600]
    assert [line["value"] for line in charts[0]["lines"]] == [[20, 24, 24.5, 24.31], [23.62] * 4]
    assert None in charts[1]["lines"][1]["value"]


def test_nothing_comes_from_outside(tmp_path):
    run = make_run(tmp_path / "run", list(rows_of_a_run()))
    grid(run, 0)
    page = read(run)
    for tag, attributes in page.elements:
        for name in ("src", "href", "poster", "srcset", "data"):
            if name in attributes:
                assert attributes[name].startswith("data:"), (tag, name)
    text = (run / "report.html").read_text()
    assert "http://" not in text and "https://" not in text and "@import" not in text
    assert "url(" not in text


def test_hostile_names_are_text(tmp_path):
    evil = '"><script>alert(1)</script>'
    config = CONFIG | {"experiment": evil, "flags": {evil: evil}, "data": {"kind": evil}}
    config |= {"figures": [evil], "devices": [evil], "command": [evil], "players": {evil: 1}}
    config |= {"phases": [{"name": evil, "start": 0}]}
    rows = [{"step": 1, f"eval/x{evil}": 1.0, f"train/{evil}": 1.0, f"train/{evil}_loss": 1.0}]
    run = make_run(tmp_path / "run", rows, config)
    (run / "samples" / "a<b>&_00000001.png").write_bytes(grid(run, 1).read_bytes())
    page = read(run)
    assert len(page.having("script")) == 1
    assert [t for t, _ in page.elements].count("a") == 0 and "a<b>&" in page.text


def test_a_run_that_has_logged_nothing(tmp_path):
    text = read(make_run(tmp_path / "run")).text
    assert "No step has been logged yet." in text


def test_only_an_experiment_is_known(tmp_path):
    assert "mine" in read(make_run(tmp_path / "run", config={"experiment": "mine"})).text


def test_a_run_that_was_cut_off(tmp_path):
    run = make_run(tmp_path / "run", list(rows_of_a_run()))
    with open(run / "metrics.jsonl", "ab") as file:
        file.write(b'{"step": 610, "train/gen\xff')
    whole = grid(run, 0)
    (run / "samples" / "preview_00000100.png").write_bytes(whole.read_bytes()[:90])
    page = read(run)
    assert "600 of 600" in " ".join(page.text.split())
    assert len(page.having("img")) == 1  # the whole one, and no strip


@pytest.mark.parametrize("value", [None, 1e308, -5.0, 0.0])
def test_any_value_gives_finite_charts(tmp_path, value):
    rows = [{"step": s, "train/critic_loss": value, "eval/fid": value} for s in (1, 2)]
    page = read(make_run(tmp_path / "run", rows))
    text = (tmp_path / "run" / "report.html").read_text()
    for chart in page.having("figure", **{"class": "chart"}):
        json.loads(chart["data-chart"], parse_constant=pytest.fail)
    body = text[text.index("</header>") :].lower()
    assert not re.search(r"\b(nan|inf|infinity)\b", body)


def test_lower_is_better_for_distances(tmp_path):
    rows = [{"step": 10, "eval/fid": 30.5, "eval/fid_start": 20.25}]
    rows += [{"step": 20, "eval/fid": 40.5, "eval/fid_start": 20.25}]
    text = " ".join(read(make_run(tmp_path / "run", rows)).text.split())
    assert "FID 40.50 start 20.25, +20.25 best 30.50 at step 10" in text
    assert 'class="worse"' in (tmp_path / "run" / "report.html").read_text()


def test_a_figure_stands_with_its_spread_and_its_stamp(tmp_path):
    rows = [
        {"step": step, "eval/kid": 0.5 / step, "eval/kid_spread": 0.02, "eval/fid": 3.0}
        for step in (1, 2)
    ]
    folder = make_run(tmp_path / "run", rows)
    stamp = Stamp("KID <cubic>", 100, 50, {"kind": "npz", "where": "a.npz"}, "own", "ab" * 32, "no")
    record_stamps(folder, {"kid": stamp})
    page = read(folder)
    assert re.search(r"KID\s+0.250\s+± 0.020", page.text)
    assert f"kid: {stamp}" in page.text and "with own" in page.text
    # The spread is no figure of its own, and no baseline.
    assert page.text.count("spread") == 0
    (folder / "stamps.json").write_text("[")
    with pytest.raises(UserError, match="cannot be read"):
        write_report(folder)


def test_sounds_and_films_are_embedded(tmp_path):
    run = make_run(tmp_path / "run")
    with wave.open(str(run / "samples" / "speech_00000010.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(400))
    (run / "samples" / "speech_00000010.txt").write_text("Say <when>.\n", "utf-8")
    Image.new("RGB", (4, 4)).save(run / "samples" / "walk_00000010.gif")
    (run / "samples" / "clip_00000010.mp4").write_bytes(b"film")
    with open(run / "samples" / "long_00000010.mp4", "wb") as file:
        file.truncate(8_000_001)
    page = read(run)
    assert page.having("audio")[0]["src"].startswith("data:audio/wav;base64,")
    assert "Say <when>." in page.text
    assert page.having("video")[0]["src"].startswith("data:video/mp4;base64,")
    assert page.having("img")[0]["src"].startswith("data:image/gif;base64,")
    assert page.having("a")[0]["href"] == "samples/long_00000010.mp4"


def test_many_samples_are_thinned_to_first_last_and_between(tmp_path):
    run = make_run(tmp_path / "run")
    for step in range(0, 1000, 10):
        (run / "samples" / f"preview_{step:08d}.png").touch()
    (run / "samples" / ".preview_00000001.png").touch()
    (run / "samples" / "notes.txt").touch()
    (samples,) = find_samples(run / "samples").values()
    chosen = [s.step for s in thin_samples(samples)]
    assert len(samples) == 100 and len(chosen) == SHOWN
    assert chosen[0] == 0 and chosen[-1] == 990 and np.ptp(np.diff(chosen)) <= 10


def test_thinning_keeps_means_and_extremes():
    rng = np.random.default_rng(0)
    steps = list(range(1, 5001))
    dense, sparse = rng.normal(size=5000), rng.normal(size=500)
    dense[100] = 50.0
    dense[7] = np.nan
    lines = [Line("a", Series(steps, list(dense))), Line("b", Series(steps[::10], list(sparse)))]
    ends, means, lows, highs = thin(lines, 50)
    assert len(ends) == 50 and ends[-1] == 5000
    for i, (low, high) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        inside = dense[low:high]
        np.testing.assert_allclose(means[0][i], np.nanmean(inside))
        assert lows[0][i] == np.nanmin(inside) and highs[0][i] == np.nanmax(inside)
    assert highs[0].max() == 50.0
    every = [x for x in zip(steps[::10], sparse, strict=True) if x[0] <= ends[10]]
    later = [v for s, v in every if s > ends[9]]
    np.testing.assert_allclose(means[1][10], np.mean(later))


def test_a_long_run_makes_a_small_page(tmp_path):
    rows = [{"step": s, "train/critic_loss": math.sin(s)} for s in range(1, 30_001)]
    write_report(make_run(tmp_path / "run", rows))
    assert (tmp_path / "run" / "report.html").stat().st_size < 80_000


def test_charts_are_well_formed_and_stay_inside():
    values = [*np.geomspace(1e-4, 10, 60), math.nan, 3.0]
    chart = Chart("Losses", "", [Line("critic", Series(list(range(62)), values))], (5, values[5]))
    svg = ElementTree.fromstring(draw(chart, [{"name": "all", "start": 0}], 100)).find("svg")
    assert "log scale" in draw(chart)
    _, _, width, height = (float(v) for v in svg.get("viewBox").split())
    (curve,) = (p.get("d") for p in svg.findall("path"))
    assert curve.count("M") == 2  # broken where there is no value
    points = np.array([p.split() for p in curve.replace("L", "M").split("M")[1:]], float)
    assert points[:, 0].min() >= 50 and points[:, 0].max() < width
    assert points[:, 1].min() >= 20 and points[:, 1].max() <= height - 24
    np.testing.assert_allclose(points[-1, 0], 50 + 0.61 * (width - 64), atol=0.1)
    # Equal ratios are equal distances.
    np.testing.assert_allclose(np.diff(points[:60, 1]), points[1, 1] - points[0, 1], atol=0.11)


def test_one_spike_does_not_flatten_a_chart():
    calm = np.sin(np.arange(500.0))
    calm[250] = 1e4
    axis = value_axis([calm], logarithmic=True)
    assert not axis.log and axis.high < 10
    top, bottom = axis.place([1.0, -1.0])
    assert bottom - top > 40


def test_training_metrics_are_grouped():
    series = Series([1], [1.0])
    names = ["generator_loss", "wait_share", "critic_loss", "critic_real", "critic_fake", "content"]
    names += ["generator_grad_norm", "ms_per_step", "skipped", "critic_grad_norm"]
    charts = training_charts({f"train/{n}": series for n in names} | {"eval/fid": series})
    assert {c.title: [line.label for line in c.lines] for c in charts} == {
        "Losses": ["Generator", "Critic"],
        "Critic's answer": ["on real", "on fake"],
        "Content": [""],
        "Gradient norms": ["Generator", "Critic"],
        "Waiting for data": [""],
    }
    assert charts[-1].title == "Waiting for data"


def test_figures_know_their_baselines():
    names = [
        "psnr_y",
        "psnr_y_bicubic",
        "psnr_y_nearest_neighbour",
        "psnr_y_gain",
        "ssim_y",
        "fid_5k",
    ]
    found = figures({f"eval/{n}": Series([1], [1.0]) for n in names})
    assert [(f.label, f.unit, f.higher_is_better) for f in found] == [
        ("PSNR (Y)", "dB", True),
        ("SSIM (Y)", "", True),
        ("FID 5k", "", False),
    ]
    assert found[0].baselines == {
        "bicubic": "eval/psnr_y_bicubic",
        "nearest neighbour": "eval/psnr_y_nearest_neighbour",
    }


def test_metrics_are_read_in_the_order_of_steps(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text(
        '{"step": 4, "a": 1}\n{"step": 2, "a": null}\n{"step": 4, "a": 3}\n[1]\n{"a": 2}\n'
    )
    series = read_metrics(path)["a"]
    assert series.steps == [2, 4] and math.isnan(series.values[0]) and series.values[1] == 3.0
    assert best(series, False) == last(series) == (4, 3.0)
    assert best(Series([1], [math.nan]), True) is None
    assert read_metrics(tmp_path / "none") == {}


def test_words_and_numbers():
    assert describe("critic_loss") == "Critic loss" and describe("r1") == "R1"
    assert [number(v) for v in (24.305, 0.7168, 8.0, -3.25, 1e-5)] == [
        "24.30",
        "0.717",
        "8",
        "\u22123.250",
        "1e-05",
    ]
    assert number(0.6934, like=24.0, signed=True) == "+0.69"
    assert number(-0.02, like=0.7, signed=True) == "\u22120.020"
    assert labels([0, 20000, 40000]) == ["0", "20k", "40k"]
    assert labels([0.7, 0.72, 0.74]) == ["0.70", "0.72", "0.74"]
    assert labels([0.03, 0.1, 0.3]) == ["0.03", "0.1", "0.3"]
    assert [in_words(s) for s in (9.6, 61, 4000)] == ["10 s", "1 min 1 s", "1 h 6 min"]
    assert grouped(["cpu", "cpu", "tpu"]) == ["2 \u00d7 cpu", "tpu"]
    assert flat({"a": {"b": [1, "x"]}, "c": None}) == [("a.b", "1, x"), ("c", "null")]


def test_what_is_no_run_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match=r"holds no config\.json"):
        write_report(tmp_path)


def test_a_page_that_cannot_be_written_is_a_user_error(tmp_path):
    run = make_run(tmp_path / "run")
    (run / "report.html").mkdir()
    with pytest.raises(UserError, match=r"cannot write .*report\.html"):
        write_report(run)


def test_phases_that_begin_together_are_marked_once():
    phases = [{"name": "critic", "start": 300}, {"name": "pretrain", "start": 0}]
    phases.append({"name": "generator", "start": 300})
    assert together(phases) == [
        {"name": "pretrain", "start": 0},
        {"name": "critic + generator", "start": 300},
    ]


def test_names_of_phases_do_not_run_into_each_other():
    phases = [{"name": "pretrain", "start": 0}, {"name": "critic", "start": 800}]
    phases += [{"name": "generator", "start": 850}, {"name": "never", "start": 1000}]
    marks = "".join(phase_marks(phases, Axis(0, 1000, 50, 386), 190))
    placed = {
        name: (float(x), int(y))
        for x, y, name in re.findall(r'<text x="([\d.]+)" y="(\d+)" class="quiet">(\w+)<', marks)
    }
    assert placed.keys() == {"pretrain", "critic", "generator"}
    assert placed["pretrain"][1] == placed["critic"][1] < placed["generator"][1]
    assert placed["generator"][0] + LETTER * len("generator") <= 386


@pytest.mark.parametrize(
    ("name", "label", "unit", "higher"),
    [
        ("fad", "FAD", "", False),
        ("mcd", "MCD", "dB", False),
        ("mel_cepstral_distortion", "Mel cepstral distortion", "dB", False),
        ("self_bleu_4", "Self BLEU 4", "", False),
        ("bleu_4", "BLEU 4", "", True),
        ("recognised", "Recognised", "", True),
    ],
)
def test_figures_of_sounds_and_texts_know_which_way_is_better(name, label, unit, higher):
    series = Series([0], [1.0])
    (figure,) = figures({f"eval/{name}": series})
    assert (figure.label, figure.unit, figure.higher_is_better) == (label, unit, higher)
