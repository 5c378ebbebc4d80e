"""What the regression gate finds, on made-up results."""

import copy
import json

import pytest
from results import result

from benchmarks import compare


def found(new, baseline, same_kind=True):
    return [str(f) for f in compare.findings(new, baseline, same_kind=same_kind)]


@pytest.fixture
def baseline():
    return compare.accept([result()], {})


def changed_step(**changes):
    steps = copy.deepcopy(result()["systems"]["digits"]["steps"])
    steps["critic + generator"] |= changes
    return result(steps=steps)


def test_the_accepted_result_and_a_better_one_pass(baseline):
    assert found(result(), baseline) == []
    assert found(result(own=(50, 51, 49)), baseline) == []


def test_a_worse_ratio_fails_and_says_what_was_and_is(baseline):
    first, second = found(result(own=(200, 203, 197)), baseline)
    assert first.startswith("digits: plain flax / jaxgan: was 4, is 2, allowed 3.")
    assert second.startswith("digits: share of the matrix product: was 0.8, is 0.4")


def test_the_share_of_a_step_without_much_arithmetic_is_not_compared():
    small = compare.accept([result(gflop=0.2)], {})
    (line,) = found(result(own=(200, 203, 197), gflop=0.2), small)
    assert "plain flax / jaxgan" in line


def test_plain_gradients_put_back_fail_however_noisy_the_run(baseline):
    noisy = result(own=(400, 700, 250), plain=(400, 700, 250))
    assert any("plain flax / jaxgan" in line for line in found(noisy, baseline))


def test_noise_passes(baseline):
    assert found(result(own=(107, 99, 108)), baseline) == []
    # Two of three groups were disturbed: the third is as good as ever.
    assert found(result(own=(180, 99, 170)), baseline) == []


def test_noise_of_the_baseline_is_allowed_for():
    runs = [result(own=(value,) * 3, plain=(400,) * 3) for value in (90, 100, 112)]
    accepted = compare.accept(runs, {})
    noise = accepted["systems"]["digits"]["ratios"]["plain flax / jaxgan"]["noise"]
    assert noise == pytest.approx(0.113, abs=0.001)
    slower = result(own=(130,) * 3, plain=(400,) * 3)
    assert found(slower, accepted) == []
    assert len(found(slower, compare.accept([runs[1]], {}))) == 2


def test_structure_may_not_grow(baseline):
    (line,) = found(changed_step(collectives={"all-reduce": 3}), baseline)
    assert "all-reduce of the two-device step: was 2, is 3, allowed 2" in line
    (line,) = found(changed_step(collectives={"all-reduce": 2, "all-gather": 1}), baseline)
    assert "all-gather" in line
    (line,) = found(changed_step(flops=1001), baseline)
    assert "FLOPs: was 1000, is 1001" in line
    assert found(changed_step(temporary_bytes=10_400), baseline) == []
    (line,) = found(changed_step(temporary_bytes=10_600), baseline)
    assert "temporary memory" in line
    (line,) = found(result(executables=6), baseline)
    assert "executables of a run: was 5, is 6" in line
    assert found(changed_step(flops=900, collectives={}), baseline) == []


def test_a_retrace_and_a_failure_are_found_without_a_baseline():
    empty = {"systems": {}}
    assert "after step 2" in found(result(after_step_2=1), empty)[0]
    failed = result()
    failed["systems"]["digits"] = {"flags": [], "error": "it broke"}
    assert found(failed, empty) == ["digits: it broke"]


def test_a_contestant_that_no_longer_runs_is_found(baseline):
    (line,) = found(result(peers={"plain flax": {"error": "plain flax: ended"}}), baseline)
    assert line == "digits: plain flax: ended"


def test_what_is_no_longer_measured_is_found(baseline):
    small = result(gflop=0.2, peers={})
    first, second = found(small, baseline)
    assert first == "digits: plain flax / jaxgan is in the baseline, but was not measured"
    assert second.startswith("digits: share of the matrix product is in the baseline")
    (line,) = found(result(steps={}), baseline)
    assert line == "digits: the step 'critic + generator' of the baseline is gone"
    others = result()["systems"]["digits"]["peers"]
    peers = {**others, "torch eager": others["plain flax"]}
    assert found(result(), compare.accept([result(peers=peers)], {})) == []


def test_elsewhere_ratios_may_halve_and_shares_are_not_compared(baseline):
    assert found(result(own=(190, 190, 190)), baseline, same_kind=False) == []
    (line,) = found(result(own=(400, 400, 400)), baseline, same_kind=False)
    assert "plain flax / jaxgan" in line


def test_accepting_keeps_the_systems_that_a_run_lacks(baseline):
    other = result()
    other["systems"]["faces"] = other["systems"].pop("digits")
    assert list(compare.accept([other], baseline)["systems"]) == ["digits", "faces"]


def test_a_ratio_without_meaning_is_not_accepted(tmp_path, capsys):
    noisy, path = tmp_path / "noisy.json", tmp_path / "baseline.json"
    noisy.write_text(json.dumps(result(plain=(400, 700, 250))))
    assert compare.main(["--accept", str(noisy), f"--baseline={path}"]) == 1
    assert "left out digits: plain flax / jaxgan: its noise of" in capsys.readouterr().err
    accepted = json.loads(path.read_text())["systems"]["digits"]["ratios"]
    assert list(accepted) == [compare.SHARE]


@pytest.mark.parametrize("text", [None, "{", "[]"])
def test_a_file_that_is_no_result_is_one_line(tmp_path, capsys, text):
    path = tmp_path / "result.json"
    if text is not None:
        path.write_text(text)
    assert compare.main([str(path)]) == 2
    assert capsys.readouterr().err.startswith(f"benchmarks.compare: {path}")


def test_the_command_accepts_compares_and_finds_the_nearest_baseline(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(compare, "BASELINES", tmp_path / "baseline")
    monkeypatch.setattr(compare.find_baseline, "__defaults__", (tmp_path / "baseline",))
    good, bad, elsewhere = (tmp_path / f"{name}.json" for name in ("good", "bad", "elsewhere"))
    good.write_text(json.dumps(result()))
    bad.write_text(json.dumps(result(own=(300, 300, 300))))
    elsewhere.write_text(json.dumps(result(kind="cpu-2-cores-other")))
    assert compare.main([str(bad)]) == 0
    assert "no baseline for cpu-2-cores-one" in capsys.readouterr().out
    assert compare.main(["--accept", str(good), str(good)]) == 0
    assert (tmp_path / "baseline" / "cpu-2-cores-one.json").exists()
    capsys.readouterr()
    assert compare.main([str(good)]) == 0
    assert "nothing is worse" in capsys.readouterr().out
    assert compare.main([str(bad)]) == 1
    assert capsys.readouterr().out.count("WORSE digits") == 2
    assert compare.main([str(elsewhere)]) == 0
    assert "compared with cpu-2-cores-one" in capsys.readouterr().out
    assert compare.find_baseline({"kind": "gpu-h100", "cores": "8"}, tmp_path / "baseline") is None
    assert compare.main(["--accept", str(good), str(elsewhere)]) == 2
