"""Recordings as batches, and the synthesised voices."""

import dataclasses

import numpy as np
import pytest

from jaxgan.data import sample_speech
from jaxgan.data.phonemes import transcribe
from jaxgan.data.speech import batches, spectrograms, utterances
from jaxgan.errors import UserError
from jaxgan.media import to_uint8
from jaxgan.ops.spectrogram import MelScale, picture_of

SCALE = MelScale(8000, 256, 128, 16)


@pytest.fixture(scope="module")
def sounds():
    return sample_speech.digits(8000, 2)


def test_the_sample_is_ten_words_by_four_voices(sounds):
    assert len(sounds) == 80 and len(set(sounds.names)) == 80
    assert sounds.texts[::8] == sample_speech.WORDS and set(sounds.speakers) == {
        "alto", "bass", "soprano", "tenor",
    }  # fmt: skip
    assert all(clip.dtype == np.float32 and 0.25 < np.abs(clip).max() <= 0.91
               for clip in sounds.clips)  # fmt: skip


def test_voices_have_their_pitch(sounds):
    """The first peak of the autocorrelation of a vowel."""
    for voice, (pitch, _) in sample_speech.VOICES.items():
        row = sounds.names.index(f"9_{voice}_0")
        clip = sounds.clips[row]
        middle = clip[len(clip) // 2 - 400 : len(clip) // 2 + 400]
        similar = np.correlate(middle, middle, "full")[799:]
        period = 28 + np.argmax(similar[28:110])
        assert 8000 / period == pytest.approx(pitch, rel=0.2)


def test_spectrograms_do_not_depend_on_what_is_beside_them(sounds):
    clips = [sounds.clips[i] for i in (0, 30, 70)]
    for clip, mel in zip(clips, spectrograms(clips, SCALE), strict=True):
        alone = to_uint8(np.asarray(picture_of(clip[None], SCALE))[0])
        assert mel.shape == alone.shape and np.abs(mel.astype(int) - alone).max() <= 1


def test_rows_hold_the_recordings_of_one_speaker_and_their_words(sounds):
    source = utterances(sounds, SCALE, 60)
    assert source.description["too_long"] == 0 and source.speakers == (
        "alto", "bass", "soprano", "tenor",
    )  # fmt: skip
    alone = batches(source, 60, 12)(np.arange(3), np.arange(3, dtype=np.uint64))
    np.testing.assert_array_equal(alone["mel"][1, : alone["frames"][1]], source.mels[1])
    assert alone["phonemes"][0, : len(source.symbols[0])].tolist() == source.symbols[0].tolist()
    load = batches(source, 160, 40, goes_on=0.9)
    rows, seeds = np.arange(12), np.arange(12, dtype=np.uint64)
    made, again = load(rows, seeds), load(rows, seeds)
    assert all(np.array_equal(made[name], again[name]) for name in made)
    longer = made["frames"] > [len(source.mels[i]) for i in rows]
    assert longer.sum() > 6 and made["frames"].max() <= 160
    assert not any(made["mel"][i, made["frames"][i] :].any() for i in rows)
    row = int(np.flatnonzero(longer)[0])
    begins = len(source.mels[row])
    matches = [
        i for i in range(len(source))
        if np.array_equal(made["mel"][row, begins : begins + len(source.mels[i])], source.mels[i])
    ]  # fmt: skip
    assert source.speaker[matches[0]] == source.speaker[row]
    said = f"{source.texts[row]} {source.texts[matches[0]]}"
    assert made["phonemes"][row].tolist()[: len(transcribe(said).ids()) - 1] == (
        transcribe(said).ids()[:-1].tolist()
    )


def test_what_is_too_long_is_left_out_and_counted(sounds):
    longest = max(1 + len(clip) // 128 for clip in sounds.clips)
    source = utterances(sounds, SCALE, longest - 1)
    assert len(source) == 80 - source.description["too_long"] < 80
    with pytest.raises(UserError, match="--frames=3 is less than the"):
        utterances(sounds, SCALE, 3)


def test_texts_that_cannot_be_said_are_named_and_guesses_told(sounds, capsys):
    texts = ("?!", *sounds.texts[1:])
    with pytest.raises(UserError, match=f"the text of {sounds.names[0]} .* no word"):
        utterances(dataclasses.replace(sounds, texts=texts), SCALE, 60)
    texts = ("blorf", *sounds.texts[1:])
    source = utterances(dataclasses.replace(sounds, texts=texts), SCALE, 60)
    assert source.description["guessed"] == ["blorf"] and "blorf" in capsys.readouterr().out


def test_speakers_who_were_not_heard_are_named(sounds):
    with pytest.raises(UserError, match=r"alto speaks in synthesised digits.* bass, tenor"):
        utterances(sounds, SCALE, 60, ("bass", "tenor"))
