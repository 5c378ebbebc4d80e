"""The embedded samples of faces: always the same, and apart where they must be."""

import numpy as np

from jaxgan.data.fake_faces import faces_and_fakes
from jaxgan.data.people import PEOPLE, people
from jaxgan.data.unpaired import open_domains


def test_people_are_always_the_same_and_differ_from_each_other():
    first, again = people(24, 6), people(24, 3, first=3)
    assert list(first) == list(PEOPLE)
    for name, frames in first.items():
        assert frames.shape == (6, 24, 24, 3) and frames.dtype == np.uint8
        np.testing.assert_array_equal(frames[3:], again[name])
        assert len({frame.tobytes() for frame in frames}) == 6
    # The middle of a face has the colour of its person, whatever the light.
    tones = [first[name][:, 9:13, 9:15].mean((0, 1, 2)) for name in PEOPLE]
    assert np.abs(tones[0] - tones[1]).max() > 20


def test_held_out_people_are_other_frames():
    train, held_out = open_domains("sample", sample="people", side=24)
    assert (len(train.a), len(held_out.a)) == (240, 40)
    seen = {train.a[index].tobytes() for index in range(len(train.a))}
    assert not any(held_out.a[index].tobytes() in seen for index in range(len(held_out.a)))


def test_fakes_are_not_the_faces_they_are_made_of():
    train, held_out, morphs = faces_and_fakes(24)
    assert (len(train.a), len(train.b), len(held_out.a), len(morphs)) == (80, 800, 20, 200)
    real = np.stack([train.a[index] for index in range(len(train.a))]).astype(float)
    fake = np.stack([train.b[index] for index in range(100)]).astype(float)
    # As bright as faces are, and near none of them.
    assert abs(real.mean() - fake.mean()) < 10
    nearest = [np.abs(real - one).mean((1, 2, 3)).min() for one in fake]
    assert min(nearest) > 5
    seen = {train.a[index].tobytes() for index in range(len(train.a))}
    assert not any(held_out.a[index].tobytes() in seen for index in range(len(held_out.a)))
