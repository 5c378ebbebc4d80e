"""Every experiment: trains, measures, goes on and is listed."""

import json

import jax
import pytest
from absl.testing import flagsaver

from jaxgan import experiment as experiments
from jaxgan import main, parallel


@pytest.mark.parametrize("name", experiments.available())
def test_every_experiment_trains_measures_and_goes_on(
    name, command, tiny_flags, tmp_path, monkeypatch
):
    """On two devices, and then on one."""
    run_dir = tmp_path / "run"
    base = [f"--experiment={name}", f"--run_dir={run_dir}"]
    code, out, _ = command(*base, *tiny_flags(name, steps=3, log_every=1))
    assert code == 0, out
    assert [path.name for path in sorted((run_dir / "checkpoints").iterdir())][-1] == "00000003"
    assert (run_dir / "report.html").stat().st_size > 10_000
    assert len(list((run_dir / "samples").glob("*_00000000.*"))) >= 1
    assert_measured_again(name, command, run_dir)
    one_device = parallel.make_mesh(jax.devices()[:1])
    monkeypatch.setattr(main.parallel, "make_mesh", lambda devices=None: one_device)
    code, out, _ = command(*base, *tiny_flags(name, log_every=1))
    assert (
        code == 0 and "goes on from step 3" in out and "steps=4 (it was 3)" in out.replace("--", "")
    )
    steps = [row["step"] for row in logged(run_dir) if any(n.startswith("train/") for n in row)]
    assert steps == [1, 2, 3, 4]


def logged(run_dir):
    return [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]


def assert_measured_again(name, command, run_dir):
    """The figures of the run's end are found again, and each says how it was measured."""
    code, out, error = command("--mode=eval", f"--run_dir={run_dir}")
    assert code == 0, error
    assert "step 3" in out
    measured = json.loads((run_dir / "evaluations.jsonl").read_text())
    ended = {k: v for row in logged(run_dir) if row["step"] == 3 for k, v in row.items()}
    figures = {name: value for name, value in measured.items() if isinstance(value, float)}
    assert figures == {name: ended[f"eval/{name}"] for name in figures} and figures
    stamps = measured.get("stamps", {})
    # NAME's stamp is that of its spread and of its baselines, too.
    bare = [n for n in figures if not any(n == s or n.startswith(f"{s}_") for s in stamps)]
    assert not bare or name == "srgan_div2k"
    for stamp in stamps.values():
        assert stamp["metric"] in out and stamp["sha256"][:12] in out


@pytest.mark.parametrize("name", experiments.available())
def test_every_experiment_says_what_it_is(name):
    file = experiments.find(name)
    assert len(experiments.first_line(file)) <= 90
    assert f"--experiment={name}" in file.read_text()
    assert len(file.read_text().splitlines()) < 230


@pytest.mark.parametrize("name", experiments.available())
def test_measuring_nothing_is_spelt_0(name, tiny_flags):
    """The benchmarks count a run's executables without those of its figures."""
    sizes = [flag.partition("=")[0].removeprefix("--") for flag in tiny_flags(name)]
    nothing = {flag: 0 for flag in ("eval_samples", "eval_pictures") if flag in sizes}
    with flagsaver.flagsaver():
        loaded, _ = main.parse(["jaxgan", f"--experiment={name}", *tiny_flags(name, **nothing)])
        experiments.settle_scale(main.FLAGS, loaded)
        built = experiments.build(loaded)
    assert not nothing or built.evaluate is None
