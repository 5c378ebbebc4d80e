"""The README's table of speeds."""

import json

import pytest
from results import peer, result, summary

from benchmarks import table
from benchmarks.contestant import ROOT
from jaxgan.errors import UserError


def test_the_readme_says_what_the_committed_results_say():
    results = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
    assert table.main(["--check", *map(str, results)]) == 0


def test_a_row_names_the_best_peer_and_compares_every_peer_with_its_equal():
    own = (100, 100, 100)
    peers = {
        "plain flax": peer(own, (400, 400, 400)),
        "torch eager": peer(own, (180, 180, 180), shares_fake=True),
        "torch channels-last": peer(own, (150, 150, 150), shares_fake=True),
        "keras tensorflow": peer(own, (240, 240, 240), shares_fake=False)
        | {"same_mathematics": summary((2.0, 2.0, 2.0), "pairs")},
        "keras jax": {"error": "keras jax: not installed"},
        "jaxgan, two fakes": {"milliseconds": summary((120, 120, 120))},
    }
    text = table.text([result(own, peers=peers)])
    cells = next(line for line in text.splitlines() if "`digits`" in line).split(" | ")
    assert cells[2] == "80.0" and cells[4:8] == ["80%", "4.00", "torch channels-last, 150", "1.50"]
    assert cells[8] == (
        "torch eager 1.80, torch channels-last 1.50, keras tensorflow 2.00 (two fakes), "
        "keras jax failed"
    )
    assert "geometric mean of 1 systems: 1.50" in text
    assert "**GPU**: not measured" in text
    small = table.text([result(flags=["--experiment=digits", "--scale=small"])])
    assert "| `digits`, small scale |" in small and "small" not in text


def test_bfloat16_has_a_row_of_its_own():
    own = (10, 10, 10)
    peers = {
        "jaxgan bf16": peer(own, (4, 4, 4)),
        "torch cuda compile": peer(own, (15, 15, 15), shares_fake=True),
        "torch cuda compile bf16": peer(own, (6, 6, 6), shares_fake=True),
    }
    made = result(own, kind="gpu-h100", peers=peers)
    made["ceilings"]["matmul_gflops_bfloat16"] = summary([6000.0])
    text = table.text([made])
    rows = [line.split(" | ") for line in text.splitlines() if "`digits`" in line]
    assert [row[6:9] for row in rows] == [
        ["torch cuda compile, 15.0", "1.50", "torch cuda compile 1.50"],
        ["torch cuda compile bf16, 6.00", "1.50", "torch cuda compile bf16 1.50"],
    ]
    # 8 samples and 12 GFLOP in 4 ms.
    assert rows[1][2:5] == ["2,000", "3e+03", "50%"] and "in bfloat16 6000" in text
    assert "**CPU**: not measured" in text


def test_a_failure_is_shown_and_later_files_win():
    failed = result()
    failed["systems"]["digits"] = {"flags": [], "error": "it broke"}
    assert "failed: it broke" in table.text([failed])
    assert "failed" not in table.text([failed, result()])
    assert "failed" not in table.text([result(), failed]), "an error replaces no success"


def test_flax_layers_that_failed_are_no_lack_of_convolutions():
    def cell(peers):
        return next(r for r in table.text([result(peers=peers)]).splitlines() if "`digits`" in r)

    assert "no convolutions" in cell({})
    assert "no convolutions" not in cell({"plain flax": {"error": "it broke"}})


def test_results_of_several_commits_say_so():
    other = result()
    other["commit"] = "def"
    other["systems"]["faces"] = other["systems"].pop("digits")
    text = table.text([result(), other])
    assert "commit abc, def;" in text and "`digits` (abc)" in text and "`faces` (def)" in text
    assert "(abc)" not in table.text([result()])
    other["machine"]["jax"] = "0.11"
    with pytest.raises(UserError, match=r"jax 0\.10\.2 and 0\.11"):
        table.text([result(), other])


def test_writing_and_checking(tmp_path):
    readme, figures = tmp_path / "README.md", tmp_path / "result.json"
    figures.write_text(json.dumps(result()))
    readme.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n")
    assert table.main(["--check", str(figures)], readme) == 1
    assert table.main([str(figures)], readme) == 0
    assert table.main(["--check", str(figures)], readme) == 0
    written = readme.read_text()
    assert written.startswith("before\n") and written.endswith("\nafter\n")
    with pytest.raises(UserError):
        table.replaced("no markers", "table")
    assert table.main([str(tmp_path / "missing.json")], readme) == 2
