"""Feature networks: jaxgan's own, kept and read again, and Inception-v3 on weights from a file."""

import hashlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from jaxgan.data.sample import digits
from jaxgan.errors import UserError
from jaxgan.metrics import classifier, features
from jaxgan.metrics.moments import Moments
from jaxgan.metrics.own import _scaled, own_features
from jaxgan.nets.inception import InceptionV3, load_inception
from jaxgan.parallel import make_mesh


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


def bars(count=200, side=12, channels=1):
    """Bright horizontal or vertical bars on noise, and which of the two."""
    random = np.random.default_rng(0)
    pictures = random.integers(0, 60, (count, side, side, channels), np.uint8)
    labels = random.integers(2, size=count)
    for row, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        at = 2 + row % (side - 4)
        picture[(slice(None), at) if label else at] = 220
    return pictures, labels


@pytest.fixture(scope="module")
def own(data_dir):
    return own_features(*bars(), data_dir, steps=40)


def test_own_features_learn_and_are_kept(own, data_dir, monkeypatch):
    pictures, labels = bars()
    assert own.name == "own classifier of 2 classes, held-out accuracy 100.0 % on 50 pictures"
    found, probabilities = own(pictures)
    assert found.shape == (200, 64) and found.dtype == np.float32
    assert probabilities.shape == (200, 2) and probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-6)
    assert (probabilities.argmax(1) == labels).mean() > 0.97
    assert own.warning == "own features: compares only with figures of the same network"
    assert found.var(0).mean() == pytest.approx(1, rel=0.2)
    (path,) = (data_dir / "jaxgan-features").iterdir()
    assert path.name.startswith("own-") and path.suffix == ".npz"

    def never(*_, **__):
        raise AssertionError("it is kept")

    monkeypatch.setattr(classifier, "train", never)
    again = own_features(pictures, labels, data_dir, steps=40)
    assert (again.name, again.sha256) == (own.name, own.sha256)
    np.testing.assert_array_equal(again(pictures)[0], found)
    # Other labels, pictures or recipe are another network.
    for other in [
        (pictures, 1 - labels, 40),
        (pictures[:-1], labels[:-1], 40),
        (pictures, labels, 41),
    ]:
        with pytest.raises(AssertionError, match="kept"):
            own_features(*other[:2], data_dir, steps=other[2])


def test_training_is_deterministic(own, tmp_path):
    again = own_features(*bars(), tmp_path, steps=40)
    assert again.sha256 == own.sha256


def test_the_stated_accuracy_is_of_pictures_that_were_not_learnt(tmp_path):
    # Labels without a rule can be learnt by heart and not foretold.
    pictures = np.random.default_rng(1).integers(0, 256, (400, 9, 9, 1), np.uint8)
    labels = np.arange(400) % 2
    network = own_features(pictures, labels, tmp_path, steps=300)
    stated = float(network.name.split("accuracy ")[1].split(" %")[0])
    seen = (network(pictures)[1].argmax(1) == labels).mean()
    assert stated < 62 and seen > 0.7
    assert network.warning.endswith("hardly does better than chance (50 %)")


@pytest.mark.parametrize("labels", [None, np.zeros(200, int)])
def test_without_labels_it_tells_quarter_turns_apart(data_dir, labels):
    random = np.random.default_rng(0)
    pictures = random.integers(0, 60, (200, 12, 12, 3), np.uint8)
    pictures[:, :3] = 250
    network = own_features(pictures, labels, data_dir, steps=40)
    assert network.name.startswith("own classifier of quarter turns, held-out accuracy 100.0 %")
    found, probabilities = network(pictures)
    assert found.shape == (200, 64) and probabilities is None and not network.scored


def test_turned_pictures_are_pillows():
    picture = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    got = classifier.turned(np.stack([picture] * 4), np.arange(4))
    for quarter in range(4):
        np.testing.assert_array_equal(got[quarter], Image.fromarray(picture).rotate(90 * quarter))
    with pytest.raises(ValueError, match="squares"):
        classifier.turned(np.zeros((1, 8, 9, 1), np.uint8), np.zeros(1, int))


def test_a_damaged_file_is_replaced(tmp_path, capsys):
    first = own_features(*bars(40), tmp_path, steps=2)
    (path,) = (tmp_path / "jaxgan-features").iterdir()
    good = path.read_bytes()
    path.write_bytes(good[:100])
    assert own_features(*bars(40), tmp_path, steps=2).sha256 == first.sha256
    assert "trained again" in capsys.readouterr().out
    assert path.read_bytes() == good
    np.savez(path, held_out_accuracy=np.float64(1.0), other=np.ones(3))
    assert own_features(*bars(40), tmp_path, steps=2).sha256 == first.sha256
    assert "not what it should be" in capsys.readouterr().out
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_where_nothing_can_be_kept_it_goes_on(tmp_path, capsys):
    (tmp_path / "jaxgan-features").write_text("in the way")
    network = own_features(*bars(40), tmp_path, steps=2)
    assert network(bars(3)[0])[0].shape == (3, 64)
    assert "cannot be kept" in capsys.readouterr().out


