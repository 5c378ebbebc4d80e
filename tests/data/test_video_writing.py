"""Films made of films: every frame at its time, the sound as it was, all of it or nothing."""

from fractions import Fraction

import av
import numpy as np
import pytest

from jaxgan.data import video
from jaxgan.data.video_writing import rewrite
from jaxgan.errors import UserError


def ramp(count, height=32, width=32):
    pictures = np.zeros((count, height, width, 3), np.uint8)
    for i, picture in enumerate(pictures):
        picture[...] = (10 + 12 * i, 200, 240 - 12 * i)
        picture[:, : width // 2, 1] = 60
    return pictures


def inverted(frame):
    return 255 - frame


def facts(path):
    """Rate, size and times of a film's frames."""
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        times = [frame.pts * stream.time_base for frame in film.decode(stream)]
        return stream.average_rate, (stream.height, stream.width), times


def sound(path):
    with av.open(str(path)) as film:
        return [bytes(packet) for packet in film.demux(audio=0)]


@pytest.mark.parametrize("size", [(32, 32), (33, 47)])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_count_size_rate_and_comment(tmp_path, write_film, suffix, size):
    pictures = ramp(15, *size)
    source = write_film(tmp_path / "film.mp4", pictures)
    path = rewrite(tmp_path / f"new{suffix}", source, inverted, comment="said by us")
    rate, made_size, times = facts(path)
    assert (rate, made_size, len(times)) == (Fraction(30000, 1001), size, 15)
    for i, frame in enumerate(video.frames(path)):
        assert np.abs(frame.astype(int) - (255 - pictures[i])).mean() < 6
    assert "said by us" in video.metadata(path).values()
    assert {file.name for file in tmp_path.iterdir()} == {"film.mp4", f"new{suffix}"}


def test_frames_keep_their_times_and_a_turned_film_stands(tmp_path, write_film):
    when = [0, 1, 2, 5, 6, 12, 13, 14]
    picture = ramp(1, 32, 48)[0]
    source = write_film(tmp_path / "film.mkv", [picture] * 8, rate=30, times=when)
    source_times = facts(source)[2]
    assert max(abs(t - Fraction(w, 30)) for t, w in zip(source_times, when, strict=True)) < 0.001
    _, _, times = facts(rewrite(tmp_path / "new.mp4", source, inverted, comment=""))
    assert times == source_times
    source = write_film(tmp_path / "turned.mp4", [picture] * 3, turned=90)
    shapes = []

    def look(frame):
        shapes.append(frame.shape)
        return frame

    path = rewrite(tmp_path / "upright.mp4", source, look, comment="")
    assert facts(path)[1] == (48, 32) and shapes == [(48, 32, 3)] * 3


def test_the_sound_is_copied_or_refused(tmp_path, write_film):
    source = write_film(tmp_path / "film.mkv", ramp(12), sound="pcm_s16le")
    heard = sound(source)
    assert sum(map(len, heard)) == 20 * 1024 * 2
    for suffix in (".mkv", ".mp4"):
        path = rewrite(tmp_path / f"new{suffix}", source, inverted, comment="")
        assert b"".join(sound(path)) == b"".join(heard)
    with pytest.raises(UserError, match=r"\(pcm_s16le\) does not go into \.webm; write \.mkv"):
        rewrite(tmp_path / "new.webm", source, inverted, comment="")
    assert not (tmp_path / "new.webm").exists()


def test_a_film_is_there_when_it_is_complete(tmp_path, write_film, capsys):
    source = write_film(tmp_path / "film.mp4", ramp(20))
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(source.read_bytes()[: source.stat().st_size * 9 // 10])
    long = write_film(tmp_path / "long.mp4", [ramp(1)[0]] * 100)
    before = {file.name for file in tmp_path.iterdir()}
    seen = []

    def look(frame):
        seen.append({file.name for file in tmp_path.iterdir()} - before)
        return frame

    def interrupted(frame):
        if len(seen) == 99:
            raise KeyboardInterrupt
        return look(frame)

    with pytest.raises(UserError, match="is damaged after"):
        rewrite(tmp_path / "new.mp4", cut, look, comment="")
    seen.clear()
    with pytest.raises(KeyboardInterrupt):
        rewrite(tmp_path / "new.mp4", long, interrupted, comment="")
    assert seen[-1] == {"new.partial.mp4"} and "new.mp4" not in set().union(*seen)
    assert {file.name for file in tmp_path.iterdir()} == before
    path = rewrite(tmp_path / "new.mp4", cut, look, comment="", skip_broken=True)
    assert 2 <= len(facts(path)[2]) < 20 and "is damaged after" in capsys.readouterr().out


def test_each_mistake_has_its_line(tmp_path, write_film):
    source = write_film(tmp_path / "film.mp4", ramp(3))
    (tmp_path / "frames").mkdir()
    for path, given, said in (
        ("new.avi", source, "a film is written as .mkv, .mp4, .webm"),
        ("new", source, "a film is written as"),
        ("new.mp4", tmp_path / "frames", "is no film, and --output"),
        ("new.mp4", tmp_path / "picture.png", "is no film, and --output"),
        ("new.mp4", tmp_path / "gone.mp4", "no such file"),
        ("gone/new.mp4", source, "cannot write"),
    ):
        with pytest.raises(UserError) as caught:
            rewrite(tmp_path / path, given, inverted, comment="")
        assert said in str(caught.value) and "\n" not in str(caught.value)
