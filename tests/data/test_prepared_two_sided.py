"""TFDS's sets for image-to-image, written here as TFDS writes them: cityscapes and cycle_gan."""

import io

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from jaxgan.data.label_maps import VOID
from jaxgan.data.paired import open_pairs
from jaxgan.data.unpaired import open_domains
from jaxgan.errors import UserError


def street(number):
    return np.random.default_rng(number).integers(0, 256, (16, 32, 3), np.uint8)


def classes(number):
    found = np.random.default_rng(number).integers(0, 34, (16, 32), np.uint8)
    found[0] = VOID
    return found


def png(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    buffer.seek(0)
    return buffer


class Cityscapes(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """The features and splits of TFDS's cityscapes/semantic_segmentation."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "image_id": tfds.features.Text(),
            "image_left": tfds.features.Image(shape=(16, 32, 3)),
            "segmentation_label": tfds.features.Image(shape=(16, 32, 1)),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        parts = {"train": range(5), "validation": range(5, 7), "test": range(7, 8)}
        return {name: self._generate_examples(numbers) for name, numbers in parts.items()}

    def _generate_examples(self, numbers):
        for i in numbers:
            yield (
                i,
                {
                    "image_id": str(i),
                    "image_left": png(street(i)),
                    "segmentation_label": png(classes(i)),
                },
            )


class CycleGan(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """The features and splits of TFDS's cycle_gan/horse2zebra."""

    BUILDER_CONFIGS = [  # noqa: RUF012
        tfds.core.BuilderConfig(name="horse2zebra", version="3.0.0", description="horses")
    ]

    def _info(self):
        features = {
            "image": tfds.features.Image(),
            "label": tfds.features.ClassLabel(names=["A", "B"]),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        sizes = {"trainA": 3, "trainB": 4, "testA": 1, "testB": 2}
        return {name: self._generate_examples(name, count) for name, count in sizes.items()}

    def _generate_examples(self, name, count):
        value = 100 if name.endswith("B") else 10
        for i in range(count):
            picture = np.full((8, 8, 3), value + i, np.uint8)
            yield f"{name}{i}", {"image": png(picture), "label": name[-1]}


class Plain(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Pictures without another side."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = tfds.features.FeaturesDict({"image": tfds.features.Image()})
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        yield 0, {"image": png(street(0))}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    root = tmp_path_factory.mktemp("tfds")
    for builder in (Cityscapes(data_dir=root), CycleGan(data_dir=root), Plain(data_dir=root)):
        builder.download_and_prepare(file_format="array_record")
    return root


@pytest.mark.parametrize("direction", ["BtoA", "AtoB"])
def test_cityscapes_gives_photographs_and_labels(data_dir, direction):
    train, held_out = open_pairs("cityscapes", data_dir=data_dir, direction=direction)
    assert len(train) == 5 and len(held_out) == 2
    seen = []
    for part, numbers in ((train, range(5)), (held_out, range(5, 7))):
        by_label = {classes(i).tobytes(): i for i in numbers}
        for row in range(len(part)):
            given, target = part[row]
            if direction == "AtoB":
                assert given.shape == target.shape == (16, 32, 3) and part.labels is None
                continue
            number = by_label[given.tobytes()]
            np.testing.assert_array_equal(target, street(number))
            seen.append(number)
    if direction == "BtoA":
        assert sorted(seen) == list(range(7)) and train.labels.count == 34
    assert train.description["features"] == ["image_left", "segmentation_label"]
    assert train.description["part"] == "train" and train.name(0).startswith("cityscapes/1.0.0[tr")


def test_cycle_gan_gives_two_domains(data_dir):
    train, held_out = open_domains("cycle_gan/horse2zebra", data_dir=data_dir)
    found = [
        sorted(int(domain[i][0, 0, 0]) for i in range(len(domain)))
        for domain in (*train, *held_out)
    ]
    assert found == [[10, 11, 12], [100, 101, 102, 103], [10], [100, 101]]


def test_sets_without_two_sides_are_refused(data_dir):
    with pytest.raises(UserError, match="holds no two domains: it has the splits train, validat"):
        open_domains("cityscapes", data_dir=data_dir)
    with pytest.raises(UserError, match="holds no pairs of pictures: its pictures are image, and"):
        open_pairs("plain", data_dir=data_dir)
    with pytest.raises(UserError, match=r"no split 'train': it has t"):
        open_pairs("cycle_gan", data_dir=data_dir)
