"""Sound files in, sound files out, and folders and zips of them."""

import zipfile

import numpy as np
import pytest
import soundfile

from jaxgan.data import drums
from jaxgan.data.audio import read_clip, write_wav
from jaxgan.data.sounds import gather, open_sounds, open_sounds_train_and_held_out, windows
from jaxgan.errors import UserError
from jaxgan.provenance import says_synthetic

RATE = 8000


def tone(count=800, hertz=440.0, rate=RATE):
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(count) / rate)).astype(np.float32)


def write(path, samples=None, rate=RATE):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone() if samples is None else samples, rate)


def opened(folder, rate=RATE, **options):
    return open_sounds(f"folder:{folder}", rate, sample=drums.hits, **options)


def complaint(folder, rate=RATE, **options):
    with pytest.raises(UserError) as caught:
        opened(folder, rate, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("suffix", "off"), [("wav", 1e-4), ("flac", 1e-4), ("ogg", 0.1)])
def test_every_format_is_read(tmp_path, suffix, off):
    write(tmp_path / f"a.{suffix}", tone(4000))
    clip = read_clip(tmp_path / f"a.{suffix}", RATE)
    assert clip.dtype == np.float32 and clip.shape == (4000,)
    np.testing.assert_allclose(clip, tone(4000), atol=off)
    np.testing.assert_array_equal(read_clip((tmp_path / f"a.{suffix}").read_bytes(), RATE), clip)


def test_channels_are_averaged_and_rates_changed(tmp_path):
    both = np.stack([tone(8000), 0.5 * tone(8000)], 1)
    write(tmp_path / "a.wav", both)
    clip = read_clip(tmp_path / "a.wav", 22050)
    assert clip.shape == (22050,)
    wanted = 0.75 * tone(22050, rate=22050)
    np.testing.assert_allclose(clip[500:-500], wanted[500:-500], atol=2e-3)
    assert read_clip(tmp_path / "a.wav").shape == (8000,)


def test_a_demanded_rate_is_demanded(tmp_path):
    write(tmp_path / "a.wav")
    with pytest.raises(UserError, match=r"a\.wav has 8000 samples a second, and 22050 are needed"):
        read_clip(tmp_path / "a.wav", 22050, same_rate=True)
    assert "has 8000 samples a second" in complaint(tmp_path, 22050, same_rate=True)


def test_what_cannot_be_read_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.wav cannot be read: no such file"):
        read_clip(tmp_path / "none.wav")
    (tmp_path / "a.wav").write_bytes(b"nothing of the kind")
    with pytest.raises(UserError, match=r"a\.wav cannot be read: \w"):
        read_clip(tmp_path / "a.wav")
    write(tmp_path / "b.wav", np.zeros(0))
    with pytest.raises(UserError, match=r"b\.wav holds no samples"):
        read_clip(tmp_path / "b.wav")


def test_wav_is_written_whole_and_says_that_it_is_synthetic(tmp_path):
    samples = np.array([0.0, 0.5, 2.0, -3.0, np.nan], np.float64)
    path = write_wav(tmp_path / "new" / "a.wav", samples, 22050)
    values, rate = soundfile.read(path, dtype="int16")
    assert rate == 22050 and values.tolist() == [0, 16384, 32767, -32767, 0]
    assert says_synthetic(path) and [p.name for p in path.parent.iterdir()] == ["a.wav"]
    assert not says_synthetic(write_wav(tmp_path / "b.wav", samples, RATE, synthetic=False))
    with pytest.raises(UserError, match=r"c\.mp3: sounds are written as \.wav"):
        write_wav(tmp_path / "c.mp3", samples, RATE)
    with pytest.raises(UserError, match="cannot write"):
        write_wav(path / "d.wav", samples, RATE)


def test_ljspeech_layout(tmp_path):
    for name in ("LJ001-0001.wav", "LJ001-0002.flac", "LJ001-0003.wav"):
        write(tmp_path / "set" / "wavs" / name)
    table = tmp_path / "set" / "metadata.csv"
    table.write_text('LJ001-0002|In 1869.|In eighteen sixty-nine.\nLJ001-0001|One, "two".\n')
    found = opened(tmp_path / "set")
    assert found.names == ("wavs/LJ001-0002.flac", "wavs/LJ001-0001.wav")
    assert found.texts == ("In eighteen sixty-nine.", 'One, "two".')
    assert found.labels is None and found.rate == RATE and found.description["count"] == 2
    packed = tmp_path / "set.zip"
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("META/SOURCE.wav", b"no sound")
        for path in (table, *(tmp_path / "set" / "wavs").iterdir()):
            file.write(path, path.name)
    zipped = open_sounds(f"zip:{packed}", RATE, sample=drums.hits, require_texts=True)
    assert zipped.names == ("LJ001-0002.flac", "LJ001-0001.wav") and zipped.texts == found.texts


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "LJ9|Gone.|Gone.",
            "line 2 of metadata.csv in .* names LJ9, and there is neither wavs/LJ9",
        ),
        ("LJ2", "line 2 of metadata.csv in .* is not 'ID|text'"),
        ("LJ2||", "line 2 of metadata.csv in .* is not 'ID|text'"),
    ],
)
def test_bad_rows_are_named(tmp_path, line, said):
    write(tmp_path / "wavs" / "LJ1.wav")
    write(tmp_path / "wavs" / "LJ2.wav")
    (tmp_path / "metadata.csv").write_text(f"LJ1|Here.|Here.\n{line}\n")
    with pytest.raises(UserError, match=said.replace("|", r"\|").replace("||", r"\|\|")):
        opened(tmp_path)


