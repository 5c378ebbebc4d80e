"""What `--mode=sample` writes of films and shapes, and what it refuses; previews."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver
from PIL import Image, ImageSequence

from jaxgan import experiment as experiments
from jaxgan import film_experiments, prediction_figures, shape_experiments
from jaxgan.data.clips import Clips
from jaxgan.data.selection import refuse_selection
from jaxgan.errors import UserError
from jaxgan.experiment import SampleRequest
from jaxgan.metrics.stamp import Measured
from jaxgan.nets.predictor import FramePredictor
from jaxgan.nets.vgan import FilmGenerator
from jaxgan.nets.volumes import VoxelGenerator
from jaxgan.state import Network

LATENT = 3


def bound(network, *shape):
    given = jnp.zeros((1, *shape))
    variables = jax.jit(lambda x: network.init(jax.random.key(0), x, train=True))(given)
    rest = {name: value for name, value in variables.items() if name != "params"}
    return {"generator": Network(network, variables["params"], rest, train=False)}


@pytest.fixture(scope="module")
def shapes():
    return bound(VoxelGenerator((2, 2, 2), width=1, stages=1), LATENT)


@pytest.fixture(scope="module")
def films():
    return bound(FilmGenerator((1, 8, 8), width=1, stages=1), LATENT)


@pytest.fixture(scope="module")
def predictor():
    return bound(FramePredictor(2, width=1, depth=1), 2, 16, 16, 3)


def ask(output, count=3, given=None):
    return SampleRequest(given, output, 0, count)


def test_shapes_are_written_as_pictures_volumes_and_meshes(shapes, tmp_path):
    sample = shape_experiments.sample_file(LATENT, columns=2)
    with Image.open(sample(shapes, ask(tmp_path / "a.png"))) as image:
        assert image.width > 2 * 2 * 96
    volumes = np.load(sample(shapes, ask(tmp_path / "a.npz")))["voxels"]
    assert volumes.shape == (3, 4, 4, 4) and volumes.dtype == bool
    np.testing.assert_array_equal(volumes, shape_experiments.draw_shapes(shapes, 3, 0, LATENT))
    assert sample(shapes, ask(tmp_path / "a.ply")).read_text().startswith("ply")
    folder = sample(shapes, ask(tmp_path / "folder"))
    assert len(list(folder.glob("*.obj"))) == sum(one.any() for one in volumes)
    with pytest.raises(UserError, match=r"give the name of a \.png"):
        sample(shapes, ask(tmp_path / "a.stl"))


def test_films_are_written_as_gif_stills_and_folders(films, tmp_path):
    sample = film_experiments.sample_file(LATENT, columns=2, rate=10.0)
    with Image.open(sample(films, ask(tmp_path / "a.gif"))) as image:
        assert (image.n_frames, image.size) == (2, (34, 34))
    with Image.open(sample(films, ask(tmp_path / "a.png"))) as image:
        assert image.height > 3 * 16
    assert len(list(sample(films, ask(tmp_path / "folder")).glob("*.gif"))) == 3
    with pytest.raises(UserError, match="a film is written as"):
        sample(films, ask(tmp_path / "a.avi"))
    shown = film_experiments.preview(LATENT, count=4, columns=2, rate=8.0)(films)
    assert {name: one.save(tmp_path / name).suffix for name, one in shown.items()} == {
        "film": ".gif",
        "stills": ".png",
    }


def gif(path, frames):
    first, *rest = [Image.fromarray(one) for one in frames]
    first.save(path, save_all=True, append_images=rest)
    return path


def test_a_film_is_continued_from_its_end(predictor, tmp_path):
    sample = prediction_figures.sample_film(16, past=2, every=2, rate=10.0)
    frames = np.random.default_rng(0).integers(0, 3, (5, 4, 4, 3), np.uint8) * 100
    frames = frames.repeat(4, 1).repeat(4, 2)
    path = sample(predictor, ask(tmp_path / "b.gif", given=gif(tmp_path / "a.gif", frames)))
    with Image.open(path) as image:
        written = np.stack([np.array(f.convert("RGB")) for f in ImageSequence.Iterator(image)])
    assert len(written) == 4
    apart = np.abs(written[:2].astype(int) - frames[2::2])
    assert apart.mean() < 8  # of 256 colours
    made = prediction_figures.predict(predictor, frames[None, 2::2])
    assert np.abs(written[2:].astype(int) - made[0]).mean() < 8


def test_a_film_of_one_frame_cannot_be_continued(predictor, tmp_path):
    sample = prediction_figures.sample_film(16, past=2, every=2, rate=10.0)
    Image.new("RGB", (16, 16)).save(tmp_path / "a.png")
    with pytest.raises(UserError, match=r"a\.png has 1 frame, and 3 are needed"):
        sample(predictor, ask(tmp_path / "b.gif", given=tmp_path / "a.png"))
    with pytest.raises(UserError, match="needs --input=FILM"):
        sample(predictor, ask(tmp_path / "b.gif"))
    with pytest.raises(UserError, match="there is no such film"):
        sample(predictor, ask(tmp_path / "b.gif", given=tmp_path / "none.gif"))


def test_predictions_stand_beside_the_last_frame_repeated(predictor):
    film = np.random.default_rng(0).integers(0, 256, (9, 16, 16, 3), np.uint8)
    still = np.repeat(film[:1], 9, axis=0)
    for one, expected in ((film, None), (still, 60.0)):
        clips = Clips([one], None, (), {"kind": "test"})
        evaluate = prediction_figures.figures(lambda c=clips: c, 2, 2, 1, 10)
        found = evaluate(predictor)
        assert isinstance(found, Measured) and set(found.stamps) == {"psnr", "ssim"}
        last = found.figures["psnr_last"]
        assert last == expected if expected else last < 20


@pytest.fixture
def built():
    """A function of an experiment's name and flags that builds it."""

    def build(name, **changes):
        with flagsaver.flagsaver():
            loaded = experiments.load(experiments.find(name))
            for flag, value in changes.items():
                flags.FLAGS[flag].value = value
            return experiments.build(loaded)

    return build


