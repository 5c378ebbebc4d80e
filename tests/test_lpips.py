"""LPIPS on weights from files, against the same network written in NumPy."""

import json

import jax
import numpy as np
import pytest

from jaxgan.errors import UserError
from jaxgan.nets.lpips import BACKBONES, SCALE, SHIFT, load_lpips


def weights(name, seed=0):
    """Random weights under the names of torchvision and of the authors."""
    random = np.random.default_rng(seed)
    convolutions, heads, channels = {}, {}, 3
    for layer in BACKBONES[name]:
        shape = (layer.channels, channels, layer.kernel, layer.kernel)
        scale = np.sqrt(2 / np.prod(shape[1:]))
        convolutions[f"features.{layer.position}.weight"] = scale * random.normal(size=shape)
        convolutions[f"features.{layer.position}.bias"] = 0.1 * random.normal(size=shape[0])
        channels = shape[0]
        if layer.tap:
            head = random.uniform(size=(1, shape[0], 1, 1))
            heads[f"lin{len(heads)}.model.1.weight"] = head
    convolutions["classifier.6.weight"] = np.zeros((2, 2))
    as_single = [{n: a.astype(np.float32) for n, a in d.items()} for d in (convolutions, heads)]
    return tuple(as_single)


def save(folder, name):
    convolutions, heads = weights(name)
    np.savez(folder / "backbone.npz", **convolutions)
    np.savez(folder / "heads.npz", **heads)
    return folder / "backbone.npz", folder / "heads.npz"


def windows(x, size, stride):
    """`[batch, channels, rows, columns, size, size]` of NCHW."""
    seen = np.lib.stride_tricks.sliding_window_view(x, (size, size), (2, 3))
    return seen[:, :, ::stride, ::stride]


def reference(name, first, second):
    convolutions, heads = weights(name)
    values = []
    for pictures in (first, second):
        x = (pictures.astype(np.float64) - np.array(SHIFT)) / np.array(SCALE)
        x, taps = x.transpose(0, 3, 1, 2), []
        for layer in BACKBONES[name]:
            if layer.pool:
                x = windows(x, *layer.pool).max((4, 5))
            around = (layer.padding, layer.padding)
            x = windows(np.pad(x, ((0, 0), (0, 0), around, around)), layer.kernel, layer.stride)
            kernel = convolutions[f"features.{layer.position}.weight"].astype(np.float64)
            bias = convolutions[f"features.{layer.position}.bias"]
            x = np.einsum("bcijkl,ockl->boij", x, kernel, optimize=True) + bias[:, None, None]
            x = np.maximum(x, 0)
            if layer.tap:
                taps.append(x / (np.sqrt((x**2).sum(1, keepdims=True)) + 1e-10))
        values.append(taps)
    total = 0.0
    for index, (one, two) in enumerate(zip(*values, strict=True)):
        head = heads[f"lin{index}.model.1.weight"]
        total = total + (head * (one - two) ** 2).sum(1).mean((1, 2))
    return total


@pytest.mark.parametrize(("name", "size"), [("alex", (47, 64)), ("vgg", (32, 35))])
def test_equals_the_same_in_numpy(name, size, tmp_path):
    module, params, digest = load_lpips(*save(tmp_path, name))
    assert module.backbone == name and len(digest) == 129
    random = np.random.default_rng(1)
    first, second = random.uniform(-1, 1, (2, 2, *size, 3)).astype(np.float32)
    distance = jax.jit(module.apply)
    got = np.asarray(distance({"params": params}, first, second))
    np.testing.assert_allclose(got, reference(name, first, second), rtol=1e-4)
    np.testing.assert_array_equal(distance({"params": params}, first, first), [0, 0])


def test_the_backbones_have_their_published_sizes():
    # Of 61 100 840 and 138 357 544 with their classifiers of 58 631 144 and 123 642 856.
    for name, size in (("alex", 2_469_696), ("vgg", 14_714_688)):
        convolutions, _ = weights(name)
        convolutions.pop("classifier.6.weight")
        assert sum(array.size for array in convolutions.values()) == size


def test_files_that_do_not_belong_together_are_named(tmp_path):
    for name in ("alex", "vgg"):
        (tmp_path / name).mkdir()
    alex, vgg = save(tmp_path / "alex", "alex"), save(tmp_path / "vgg", "vgg")
    with pytest.raises(UserError, match=r"not torchvision's alexnet.*features.0.weight has"):
        load_lpips(vgg[0], alex[1])
    with pytest.raises(UserError, match=r"holds no heads of LPIPS"):
        load_lpips(alex[0], alex[0])
    with pytest.raises(UserError, match=r"none.pth"):
        load_lpips(alex[0], tmp_path / "none.pth")


def test_small_pictures_are_refused(tmp_path):
    module, params, _ = load_lpips(*save(tmp_path, "alex"))
    small = np.zeros((1, 31, 40, 3), np.float32)
    with pytest.raises(ValueError, match="32 x 32"):
        module.apply({"params": params}, small, small)


@pytest.mark.usefixtures("idle_steps")
def test_an_experiment_measures_it_and_says_what_is_missing(command, tiny_flags, tmp_path):
    backbone, heads = save(tmp_path, "alex")
    run = ["--experiment=pix2pix_sketch2face", f"--run_dir={tmp_path / 'run'}"]
    tiny = tiny_flags("pix2pix_sketch2face", steps=1, eval_pictures=2)
    code, _, error = command(*run, *tiny, f"--lpips_backbone={backbone}")
    assert code == 2 and "needs both" in error
    code, _, error = command(*run, *tiny, f"--lpips_backbone={heads}", f"--lpips_heads={heads}")
    assert code == 2 and "not torchvision's alexnet" in error
    assert not (tmp_path / "run").exists()
    given = [f"--lpips_backbone={backbone}", f"--lpips_heads={heads}"]
    code, out, error = command(*run, *tiny, *given)
    assert code == 0, out + error
    stamps = json.loads((tmp_path / "run" / "stamps.json").read_text())
    assert stamps["lpips"]["features"] == "AlexNet" and "+" in stamps["lpips"]["sha256"]