def test_batches_and_devices_make_no_difference(data_dir):
    pictures, labels = bars()
    networks = [
        own_features(pictures, labels, data_dir, steps=40, batch_size=size, mesh=make_mesh(devices))
        for size, devices in ((256, jax.devices()[:1]), (64, jax.devices()), (7, jax.devices()))
    ]
    one, *others = [network(pictures) for network in networks]
    for found, probabilities in others:
        np.testing.assert_allclose(found, one[0], rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(probabilities, one[1], atol=1e-5)
        a, b = Moments.of(found), Moments.of(one[0])
        np.testing.assert_allclose(a.mean, b.mean, rtol=1e-5, atol=1e-5)
        scale = np.abs(b.covariance).max()
        np.testing.assert_allclose(a.covariance / scale, b.covariance / scale, atol=1e-5)


def test_digits_in_a_few_steps(tmp_path):
    drawn = digits(14)
    network = own_features(drawn.pictures, drawn.values, tmp_path, steps=80)
    assert float(network.name.split("accuracy ")[1].split(" %")[0]) > 85


def test_scaling_leaves_the_classes_as_they_were():
    pictures, labels = bars(60)
    params = classifier.train(pictures, labels, 2, steps=3)
    scaled = _scaled(params, pictures, 2)
    apply = classifier.compiled(2)
    before, logits = apply(params, pictures)
    after, same = apply(scaled, pictures)
    np.testing.assert_allclose(same, logits, atol=1e-5)
    assert np.var(after, 0).mean() == pytest.approx(1, rel=1e-4)
    gain = 1 / np.sqrt(np.var(before, 0).mean())
    np.testing.assert_allclose(after, gain * np.asarray(before), atol=1e-4)


def test_what_own_refuses(tmp_path):
    pictures, labels = bars(19)
    with pytest.raises(UserError, match="at least 20 real samples and was given 19"):
        own_features(pictures, labels, tmp_path)
    pictures, labels = bars(20)
    with pytest.raises(ValueError, match="do not go with 20"):
        own_features(pictures, labels[:-1], tmp_path)
    with pytest.raises(ValueError, match="uint8"):
        own_features(pictures.astype(np.float32), labels, tmp_path)


def test_what_features_refuse(own):
    for wrong in (np.zeros((2, 12, 12, 1)), np.zeros((2, 12, 12), np.uint8)):
        with pytest.raises(ValueError, match="uint8"):
            own(wrong)
    with pytest.raises(ValueError, match=r"takes pictures \(12, 12, 1\), not \(12, 12, 3\)"):
        own(np.zeros((2, 12, 12, 3), np.uint8))
    with pytest.raises(UserError, match="at least 1 picture"):
        own(np.zeros((0, 12, 12, 1), np.uint8))


@pytest.fixture(scope="module")
def inception_file(tmp_path_factory):
    """Random weights of the right names and shapes; tests/test_inception.py has the graph."""
    made = jax.eval_shape(
        InceptionV3().init, jax.random.key(0), jax.ShapeDtypeStruct((1, 75, 75, 3), jnp.float32)
    )["params"]
    random = np.random.default_rng(0)
    arrays = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(made):
        if path[-1].key == "kernel" and path[0].key != "fc":
            name = ".".join(key.key for key in path[:-2])
            *taps, inputs, outputs = leaf.shape
            scale = np.sqrt(2 / (np.prod(taps) * inputs))
            kernel = np.zeros((outputs, inputs, *taps), np.float32)
            kernel[:, :, taps[0] // 2, taps[1] // 2] = scale * random.standard_normal(
                (outputs, inputs)
            )
            arrays[f"{name}.conv.weight"] = kernel
            for part, value in (
                ("weight", 1),
                ("bias", 0),
                ("running_mean", 0),
                ("running_var", 1),
            ):
                arrays[f"{name}.bn.{part}"] = np.full(outputs, value, np.float32)
    arrays["fc.weight"] = random.standard_normal((1008, 2048)).astype(np.float32) / 50
    path = tmp_path_factory.mktemp("inception") / "weights.npz"
    np.savez(path, **arrays)
    return path


def test_inception_resizes_as_it_says(inception_file, monkeypatch):
    # 299 pixels cost half a minute here; what is done to reach 75 is the same.
    monkeypatch.setattr(features, "_SIDE", 75)
    digest = hashlib.sha256(inception_file.read_bytes()).hexdigest()
    network = features.inception(inception_file, digest, batch_size=2)
    assert network.sha256 == digest
    assert network.name.endswith("other weights") and "published" in network.warning
    assert "bilinear to 75x75" in network.resize and "[-1, 1]" in network.resize
    grey = np.random.default_rng(0).integers(0, 256, (3, 40, 50, 1), np.uint8)
    found, probabilities = network(grey)
    assert found.shape == (3, 2048) and probabilities.shape == (3, 1008)
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
    module, params, _ = load_inception(inception_file)
    places = np.meshgrid(*((np.arange(75) + 0.5) * n / 75 - 0.5 for n in (40, 50)), indexing="ij")
    large = [
        ndimage.map_coordinates(g[..., 0] / 1.0, places, order=1, mode="nearest") for g in grey
    ]
    images = np.repeat(np.stack(large)[..., None] / 127.5 - 1, 3, -1).astype(np.float32)
    want, logits = jax.jit(module.apply)({"params": params}, images)
    np.testing.assert_allclose(found, want, rtol=1e-3, atol=1e-4 * np.abs(want).max())
    shares = np.exp(logits - np.max(logits, 1, keepdims=True))
    np.testing.assert_allclose(probabilities, shares / shares.sum(1, keepdims=True), atol=1e-4)


def test_inception_with_a_wrong_hash(inception_file):
    with pytest.raises(UserError, match=r"weights\.npz has the SHA-256 .*, not 6726825d"):
        features.inception(inception_file, features.PUBLISHED)
