"""Clips from strips, GIFs, frames and films; their windows; what cannot be used."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxgan.data.clip_files import read_film
from jaxgan.data.clips import fixed_windows, open_clips, windows
from jaxgan.data.figures import CLASSES, films
from jaxgan.errors import UserError

SIDE = 16


def film(seed, frames=12, side=SIDE):
    """Blocks of colour, so that PNG and GIF keep it."""
    random = np.random.default_rng(seed)
    small = random.integers(0, 4, (frames, 4, 4, 3), np.uint8) * 85
    return small.repeat(side // 4, 1).repeat(side // 4, 2)


def save_strip(path, frames, axis=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(list(frames), axis)).save(path)


def save_gif(path, frames):
    path.parent.mkdir(parents=True, exist_ok=True)
    first, *rest = [Image.fromarray(one) for one in frames]
    first.save(path, save_all=True, append_images=rest)


def folder_of_strips(folder, count=3, frames=12):
    for kind in ("run", "wave"):
        for number in range(count):
            made = film([number, kind == "run"], frames)
            save_strip(folder / kind / f"{number}.png", made, axis=number % 2)
    return folder


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_strips_by_class(kind, tmp_path):
    folder = folder_of_strips(tmp_path / "clips")
    where = folder
    if kind == "zip":
        where = tmp_path / "clips.zip"
        with zipfile.ZipFile(where, "w") as archive:
            for path in folder.rglob("*.png"):
                archive.write(path, path.relative_to(folder))
    train, held_out = open_clips(f"{kind}:{where}", SIDE, 4)
    assert (train.classes, len(train), len(held_out)) == (("run", "wave"), 4, 2)
    assert sorted(held_out.labels) == [0, 1]
    every = [*train.films, *held_out.films]
    for number in range(3):
        assert any(np.array_equal(one, film([number, True])) for one in every)
    assert train.description["frames"] == 4 * 12


def test_a_mirrored_copy_is_held_out_with_its_original(tmp_path):
    for number in range(3):
        frames = film(number)
        save_strip(tmp_path / f"{number}a.png", frames)
        save_strip(tmp_path / f"{number}b.png", frames[:, :, ::-1])
    train, held_out = open_clips(f"folder:{tmp_path}", SIDE, 4)
    assert (len(train), len(held_out)) == (4, 2)
    np.testing.assert_array_equal(held_out.films[0], held_out.films[1][:, :, ::-1])


def test_frames_in_folders_of_mixed_sizes_and_gifs_are_clips(tmp_path):
    for kind, number in (("run", 0), ("run", 1), ("wave", 2), ("wave", 3)):
        for index, frame in enumerate(film(number, side=32)):
            path = tmp_path / kind / str(number) / f"{index:03d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            larger = Image.fromarray(frame)
            (larger if index else larger.resize((48, 40))).save(path)
    save_gif(tmp_path / "run" / "moving.gif", film(5))
    train, held_out = open_clips(f"folder:{tmp_path}", SIDE, 4)
    assert train.classes == ("run", "wave") and len(train) + len(held_out) == 5
    assert {one.shape for one in [*train.films, *held_out.films]} == {(12, SIDE, SIDE, 3)}


def test_a_film_gives_its_end_to_judge_by(tmp_path, write_film):
    path = write_film(tmp_path / "a.mp4", list(film(0, 30, 32)))
    train, held_out = open_clips(f"video:{path}", SIDE, 5)
    assert [len(one.films[0]) for one in (train, held_out)] == [24, 6]
    save_gif(tmp_path / "b.gif", film(1, 20))
    train, held_out = open_clips(str(tmp_path / "b.gif"), SIDE, 5)
    np.testing.assert_array_equal(train.films[0], film(1, 20)[:15])
    # Films in a folder, without a picture beside them.
    folder = tmp_path / "films"
    folder.mkdir()
    for number in range(2):
        write_film(folder / f"{number}.mp4", list(film(number, 12, 32)))
    assert [len(part) for part in open_clips(f"folder:{folder}", SIDE, 5)] == [1, 1]


def test_windows_are_the_seeds(tmp_path):
    clips, _ = open_clips(f"folder:{folder_of_strips(tmp_path)}", SIDE, 7)
    load = windows(clips, 3, every=3)
    seeds = np.arange(200, dtype=np.uint64)
    rows = np.arange(200) % len(clips)
    real = load(rows, seeds)["real"]
    assert real.shape == (200, 3, SIDE, SIDE, 3)
    np.testing.assert_array_equal(real[7], load(rows[7:8], seeds[7:8])["real"][0])
    starts = set()
    for row, window in enumerate(real[:40]):
        found = clips.films[rows[row]]
        found = found[:, :, ::-1] if seeds[row] & np.uint64(1) else found
        starts |= {s for s in range(6) if np.array_equal(found[s : s + 7 : 3], window)}
    assert starts == set(range(6))
    fixed = fixed_windows(clips, 3, every=3, most=100)
    np.testing.assert_array_equal(fixed, fixed_windows(clips, 3, every=3, most=100))
    assert len(fixed) == len(clips)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda f: save_strip(f / "a.png", film(0, 1)), "{}: a.png is 1 frame long, and 5 are"),
        (lambda f: save_strip(f / "a.png", film(0, 4)), "{}: a.png is 4 frames long, and 5 are"),
        (lambda f: save_gif(f / "a.gif", film(0, 2)), "{}: a.gif is 2 frames long, and 5 are"),
        (lambda f: save_strip(f / "a.png", film(0, 6)), "too short to hold any of it out"),
        (lambda f: (f / "a.txt").write_text("film"), "no pictures in"),
        (lambda f: (f / "a.png").write_text("film"), "a.png cannot be read"),
        (lambda f: (f / "a.mp4").write_text("film"), "a.mp4 is no film that can be read"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_line(make, words, tmp_path):
    make(tmp_path)
    with pytest.raises(UserError) as caught:
        open_clips(f"folder:{tmp_path}", SIDE, 5)
    assert words.format(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


def test_short_clips_can_be_left_out(tmp_path):
    folder_of_strips(tmp_path)
    save_strip(tmp_path / "run" / "short.png", film(9, 4))
    train, held_out = open_clips(f"folder:{tmp_path}", SIDE, 5, skip_broken=True)
    assert train.description["skipped"] == ["run/short.png"]
    assert len(train) + len(held_out) == 6


def test_a_data_set_of_pictures_is_no_film():
    with pytest.raises(UserError, match="films are read from folder"):
        open_clips("tfds:mnist", SIDE, 5)
    with pytest.raises(UserError, match="there is no such film"):
        read_film(Path("missing.gif"), SIDE)


def test_drawn_figures_move_and_differ():
    drawn, kinds = films(24, count=8, frames=6)
    again, _ = films(24, count=8, frames=6)
    np.testing.assert_array_equal(drawn, again)
    assert list(kinds) == [0, 1, 2, 3, 0, 1, 2, 3] and len(CLASSES) == 4
    for one in drawn:
        assert one.shape == (6, 24, 24, 3)
        assert (one != one[:1]).any()
    assert not np.array_equal(drawn[0], drawn[4])
