"""Films as pictures: every frame, in order, at any time; what is kept, held out and refused."""

import json
import shutil
import struct
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import skimage
from PIL import Image, ImageSequence

from jaxgan.data import video
from jaxgan.data.labelled import open_labelled_train_and_held_out
from jaxgan.data.pair_files import find
from jaxgan.data.sources import open_held_out, open_source, open_train_and_held_out
from jaxgan.data.unpaired import open_domains
from jaxgan.errors import UserError


def moving(count, height=32, width=32):
    """Frames of which no two are alike: a colour that changes, and a square that moves."""
    pictures = np.zeros((count, height, width, 3), np.uint8)
    for i, picture in enumerate(pictures):
        picture[...] = (10 + 200 * i // count, 220 - 200 * i // count, 90)
        picture[4:12, 2 * i % (width - 8) :][:, :8] = (40, 60, 250)
    return pictures


def which(frame, pictures):
    """The number of the picture that a frame is nearest to, and how near in the mean."""
    away = np.abs(pictures.astype(int) - frame).mean((1, 2, 3))
    return int(away.argmin()), away.min()


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Where frames are kept."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "kept"))
    return tmp_path / "kept" / video.FOLDER


@pytest.mark.parametrize("suffix", sorted(video.SUFFIXES))
def test_frames_come_in_order_within_the_error_of_the_codec(tmp_path, write_film, suffix):
    pictures = moving(12)
    path = write_film(tmp_path / f"film{suffix}", pictures)
    frames = list(video.frames(path))
    assert [which(frame, pictures)[0] for frame in frames] == list(range(12))
    # A .gif has 256 colours, and most others halve theirs.
    bound = 25 if suffix == ".gif" else 6
    assert all(f.dtype == np.uint8 and which(f, pictures)[1] < bound for f in frames)


def test_an_animation_is_what_pillow_makes_of_it():
    path = Path(skimage.__file__).parent / "data" / "no_time_for_that_tiny.gif"
    with Image.open(path) as animation:
        expected = [np.array(frame.convert("RGB")) for frame in ImageSequence.Iterator(animation)]
    assert len(expected) > 20
    np.testing.assert_array_equal(list(video.frames(path)), expected)


def test_a_trimmed_film_is_what_is_left_of_it_and_not_damaged(tmp_path, write_film):
    """Telephones trim a film by its edit list, and leave all frames in the file."""
    pictures = moving(30)
    path = write_film(tmp_path / "film.mp4", pictures, rate=Fraction(30))
    contents = bytearray(path.read_bytes())
    entry = contents.index(b"elst") + 12  # after version and flags, and how many there are
    length, start = struct.unpack_from(">Ii", contents, entry)
    assert length == 1000
    struct.pack_into(">Ii", contents, entry, 500, start + 15360 // 3)
    path.write_bytes(contents)
    frames = video.frames(path)
    assert [which(frame, pictures)[0] for frame in frames] == list(range(10, 25))


@pytest.mark.parametrize("turned", [90, 180, -90])
def test_a_turned_film_of_odd_size_is_turned_back(tmp_path, write_film, turned):
    picture = np.full((33, 47, 3), 60, np.uint8)
    picture[:10, :20] = (250, 40, 60)
    path = write_film(tmp_path / "film.mp4", [picture] * 3, turned=turned)
    # A turn to the left brings the last column up; to the right, the last row to the left.
    upright = {
        90: picture[:, ::-1].swapaxes(0, 1),
        180: picture[::-1, ::-1],
        -90: picture[::-1].swapaxes(0, 1),
    }[turned]
    for frame in video.frames(path):
        assert frame.shape == upright.shape and np.abs(frame.astype(int) - upright).mean() < 4


def test_any_frame_at_any_time_decoded_once(tmp_path, write_film, kept, monkeypatch, capsys):
    pictures = moving(20)
    path = write_film(tmp_path / "film.mp4", pictures)
    source = open_source(f"video:{path}", memory_limit=0)
    assert "decodes" in capsys.readouterr().out
    for i in (13, 2, 19, 0, -1):
        assert which(source[i], pictures)[0] == i % 20 and source.size(i) == (32, 32)
    assert source.name(7) == "film.mp4 #7"
    about = {"kind": "video", "where": str(path), "count": 20, "skipped": []}
    assert json.loads(json.dumps(source.description)) == about
    # Another film of that name, at that place, is another film.
    contents = path.read_bytes()
    write_film(path, pictures[:5])
    assert len(open_source(str(path))) == 5
    path.write_bytes(contents)

    def not_again(*arguments, **options):
        raise AssertionError("decoded twice")

    monkeypatch.setattr(video, "decoded", not_again)
    (tmp_path / "elsewhere").mkdir()
    moved = shutil.move(path, tmp_path / "elsewhere" / "film.mp4")
    again = open_source(f"video:{moved}")
    np.testing.assert_array_equal(again[4], source[4])
    assert not capsys.readouterr().out.count("elsewhere")


def test_an_interrupted_film_leaves_nothing_and_is_decoded_again(
    tmp_path, write_film, kept, monkeypatch
):
    path = write_film(tmp_path / "film.mkv", moving(8))
    write = video.write_image

    def interrupted(place, frame):
        if place.stem.endswith("3"):
            raise KeyboardInterrupt
        return write(place, frame)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(video, "write_image", interrupted)
        open_source(f"video:{path}")
    assert [place.name for place in kept.iterdir()] == [".lock"]
    # What a `kill -9` leaves is no film either.
    open_source(f"video:{path}")
    (whole,) = (place for place in kept.iterdir() if place.is_dir())
    whole.rename(whole.with_name(f".{whole.name}.partial"))
    (whole.with_name(f".{whole.name}.partial") / "00000099.jpg").write_bytes(b"")
    assert len(open_source(f"video:{path}")) == 8
    assert sorted(place.name for place in kept.iterdir()) == [".lock", whole.name]
    assert len(list(whole.iterdir())) == 8 + 1


def test_the_end_of_a_film_is_held_out(tmp_path, write_film, kept):
    pictures = moving(40)
    data = f"video:{write_film(tmp_path / 'film.mp4', pictures)}"

    def numbers(source):
        return [which(source[i], pictures)[0] for i in range(len(source))]

    train, held_out = open_train_and_held_out(data)
    assert (numbers(train), numbers(held_out)) == (list(range(36)), [36, 37, 38, 39])
    # Fewer of it are of all of it, and none is trained on.
    train, held_out = open_train_and_held_out(data, most=2)
    assert (numbers(train), numbers(held_out)) == (list(range(36)), [37, 39])
    assert len(open_held_out(data)) == 40
    _, labelled = open_labelled_train_and_held_out(data, 32, channels=3)
    assert [which(picture, pictures)[0] for picture in labelled.pictures] == [36, 37, 38, 39]


def test_two_films_are_two_domains(tmp_path, write_film, kept):
    a = write_film(tmp_path / "a.mp4", moving(20))
    b = write_film(tmp_path / "b.webm", 255 - moving(10))
    train, held_out = open_domains(f"video:{a},{b}")
    assert [len(part) for part in (*train, *held_out)] == [18, 9, 2, 1]
    assert which(train.b[8], 255 - moving(10))[0] == 8
    with pytest.raises(UserError, match="is one film, and two domains are needed"):
        open_domains(f"video:{a}")
    with pytest.raises(UserError, match="is a film, which holds no pairs"):
        find(f"video:{a}", None)


def write_song(path, cover):
    """Sound, and a picture that is not of a film."""
    with av.open(str(path), "w") as song:
        heard = song.add_stream("pcm_s16le", rate=48000, layout="mono")
        shown = song.add_stream("png", rate=1)
        shown.height, shown.width, shown.pix_fmt = *cover.shape[:2], "rgb24"
        shown.disposition = av.stream.Disposition.attached_pic
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 99), np.int16), "s16", "mono")
        frame.sample_rate = 48000
        song.mux(heard.encode(frame))
        song.mux(shown.encode(av.VideoFrame.from_ndarray(cover, format="rgb24")))
    with av.open(str(path)) as song:
        assert len(song.streams.video) == 1


