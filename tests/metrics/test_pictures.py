"""All figures of a generator of pictures at once, and their stamps."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from jaxgan.errors import UserError
from jaxgan.metrics.features import Features
from jaxgan.metrics.frechet import frechet_distance
from jaxgan.metrics.kernel import kernel_distance
from jaxgan.metrics.moments import Moments
from jaxgan.metrics.neighbours import density_coverage, precision_recall
from jaxgan.metrics.pictures import PictureFigures, Reference
from jaxgan.metrics.stamp import Stamp, in_words
from jaxgan.parallel import make_mesh

ABOUT = {"kind": "npz", "where": "blobs.npz", "count": 300}


def network(*, scored=True, devices=1, calls=None):
    """Four means over quarters of a picture as features; three of them as logits."""

    def apply(params, pictures):
        if calls is not None:
            calls.append(pictures.shape)
        x = pictures.astype(jnp.float32) / 255
        b, h, w, c = x.shape
        means = x.reshape(b, 2, h // 2, 2, w // 2, c).mean((2, 4, 5)).reshape(b, 4)
        return means * jnp.broadcast_to(params, means.shape), 5 * means[:, :3]

    return Features(
        name="quarters",
        sha256="ab" * 32,
        resize="none",
        size=4,
        scored=scored,
        warning="",
        params=jnp.ones((1, 4)),
        apply=jax.jit(apply) if calls is None else apply,
        batch_size=16,
        mesh=make_mesh(jax.devices()[:devices]) if devices > 1 else None,
    )


def pictures(count, seed, top=256):
    return np.random.default_rng(seed).integers(0, top, (count, 4, 4, 1), np.uint8)


def draw(count, seed):
    return pictures(count, 100 + seed, 200)


def figures(real=300, **options):
    given = {"count": 50, "draw_size": 20, "subsets": 5, "subset_size": 30, **options}
    chosen = given.pop("features", None) or network()
    opened = []

    def open_reference():
        opened.append(1)
        return Reference(chosen, pictures(real, 0), ABOUT)

    return PictureFigures(open_reference, **given), opened


def quarters(images):
    return images.astype(float).reshape(-1, 2, 2, 2, 2).mean((2, 4)).reshape(-1, 4) / 255


def test_figures_equal_the_metrics_one_by_one():
    measure, opened = figures()
    assert not opened
    got = measure(draw).figures
    fake = quarters(np.concatenate([draw(20, 0), draw(20, 1), draw(20, 2)[:10]]))
    all_real = pictures(300, 0)
    real = quarters(all_real)
    a, b = np.cov(real.T), np.cov(fake.T)
    root = scipy.linalg.sqrtm(a @ b).real
    fid = np.square(real.mean(0) - fake.mean(0)).sum() + np.trace(a + b - 2 * root)
    assert got["fid"] == pytest.approx(fid, rel=1e-4)
    # As many reals as fakes for the others, and always the same ones.
    chosen = quarters(all_real[np.random.default_rng(0).permutation(300)[:50]])
    kid = kernel_distance(chosen, fake, subsets=5, subset_size=30)
    assert got["kid"] == pytest.approx(kid.value, rel=1e-3, abs=1e-5)
    assert got["kid_spread"] == pytest.approx(kid.spread, rel=1e-3, abs=1e-5)
    want = precision_recall(chosen, fake)._asdict() | density_coverage(chosen, fake)._asdict()
    assert {name: got[name] for name in want} == pytest.approx(want, abs=1e-6)
    assert 1 < got["inception_score"] < 3 and got["inception_score_spread"] > 0
    assert all(isinstance(value, float) for value in got.values())


def test_real_pictures_are_opened_and_seen_once():
    calls = []
    measure, opened = figures(features=network(calls=calls))
    first = measure(draw)
    seen = len(calls)
    second = measure(draw)
    assert first.figures == second.figures
    assert opened == [1]
    assert len(calls) - seen == 3 * 2 < seen


def test_two_devices_give_the_same():
    one = figures()[0](draw).figures
    two = figures(features=network(devices=2))[0](draw).figures
    assert one == pytest.approx(two, rel=1e-5, abs=1e-7)


def test_every_figure_has_its_stamp():
    measured = figures()[0](draw)
    alone = {name for name in measured.figures if not name.endswith("_spread")}
    assert set(measured.stamps) == alone
    fid = measured.stamps["fid"]
    assert fid == Stamp("Frechet distance (FID)", 300, 50, ABOUT, "quarters", "ab" * 32, "none")
    assert measured.stamps["kid"].metric.startswith("KID (cubic kernel, 5 subsets of 30")
    assert (measured.stamps["recall"].real, measured.stamps["recall"].fake) == (50, 50)
    assert "3 neighbours" in measured.stamps["recall"].metric
    assert "5 neighbours" in measured.stamps["density"].metric
    assert measured.stamps["inception_score"].real == 0
    for stamp in measured.stamps.values():
        assert Stamp(**json.loads(json.dumps(stamp.as_dict()))) == stamp
        assert "\n" not in str(stamp)
    assert str(fid) == (
        "Frechet distance (FID); features: quarters, sha256 abababababab; resize: none; "
        "samples: 50 fake against 300 real; data: npz blobs.npz"
    )
    assert "samples: 50 fake;" in str(measured.stamps["inception_score"])


def test_warnings():
    few = figures(count=10, features=dataclasses.replace(network(), size=64))[0]
    stamp = few(draw).stamps["fid"]
    assert (
        stamp.warning == "10 samples for 64 features: the covariance is singular, the figure high"
    )
    assert str(stamp).endswith(f"; warning: {stamp.warning}")
    assert not few(draw).stamps["kid"].warning


def test_without_classes_there_is_no_inception_score():
    measured = figures(features=network(scored=False))[0](draw)
    assert "inception_score" not in measured.figures and "fid" in measured.figures


def test_only_so_many_of_the_real_pictures():
    measured = figures(most_real=40)[0](draw)
    assert measured.stamps["fid"].real == measured.stamps["recall"].real == 40


def test_real_pictures_measured_against_themselves():
    measure, _ = figures(real=50, count=50, draw_size=50)
    got = measure(lambda count, seed: pictures(50, 0)).figures
    assert got["fid"] == pytest.approx(0, abs=1e-9)
    assert got["precision"] == got["recall"] == got["coverage"] == 1
    moments = Moments.of(quarters(pictures(50, 0)))
    assert frechet_distance(moments, moments) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("options", "which"), [({"count": 9}, "fake"), ({"real": 9}, "real")])
def test_too_few_samples(options, which):
    with pytest.raises(UserError, match=f"at least 10 {which} samples and was given 9"):
        figures(**options)[0](draw)


def test_figures_that_were_measured_alike_share_a_line():
    stamps = figures()[0](draw).stamps
    lines = in_words(stamps)
    assert len(lines) == 3  # FID sees more real pictures, the Inception Score none
    (few,) = [line for line in lines if line.startswith("kid: ")]
    assert "precision: precision (balls of 3 neighbours); " in few
    assert few.endswith("samples: 50 fake against 50 real; data: npz blobs.npz")
    assert few.count("quarters") == 1
    one = Stamp("accuracy", 3, 4, ABOUT)
    assert in_words({"a": one, "b": one}) == [f"a, b: {one}"]
