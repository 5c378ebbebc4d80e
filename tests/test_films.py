"""The face swap on films, from the command line: trained on two, a third one swapped."""

import json
import sys
from fractions import Fraction

import av
import numpy as np
import pytest

from jaxgan.data import video
from jaxgan.data.people import people
from jaxgan.provenance import says_synthetic


@pytest.fixture(scope="module")
def films(tmp_path_factory, write_film):
    """Two films of twenty frames, of a person each."""
    folder = tmp_path_factory.mktemp("films")
    return [write_film(folder / f"{name}.mp4", frames) for name, frames in people(32, 20).items()]


def facts(path):
    """Rate, size and times of a film's frames."""
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        times = [frame.pts * stream.time_base for frame in film.decode(stream)]
        return stream.average_rate, (stream.height, stream.width), times


def test_two_films_train_a_swap_and_a_film_is_swapped(
    command, tiny_flags, films, write_film, tmp_path
):
    a, b = films
    run_dir = tmp_path / "run"
    flags = tiny_flags("faceswap", steps=2, eval_pictures=0, data=f"video:{a},video:{b}")
    code, out, error = command("--experiment=faceswap", f"--run_dir={run_dir}", *flags)
    assert code == 0, out + error
    about = json.loads((run_dir / "config.json").read_text())["data"]
    assert (about["a"]["count"], about["b"]["count"]) == (18, 18)
    assert about["held_out"]["b"]["where"] == str(b)
    assert (run_dir / "samples" / "preview_00000002.png").exists()

    frames = np.random.default_rng(0).integers(0, 256, (9, 24, 34, 3), np.uint8)
    given = write_film(tmp_path / "film.mp4", frames)
    sample = ["--mode=sample", f"--run_dir={run_dir}", f"--input={given}"]
    swapped = {}
    for direction in ("AtoB", "BtoA"):
        output = tmp_path / f"{direction}.mp4"
        code, _, error = command(*sample, f"--output={output}", f"--direction={direction}")
        assert code == 0, error
        assert facts(output) == facts(given)
        assert facts(output)[:2] == (Fraction(30000, 1001), (24, 34))
        assert says_synthetic(output) and not says_synthetic(given)
        swapped[direction] = np.stack(list(video.frames(output)))
    # Marked, and each frame made of its own by its own decoder.
    for made in swapped.values():
        assert made.shape == frames.shape
        assert (made[:, -1] < 40).all(-1).any() and (made[:, -1] > 200).all(-1).any()
    assert np.abs(swapped["AtoB"].astype(int) - swapped["BtoA"]).mean() > 1

    (tmp_path / "frames").mkdir()
    (tmp_path / "text.mp4").write_bytes(b"no film\n" * 99)
    for source, output, said in (
        (given, "out.png", "a film is written as .mkv, .mp4, .webm"),
        (given, "out", "a film is written as"),
        (tmp_path / "frames", "out.mp4", "is no film"),
        (tmp_path / "text.mp4", "out.mp4", "text.mp4 is no film that can be read"),
    ):
        sample = ["--mode=sample", f"--run_dir={run_dir}", f"--input={source}"]
        code, _, error = command(*sample, f"--output={tmp_path / output}")
        assert code == 2 and said in error and error.count("\n") == 1
        assert not (tmp_path / output).exists()


def test_films_that_do_not_decode_are_said_before_step_1(
    command, tiny_flags, films, tmp_path, monkeypatch
):
    a, b = films
    (tmp_path / "cut.mp4").write_bytes(b.read_bytes()[: b.stat().st_size * 9 // 10])
    (tmp_path / "text.mp4").write_text("no film\n" * 99)
    (tmp_path / "empty.mp4").touch()

    def said(data):
        run = ["--experiment=faceswap", f"--run_dir={tmp_path / 'run'}", *tiny_flags("faceswap")]
        code, _, error = command(*run, f"--data={data}", f"--data_dir={tmp_path / 'kept'}")
        assert code == 2 and error.count("\n") == 1 and not (tmp_path / "run").exists()
        return error

    assert "cut.mp4 is damaged after" in said(f"video:{a},video:{tmp_path / 'cut.mp4'}")
    for name in ("text.mp4", "empty.mp4"):
        assert f"{name} is no film that can be read" in said(f"{a},{tmp_path / name}")
    assert "there is no film" in said(f"video:{a},video:{tmp_path / 'gone.mp4'}")
    assert "two domains are needed" in said(f"video:{a}")
    # A film of another name is decoded anew, for which PyAV is needed.
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "other.mp4").write_bytes(a.read_bytes())
    assert "pip install -e '.[video]'" in said(f"video:{tmp_path / 'other.mp4'},video:{b}")
