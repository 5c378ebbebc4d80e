"""Points on the line y = x: the smallest GAN, in a minute on a CPU.

    python -m jaxgan.main --experiment=line_gan

A thousand points, x uniform in [-1, 1], and the tutorials' networks and recipe, whose generator is
judged by its moving average: the two players go round each other to the end. Figures, of 2500
generated points: `distance`, the mean of |x - y|, and `coverage`, the share of [-1, 1] that x
reaches: of 100 equal parts, those that hold a point.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

from jaxgan import gan_experiments, gan_flags
from jaxgan.experiment import Experiment
from jaxgan.nets.mlp import MLP

FLAGS = flags.FLAGS

# 600 times through the data.
FLAGS.set_default("steps", 4_700)
FLAGS.set_default("batch_size", 128)
FLAGS.set_default("log_every", 200)
FLAGS.set_default("eval_every", 500)
FLAGS.set_default("checkpoint_every", 500)
FLAGS.set_default("steps_per_dispatch", 50)

gan_flags.define(latent_size=100, learning_rate=1e-3, label_smoothing=0.1, ema_halflife=10_000)

TINY = {"steps": 4, "batch_size": 8, "latent_size": 4}

leaky_relu = functools.partial(jax.nn.leaky_relu, negative_slope=0.01)


def figures(points: np.ndarray) -> dict[str, float]:
    """How far from the line points `[n, 2]` are, and how much of it they reach."""
    counts, _ = np.histogram(points[:, 0], bins=100, range=(-1.0, 1.0))
    distance = np.abs(points[:, 0] - points[:, 1]).mean()
    return {"distance": float(distance), "coverage": float((counts > 0).mean())}


def experiment() -> Experiment:
    dtype = jnp.dtype(FLAGS.dtype)
    x = np.random.default_rng(FLAGS.seed).uniform(-1.0, 1.0, 1000).astype(np.float32)
    return gan_experiments.plane(
        FLAGS,
        MLP((16, 2), leaky_relu, dtype=dtype),
        MLP((32, 8, 1), leaky_relu, dtype=dtype),
        np.stack([x, x], axis=1),
        "points on y = x",
        figures,
        {
            "distance": "mean of |x - y|",
            "coverage": "of 100 equal parts of [-1, 1], those that hold the x of a point",
        },
        limit=1.4,
        best="distance",
        best_mode="min",
    )
