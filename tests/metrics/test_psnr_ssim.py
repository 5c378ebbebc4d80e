"""PSNR, SSIM and luma against scikit-image and against the formulas written out."""

import math

import numpy as np
import pytest
from skimage import color, data, metrics

from jaxgan.metrics.colour import rgb_to_y
from jaxgan.metrics.psnr import psnr
from jaxgan.metrics.ssim import ssim


def pictures(height=37, width=52):
    """A photograph's detail and the same with noise, blur-free, both uint8."""
    real = data.astronaut()[100 : 100 + height, 180 : 180 + width]
    noise = np.random.default_rng(0).normal(0, 12, real.shape)
    return real, np.clip(real + noise, 0, 255).astype(np.uint8)


def cropped(image, border):
    return image[border : image.shape[0] - border, border : image.shape[1] - border]


def test_luma_equals_scikit_image():
    every_corner = np.stack(np.meshgrid(*[[0, 255]] * 3), -1).astype(np.uint8).reshape(2, 4, 3)
    for image in (pictures()[0], every_corner):
        y = rgb_to_y(image)
        assert y.dtype == np.float64
        assert y.min() >= 16.0 and y.max() <= 235.0 + 1e-12
        np.testing.assert_allclose(y, color.rgb2ycbcr(image)[..., 0], rtol=1e-12)


@pytest.mark.parametrize(
    ("rgb", "y"),
    # ITU-R BT.601 in 8 bits, as tabulated for black, white, red, green and blue.
    [((0, 0, 0), 16), ((255,) * 3, 235), ((255, 0, 0), 81), ((0, 255, 0), 145), ((0, 0, 255), 41)],
)
def test_luma_of_the_primaries(rgb, y):
    assert np.round(rgb_to_y(np.array(rgb, np.uint8))) == y


@pytest.mark.parametrize("border", [0, 4])
def test_psnr_equals_scikit_image(border):
    real, fake = pictures()
    a, b = cropped(real, border), cropped(fake, border)
    rgb = metrics.peak_signal_noise_ratio(a, b, data_range=255)
    y = metrics.peak_signal_noise_ratio(rgb_to_y(a), rgb_to_y(b), data_range=255)
    assert psnr(real, fake, channel="rgb", border=border) == pytest.approx(rgb, rel=1e-12)
    assert psnr(real, fake, channel="y", border=border) == pytest.approx(y, rel=1e-12)
    assert psnr(real, fake, border=border) == psnr(real, fake, channel="y", border=border)


def test_psnr_of_a_known_error():
    black = np.zeros((5, 7, 3), np.uint8)
    assert psnr(black, black + np.uint8(255), channel="rgb") == 0.0
    assert psnr(black, black + np.uint8(1), channel="rgb") == pytest.approx(48.1308036, abs=1e-6)
    assert psnr(black, black) == math.inf


def test_psnr_ignores_the_border():
    real, _ = pictures()
    fake = real.copy()
    fake[:4] = fake[-4:] = 0
    fake[:, :4] = fake[:, -4:] = 0
    assert psnr(real, fake, channel="rgb", border=4) == math.inf
    assert psnr(real, fake, channel="rgb", border=3) < 40


@pytest.mark.parametrize("border", [0, 4])
def test_ssim_equals_scikit_image(border):
    real, fake = pictures()
    options = {
        "gaussian_weights": True,
        "sigma": 1.5,
        "use_sample_covariance": False,
        "data_range": 255,
    }
    a, b = cropped(real, border), cropped(fake, border)
    rgb = metrics.structural_similarity(a, b, channel_axis=2, **options)
    y = metrics.structural_similarity(rgb_to_y(a), rgb_to_y(b), **options)
    assert ssim(real, fake, channel="rgb", border=border) == pytest.approx(rgb, abs=1e-12)
    assert ssim(real, fake, channel="y", border=border) == pytest.approx(y, abs=1e-12)


def test_ssim_equals_the_papers_sums():
    # Wang et al. 2004, equations 13-16, each window by an explicit weighted sum.
    real, fake = pictures(13, 12)
    a, b = rgb_to_y(real), rgb_to_y(fake)
    offsets = np.arange(11) - 5
    window = np.exp(-(offsets[:, None] ** 2 + offsets[None, :] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    values = []
    for i, j in np.ndindex(3, 2):
        x, y = a[i : i + 11, j : j + 11], b[i : i + 11, j : j + 11]
        mean_x, mean_y = np.sum(window * x), np.sum(window * y)
        var_x, var_y = np.sum(window * (x - mean_x) ** 2), np.sum(window * (y - mean_y) ** 2)
        both = np.sum(window * (x - mean_x) * (y - mean_y))
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        values.append(
            (2 * mean_x * mean_y + c1)
            * (2 * both + c2)
            / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
        )
    assert ssim(real, fake) == pytest.approx(np.mean(values), abs=1e-12)


def test_ssim_of_equal_pictures_is_one_and_falls_with_noise():
    real, fake = pictures()
    worse = np.clip(2.0 * fake - real, 0, 255).astype(np.uint8)
    assert ssim(real, real) == pytest.approx(1.0, abs=1e-12)
    assert 1.0 > ssim(real, fake) > ssim(real, worse) > 0.0


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_what_is_refused(metric):
    real, fake = pictures()
    with pytest.raises(ValueError, match="one shape"):
        metric(real, fake[1:])
    with pytest.raises(ValueError, match="float32"):
        metric(real.astype(np.float32), fake.astype(np.float32))
    with pytest.raises(ValueError, match="height, width, 3"):
        metric(real[..., 0], fake[..., 0])
    with pytest.raises(ValueError, match="'luma'"):
        metric(real, fake, channel="luma")
    with pytest.raises(ValueError, match="leaves nothing"):
        metric(real, fake, border=19)
    with pytest.raises(ValueError, match="leaves nothing"):
        metric(real, fake, border=-1)


def test_ssim_needs_one_whole_window():
    real, fake = pictures(19, 40)
    assert np.isfinite(ssim(real, fake, border=4))
    with pytest.raises(ValueError, match="9 x 30"):
        ssim(real, fake, border=5)
    with pytest.raises(ValueError, match="float64"):
        rgb_to_y(np.zeros((4, 4, 3)))
