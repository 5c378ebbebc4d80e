"""Sounds with their texts, and spectrograms as pictures."""

import numpy as np
import pytest
import soundfile
from skimage.color import rgb2lab

from jaxgan.errors import UserError
from jaxgan.media import Grid
from jaxgan.provenance import says_synthetic
from jaxgan.recordings import Sound, colour_map, joined, spectrogram_picture


def test_a_sound_is_saved_with_its_text_beside_it(tmp_path):
    samples = np.sin(np.arange(100) / 5).astype(np.float32)
    path = Sound(samples, 8000, "Zwölf.").save(tmp_path / "a_00000003")
    assert path == tmp_path / "a_00000003.wav"
    values, rate = soundfile.read(path, dtype="float32")
    assert rate == 8000
    np.testing.assert_allclose(values, samples, atol=1e-4)
    assert (tmp_path / "a_00000003.txt").read_text("utf-8") == "Zwölf.\n"
    assert says_synthetic(path)
    real = Sound(samples, 8000, synthetic=False).save(tmp_path / "b")
    assert not says_synthetic(real) and len(list(tmp_path.iterdir())) == 3


def test_a_text_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*a\.txt"):
        Sound(np.zeros(10), 8000, "a").save(tmp_path / "file" / "a")


def test_sounds_are_joined_with_pauses():
    whole = joined(np.array([[1.0, 2.0], [3.0, 4.0]]), 4, pause=0.5)
    assert whole.tolist() == [1, 2, 0, 0, 3, 4]


def test_low_frequencies_lie_at_the_bottom_and_time_runs_right():
    mel = np.full((5, 8), -1.0)
    mel[4, 0] = 1.0
    picture = spectrogram_picture(mel)
    assert picture.shape == (8, 5, 3) and picture.dtype == np.uint8
    assert (picture[7, 4] == colour_map()[255]).all()
    assert (picture.reshape(-1, 3).sum(0) == 39 * colour_map()[0].astype(int) + picture[7, 4]).all()
    large = spectrogram_picture(mel, enlarge=3)
    assert large.shape == (24, 15, 3) and (large[::3, ::3] == picture).all()
    assert Grid([[picture, large]]).draw().width > 20


def test_colours_rise_evenly_in_lightness():
    lab = rgb2lab(colour_map()[None])[0]
    steps = np.diff(lab[::5, 0])
    assert lab[0, 0] < 6 and lab[-1, 0] > 94
    assert steps.min() > 0.75 * steps.mean() and steps.max() < 1.25 * steps.mean()
    # In colour: grey alone would tell less.
    assert np.hypot(lab[:, 1], lab[:, 2])[60:200].min() > 25