def test_names_of_spoken_digits_are_labels_speakers_and_texts(tmp_path):
    for name in ("7_jackson_32", "0_theo_1", "7_theo_0"):
        write(tmp_path / f"{name}.wav")
    found = opened(tmp_path, require_labels=True)
    assert found.classes == ("0", "7") and found.labels.tolist() == [0, 1, 1]
    assert found.speakers == ("theo", "jackson", "theo")
    assert found.texts == ("zero", "seven", "seven")
    assert opened(tmp_path, classes=["7"]).texts == ("seven", "seven")


def test_folders_are_classes_and_parts(tmp_path):
    for part, count in (("train", 3), ("test", 1)):
        for name in ("kick", "snare"):
            for i in range(count):
                write(tmp_path / part / name / f"{i}.wav")
    train, held_out = open_sounds_train_and_held_out(
        f"folder:{tmp_path}", RATE, sample=drums.hits, require_labels=True
    )
    assert train.classes == ("kick", "snare") and train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert held_out.names == ("test/kick/0.wav", "test/snare/0.wav")
    assert held_out.description["part"] == "held out"


def test_a_tenth_of_each_class_is_held_out():
    train, held_out = open_sounds_train_and_held_out(
        "sample", 4000, sample=lambda rate: drums.hits(rate, 10)
    )
    assert len(train) == 45 and sorted(held_out.labels.tolist()) == [0, 1, 2, 3, 4]
    assert not set(train.names) & set(held_out.names)


def test_clips_that_cannot_be_used_are_named_and_may_be_left_out(tmp_path):
    write(tmp_path / "a.wav")
    write(tmp_path / "silent.wav", np.zeros(500))
    assert "silent.wav is silent" in complaint(tmp_path)
    write(tmp_path / "short.wav", tone(100))
    text = complaint(tmp_path, least=256)
    assert "2 of 3 clips" in text and "short.wav has 100 samples, and the window is 256" in text
    found = opened(tmp_path, least=256, skip_broken=True)
    assert found.names == ("a.wav",)
    assert found.description["skipped"] == ["short.wav", "silent.wav"]
    (tmp_path / "a.wav").write_bytes(b"no")
    assert complaint(tmp_path, least=256, skip_broken=True).startswith("none of the 3 clips")


def test_places_without_sounds_are_named(tmp_path):
    assert f"no sounds in {tmp_path}" in complaint(tmp_path)
    (tmp_path / "metadata.csv").write_text("a|b\n")
    assert f"no sounds in {tmp_path}" in complaint(tmp_path)
    assert "there is no folder" in complaint(tmp_path / "none")
    with pytest.raises(UserError, match="sounds come from a folder or a zip"):
        open_sounds("video:a.mp4", RATE, sample=drums.hits)


def test_texts_and_labels_are_demanded_where_needed(tmp_path):
    write(tmp_path / "a.wav")
    assert "has no texts" in complaint(tmp_path, require_texts=True)
    assert "has no labels" in complaint(tmp_path, require_labels=True)


def test_pieces_are_cut_and_filled_up(tmp_path):
    write(tmp_path / "long.wav", np.linspace(0.1, 0.9, 400))
    write(tmp_path / "short.wav", tone(100))
    found = opened(tmp_path, peak=0.5)
    assert max(np.abs(clip).max() for clip in found.clips) == pytest.approx(0.5)
    load = gather(found, 200)
    batch = load(np.array([0, 1, 0]), np.array([7, 8, 300], np.uint64))
    assert set(batch) == {"real"} and batch["real"].shape == (3, 200, 1)
    np.testing.assert_array_equal(batch["real"][0, :, 0], found.clips[0][7:207])
    np.testing.assert_array_equal(batch["real"][2, :, 0], found.clips[0][99:299])
    assert not batch["real"][1, 100:].any() and batch["real"][1, :100].any()
    np.testing.assert_array_equal(windows(found, 200)[0], found.clips[0][:200])


def test_the_sample_is_drums_that_differ():
    found = drums.hits(8000, 3)
    again = drums.hits.__wrapped__(8000, 3)
    assert len(found) == 15 and found.classes == drums.NAMES
    for clip, same in zip(found.clips, again.clips, strict=True):
        assert clip.shape == (8000,) and clip.dtype == np.float32
        np.testing.assert_array_equal(clip, same)
        assert 0.5 < np.abs(clip).max() <= 1 and np.abs(clip[-100:]).max() < 0.02
    kicks = [clip for clip, label in zip(found.clips, found.labels, strict=True) if label == 0]
    assert np.abs(np.subtract(*kicks[:2])).max() > 0.1
    # Where the energy lies tells them apart: kicks below, hats above.
    power = [np.abs(np.fft.rfft(clip)) ** 2 for clip in found.clips]
    centre = [float((p * np.arange(p.size)).sum() / p.sum()) / p.size * 4000 for p in power]
    assert max(centre[0::5]) < 400 and min(centre[2::5]) > 2000
