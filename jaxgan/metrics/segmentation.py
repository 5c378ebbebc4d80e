"""The FCN-score: do generated pictures look to a segmentation network as what they were made from?

Isola et al. 2017 (arXiv 1611.07004, section 4.1) take FCN-8s trained on Cityscapes. Here it is a
small network of jaxgan's own, trained on the real pairs of the same data set; figures compare only
with those of the same one, so the same figures on real pictures stand beside them.
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from jaxgan.metrics.stamp import enough
from jaxgan.ops.layers import Conv
from jaxgan.ops.pixels import from_uint8
from jaxgan.ops.resample import upsample_nearest

STEPS = 600
BATCH_SIZE = 8
LEARNING_RATE = 2e-3
# Sides must divide by it.
MULTIPLE = 8


class Segmenter(nn.Module):
    """Three halvings and three doublings, with skips between them."""

    classes: int

    @nn.compact
    def __call__(self, pictures: Array) -> Array:
        """`[batch, height, width, channels]` float32 in [-1, 1] to logits of each pixel."""
        skips = [pictures]
        x = pictures
        for channels in (32, 64, 96):
            x = nn.relu(Conv(channels, 3, stride=2)(x))
            x = nn.relu(Conv(channels, 3)(x))
            skips.append(x)
        for channels, skip in zip((64, 32, 16), skips[-2::-1], strict=True):
            x = jnp.concatenate([upsample_nearest(x, 2), skip], -1)
            x = nn.relu(Conv(channels, 3)(x))
        return Conv(self.classes, 1)(x)


class Scores(NamedTuple):
    """Over all pixels whose class is known.

    Attributes:
      pixel_accuracy: the share that is right.
      class_accuracy: the mean, over the classes that occur, of the share of their pixels.
      class_iou: the mean, over the same classes, of intersection over union.
    """

    pixel_accuracy: float
    class_accuracy: float
    class_iou: float


def train(
    pictures: np.ndarray,
    labels: np.ndarray,
    classes: int,
    *,
    void: Sequence[int] = (),
    steps: int | None = None,
    seed: int = 0,
) -> Any:
    """Parameters of a `Segmenter`: Adam, a cosine to 0, half of the pairs mirrored.

    Args:
      pictures: uint8 `[n, height, width, 3]`, sides that divide by `MULTIPLE`.
      labels: whole numbers `[n, height, width]` below `classes`.
      classes: how many.
      void: classes that count nowhere.
      steps: of training; `STEPS` if None.
      seed: of the parameters and the batches.

    Raises:
      ValueError: for other sides or shapes.
    """
    if labels.shape != pictures.shape[:3] or any(side % MULTIPLE for side in labels.shape[1:]):
        raise ValueError(f"pictures {pictures.shape} and labels {labels.shape} are no pairs")
    enough("a segmentation network", 2, real=len(pictures))
    steps = steps or STEPS
    random = np.random.default_rng(seed)
    initial = jax.jit(Segmenter(classes).init)
    params = initial(jax.random.key(seed), jnp.zeros((1, *pictures.shape[1:])))["params"]
    state = (params, _optimiser(steps).init(params))
    known = np.ones(classes, np.float32)
    known[list(void)] = 0.0
    size = min(BATCH_SIZE, len(pictures))
    for _ in range(steps):
        rows = random.choice(len(pictures), size, replace=False)
        batch, wanted = pictures[rows], labels[rows].astype(np.int32)
        if random.integers(2):
            batch, wanted = batch[:, :, ::-1], wanted[:, :, ::-1]
        state = _step(state, batch, wanted, known, classes=classes, steps=steps)
    return jax.device_get(state[0])


def scores(
    params: Any,
    pictures: np.ndarray,
    labels: np.ndarray,
    classes: int,
    *,
    void: Sequence[int] = (),
) -> Scores:
    """How well the network finds the labels in pictures; `train` says the arguments."""
    confusion = np.zeros((classes, classes), np.int64)
    for start in range(0, len(pictures), BATCH_SIZE):
        rows = slice(start, start + BATCH_SIZE)
        found = np.asarray(_labels(params, pictures[rows], classes=classes))
        pairs = labels[rows].astype(np.int64) * classes + found
        confusion += np.bincount(pairs.ravel(), minlength=classes**2).reshape(classes, classes)
    return from_confusion(confusion, void=void)


def from_confusion(confusion: np.ndarray, *, void: Sequence[int] = ()) -> Scores:
    """The scores of counts `[class, found class]`.

    Pixels of the `void` classes are left out; to find one of these elsewhere is wrong.
    """
    counts = confusion.astype(np.float64)
    counts[list(void)] = 0.0
    right, there = np.diag(counts), counts.sum(1)
    occurs = there > 0
    union = there + counts.sum(0) - right
    return Scores(
        float(right.sum() / there.sum()),
        float((right[occurs] / there[occurs]).mean()),
        float((right[occurs] / union[occurs]).mean()),
    )


def _optimiser(steps: int) -> optax.GradientTransformation:
    return optax.adam(optax.cosine_decay_schedule(LEARNING_RATE, steps))


@functools.partial(jax.jit, static_argnames="classes")
def _labels(params: Any, pictures: Array, *, classes: int) -> Array:
    logits: Array = Segmenter(classes).apply({"params": params}, from_uint8(pictures))  # type: ignore[assignment]
    return logits.argmax(-1).astype(jnp.int32)


@functools.partial(jax.jit, static_argnames=("classes", "steps"), donate_argnums=0)
def _step(
    state: Any, pictures: Array, labels: Array, known: Array, *, classes: int, steps: int
) -> Any:
    weight = known[labels]

    def loss(params: Any) -> Array:
        logits = Segmenter(classes).apply({"params": params}, from_uint8(pictures))
        lost = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        return (lost * weight).sum() / jnp.maximum(weight.sum(), 1.0)

    params, optimiser_state = state
    grads = jax.grad(loss)(params)
    # Optax multiplies its step counter, an integer, with floats.
    with jax.numpy_dtype_promotion("standard"):
        updates, optimiser_state = _optimiser(steps).update(grads, optimiser_state)
    return optax.apply_updates(params, updates), optimiser_state
