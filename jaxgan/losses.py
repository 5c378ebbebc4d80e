"""What the players lose: elementwise functions of logits, pictures or features.

Every function returns one value per element of its inputs, in float32; the caller takes the mean.
Inputs in a narrower type than float32 are widened first, float64 stays float64. Inputs whose shapes
differ, or that hold no floats, raise ValueError.
"""

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from jaxgan.errors import UserError, did_you_mean

NAMES = ("bce", "lsgan", "wgan", "wgan_gp", "hinge", "relativistic")


@dataclasses.dataclass(frozen=True)
class AdversarialLoss:
    """One way of playing: what the critic and what the generator minimise.

    Attributes:
      name: as in `by_name`.
      critic: `(real_logits, fake_logits) -> losses`, all of the same shape, the real and the fake
        term added.
      generator: `(fake_logits, real_logits) -> losses`; `real_logits` may be None unless
        `needs_real`.
      needs_real: whether the generator's loss is a function of the real logits too.
      ratio: `(fake_logits, real_logits) -> [...]`, the derivative of the generator's loss by a fake
        logit over that of the critic's: one backward pass of the critic then serves both. None
        where the critic's derivative has zeros that the generator's has not (lsgan, hinge).
      boundary: the logit from which on a sample counts as real. None where only the difference of a
        real and a fake logit means something.
      to_optimality: whether the critic is to be trained until it tells all apart (Wasserstein), so
        that its being right says nothing about balance.
    """

    name: str
    critic: Callable[[Array, Array], Array]
    generator: Callable[[Array, Array | None], Array]
    needs_real: bool = False
    ratio: Callable[[Array, Array], Array] | None = None
    boundary: float | None = 0.0
    to_optimality: bool = False

    def accuracy(self, real: Array, fake: Array) -> Array:
        """The share of samples that a critic with these logits tells apart, float32 scalar.

        The mean of the shares of real ones above `boundary` and of fake ones below it; without a
        boundary, the share of rows in which the real logit is above the fake one. Equal logits, a
        critic that says nothing, count half.
        """
        real, fake = _pair(real, fake)
        if self.boundary is None:
            sides = jnp.sign(real - fake)
        else:
            sides = (jnp.sign(real - self.boundary) + jnp.sign(self.boundary - fake)) / 2
        return (0.5 + 0.5 * sides.mean()).astype(jnp.float32)


# A critic this certain of a fake hardly has a gradient there: what is left of it in float32,
# multiplied up further, would be noise, or overflow.
_MOST_CERTAIN = 60.0


def at_least_float32(x: Array) -> Array:
    """`x` in float32, or in float64 if it comes so; ValueError if it does not hold floats."""
    x = jnp.asarray(x)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(f"a loss is defined on floats, not on {x.dtype}")
    return x if jnp.finfo(x.dtype).bits > 32 else x.astype(jnp.float32)


def _pair(a: Array, b: Array) -> tuple[Array, Array]:
    a, b = at_least_float32(a), at_least_float32(b)
    if a.shape != b.shape:
        raise ValueError(f"a loss compares inputs of one shape, not {a.shape} and {b.shape}")
    return a, b


def bce(label_smoothing: float = 0.0) -> AdversarialLoss:
    """The non-saturating loss (Goodfellow et al., arXiv 1406.2661, section 3), on logits.

    critic: `-t log D(x) - (1 - t) log(1 - D(x)) - log(1 - D(G(z)))` with `t = 1 - label_smoothing`;
    generator: `-log D(G(z))`, where D is the sigmoid of the logits. The smoothing is one-sided
    (Salimans et al., arXiv 1606.03498, section 3.4): it touches the real term only.

    Args:
      label_smoothing: in [0, 0.5); UserError otherwise.
    """
    if not 0.0 <= label_smoothing < 0.5:
        raise UserError(f"label smoothing is {label_smoothing}: it must be in [0, 0.5)")
    return AdversarialLoss(
        "bce",
        functools.partial(_bce_critic, label_smoothing=label_smoothing),
        _bce_generator,
        ratio=lambda fake, real: _softplus_ratio(fake),
    )


def _bce_critic(real: Array, fake: Array, *, label_smoothing: float) -> Array:
    real, fake = _pair(real, fake)
    # -log sigmoid(x) = softplus(-x) does not overflow, nor lose the tail, at any logit.
    real_term = (1.0 - label_smoothing) * jax.nn.softplus(-real)
    if label_smoothing:
        real_term += label_smoothing * jax.nn.softplus(real)
    return real_term + jax.nn.softplus(fake)


def _bce_generator(fake: Array, real: Array | None = None) -> Array:
    return jax.nn.softplus(-at_least_float32(fake))


def _softplus_ratio(x: Array) -> Array:
    """The derivative of softplus(-x) over that of softplus(x); exact down to `_MOST_CERTAIN`."""
    return -jnp.exp(-jnp.maximum(at_least_float32(x), -_MOST_CERTAIN))


def lsgan() -> AdversarialLoss:
    """Least squares with the labels a = 0, b = 1, c = 1 (Mao et al., arXiv 1611.04076, equation 9).

    critic: `(D(x) - 1)^2 / 2 + D(G(z))^2 / 2`; generator: `(D(G(z)) - 1)^2 / 2`.
    """
    return AdversarialLoss("lsgan", _lsgan_critic, _lsgan_generator, boundary=0.5)


