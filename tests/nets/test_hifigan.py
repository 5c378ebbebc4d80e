"""HiFi-GAN's networks: the papers' sizes, and NumPy's convolutions where they are new."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.errors import UserError
from jaxgan.nets.hifigan import HiFiGAN, hifigan
from jaxgan.nets.wave_critics import PeriodCritic, ScaleCritic, WaveCritics, halved
from jaxgan.state import count_parameters

TINY = HiFiGAN(8, ((4, 8), (2, 4)), ((3, (1, 2)), (5, (1, 3))))


def noise(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def gains(tree):
    """How many of the parameters are gains of weight normalisation."""
    paths = jax.tree_util.tree_leaves_with_path(tree)
    return sum(leaf.size for path, leaf in paths if path[-1].key == "gain")


@pytest.mark.parametrize(("version", "parameters"), [("v1", 13.92), ("v2", 0.92), ("v3", 1.46)])
def test_parameters_are_those_of_the_paper(version, parameters):
    """Table 1, in millions, cut off after two digits; without the gains, which are folded into the
    kernels after training."""
    network = hifigan(version)
    mel = jax.ShapeDtypeStruct((2, 4, 80), jnp.float32)
    key = jax.eval_shape(lambda: jax.random.key(0))
    out, variables = jax.eval_shape(network.init_with_output, key, mel)
    count = count_parameters(variables["params"]) - gains(variables["params"])
    assert out.shape == (2, 4 * 256)
    assert network.hop == 256
    assert count // 10_000 == round(100 * parameters)


def test_parameters_of_the_critics(shapes):
    """The authors' networks: 41.1 million by periods, 29.6 million by scales."""
    count, opinions = shapes(WaveCritics(), (2, 8192))
    by_period = sum(
        taps * inputs * outputs + 2 * outputs
        for taps, inputs, outputs in (
            (5, 1, 32),
            (5, 32, 128),
            (5, 128, 512),
            (5, 512, 1024),
            (5, 1024, 1024),
            (3, 1024, 1),
        )
    )
    by_scale = sum(
        taps * inputs // groups * outputs + 2 * outputs
        for taps, inputs, outputs, groups in (
            (15, 1, 128, 1),
            (41, 128, 128, 4),
            (41, 128, 256, 16),
            (41, 256, 512, 16),
            (41, 512, 1024, 16),
            (41, 1024, 1024, 16),
            (5, 1024, 1024, 1),
            (3, 1024, 1, 1),
        )
    )
    spectral = 128 + 128 + 256 + 512 + 1024 + 1024 + 1024 + 1
    assert count == 5 * by_period + 3 * by_scale - spectral
    assert [len(features) for _, features in opinions] == [6] * 5 + [8] * 3
    assert [logits for logits, _ in opinions[:2]] == [(2, 2, 51), (2, 3, 34)]
    assert [logits for logits, _ in opinions[5:]] == [(2, 128), (2, 65), (2, 33)]


