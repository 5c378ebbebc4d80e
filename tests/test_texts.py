"""Texts as exhibits: their files, the report, and the sentences of a run."""

import pytest

from jaxgan.errors import UserError
from jaxgan.report_samples import find_samples, samples_section
from jaxgan.texts import Texts


def test_a_line_each(tmp_path):
    path = Texts(["one", "two\nlines", "Grüße"]).save(tmp_path / "out" / "text")
    assert path == tmp_path / "out" / "text.txt"
    assert path.read_text("utf-8") == "one\ntwo lines\nGrüße\n"
    assert [p.name for p in path.parent.iterdir()] == ["text.txt"]


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        Texts(["one"]).save(tmp_path / "file" / "text")


def test_the_report_shows_them_escaped_the_latest_first(tmp_path):
    for step, line in ((0, "old <b>"), (100, "new & shiny")):
        Texts([line]).save(tmp_path / f"preview_{step:08d}")
    shown = samples_section(tmp_path)
    assert "old &lt;b&gt;" in shown and "<b>preview</b>" in shown
    assert shown.index("new &amp; shiny") < shown.index("old &lt;b&gt;")
    assert shown.count("<details open>") == 1


def test_a_very_long_one_is_cut(tmp_path):
    Texts(["word " * 5000]).save(tmp_path / "preview_00000000")
    assert len(samples_section(tmp_path)) < 5000


def test_what_is_said_in_a_sound_is_not_a_text_of_its_own(tmp_path):
    Texts(["said"]).save(tmp_path / "voice_00000001")
    (tmp_path / "voice_00000001.wav").write_bytes(b"RIFF")
    Texts(["written"]).save(tmp_path / "preview_00000001")
    assert set(find_samples(tmp_path)) == {"voice.wav", "preview.txt"}


@pytest.mark.usefixtures("idle_steps")
def test_a_run_writes_without_its_data(command, tiny_flags, tmp_path):
    """The vocabulary is in the checkpoint; and what cannot be asked for is said in a line."""
    lines = [
        f"the {a} {b} it ."
        for a in ("cat", "dog", "cow", "hen")
        for b in ("eats", "sees", "has", "likes", "is", "wants")
    ]
    data = tmp_path / "lines.txt"
    data.write_text("\n".join(lines))
    run_dir, out = tmp_path / "run", tmp_path / "out.txt"
    code, _, error = command(
        "--experiment=seqgan", f"--run_dir={run_dir}", *tiny_flags("seqgan", data=data, steps=1)
    )
    assert code == 0, error
    data.unlink()
    code, _, error = command(
        "--mode=sample", f"--run_dir={run_dir}", f"--output={out}", "--count=5"
    )
    assert code == 0, error
    written = out.read_text().splitlines()
    assert len(written) == 5
    assert {word for line in written for word in line.replace(".", " .").split()} <= set(
        " ".join(lines).split()
    )
    code, _, error = command(
        "--mode=sample", f"--run_dir={run_dir}", f"--output={tmp_path / 'out.png'}"
    )
    assert code == 2 and "give the name of a .txt" in error
    code, _, error = command(
        "--mode=sample", f"--run_dir={run_dir}", f"--output={out}", f"--input={out}"
    )
    assert code == 2 and "writes out of nothing" in error


@pytest.mark.parametrize(
    "flag, message",
    [
        ("--windows=1,2", "needs as many --filters"),
        ("--windows=9", "none may be longer than --length=8"),
        ("--filters=x", "give whole numbers above 0"),
        ("--loss=hinge", "use bce"),
        ("--data=nowhere.txt", "there is no such file"),
    ],
)
def test_flags_that_do_not_go_together(command, tiny_flags, tmp_path, flag, message):
    given = [*tiny_flags("seqgan"), flag]
    code, _, error = command("--experiment=seqgan", f"--run_dir={tmp_path / 'run'}", *given)
    assert code == 2 and message in error and error.count("\n") == 1
    assert not (tmp_path / "run").exists()
