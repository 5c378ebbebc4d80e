"""What synthetic pictures are worth to a classifier: trained on real ones, on them, on both."""

from collections.abc import Callable

import numpy as np

from jaxgan.data.examples import Labelled
from jaxgan.metrics import classifier
from jaxgan.metrics.stamp import Measured, Stamp, enough

# `draw(labels, seed)` gives a picture of each of these classes, uint8 [n, height, width, channels].
DrawClasses = Callable[[np.ndarray, int], np.ndarray]

SEEDS = 5


def accuracies(
    train: Labelled,
    held_out: Labelled,
    draw: DrawClasses,
    *,
    seeds: int | None = None,
    steps: int | None = None,
) -> Measured:
    """Held-out accuracy of a small classifier trained on real, on synthetic and on both.

    It is always the same network and recipe (`classifier.train`) for as many steps; only what it is
    shown differs. There are as many synthetic pictures of each class as real ones, drawn anew for
    each seed. A seed also decides the classifier's parameters and batches.

    Args:
      train: real pictures, the generator's own training data.
      held_out: real pictures of the same classes that neither has seen.
      draw: draws synthetic pictures of the same size.
      seeds: how many times; `SEEDS` if None.
      steps: of each training; `classifier.STEPS` if None.

    Returns:
      `accuracy_real`, `accuracy_synthetic`, `accuracy_both`, means over the seeds, and the standard
      deviation of each over them (`_spread`).

    Raises:
      UserError: fewer than two held-out pictures.
      ValueError: pictures without labels.
    """
    if train.labels is None or held_out.labels is None:
        raise ValueError("a classifier needs labels")
    enough("an accuracy", 2, **{"held-out": len(held_out)})
    count = len(train.classes)
    seeds, steps = seeds or SEEDS, steps or classifier.STEPS
    found: dict[str, list[float]] = {"real": [], "synthetic": [], "both": []}
    for seed in range(seeds):
        synthetic = draw(train.labels, seed)
        sets = {
            "real": (train.pictures, train.labels),
            "synthetic": (synthetic, train.labels),
            "both": (
                np.concatenate([train.pictures, synthetic]),
                np.concatenate([train.labels] * 2),
            ),
        }
        for name, (pictures, labels) in sets.items():
            params = classifier.train(pictures, labels, count, steps=steps, seed=seed)
            right = classifier.accuracy(params, held_out.pictures, held_out.labels, count)
            found[name].append(right)
    stamp = Stamp(
        metric=f"held-out accuracy of a small classifier after {steps} steps, "
        f"mean and spread over {seeds} seeds, on {len(held_out)} held-out pictures",
        real=len(train),
        fake=len(train),
        data=held_out.description,
    )
    figures = {}
    for name, values in found.items():
        figures[f"accuracy_{name}"] = float(np.mean(values))
        figures[f"accuracy_{name}_spread"] = float(np.std(values, ddof=1)) if seeds > 1 else 0.0
    return Measured(figures, {f"accuracy_{name}": stamp for name in found})
