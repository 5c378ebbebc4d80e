"""TFDS sets: written here as TFDS writes them, read without TensorFlow."""

import io
import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from jaxgan.data import prepare, prepared
from jaxgan.data.labelled import open_labelled, open_labelled_train_and_held_out
from jaxgan.data.sources import open_source, open_train_and_held_out
from jaxgan.errors import UserError


def picture(number):
    random = np.random.default_rng(number)
    return random.integers(0, 256, (16 + 4 * number, 20, 3), dtype=np.uint8)


def png(image):
    # TFDS stores encoded bytes as they are; encoding arrays is what it needs TensorFlow for.
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    buffer.seek(0)
    return buffer


class Div2k(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """The features, configurations and splits of TFDS's div2k."""

    BUILDER_CONFIGS = [  # noqa: RUF012
        tfds.core.BuilderConfig(name=name, version="2.0.0", description=name)
        for name in ("bicubic_x2", "bicubic_x4")
    ]

    def _info(self):
        image = tfds.features.Image
        features = tfds.features.FeaturesDict({"lr": image(), "hr": image()})
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, dl_manager):
        return {
            "train": self._generate_examples(range(3)),
            "validation": self._generate_examples(range(3, 5)),
        }

    def _generate_examples(self, numbers):
        for i in numbers:
            yield i, {"hr": png(picture(i)), "lr": png(picture(i)[::4, ::4])}


class JaxganTiny(tfds.core.GeneratorBasedBuilder):
    """A set that TFDS knows by name, with labels and text beside the picture."""

    VERSION = tfds.core.Version("1.2.0")

    def _info(self):
        features = tfds.features.FeaturesDict(
            {
                "image": tfds.features.Image(),
                "other": tfds.features.Image(),
                "label": np.int32,
                "text": tfds.features.Text(),
            }
        )
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(range(12))}

    def _generate_examples(self, numbers):
        for i in numbers:
            yield i, {"image": png(picture(0)), "other": png(picture(1)), "label": i, "text": "t"}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    root = tmp_path_factory.mktemp("tfds")
    for config in ("bicubic_x2", "bicubic_x4"):
        builder = Div2k(data_dir=root, config=config)
        builder.download_and_prepare(file_format="array_record")
    return root


