"""Pictures from text: the matching-aware loss, wrong texts, and runs without their data."""

import shutil
import zipfile

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from PIL import Image

from jaxgan import losses
from jaxgan.errors import UserError
from jaxgan.game import Turn
from jaxgan.state import PlayerSpec, create_state, playing_networks
from jaxgan.systems.text2image import text2image, wrong_text

SIDE, LENGTH = 4, 2


class Draws(nn.Module):
    @nn.compact
    def __call__(self, latent, text, train):
        x = jnp.concatenate([latent, nn.Embed(9, 3)(text[:, 0])], axis=-1)
        return jnp.tanh(nn.Dense(SIDE * SIDE)(x)).reshape(-1, SIDE, SIDE, 1)


class Judges(nn.Module):
    @nn.compact
    def __call__(self, images, text, train):
        told = nn.Embed(9, 3)(text).sum(1)
        x = jnp.concatenate([images.reshape(len(images), -1), told], axis=-1)
        x = jnp.tanh(nn.Dense(5, name="hidden")(x))
        return nn.Dense(1)(x)[:, 0]


def spec(module, *shape):
    inputs = (
        jax.ShapeDtypeStruct((1, *shape), jnp.float32),
        jax.ShapeDtypeStruct((1, LENGTH), jnp.int32),
    )
    return PlayerSpec(module, inputs, optax.sgd(1.0))


def game(loss="bce", **options):
    return text2image(
        spec(Draws(), 3),
        spec(Judges(), SIDE, SIDE, 1),
        losses.by_name(loss),
        latent_size=3,
        **options,
    )


def turn_of(system, meaning):
    create = jax.jit(lambda key: create_state(system.players, system.memory, key))
    state = create(jax.random.key(0))
    networks = playing_networks(system.players, state.players)
    random = np.random.default_rng(0)
    batch = {
        "real": jnp.asarray(random.integers(0, 256, (len(meaning), SIDE, SIDE, 1)), jnp.uint8),
        "text": jnp.asarray([[m + 2, 0] for m in meaning], jnp.int32),
        "meaning": jnp.asarray(meaning, jnp.int32),
    }
    prepared = system.prepare(batch, jax.random.key(1))
    fake, _ = system.generate(networks, prepared, jax.random.key(2))
    return Turn(networks, prepared, fake, {}, jax.random.key(3), state.step)


def test_wrong_texts_say_something_else_and_all_of_it_evenly():
    # Rows 0 and 1 mean the same in other words; 2 and 3 say the same of two pictures.
    text = jnp.asarray([[2, 0], [3, 0], [4, 0], [4, 0], [5, 0]], jnp.int32)
    meaning = jnp.asarray([0, 0, 1, 2, 3], jnp.int32)
    draw = jax.jit(jax.vmap(lambda key: wrong_text(text, meaning, key)))
    wrong, found = draw(jax.random.split(jax.random.key(0), 4000))
    assert found.all()
    shares = np.stack([(np.asarray(wrong)[..., 0] == word).mean(0) for word in (2, 3, 4, 5)], 1)
    expected = [
        (0, 0, 2 / 3, 1 / 3),
        (0, 0, 2 / 3, 1 / 3),
        (1 / 3, 1 / 3, 0, 1 / 3),
        (1 / 3, 1 / 3, 0, 1 / 3),
        (1 / 4, 1 / 4, 1 / 2, 0),
    ]
    np.testing.assert_allclose(shares, expected, atol=0.03)


def test_a_batch_of_one_meaning_has_no_wrong_text():
    text = jnp.asarray([[2, 0], [3, 0]], jnp.int32)
    _, found = wrong_text(text, jnp.zeros(2, jnp.int32), jax.random.key(0))
    assert not found.any()


@pytest.mark.parametrize("loss", ["bce", "lsgan", "hinge", "relativistic"])
def test_the_critic_loses_on_wrong_texts_as_well(loss):
    system = game(loss, wrong_share=0.25)
    turn = turn_of(system, [0, 1, 0, 1])
    outcome = system.losses["critic"](turn)
    critic, real, text = turn.networks["critic"], turn.batch["real"], turn.batch["text"]
    logits = [
        np.asarray(critic(pictures, said), np.float64)
        # Two meanings: the wrong text of each row is the other one.
        for pictures, said in ((real, text), (turn.fake, text), (real, text[::-1]))
    ]

    def softplus(x):
        return np.logaddexp(0, x)

    def rejecting(real, other):
        return {
            "bce": softplus(-real) + softplus(other),
            "lsgan": 0.5 * (real - 1) ** 2 + 0.5 * other**2,
            "hinge": np.maximum(0, 1 - real) + np.maximum(0, 1 + other),
            "relativistic": softplus(other - real),
        }[loss]

    expected = 0.75 * rejecting(*logits[:2]) + 0.25 * rejecting(logits[0], logits[2])
    assert float(outcome.loss) == pytest.approx(expected.mean(), rel=1e-5)
    assert float(outcome.metrics["critic_wrong"]) == pytest.approx(logits[2].mean(), abs=1e-6)


def test_half_and_half_is_reeds_loss():
    system = game("bce")
    turn = turn_of(system, [0, 1])
    critic, real, text = turn.networks["critic"], turn.batch["real"], turn.batch["text"]
    right, fake, wrong = (
        1 / (1 + np.exp(-np.asarray(critic(pictures, said), np.float64)))
        for pictures, said in ((real, text), (turn.fake, text), (real, text[::-1]))
    )
    # Algorithm 1, line 11, negated.
    expected = -(np.log(right) + (np.log(1 - wrong) + np.log(1 - fake)) / 2).mean()
    assert float(system.losses["critic"](turn).loss) == pytest.approx(expected, rel=1e-5)


