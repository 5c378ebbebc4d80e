"""Pictures of any size through a trained generator."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxgan.data.resize import imresize
from jaxgan.metrics.psnr import psnr
from jaxgan.nets.srresnet import SRResNet
from jaxgan.state import Network
from jaxgan.systems import upscaling


def network(**options):
    module = SRResNet(blocks=1, channels=4, **options)
    variables = dict(module.init(jax.random.key(0), jnp.zeros((1, 8, 8, 3)), train=True))
    params = variables.pop("params")
    # Every layer must count, the last one of a skip included.
    leaves, structure = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    params = structure.unflatten(
        [p + 0.1 * jax.random.normal(k, p.shape) for p, k in zip(leaves, keys, strict=True)]
    )
    return Network(module, params, variables, train=False)


def picture(height, width):
    return np.random.default_rng(2).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("factor", [2, 4])
def test_a_tiled_picture_is_the_whole_picture(factor):
    generator, low = network(factor=factor, bicubic_skip=True), picture(53, 31)
    whole = upscaling.upscale(generator, low, tile=100)
    assert whole.shape == (53 * factor, 31 * factor, 3)
    tiled = upscaling.upscale(generator, low, tile=7)
    # Rounding to bytes may fall either way.
    assert np.abs(tiled.astype(int) - whole).max() <= 1
    assert (tiled != whole).mean() < 0.01


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("factor", [2, 4])
def test_reach_is_how_far_a_pixel_acts(factor, smooth):
    generator = network(factor=factor, smooth=smooth)
    reach, middle = generator.module.reach, 20
    base = jnp.zeros((1, 2 * middle + 1, 2 * middle + 1, 3))
    changed = base.at[0, middle, middle].set(5.0)
    moved = np.abs(np.asarray(generator(changed) - generator(base)))[0].max(axis=(1, 2))
    rows = np.flatnonzero(moved > 0) // factor - middle
    assert -reach <= rows.min() and rows.max() <= reach
    assert rows.max() >= reach - 2


def test_a_smooth_generator_makes_flat_areas_of_flat_areas():
    flat = jnp.full((1, 40, 40, 3), 0.3)
    inside = slice(72, 88), slice(72, 88)
    made = {on: np.asarray(network(smooth=on)(flat))[0][inside] for on in (False, True)}
    assert np.ptp(made[False], axis=(0, 1)).min() > 1e-2
    assert np.ptp(made[True], axis=(0, 1)).max() < 1e-5


def test_a_generator_with_a_bicubic_skip_begins_as_bicubic():
    module = SRResNet(blocks=1, channels=4, bicubic_skip=True)
    variables = dict(module.init(jax.random.key(0), jnp.zeros((1, 8, 8, 3)), train=True))
    generator = Network(module, variables.pop("params"), variables, train=False)
    low = picture(12, 9)
    bicubic = imresize(low, size=(48, 36))
    assert psnr(bicubic, upscaling.upscale(generator, low), channel="rgb") > 48


def test_figures_stand_beside_those_of_bicubic(photos):
    pairs = []
    for path in sorted(photos.iterdir())[:2]:
        with Image.open(path) as image:
            high = np.asarray(image.convert("RGB"))
        pairs.append((path.stem, imresize(high, scale=0.25), high))
    evaluate = upscaling.figures(lambda: pairs, border=4)
    found = evaluate({"generator": network(bicubic_skip=True)}).figures
    expected = np.mean(
        [
            psnr(high, imresize(low, size=high.shape[:2]), channel="y", border=4)
            for _, low, high in pairs
        ]
    )
    assert found["psnr_y_bicubic"] == pytest.approx(expected)
    assert found["psnr_rgb_gain"] == pytest.approx(found["psnr_rgb"] - found["psnr_rgb_bicubic"])
    assert {"ssim_y", "ssim_rgb", "ssim_rgb_bicubic"} <= set(found)
