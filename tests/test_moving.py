"""Films written and shown; the systems that draw and continue them."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from PIL import Image, ImageSequence

from jaxgan import losses
from jaxgan.data import video
from jaxgan.errors import UserError
from jaxgan.films import Film, FilmGrid, strip, write_film
from jaxgan.game import Outcome, Turn
from jaxgan.nets.mocogan import MotionContentGenerator, SequenceCritic
from jaxgan.nets.predictor import FramePredictor
from jaxgan.nets.volumes import VolumeCritic
from jaxgan.provenance import says_synthetic
from jaxgan.state import Network, PlayerSpec
from jaxgan.systems.balance import held_back
from jaxgan.systems.motion_content import motion_content
from jaxgan.systems.predicting import gradient_difference, predicting


def film(frames=5, side=16):
    small = np.random.default_rng(0).integers(0, 4, (frames, 4, 4, 3), np.uint8) * 85
    return small.repeat(side // 4, 1).repeat(side // 4, 2)


def test_a_gif_loops_at_its_rate_in_its_colours(tmp_path):
    path = Film(film(), rate=10.0).save(tmp_path / "a")
    assert path == tmp_path / "a.gif"
    with Image.open(path) as image:
        assert (image.n_frames, image.info["loop"], image.info["duration"]) == (5, 0, 100)
        assert b"synthetic" in image.info["comment"]
        frames = [np.array(one.convert("RGB")) for one in ImageSequence.Iterator(image)]
    np.testing.assert_array_equal(np.stack(frames), film())


def test_films_are_written_as_mp4_too(tmp_path):
    path = write_film(tmp_path / "a.mp4", film(side=32), 10.0)
    found = np.stack(list(video.frames(path)))
    assert found.shape == (5, 32, 32, 3) and says_synthetic(path)
    assert np.abs(found.astype(int) - film(side=32)).mean() < 20


def test_films_that_cannot_be_written(tmp_path):
    with pytest.raises(UserError, match=r"a film is written as \.gif"):
        write_film(tmp_path / "a.txt", film())
    (tmp_path / "file").write_text("")
    for suffix in ("gif", "mp4"):
        with pytest.raises(UserError, match="cannot write"):
            write_film(tmp_path / "file" / f"a.{suffix}", film())


def test_a_grid_of_films_runs_at_once():
    films = np.stack([film(), film()[::-1], film()])
    whole = FilmGrid(films, columns=2, magnify=2).draw()
    assert whole.shape == (5, 2 * 34, 2 * 34, 3)
    np.testing.assert_array_equal(whole[2, :32:2, 36::2], films[1, 2])
    assert [len(row) for row in strip(films, 3).rows] == [3, 3, 3]


def player(network, *shape):
    return PlayerSpec(network, (jax.ShapeDtypeStruct((1, *shape), jnp.float32),), optax.sgd(0.1))


def played(system, real, more=lambda turn, found: {}):
    """Every loss of a system on one batch, compiled as one; and what `more` makes of them."""

    @jax.jit
    def play(real):
        networks = {}
        for number, (name, spec) in enumerate(system.players.items()):
            given = [jnp.zeros(one.shape, one.dtype) for one in spec.inputs]
            variables = spec.network.init(jax.random.key(number), *given, train=True)
            rest = {kind: value for kind, value in variables.items() if kind != "params"}
            networks[name] = Network(spec.network, variables["params"], rest)
        ready = system.prepare({"real": real}, jax.random.key(5))
        fake, _ = system.generate(networks, ready, jax.random.key(6))
        turn = Turn(networks, ready, fake, None, jax.random.key(7), jnp.int32(0))
        found = {name: loss(turn) for name, loss in system.losses.items()}
        return fake, found, more(turn, found)

    return jax.device_get(play(jnp.asarray(real)))


def test_mocogan_plays_two_critics():
    generator = MotionContentGenerator(4, 4, width=1, stages=1, content=2, motion=1)
    critic = SequenceCritic(1, 0)
    assert critic.least_frames == 4
    system = motion_content(
        player(generator, generator.latent_size),
        player(critic, 4, 4, 3),
        player(critic, 4, 4, 4, 3),
        losses.bce(),
        latent_size=generator.latent_size,
    )

    def more(turn, found):
        def lost(fake):
            return system.losses["generator"](turn.replace(fake=fake)).loss

        return turn.networks["video_critic"](turn.fake), jax.grad(lost)(turn.fake)

    real = np.random.default_rng(0).integers(0, 256, (4, 4, 4, 4, 3), np.uint8)
    _, found, (logits, pulled) = played(system, real, more)
    opinion = found["generator"].metrics["video_critic_opinion"]
    assert float(opinion) == pytest.approx(float(np.log1p(np.exp(-logits)).mean()), rel=1e-5)
    assert set(found["image_critic"].networks) == {"image_critic"}
    both = sum(found["generator"].metrics[f"{n}_critic_opinion"] for n in ("image", "video"))
    assert float(found["generator"].loss) == pytest.approx(float(both))
    assert (np.abs(pulled).max((1, 2, 3, 4)) > 0).all()


def test_a_predictor_begins_near_the_last_frame():
    network = FramePredictor(3, width=1, depth=2)
    past = jax.random.uniform(jax.random.key(0), (2, 2, 8, 8, 3))
    made, _ = jax.jit(lambda x: network.init_with_output(jax.random.key(1), x, train=True))(past)
    assert made.shape == (2, 3, 8, 8, 3)
    assert np.abs(made - np.asarray(past)[:, -1:]).mean() < 0.1
    with pytest.raises(ValueError, match="4"):
        jax.eval_shape(lambda x: network.init(jax.random.key(1), x, train=True), past[:, :, :6])


def test_the_gradient_difference_is_equation_6():
    made, wanted = np.random.default_rng(0).normal(size=(2, 2, 3, 4, 5, 2)).astype(np.float32)
    down = abs(abs(np.diff(made, axis=2)) - abs(np.diff(wanted, axis=2)))
    across = abs(abs(np.diff(made, axis=3)) - abs(np.diff(wanted, axis=3)))
    found = gradient_difference(jnp.asarray(made), jnp.asarray(wanted))
    assert float(found) == pytest.approx(down.mean() + across.mean(), rel=1e-5)


def test_prediction_weighs_its_three_losses():
    system = predicting(
        player(FramePredictor(2, width=1, depth=1), 2, 4, 4, 3),
        player(VolumeCritic(1, 1), 4, 4, 4, 3),
        losses.bce(),
        past=2,
        l1_weight=2.0,
        gradient_weight=3.0,
        adversarial_weight=0.5,
    )
    real = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 4, 3), np.uint8)
    fake, found, _ = played(system, real)
    outcome = found["generator"]
    distance = np.abs(fake - (real[:, 2:] / 127.5 - 1)).mean()
    assert float(outcome.metrics["l1"]) == pytest.approx(float(distance), rel=1e-4)
    parts = [outcome.metrics[n] for n in ("l1", "gradient_difference", "adversarial")]
    expected = 2 * parts[0] + 3 * parts[1] + 0.5 * parts[2]
    assert float(outcome.loss) == pytest.approx(float(expected), rel=1e-5)
    assert set(found["critic"].networks) == {"critic"}


@pytest.mark.parametrize(("accuracy", "plays"), [(0.79, 1.0), (0.9, 0.0)])
def test_a_critic_that_is_right_too_often_rests(accuracy, plays):
    def play(turn):
        return Outcome(2.0 * turn, {"critic_accuracy": jnp.float32(accuracy)})

    def lost(value):
        outcome = held_back(play, 0.8)(value)
        assert float(outcome.metrics["critic_plays"]) == plays
        return outcome.loss

    assert float(jax.grad(lost)(jnp.float32(3.0))) == 2.0 * plays
