import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.nets.faceswap import FaceDecoder, FaceEncoder


def test_parameters_are_those_of_the_first_model(shapes):
    """69,662,976 and 6,199,747 in its summary; one channel of the last layer more for the mask."""
    count, features = shapes(FaceEncoder(), (2, 64, 64, 3))
    assert (count, features) == (69_662_976, (2, 8, 8, 512))
    count, out = shapes(FaceDecoder(), features)
    assert (count, out) == (6_199_747 + 25 * 64 + 1, (2, 64, 64, 4))


def test_one_code_and_two_people(drawn, call):
    random = np.random.default_rng(0)
    faces = random.normal(size=(3, 32, 48, 3)).astype(np.float32)
    encoder, decoder = FaceEncoder(4, code=8), FaceDecoder(2)
    features = call(encoder, drawn(encoder, faces, train=True), faces, train=True)
    assert features.shape == (3, 4, 6, 16)
    people = [drawn(decoder, features, seed=seed, train=True) for seed in (1, 2)]
    one, other = (call(decoder, person, 100 * features, train=True) for person in people)
    assert one.shape == (3, 32, 48, 4)
    assert np.abs(one - other).max() > 0.1
    for out in (one, other):
        assert out[..., :3].min() < -0.5 < 0.5 < out[..., :3].max()
        assert 0 <= out[..., 3].min() < 0.4 < 0.6 < out[..., 3].max() <= 1


def test_sides_that_do_not_divide():
    with pytest.raises(ValueError, match="multiples of 16, not 64 x 40"):
        FaceEncoder().init(jax.random.key(0), jnp.ones((1, 64, 40, 3)), train=True)
