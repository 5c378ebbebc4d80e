"""Pictures of any size go through a generator; figures and files of what comes out."""

import flax.linen as nn
import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from jaxgan.data.images import read_image
from jaxgan.errors import UserError
from jaxgan.experiment import SampleRequest
from jaxgan.ops.pixels import from_uint8
from jaxgan.state import Network
from jaxgan.systems.translating import (
    Example,
    by,
    closeness,
    comparison,
    sample_files,
    translate,
)


class Negative(nn.Module):
    """Every value's negative; refuses sides that 4 does not divide."""

    stages: bool = False

    def __call__(self, pictures, train):
        assert pictures.shape[1] % 4 == pictures.shape[2] % 4 == 0
        return (pictures, -pictures) if self.stages else -pictures


def networks(stages=False):
    return {"generator": Network(Negative(stages), {}, {}, train=False)}


def example(seed, height, width, name="x"):
    random = np.random.default_rng(seed)
    shown, target = random.integers(0, 256, (2, height, width, 3), np.uint8)
    return Example(name, (from_uint8(shown),), shown, target)


@pytest.mark.parametrize("stages", [False, True])
@pytest.mark.parametrize("size", [(8, 12), (7, 5), (1, 1)])
def test_any_size_comes_back_in_its_size(size, stages):
    given = example(0, *size)
    got = translate(networks(stages)["generator"], *given.given, multiple=4)
    np.testing.assert_array_equal(got, 255 - given.shown)


def test_closeness_is_the_mean_over_pictures_beside_that_of_the_input():
    examples = [example(0, 16, 16), example(1, 12, 20)]
    made = [one.target // 2 for one in examples]
    found = closeness(examples, made, {"kind": "npz"}, beside_input=True)
    expected = [
        peak_signal_noise_ratio(one.target, picture)
        for one, picture in zip(examples, made, strict=True)
    ]
    assert found.figures["psnr_rgb"] == pytest.approx(np.mean(expected), rel=1e-6)
    apart = [np.abs(one.target / 255 - one.shown / 255).mean() for one in examples]
    assert found.figures["l1_input"] == pytest.approx(np.mean(apart), rel=1e-6)
    assert found.figures["ssim_rgb"] > found.figures["ssim_rgb_input"]
    assert set(found.stamps) == {"l1", "psnr_rgb", "ssim_rgb"}
    alone = closeness(examples, made, {"kind": "npz"}, beside_input=False)
    assert set(alone.figures) == {"l1", "psnr_rgb", "ssim_rgb"}


def test_a_comparison_shows_input_output_and_target():
    known = example(0, 8, 8)
    grid = comparison(lambda: [known] * 9, by("generator", 4), most=2)(networks())["preview"]
    assert grid.columns == ("input", "output", "target") and len(grid.rows) == 2
    np.testing.assert_array_equal(grid.rows[0][1], 255 - known.shown)
    grid = comparison(lambda: [known._replace(target=None)], by("generator", 4))(networks())
    assert grid["preview"].columns == ("input", "output")


@pytest.fixture
def sample():
    def read(path):
        picture = read_image(path)
        return Example(path.name, (from_uint8(picture),), picture)

    return sample_files(read, by("generator", 4))


def request(given, output):
    return SampleRequest(given, output, seed=0, count=1)


def test_a_picture_and_a_whole_folder_are_translated(sample, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name, size in (("one.png", (5, 7)), ("two.bmp", (8, 8))):
        Image.fromarray(example(0, *size).shown).save(folder / name)
    (folder / "notes.txt").write_text("no picture")
    out = sample(networks(), request(folder / "one.png", tmp_path / "one.png"))
    np.testing.assert_array_equal(read_image(out), 255 - example(0, 5, 7).shown)
    sample(networks(), request(folder, tmp_path / "out"))
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"one.png", "two.png"}
    np.testing.assert_array_equal(
        read_image(tmp_path / "out" / "two.png"), 255 - example(0, 8, 8).shown
    )


def test_what_cannot_be_translated_is_said(sample, tmp_path):
    (tmp_path / "empty").mkdir()
    twice = tmp_path / "twice"
    twice.mkdir()
    for name in ("a.png", "a.bmp"):
        Image.fromarray(example(0, 4, 4).shown).save(twice / name)
    for given, said in (
        (None, "needs --input"),
        (tmp_path / "none", "no such file or folder"),
        (tmp_path / "empty", "no pictures"),
        (twice, "two pictures would become a.png"),
    ):
        with pytest.raises(UserError, match=said):
            sample(networks(), request(given, tmp_path / "out"))
    assert not (tmp_path / "out").exists()