def _lsgan_critic(real: Array, fake: Array) -> Array:
    real, fake = _pair(real, fake)
    return 0.5 * jnp.square(real - 1.0) + 0.5 * jnp.square(fake)


def _lsgan_generator(fake: Array, real: Array | None = None) -> Array:
    return 0.5 * jnp.square(at_least_float32(fake) - 1.0)


def wasserstein() -> AdversarialLoss:
    """The Wasserstein loss (Arjovsky et al., arXiv 1701.07875, equation 3).

    critic: `D(G(z)) - D(x)`; generator: `-D(G(z))`. It means something only for a Lipschitz critic:
    add `penalties.gradient_penalty` or `penalties.clip_weights`.
    """
    return AdversarialLoss(
        "wgan",
        _wasserstein_critic,
        _negated,
        ratio=lambda fake, real: -jnp.ones_like(fake),
        boundary=None,
        to_optimality=True,
    )


def _wasserstein_critic(real: Array, fake: Array) -> Array:
    real, fake = _pair(real, fake)
    return fake - real


def _negated(fake: Array, real: Array | None = None) -> Array:
    return -at_least_float32(fake)


def hinge() -> AdversarialLoss:
    """The hinge loss.

    Lim and Ye, arXiv 1705.02894; Miyato et al., arXiv 1802.05957, equations 16 and 17.

    critic: `max(0, 1 - D(x)) + max(0, 1 + D(G(z)))`; generator: `-D(G(z))`.
    """
    return AdversarialLoss("hinge", _hinge_critic, _negated)


def _hinge_critic(real: Array, fake: Array) -> Array:
    real, fake = _pair(real, fake)
    return jax.nn.relu(1.0 - real) + jax.nn.relu(1.0 + fake)


def relativistic() -> AdversarialLoss:
    """The relativistic pairing loss, RpGAN.

    Jolicoeur-Martineau, arXiv 1807.00734; with R1 and R2 it is R3GAN, Huang et al.,
    arXiv 2501.05441, equation 2.

    critic: `softplus(D(G(z)) - D(x))`; generator: `softplus(D(x) - D(G(z)))`, row by row: each fake
    is paired with the real of its row. The generator needs the
    real logits (ValueError without).
    """
    return AdversarialLoss(
        "relativistic",
        _relativistic_critic,
        _relativistic_generator,
        needs_real=True,
        ratio=lambda fake, real: _softplus_ratio(fake - real),
        boundary=None,
    )


def _relativistic_critic(real: Array, fake: Array) -> Array:
    real, fake = _pair(real, fake)
    return jax.nn.softplus(fake - real)


def _relativistic_generator(fake: Array, real: Array | None = None) -> Array:
    if real is None:
        raise ValueError("the relativistic loss of the generator needs the real logits too")
    real, fake = _pair(real, fake)
    return jax.nn.softplus(real - fake)


def by_name(name: str, label_smoothing: float = 0.0) -> AdversarialLoss:
    """The adversarial loss of that name, one of `NAMES`.

    'wgan_gp' is `wasserstein` under the name that says which penalty it goes with: add it from
    `penalties`. UserError for an unknown name, and for label smoothing with a loss that has no
    labels to smooth.
    """
    if name not in NAMES:
        raise UserError(f"--loss={name}, {did_you_mean(name, NAMES)}")
    if name == "bce":
        return bce(label_smoothing)
    if label_smoothing:
        raise UserError(f"label smoothing belongs to the loss 'bce', not to {name!r}: set it to 0")
    makers = {
        "lsgan": lsgan,
        "wgan": wasserstein,
        "wgan_gp": wasserstein,
        "hinge": hinge,
        "relativistic": relativistic,
    }
    return dataclasses.replace(makers[name](), name=name)


def l1(a: Array, b: Array) -> Array:
    """`|a - b|`, elementwise."""
    a, b = _pair(a, b)
    return jnp.abs(a - b)


def l2(a: Array, b: Array) -> Array:
    """`(a - b)^2`, elementwise."""
    a, b = _pair(a, b)
    return jnp.square(a - b)


def cycle(real: Array, reconstructed: Array, weight: float = 10.0) -> Array:
    """`weight * |real - F(G(real))|`, elementwise.

    CycleGAN: Zhu et al., arXiv 1703.10593, equation 2. The default weight is the paper's lambda.
    """
    return weight * l1(real, reconstructed)


def feature_matching(real_features: Array, fake_features: Array) -> Array:
    """The squared difference of the two batches' mean features.

    Salimans et al., arXiv 1606.03498, section 3.1. For pairs (pix2pixHD, HiFi-GAN), where each fake
    is to match the real of its own row, take `l1` of the features.

    Args:
      real_features, fake_features: `[batch, ...]` of one layer of the critic; the two batches may
        differ in size.

    Returns:
      `[...]`, the shape of one sample's features; the caller sums or averages.

    Raises:
      ValueError: if the features' shapes differ beyond the batch axis.
    """
    real, fake = at_least_float32(real_features), at_least_float32(fake_features)
    return l2(jnp.mean(real, axis=0), jnp.mean(fake, axis=0))


def perceptual(features_a: Array, features_b: Array, scale: float = 1.0) -> Array:
    """`(scale * (a - b))^2`, elementwise, of a fixed network's features.

    SRGAN: Ledig et al., arXiv 1609.04802, equation 5.

    Args:
      features_a, features_b: `[batch, ...]`, as `nets.vgg` computes them.
      scale: of the features; the paper takes 1/12.75 for its VGG-19.
    """
    return l2(features_a, features_b) * scale**2
