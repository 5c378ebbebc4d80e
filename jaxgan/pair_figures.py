"""The FCN-score of an experiment with label maps (`metrics.segmentation`)."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

from jaxgan.data.paired import held_out_pairs
from jaxgan.experiment import Networks
from jaxgan.metrics import segmentation
from jaxgan.metrics.stamp import Measured, Stamp
from jaxgan.pair_inputs import Both
from jaxgan.systems import translating
from jaxgan.systems.paired import one_hot
from jaxgan.systems.translating import Example

FLAGS = flags.FLAGS


def fcn_score(both: Both, multiple: int) -> Callable[[Networks], Measured]:
    """The FCN-score of generated and of real held-out pictures, as an experiment's `conclude`.

    A segmentation network is trained on the real pairs that the generator was trained on, as
    squares of `--side` pixels.
    """
    through = translating.by("generator", multiple)

    @functools.cache
    def squares(which: int) -> tuple[np.ndarray, np.ndarray]:
        found = held_out_pairs(both()[which], side=FLAGS.side)
        return np.stack([target for _, _, target in found]), np.stack([m for _, m, _ in found])

    @functools.cache
    def segmenter() -> Any:
        return segmentation.train(*squares(0), FLAGS.label_count, void=void())

    def void() -> tuple[int, ...]:
        return () if FLAGS.ignore_label is None else (FLAGS.ignore_label,)

    def conclude(networks: Networks) -> Measured:
        real, labels = squares(1)
        make = one_hot(FLAGS.label_count)
        made = []
        for numbers in labels:
            given = make({"input": jnp.asarray(numbers)[None]}, jax.random.key(0))
            shown = np.zeros((*numbers.shape, 3), np.uint8)
            made.append(through(networks, Example("", (np.asarray(given[0]),), shown)))
        figures: dict[str, float] = {}
        for suffix, pictures in (("", np.stack(made)), ("_real", real)):
            found = segmentation.scores(
                segmenter(), pictures, labels, FLAGS.label_count, void=void()
            )
            figures |= {f"fcn_{name}{suffix}": value for name, value in found._asdict().items()}
        stamp = Stamp(
            f"FCN-score: a small segmentation network of jaxgan's own after {segmentation.STEPS} "
            f"steps on {len(squares(0)[0])} real pairs",
            len(real),
            len(made),
            both()[1].description,
            warning="compares only with figures of the same network",
        )
        return Measured(figures, {name: stamp for name in figures if not name.endswith("_real")})

    return conclude
