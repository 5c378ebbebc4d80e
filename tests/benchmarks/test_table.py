"""The README's table of speeds."""

import json

import pytest
from results import peer, result

from benchmarks import table
from benchmarks.contestant import ROOT
from jaxgan.errors import UserError


def test_the_readme_says_what_the_committed_results_say():
    results = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
    assert table.main(["--check", *map(str, results)]) == 0


def test_a_row_names_the_best_peer_and_what_sharing_is_worth():
    own = (100, 100, 100)
    peers = {
        "plain flax": peer(own, (400, 400, 400)),
        "jaxgan, two fakes": peer(own, (120, 120, 120)),
        "torch eager": peer(own, (180, 180, 180)),
        "torch channels-last": peer(own, (150, 150, 150)),
        "keras jax": {"error": "keras jax: not installed"},
    }
    text = table.text([result(own, peers=peers)])
    cells = next(line for line in text.splitlines() if "`digits`" in line).split(" | ")
    assert cells[3:8] == ["80%", "4.00", "150 (torch channels-last)", "1.50", "1.25"]
    assert "geometric mean of 1 systems: 1.50" in text
    assert "**GPU**: not measured" in text


def test_bfloat16_has_a_row_of_its_own():
    own = (10, 10, 10)
    peers = {
        "jaxgan bf16": peer(own, (4, 4, 4)),
        "torch cuda compile": peer(own, (15, 15, 15)),
        "torch cuda compile bf16": peer(own, (6, 6, 6)),
    }
    text = table.text([result(own, kind="gpu-h100", peers=peers)])
    rows = [line.split(" | ") for line in text.splitlines() if "`digits`" in line]
    assert [row[5:7] for row in rows] == [
        ["15 (torch cuda compile)", "1.50"],
        ["6 (torch cuda compile bf16)", "1.50"],
    ]
    assert "**CPU**: not measured" in text


def test_a_failure_is_shown_and_later_files_win():
    failed = result()
    failed["systems"]["digits"] = {"flags": [], "error": "it broke"}
    assert "failed: it broke" in table.text([failed])
    assert "failed" not in table.text([failed, result()])


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
