"""Inputs of pairs as the generator takes them and as people see them."""

from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.data.images import read_image, read_stored
from jaxgan.data.label_maps import LabelCode, default_palette
from jaxgan.data.pairs import Pairs
from jaxgan.media import to_uint8
from jaxgan.ops.pixels import from_uint8
from jaxgan.systems.paired import Input, one_hot
from jaxgan.systems.translating import Example

# Opens pairs to train on and held-out ones, and remembers them.
Both = Callable[[], tuple[Pairs, Pairs]]


def painted(pairs: Pairs) -> Pairs:
    """Pairs whose inputs are pictures, whatever they were: label maps are painted."""
    code = pairs.labels
    if code is None:
        return pairs

    def read(index: int) -> tuple[np.ndarray, np.ndarray]:
        numbers, target = pairs[index]
        return code.paint(numbers), target

    names = [pairs.name(index) for index in range(len(pairs))]
    return Pairs(names, read, pairs.description)


def example(
    index: int,
    name: str,
    given: np.ndarray,
    target: np.ndarray,
    *,
    make_input: Input,
    pairs: Pairs,
) -> Example:
    """A held-out pair as the generator and as people see it; always the same for an index."""
    seen = given if pairs.labels is not None else from_uint8(given)
    batch = {"input": jnp.asarray(seen[None]), "target": jnp.asarray(from_uint8(target[None]))}
    made = np.asarray(make_input(batch, jax.random.fold_in(jax.random.key(0), index))[0])
    shown = visible(made) if pairs.labels is None else pairs.labels.paint(given)
    return Example(name, (made,), shown, target)


def visible(given: np.ndarray) -> np.ndarray:
    """Floats in [-1, 1] of one or three channels as uint8 [height, width, 3]."""
    return np.broadcast_to(to_uint8(given), (*given.shape[:2], 3))


def read_picture(path: Path) -> Example:
    """A user's picture as an input."""
    picture = read_image(path)
    given = from_uint8(picture)
    return Example(path.name, (given,), picture)


def label_reader(both: Both, label_count: int) -> Callable[[Path], Example]:
    """Reads a user's label map, of `label_count` classes, as those of the data are read."""

    def read(path: Path) -> Example:
        stored = read_stored(path)
        # Only colours need the data, which say what they mean.
        plain = LabelCode(label_count, default_palette(label_count), by_colour=False)
        code = both()[0].labels if stored.numbers is None else plain
        assert code is not None
        numbers = code.read(stored, str(path))
        batch = {"input": jnp.asarray(numbers)[None]}
        given = np.asarray(one_hot(label_count)(batch, jax.random.key(0))[0])
        return Example(path.name, (given,), code.paint(numbers))

    return read
