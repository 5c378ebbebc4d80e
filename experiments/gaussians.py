"""A ring of 8 or a grid of 25 Gaussians in the plane: does a GAN find every mode?

    python -m jaxgan.main --experiment=gaussians
    python -m jaxgan.main --experiment=gaussians --layout=grid --run_dir=runs/grid
    python -m jaxgan.main --experiment=gaussians --loss=bce --penalty=none --n_critic=1   # plain

The mixtures and what counts as a covered mode are those of VEEGAN and PacGAN (arXiv 1712.04086).
Figures, of 2500 samples: `modes`, and `good`, the share within three standard deviations of a mode.
The stabiliser is WGAN-GP's penalty, a hundredth as strong, which small sharp modes need. The usual
networks of two layers of 128 and a latent of 256: --units=128 --latent_size=256.
"""

import jax.numpy as jnp
import numpy as np
from absl import flags

from jaxgan import gan_experiments, gan_flags
from jaxgan.experiment import Experiment
from jaxgan.metrics.modes import mode_coverage
from jaxgan.nets.mlp import MLP

FLAGS = flags.FLAGS

FLAGS.set_default("loss", "wgan")
FLAGS.set_default("steps", 12_000)
FLAGS.set_default("batch_size", 256)
FLAGS.set_default("eval_every", 1_000)
FLAGS.set_default("checkpoint_every", 1_000)
FLAGS.set_default("log_every", 200)
FLAGS.set_default("steps_per_dispatch", 50)

flags.DEFINE_enum("layout", "ring", ["ring", "grid"], "8 modes on a ring or 25 on a grid.")
flags.DEFINE_integer("units", 256, "Units of each of the two hidden layers.")
gan_flags.define(
    latent_size=2,
    learning_rate=2e-3,
    b1=0.5,
    n_critic=5,
    penalty="gradient_penalty",
    penalty_weight=0.1,
    ema_halflife=20_000,
)

TINY = {"steps": 4, "batch_size": 8, "units": 8, "latent_size": 4, "n_critic": 1}


def mixture(layout: str) -> tuple[np.ndarray, float]:
    """The centres [modes, 2] of a mixture, and the standard deviation of each component."""
    if layout == "ring":
        angles = np.arange(8) * (2 * np.pi / 8)
        return np.stack([np.cos(angles), np.sin(angles)], axis=1), 0.01
    side = np.arange(-4, 5, 2)
    return np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2).astype(float), 0.05


def draw(layout: str, count: int, seed: int) -> np.ndarray:
    """Points of a mixture, float32 [count, 2]."""
    centres, sigma = mixture(layout)
    random = np.random.default_rng(seed)
    noise = sigma * random.standard_normal((count, 2))
    return (centres[random.integers(len(centres), size=count)] + noise).astype(np.float32)


def experiment() -> Experiment:
    layout, units = FLAGS.layout, FLAGS.units
    centres, sigma = mixture(layout)

    def network(outputs: int) -> MLP:
        return MLP((units, units, outputs), dtype=jnp.dtype(FLAGS.dtype))

    def figures(points: np.ndarray) -> dict[str, float]:
        modes, good = mode_coverage(points, centres, sigma)
        return {"modes": float(modes), "good": good}

    return gan_experiments.plane(
        FLAGS,
        network(2),
        network(1),
        draw(layout, 100_000, FLAGS.seed),
        f"{layout} of {len(centres)} Gaussians, sigma {sigma}",
        figures,
        {
            "modes": f"modes of {len(centres)} with a sample within three standard deviations",
            "good": "samples within three standard deviations of a mode",
        },
        limit=float(np.abs(centres).max()) * 1.4,
        best="good",
        b2=0.99,
    )