def test_mocogan_is_built_by_its_flag(built):
    found = built("video_gan", network="mocogan", side=32, width=2, frames=10)
    assert set(found.system.players) == {"generator", "image_critic", "video_critic"}
    shapes = {name: spec.inputs[0].shape for name, spec in found.system.players.items()}
    assert shapes["video_critic"] == (1, 10, 32, 32, 3)
    assert shapes["generator"] == (1, 50 + 11 * 10)
    for changes, words in (
        ({"frames": 9}, "at least 10"),
        ({"n_critic": 2}, "plays without --penalty"),
    ):
        with pytest.raises(UserError, match=words):
            built("video_gan", **{"network": "mocogan", "side": 32, "frames": 10, **changes})


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("video_gan", {"side": 48}, "must be a power of two"),
        ("video_gan", {"frames": 12}, "VGAN at --side=64 makes"),
        ("video_gan", {"eval_samples": 1}, "fake"),
        ("video_prediction", {"side": 60}, "multiple of 16"),
        ("video_prediction", {"loss": "wgan"}, "needs a penalty"),
        ("gan3d", {"eval_samples": 3}, "fake"),
        ("gan3d", {"update": "simultaneous", "penalty": "r1"}, "needs --critic_most=1"),
    ],
)
def test_flags_that_do_not_go_together(name, changes, words, built):
    with pytest.raises(UserError, match=words):
        built(name, **changes)


def test_flags_without_a_use_are_refused():
    refuse_selection(None, None)
    with pytest.raises(UserError, match="--held_out=x: this experiment takes all"):
        refuse_selection("x", None)
    with pytest.raises(UserError, match="--classes=A"):
        refuse_selection(None, "A")