def test_rows_without_a_wrong_text_lose_on_fakes_alone():
    turn = turn_of(game(), [0, 0])
    with_wrong = game(wrong_share=0.5).losses["critic"](turn)
    without = game(wrong_share=0.0).losses["critic"](turn)
    assert float(with_wrong.loss) == pytest.approx(float(without.loss), rel=1e-6)
    assert "critic_wrong" not in without.metrics


def test_the_generators_loss_is_opinion_distance_and_features():
    plain, near = game(), game(l1_weight=100.0, feature_matching=2.0, classes=2)
    turn = turn_of(plain, [0, 1, 1])
    critic, real, text = turn.networks["critic"], turn.batch["real"], turn.batch["text"]
    opinion = np.logaddexp(0, -np.asarray(critic(turn.fake, text), np.float64)).mean()
    assert float(plain.losses["generator"](turn).loss) == pytest.approx(opinion, rel=1e-5)
    distance = np.abs(np.asarray(turn.fake, np.float64) - np.asarray(real)).mean()
    params = jax.device_get(critic.params)

    def hidden(pictures):
        told = params["Embed_0"]["embedding"][np.asarray(text)].sum(1)
        x = np.concatenate([np.asarray(pictures).reshape(len(text), -1), told], axis=-1)
        return np.tanh(x @ params["hidden"]["kernel"] + params["hidden"]["bias"])

    matching = ((hidden(real).mean(0) - hidden(turn.fake).mean(0)) ** 2).sum()
    outcome = near.losses["generator"](turn)
    expected = opinion + 100 * distance + 2 * matching
    assert float(outcome.loss) == pytest.approx(expected, rel=1e-4)


def test_r1_is_added_for_real_pictures_with_their_text():
    turn = turn_of(game(), [0, 1])
    plain, bound = game(), game(r1_weight=3.0)
    outcome = bound.losses["critic"](turn)
    critic, text = turn.networks["critic"], turn.batch["text"]
    slopes = jax.grad(lambda images: critic(images, text).sum())(turn.batch["real"])
    expected = 3.0 * np.square(np.asarray(slopes)).sum((1, 2, 3)).mean()
    added = float(outcome.loss) - float(plain.losses["critic"](turn).loss)
    assert added == pytest.approx(expected, rel=1e-3)


def test_a_share_out_of_range_is_refused():
    with pytest.raises(UserError, match="--wrong_share=1: it must be at least 0 and below 1"):
        game(wrong_share=1.0)


@pytest.fixture(scope="module")
def flowers(tmp_path_factory):
    """A zip of twenty-four pictures in two class folders."""
    folder = tmp_path_factory.mktemp("flowers")
    with zipfile.ZipFile(folder / "flowers.zip", "w") as packed:
        for index in range(24):
            path = folder / f"{index}.png"
            Image.new("RGB", (16, 16), (10 * index, 0, 0)).save(path)
            packed.write(path, f"{('iris', 'wild_rose')[index % 2]}/{index}.png")
    return folder / "flowers.zip"


@pytest.mark.usefixtures("idle_steps")
def test_a_run_draws_what_is_asked_for_without_its_data(flowers, command, tiny_flags, tmp_path):
    data = tmp_path / "flowers.zip"
    shutil.copy(flowers, data)
    run_dir = tmp_path / "run"
    changes = {"data": f"zip:{data}", "eval_samples": 0, "steps": 1, "vocabulary_size": 8}
    base = ["--experiment=text2image_captions", f"--run_dir={run_dir}"]
    code, _, error = command(*base, *tiny_flags("text2image_captions", **changes))
    assert code == 0, error
    data.unlink()

    def sample(*arguments):
        return command("--mode=sample", f"--run_dir={run_dir}", *arguments)

    code, _, error = sample("--text=roses", "--count=3", f"--output={tmp_path / 'roses'}")
    assert code == 0, error
    drawn = sorted((tmp_path / "roses" / "roses").iterdir())
    assert [path.name for path in drawn] == ["000000.png", "000001.png", "000002.png"]
    with Image.open(drawn[0]) as picture:
        assert picture.size == (16, 16)
    # Without a text, every one that the run keeps.
    code, _, error = sample("--count=4", f"--output={tmp_path / 'all'}")
    assert code == 0, error
    folders = sorted(path.name for path in (tmp_path / "all").iterdir())
    assert folders == ["a_photo_of_a_wild_rose", "a_photo_of_an_iris"]
    code, _, error = sample("--text=tulip", f"--output={tmp_path / 'tulip.png'}")
    assert code == 2 and "--text='tulip' has no word that the run knows" in error
    assert len(error.strip().splitlines()) == 1 and not (tmp_path / "tulip.png").exists()


@pytest.mark.parametrize(
    "flags, said",
    [
        (["--vocabulary_size=5"], "--vocabulary_size=5 leaves no id for"),
        (["--names=a,b"], "--names gives 2 names"),
        (["--class_count=3"], "--data=sample has 10 classes"),
        (["--loss=wgan"], "--loss=wgan needs a Lipschitz critic"),
        (["--eval_samples=3"], "--eval_samples: measuring pictures needs at least"),
    ],
)
def test_mistakes_are_said_before_the_first_step(flags, said, command, tmp_path):
    base = ["--experiment=text2image_fashion_mnist", f"--run_dir={tmp_path / 'run'}"]
    code, _, error = command(*base, "--scale=small", *flags)
    assert code == 2 and said in error, error
    assert len(error.strip().splitlines()) == 1
