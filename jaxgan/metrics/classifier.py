"""A small classifier that is trained in seconds: jaxgan's own feature network, and a yardstick.

It is always the same network and recipe, so that what it learns speaks for the data and not for
choices. The same numbers and seed give the same bits on the same machine.
"""

import functools
from collections.abc import Callable
from typing import Any, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxgan.ops.layers import Conv
from jaxgan.ops.pixels import from_uint8
from jaxgan.ops.resample import pixel_unshuffle
from jaxgan.parallel import batch_sharding

FEATURES = 64
STEPS = 600
BATCH_SIZE = 128
LEARNING_RATE = 2e-3
# Pictures are shifted by up to this share of their side while training.
SHIFT = 1 / 14


class Classifier(nn.Module):
    """Blocks of pixels as channels down to 32 x 32, convolutions down to 8 x 8, 64 features."""

    classes: int

    @nn.compact
    def __call__(self, pictures: Array) -> tuple[Array, Array]:
        """Features `[batch, 64]` and logits `[batch, classes]`.

        Args:
          pictures: `[batch, height, width, channels]` float32 in [-1, 1], any size.
        """
        factor = -(-max(pictures.shape[1:3]) // 32)
        beyond = [(0, -side % factor) for side in pictures.shape[1:3]]
        x = jnp.pad(pictures, ((0, 0), *beyond, (0, 0)), mode="edge")
        x = pixel_unshuffle(x, factor)
        channels, taps = 32, 5 if factor == 1 else 3
        while channels == 32 or max(x.shape[1:3]) > 8:
            # A leak: at this learning rate half of the features would otherwise end at zero.
            x = nn.leaky_relu(Conv(channels, taps, stride=2)(x), 0.1)
            channels, taps = 2 * channels, 3
        features = nn.Dense(FEATURES, name="features")(x.reshape(x.shape[0], -1))
        features = nn.leaky_relu(features, 0.1)
        return features, nn.Dense(self.classes, name="classes")(features)


def train(
    pictures: np.ndarray,
    labels: np.ndarray | None,
    classes: int,
    *,
    steps: int = STEPS,
    seed: int = 0,
) -> Any:
    """Parameters of a `Classifier`: Adam, a cosine to 0, small shifts.

    Batches are of 128 pictures, and of 64 where a side is above 64 pixels.

    Args:
      pictures: uint8 `[n, height, width, channels]`.
      labels: int `[n]` in [0, classes); None to tell quarter turns apart, which takes squares and 4
        classes (Gidaris et al. 2018, arXiv 1803.07728).
      classes: how many.
      steps: of training.
      seed: of the parameters and the batches.

    Returns:
      a pytree of NumPy arrays, for `Classifier(classes).apply({"params": ...})`.
    """
    random = np.random.default_rng(seed)
    params = _initial(jax.random.key(seed), pictures.shape[1:], classes)
    state = (params, _optimiser(steps).init(params))
    # Large pictures cost as much in halves of a batch as small ones in whole ones.
    size = min(BATCH_SIZE if max(pictures.shape[1:3]) <= 64 else BATCH_SIZE // 2, len(pictures))
    order = np.zeros(0, np.int64)
    for _ in range(steps):
        if len(order) < size:
            order = np.concatenate([order, random.permutation(len(pictures))])
        rows, order = order[:size], order[size:]
        batch = _shifted(pictures[rows], random)
        if labels is None:
            turns = random.integers(4, size=size)
            batch, wanted = turned(batch, turns), turns
        else:
            wanted = labels[rows]
        state = _step(state, batch, wanted.astype(np.int32), classes=classes, steps=steps)
    return jax.device_get(state[0])


def accuracy(params: Any, pictures: np.ndarray, labels: np.ndarray, classes: int) -> float:
    """The share of pictures whose likeliest class is their label; `train` says the arguments."""
    apply = compiled(classes)
    _, logits = in_batches(apply, params, pictures, BATCH_SIZE)
    return float((logits.argmax(1) == labels).mean())


def turned(pictures: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """Each of `[n, side, side, channels]` by its own number of quarter turns."""
    if pictures.shape[1] != pictures.shape[2]:
        raise ValueError(f"only squares can be turned, not {pictures.shape[1:3]}")
    out = np.empty_like(pictures)
    for quarter in range(4):
        chosen = turns == quarter
        out[chosen] = np.rot90(pictures[chosen], quarter, (1, 2))
    return out


def in_batches(
    apply: Callable[[Any, Any], tuple[Array, ...]],
    params: Any,
    pictures: np.ndarray,
    batch_size: int,
    mesh: Mesh | None = None,
) -> tuple[np.ndarray, ...]:
    """What a compiled network says of any number of pictures, its batches of one size.

    Args:
      apply: `(params, pictures [batch, ...])` to arrays `[batch, ...]`, each row by itself.
      params: passed on.
      pictures: `[n, ...]`, n at least 1.
      batch_size: pictures at a time; fewer if there are not as many.
      mesh: devices of this process that share a batch; None is the default device.
    """
    devices = 1 if mesh is None else mesh.size
    size = -(-min(batch_size, len(pictures)) // devices) * devices
    parts = []
    for start in range(0, len(pictures), size):
        rows = pictures[start : start + size]
        missing = size - len(rows)
        if missing:
            rows = np.concatenate([rows, np.zeros((missing, *rows.shape[1:]), rows.dtype)])
        placed = rows if mesh is None else jax.device_put(rows, batch_sharding(mesh))
        parts.append([np.asarray(out)[: size - missing] for out in apply(params, placed)])
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def replicated(params: Any, mesh: Mesh) -> Any:
    """`params` whole on every device of a mesh."""
    return jax.device_put(params, NamedSharding(mesh, PartitionSpec()))


def _shifted(pictures: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Each picture moved by a few pixels, its border repeated."""
    height, width = pictures.shape[1:3]
    most = max(round(min(height, width) * SHIFT), 1)
    wide = np.pad(pictures, ((0, 0), (most, most), (most, most), (0, 0)), mode="edge")
    out = np.empty_like(pictures)
    for row, (top, left) in enumerate(random.integers(2 * most + 1, size=(len(pictures), 2))):
        out[row] = wide[row, top : top + height, left : left + width]
    return out


@functools.cache
def compiled(classes: int) -> Callable[[Any, Array], tuple[Array, Array]]:
    """`(params, uint8 pictures)` to features and logits, compiled, in full float32."""

    def apply(params: Any, pictures: Array) -> tuple[Array, Array]:
        # Elsewhere the default may be a shorter product, and a figure would depend on the device.
        with jax.default_matmul_precision("highest"):
            out = Classifier(classes).apply({"params": params}, from_uint8(pictures))
        return cast(tuple[Array, Array], out)

    return jax.jit(apply)


@functools.partial(jax.jit, static_argnums=(1, 2))
def _initial(key: Array, shape: tuple[int, ...], classes: int) -> Any:
    return Classifier(classes).init(key, jnp.zeros((1, *shape)))["params"]


def _optimiser(steps: int) -> optax.GradientTransformation:
    return optax.adam(optax.cosine_decay_schedule(LEARNING_RATE, steps))


@functools.partial(jax.jit, static_argnames=("classes", "steps"), donate_argnums=0)
def _step(state: Any, pictures: Array, labels: Array, *, classes: int, steps: int) -> Any:
    def loss(params: Any) -> Array:
        _, logits = Classifier(classes).apply({"params": params}, from_uint8(pictures))
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    params, optimiser_state = state
    grads = jax.grad(loss)(params)
    # Optax multiplies its step counter, an integer, with floats.
    with jax.numpy_dtype_promotion("standard"):
        updates, optimiser_state = _optimiser(steps).update(grads, optimiser_state)
    return optax.apply_updates(params, updates), optimiser_state