def numbers_of(source):
    """Which pictures these are: TFDS shuffles by key."""
    heights = sorted((source.size(i)[0] - 16) // 4 for i in range(len(source)))
    for i in range(len(source)):
        np.testing.assert_array_equal(source[i], picture((source.size(i)[0] - 16) // 4))
    return heights


@pytest.mark.parametrize(
    "name", ["div2k", "tfds:div2k", "div2k/bicubic_x2", "tfds:div2k/bicubic_x4:2.0.0"]
)
def test_div2k_gives_its_high_resolution_pictures(data_dir, name):
    assert numbers_of(open_source(name, data_dir=data_dir)) == [0, 1, 2]
    assert numbers_of(open_source(name, data_dir=data_dir, split="validation")) == [3, 4]


def test_description_and_names(data_dir):
    source = open_source("div2k", data_dir=data_dir)
    assert json.loads(json.dumps(source.description)) == {
        "kind": "tfds",
        "where": str(data_dir / "div2k" / "bicubic_x4" / "2.0.0"),
        "part": "train",
        "feature": "hr",
        "count": 3,
        "skipped": [],
    }
    assert source.name(2) == "div2k/bicubic_x4/2.0.0[train] #2"


def test_held_out_is_the_validation_split(data_dir):
    train, held_out = open_train_and_held_out("div2k", data_dir=data_dir)
    assert numbers_of(train) == [0, 1, 2] and numbers_of(held_out) == [3, 4]


def test_it_is_read_without_tensorflow(data_dir):
    code = (
        "import sys\n"
        "from jaxgan.data.sources import open_source\n"
        f"source = open_source('div2k', data_dir={str(data_dir)!r})\n"
        "assert source[0].shape[1:] == (20, 3), source[0].shape\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)


def test_is_prepared(data_dir, monkeypatch):
    for name in ("div2k", "div2k/bicubic_x2", "div2k:2.0.0"):
        assert prepared.is_prepared(name, data_dir)
    for name in ("div2k/bicubic_x8", "div2k:3.0.0", "celeb_a", "", "..", "/"):
        assert not prepared.is_prepared(name, data_dir)
    assert not prepared.is_prepared("div2k", data_dir / "nowhere")
    monkeypatch.setenv("TFDS_DATA_DIR", str(data_dir))
    assert prepared.is_prepared("div2k")


def complaint(name, data_dir, **options):
    with pytest.raises(UserError) as caught:
        open_source(name, data_dir=data_dir, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_not_prepared_says_how_to(tmp_path, data_dir):
    for name in ("div2k", "tfds:div2k"):
        text = complaint(name, tmp_path / "none")
        assert "pip install 'jaxgan[prepare]'" in text
        command = f"python -m jaxgan.data.prepare div2k --data_dir={tmp_path / 'none'}"
        assert command in text
    assert "did you mean div2k?" in complaint("tfds:div2", data_dir)


def test_missing_splits_and_ambiguous_configurations(data_dir):
    assert "has no split 'test': it has train, validation" in complaint(
        "div2k", data_dir, split="test"
    )
    (data_dir / "div2k").rename(data_dir / "renamed")
    try:
        text = complaint("renamed", data_dir)
    finally:
        (data_dir / "renamed").rename(data_dir / "div2k")
    assert "give one of renamed/bicubic_x2, renamed/bicubic_x4" in text


def test_a_set_in_tensorflows_format_is_refused(tmp_path, data_dir):
    folder = tmp_path / "div2k" / "bicubic_x4" / "2.0.0"
    folder.mkdir(parents=True)
    info = json.loads((data_dir / folder.relative_to(tmp_path) / "dataset_info.json").read_text())
    (folder / "dataset_info.json").write_text(json.dumps({**info, "fileFormat": "tfrecord"}))
    assert not prepared.is_prepared("div2k", tmp_path)
    text = complaint("tfds:div2k", tmp_path)
    assert str(folder) in text and "jaxgan.data.prepare" in text
    (folder / "dataset_info.json").write_text("{")
    assert "dataset_info.json cannot be read" in complaint("tfds:div2k", tmp_path)


def test_prepare_needs_tensorflow(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(prepare.importlib.util, "find_spec", lambda name: None)
    assert prepare.main(["div2k", f"--data_dir={tmp_path}"]) == 1
    assert capsys.readouterr().err == (
        "error: preparing needs TensorFlow: pip install 'jaxgan[prepare]'\n"
    )


def test_prepare_writes_what_is_read(monkeypatch, tmp_path, capsys):
    # This set's pictures are encoded already, so nothing asks for TensorFlow itself.
    monkeypatch.setattr(prepare.importlib.util, "find_spec", lambda name: object())
    for _ in range(2):
        assert prepare.main(["jaxgan_tiny", f"--data_dir={tmp_path}"]) == 0
    folder = tmp_path / "jaxgan_tiny" / "1.2.0"
    assert f"jaxgan_tiny is ready in {folder}" in capsys.readouterr().out
    source = open_source("jaxgan_tiny", data_dir=tmp_path)
    assert source.description["feature"] == "image"
    assert numbers_of(source) == [0] * 12
    train, held_out = open_train_and_held_out("jaxgan_tiny", data_dir=tmp_path)
    assert (len(train), len(held_out)) == (11, 1)
    assert prepare.main(["no_such_set_at_all", f"--data_dir={tmp_path}"]) == 1
    assert "TFDS knows no set 'no_such_set_at_all'" in capsys.readouterr().err


SMALL = np.random.default_rng(0).integers(0, 256, (30, 28, 28), dtype=np.uint8)


class Emnist(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """EMNIST as TFDS has it: 37 classes named by numbers, rows and columns exchanged."""

    BUILDER_CONFIGS = [  # noqa: RUF012
        tfds.core.BuilderConfig(name="letters", version="3.1.0", description="letters"),
        tfds.core.BuilderConfig(name="balanced", version="3.1.0", description="balanced"),
    ]

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(28, 28, 1)),
            "label": tfds.features.ClassLabel(num_classes=37),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {
            "train": self._generate_examples(range(26)),
            "test": self._generate_examples(range(26, 30)),
        }

    def _generate_examples(self, numbers):
        for i in numbers:
            yield i, {"image": png(SMALL[i].T), "label": i % 26 + 1}


class CelebA(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """CelebA's features, fewer of them: no label, and attributes."""

    VERSION = tfds.core.Version("2.1.0")
    name = "celeb_a"

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(None, None, 3)),
            "landmarks": {"nose_x": np.int64},
            "attributes": {"Smiling": np.bool_, "Young": np.bool_},
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        parts = {"train": range(6), "validation": range(6, 9), "test": range(9, 10)}
        return {name: self._generate_examples(numbers) for name, numbers in parts.items()}

    def _generate_examples(self, numbers):
        for i in numbers:
            attributes = {"Smiling": i % 3 == 0, "Young": True}
            face = np.full((40, 30, 3), 20 * i, np.uint8)
            yield i, {"image": png(face), "landmarks": {"nose_x": 1}, "attributes": attributes}


class Cifar10(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """A set with names for its classes, which TFDS keeps beside the records."""

    VERSION = tfds.core.Version("3.0.2")

    def _info(self):
        features = {
            "id": tfds.features.Text(),
            "image": tfds.features.Image(shape=(32, 32, 3)),
            "label": tfds.features.ClassLabel(names=["airplane", "automobile", "bird"]),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {
            "train": self._generate_examples(range(6)),
            "test": self._generate_examples(range(6, 9)),
        }

    def _generate_examples(self, numbers):
        for i in numbers:
            flat = np.full((32, 32, 3), (10 * i, 0, 200), np.uint8)
            yield i, {"id": f"{i}", "image": png(flat), "label": i % 3}


@pytest.fixture(scope="module")
def labelled_dir(tmp_path_factory):
    root = tmp_path_factory.mktemp("labelled")
    builders = [Emnist(data_dir=root, config=name) for name in ("letters", "balanced")]
    for builder in (*builders, CelebA(data_dir=root), Cifar10(data_dir=root)):
        builder.download_and_prepare(file_format="array_record")
    return root


def test_emnist_letters_stand_upright_and_begin_at_a(labelled_dir):
    train, held_out = open_labelled_train_and_held_out("emnist/letters", 28, data_dir=labelled_dir)
    assert "".join(train.classes) == "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    order = np.argsort(train.labels)
    np.testing.assert_array_equal(train.labels[order], np.arange(26))
    np.testing.assert_array_equal(train.pictures[order, ..., 0], SMALL[:26])
    np.testing.assert_array_equal(np.sort(held_out.labels), [0, 1, 2, 3])
    one = open_labelled("tfds:emnist/letters", 28, data_dir=labelled_dir, classes=("C",))
    np.testing.assert_array_equal(one.pictures[..., 0], SMALL[2:3])
    balanced = open_labelled("emnist/balanced", 28, data_dir=labelled_dir)
    assert len(balanced.classes) == 47 and balanced.classes[10] == "A"


def test_celeb_a_has_no_labels_or_an_attribute(labelled_dir):
    bare = open_labelled("celeb_a", 16, channels=3, data_dir=labelled_dir)
    assert bare.labels is None and bare.pictures.shape == (6, 16, 16, 3)
    train, held_out = open_labelled_train_and_held_out(
        "celeb_a#Smiling", 16, channels=3, data_dir=labelled_dir, require_labels=True
    )
    assert train.classes == held_out.classes == ("not Smiling", "Smiling")
    assert train.description["label"] == "attributes/Smiling"
    for part, count in ((train, 6), (held_out, 3)):
        assert len(part) == count
        faces = part.pictures[:, 0, 0, 0] // 20
        np.testing.assert_array_equal(part.labels, faces % 3 == 0)
    smiling = open_labelled("celeb_a#Smiling", 16, data_dir=labelled_dir, classes=("Smiling",))
    assert len(smiling) == 2
    assert prepared.is_prepared("celeb_a#Smiling", labelled_dir)
    with pytest.raises(UserError, match=r"'Smilin', .*did you mean 'Smiling'"):
        open_labelled("celeb_a#Smilin", 16, data_dir=labelled_dir)
    with pytest.raises(UserError, match="has no labels, which this experiment needs"):
        open_labelled("celeb_a", 16, data_dir=labelled_dir, require_labels=True)
    with pytest.raises(UserError, match=r"prepare celeb_a --data_dir"):
        open_labelled("celeb_a#Smiling", 16, data_dir=labelled_dir / "none")


def test_cifar10_has_the_names_that_tfds_keeps(labelled_dir):
    found = open_labelled("cifar10", 32, channels=3, data_dir=labelled_dir)
    assert found.classes == ("airplane", "automobile", "bird")
    assert found.pictures.shape == (6, 32, 32, 3)
    np.testing.assert_array_equal(found.pictures[:, 0, 0, 0] // 10 % 3, found.labels)
    json.dumps(found.description)


def test_tfds_knows_the_sets_by_these_names():
    for name, label in (
        ("mnist", 10),
        ("fashion_mnist", 10),
        ("emnist/letters", 37),
        ("cifar10", 10),
        ("celeb_a", None),
    ):
        features = tfds.builder(name, data_dir="nowhere").info.features
        assert "image" in features
        assert features["label"].num_classes == label if label else "label" not in features
    assert "Smiling" in features["attributes"]


def test_a_download_that_fails_is_one_line(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(prepare.importlib.util, "find_spec", lambda name: object())

    def fail(self, dl_manager):
        raise tfds.download.DownloadError("Failed to get url https://x. HTTP code: 429.\nAgain")

    monkeypatch.setattr(JaxganTiny, "_split_generators", fail)
    assert prepare.main(["jaxgan_tiny", f"--data_dir={tmp_path}"]) == 1
    text = capsys.readouterr().err
    assert text.startswith("error: TFDS could not prepare jaxgan_tiny: Failed to get url https://x")
    assert text.endswith("try again later\n") and text.count("\n") == 1