def cross_correlate(x, kernel, bias, *, stride=1, dilation=1, groups=1):
    """In NumPy's float64, with zeros on either side as the authors pad."""
    x, kernel = np.float64(x), np.float64(kernel)
    taps, inputs, outputs = kernel.shape
    around = (taps - 1) * dilation // 2
    x = np.pad(x, ((0, 0), (around, around), (0, 0)))
    count = (x.shape[1] - (taps - 1) * dilation - 1) // stride + 1
    parts = []
    for group in range(groups):
        given = x[..., group * inputs : (group + 1) * inputs]
        wanted = slice(group * outputs // groups, (group + 1) * outputs // groups)
        parts.append(
            sum(
                given[:, k * dilation : k * dilation + (count - 1) * stride + 1 : stride]
                @ kernel[k][:, wanted]
                for k in range(taps)
            )
        )
    return np.concatenate(parts, -1) + np.float64(bias)


def scaled(params, number, layer="Conv", place=None):
    """A kernel as weight normalisation makes it, and its bias."""
    inner = params[f"{layer}_{number}"]
    gain = np.float64(params[f"WeightNorm_{number if place is None else place}"]["gain"])
    kernel = np.float64(inner["kernel"])
    axes, shape = ((0, 1), (1, 1, -1)) if layer == "Conv" else ((0, 2), (1, -1, 1))
    length = np.sqrt(np.square(kernel).sum(axes, keepdims=True))
    return kernel / length * gain.reshape(shape), inner["bias"]


def leaky(x, slope=0.1):
    return np.where(x > 0, x, slope * x)


@pytest.mark.parametrize("deep", [True, False])
def test_the_generator_is_the_papers(deep, drawn, call):
    """Table 5 and figure 1 written down again in NumPy."""
    network = HiFiGAN(8, ((4, 8), (2, 4)), ((3, (1, 2)), (5, (1, 3))), deep)
    mel = noise(2, 6, 5)
    variables = drawn(network, mel)
    params = variables["params"]
    convs, wraps = iter(range(99)), iter(range(99))

    def conv(x, dilation=1):
        return cross_correlate(
            x, *scaled(params, next(convs), place=next(wraps)), dilation=dilation
        )

    x = conv(mel)
    for number, (stride, taps) in enumerate(network.upsampling):
        kernel, bias = scaled(params, number, "ConvTranspose", next(wraps))
        x, frames = leaky(x), x.shape[1]
        full = np.zeros((2, (frames - 1) * stride + taps, kernel.shape[2]))
        for m in range(frames):
            full[:, m * stride : m * stride + taps] += np.einsum("bi,kio->bko", x[:, m], kernel)
        around = (taps - stride) // 2
        x = full[:, around : around + frames * stride] + np.float64(bias)
        total = 0
        for _, dilations in network.blocks:
            y = x
            for dilation in dilations:
                z = conv(leaky(y), dilation)
                y = y + (conv(leaky(z)) if deep else z)
            total = total + y
        x = total / len(network.blocks)
    expected = np.tanh(conv(leaky(x, 0.01)))[..., 0]
    got = call(network, variables, mel)
    assert got.shape == (2, 6 * 8)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_the_period_critic_looks_at_columns(drawn, call):
    """Every column of the samples in rows of the period is a sound of its own; 23 are made 24."""
    samples = noise(2, 23)
    critic = PeriodCritic(3, width=64)
    variables = drawn(critic, samples)
    logits, features = call(critic, variables, samples)
    whole = np.pad(samples, ((0, 0), (0, 1)), mode="reflect")
    for column in range(3):
        x = whole[:, column::3, None]
        for layer, stride in enumerate((3, 3, 3, 3, 1)):
            x = leaky(cross_correlate(x, *scaled(variables["params"], layer), stride=stride))
            np.testing.assert_allclose(features[layer][:, column], x, rtol=1e-3, atol=1e-5)
        expected = cross_correlate(x, *scaled(variables["params"], 5))[..., 0]
        np.testing.assert_allclose(logits[:, column], expected, rtol=1e-3, atol=1e-5)


def test_the_scale_critic_is_strided_and_grouped(drawn, call):
    samples = noise(1, 70)
    critic = ScaleCritic(width=128)
    variables = drawn(critic, samples)
    logits, features = call(critic, variables, samples)
    x = samples[..., None]
    layers = zip((1, 2, 2, 4, 4, 1, 1), (1, 1, 2, 2, 2, 2, 1), strict=True)
    for layer, (stride, groups) in enumerate(layers):
        kernel = scaled(variables["params"], layer)
        x = leaky(cross_correlate(x, *kernel, stride=stride, groups=groups))
        np.testing.assert_allclose(features[layer], x, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(
        logits, cross_correlate(x, *scaled(variables["params"], 7))[..., 0], rtol=1e-3, atol=1e-5
    )


@pytest.mark.parametrize("length", [10, 11])
def test_half_the_rate(length):
    """AvgPool1d(4, 2, padding=2) of the authors, zeros counted."""
    samples = noise(2, length)
    around = np.pad(samples, ((0, 0), (2, 2)))
    expected = [around[:, i : i + 4].mean(1) for i in range(0, length + 1, 2)]
    np.testing.assert_allclose(halved(samples), np.stack(expected, 1), rtol=1e-5, atol=1e-6)


def test_only_the_first_scale_keeps_spectral_vectors():
    critics = WaveCritics(periods=(2,), scales=2, width=16)
    samples = jax.ShapeDtypeStruct((1, 64), jnp.float32)
    variables = jax.eval_shape(lambda x: critics.init(jax.random.key(0), x, train=True), samples)
    assert list(variables["spectral"]) == ["ScaleCritic_0"]


def test_a_sample_depends_on_frames_within_reach(drawn, call):
    frames = 4 * TINY.reach
    mel = noise(1, frames, 5)
    variables = drawn(TINY, mel)
    middle = frames // 2
    changed = mel.copy()
    changed[:, middle] += 1
    moved = call(TINY, variables, mel) != call(TINY, variables, changed)
    seen = np.flatnonzero(np.asarray(moved)[0]) // TINY.hop
    assert middle - TINY.reach <= seen.min() < middle < seen.max() <= middle + TINY.reach


def test_other_hops_and_widths():
    assert hifigan("v1", 512).upsampling == ((8, 16), (8, 16), (4, 8), (2, 4))
    assert hifigan("v3", 128).upsampling == ((8, 16), (4, 8), (4, 8))
    assert hifigan("v3", channels=64).channels == 64
    assert hifigan("v3", blocks=2).blocks == ((3, (1, 2)), (5, (2, 6)))
    with pytest.raises(UserError, match=r"--version=v4, .* v1, v2, v3"):
        hifigan("v4")
    with pytest.raises(UserError, match="--hop=300: it must be a power of 2"):
        hifigan("v1", 300)
    with pytest.raises(UserError, match=r"--hop=8: .* at least 16"):
        hifigan("v1", 8)
    with pytest.raises(UserError, match="--channels=100: v1 halves them 4 times"):
        hifigan("v1", channels=100)