def complaint(action):
    with pytest.raises(UserError) as caught:
        action()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm", ".avi"])
def test_a_film_without_its_end_is_refused_or_taken_so_far(tmp_path, write_film, kept, suffix):
    pictures = moving(20)
    whole = write_film(tmp_path / f"whole{suffix}", pictures)
    contents = whole.read_bytes()
    # Of an AVI's few kilobytes most are its head and its index: the cut goes between these.
    start = contents.index(b"movi") if suffix == ".avi" else 0
    end = contents.rindex(b"idx1") if suffix == ".avi" else len(contents)
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(contents[: start + (end - start) * 8 // 10])
    # Whatever comes before is decoded when it is asked for: a film is not held in memory.
    assert which(next(video.frames(cut)), pictures)[0] == 0
    assert f"{cut} is damaged after" in complaint(lambda: open_source(f"video:{cut}"))
    assert [place.name for place in kept.iterdir()] == [".lock"]
    source = open_source(f"video:{cut}", skip_broken=True)
    assert 2 <= len(source) < 20 and source.description["skipped"]
    assert [which(source[i], pictures)[0] for i in range(3)] == [0, 1, 2]
    assert "is damaged after" in complaint(lambda: open_source(f"video:{cut}"))


def test_what_is_no_film_has_its_line(tmp_path, write_film, kept, monkeypatch):
    film = write_film(tmp_path / "film.mkv", moving(8), sound="pcm_s16le")
    for name, contents in (("text.mp4", b"no film\n" * 99), ("empty.mp4", b"")):
        (tmp_path / name).write_bytes(contents)
        said = complaint(lambda name=name: open_source(f"video:{tmp_path / name}"))
        assert f"{name} is no film that can be read" in said
    write_song(tmp_path / "song.mp4", moving(1)[0])
    assert "there are no pictures" in complaint(lambda: open_source(str(tmp_path / "song.mp4")))
    assert "there is no film" in complaint(lambda: open_source(f"video:{tmp_path}/gone.mp4"))
    assert "there is no film" in complaint(lambda: open_source("./gone.mp4"))
    assert f"folder:{tmp_path}" in complaint(lambda: open_source(f"video:{tmp_path}"))
    assert f"video:{film}" in complaint(lambda: open_source(f"folder:{film}"))
    (tmp_path / "films").mkdir()
    shutil.copy(film, tmp_path / "films")
    said = complaint(lambda: open_source(f"folder:{tmp_path / 'films'}"))
    assert f"video:{tmp_path / 'films' / 'film.mkv'}" in said
    (tmp_path / "file").touch()
    nowhere = complaint(lambda: open_source(f"video:{film}", data_dir=tmp_path / "file"))
    assert "cannot be kept" in nowhere and "--data_dir" in nowhere
    monkeypatch.setitem(sys.modules, "av", None)
    assert "pip install -e '.[video]'" in complaint(lambda: open_source(f"video:{film}"))
    assert not kept.exists() or not [p for p in kept.iterdir() if p.is_dir()]
