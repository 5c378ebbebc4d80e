"""Pictures from a trained generator: for the preview of a run, and on request."""

import functools
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxgan.errors import UserError
from jaxgan.experiment import Networks, SampleRequest
from jaxgan.media import Grid, as_picture, to_uint8
from jaxgan.metrics.pictures import Draw
from jaxgan.provenance import write_synthetic

# More classes than this make a preview that nobody takes in.
PREVIEWED_CLASSES = 16
# Pictures drawn at a time where they are files of their own.
AT_ONCE = 250


@functools.partial(jax.jit, static_argnames=("count", "latent_size"))
def draw_samples(
    networks: Networks, key: Array, *, count: int, latent_size: int, label: Array | None = None
) -> Array:
    """`count` samples of a trained generator, `[count, ...]`; of classes `label [count]` int32."""
    latent = jax.random.normal(key, (count, latent_size))
    return networks["generator"](latent, *([] if label is None else [label]))


def drawing(
    networks: Networks, latent_size: int, label: Callable[[int, int], np.ndarray] | None = None
) -> Draw:
    """What draws pictures of a trained generator to be measured.

    Args:
      networks: as `evaluate` gets them.
      latent_size: dimensions of the latent.
      label: `(count, seed)` to the classes int32 `[count]` to draw; None without classes.
    """

    def draw(count: int, seed: int) -> np.ndarray:
        key = jax.random.fold_in(jax.random.key(0), seed)
        chosen = None if label is None else jnp.asarray(label(count, seed))
        drawn = draw_samples(networks, key, count=count, latent_size=latent_size, label=chosen)
        return to_uint8(np.asarray(drawn))

    return draw


class Asked(NamedTuple):
    """What a generator can be asked for.

    Attributes:
      given: int32 `[n, ...]`, what it is told for each: a class, or the ids of a text.
      names: of each; their numbers where empty.
    """

    given: np.ndarray
    names: Sequence[str] = ()


Ask = Callable[[Networks], Asked]


def classes_asked(classes: int, names: Sequence[str] = ()) -> Asked | None:
    """Each of so many classes; None for 0."""
    return Asked(np.arange(classes, dtype=np.int32), names) if classes else None


def class_grid(
    pictures: Array | np.ndarray,
    label: np.ndarray,
    columns: int,
    names: Sequence[str] = (),
    magnify: int = 1,
) -> Grid:
    """A grid with a row, or several, for each class, and its name beside it.

    Args:
      pictures: `[n, height, width, 1 or 3]`, floats in [-1, 1].
      label: `[n]`, the class of each.
      columns: how many pictures a row holds at most.
      names: of the classes, in the order of their labels; their numbers where empty.
      magnify: as `Grid` takes it.
    """
    rows: list[Sequence[np.ndarray]] = []
    captions = []
    for number in np.unique(label):
        found = Grid.from_batch(np.asarray(pictures)[label == number], columns).rows
        rows += found
        name = names[number] if len(names) else str(number)
        captions += [name] + [""] * (len(found) - 1)
    return Grid(rows, labels=captions, magnify=magnify)


def sample_grid(
    latent_size: int,
    *,
    count: int = 64,
    columns: int = 8,
    magnify: int = 1,
    classes: int = 0,
    names: Sequence[str] = (),
    asked: Ask | None = None,
) -> Callable[[Networks], dict[str, Grid]]:
    """Makes the `preview` of an experiment that draws pictures: always of the same latents.

    With `classes` it shows a row of `columns` pictures of each class instead of `count` pictures;
    of `PREVIEWED_CLASSES` of them, evenly spaced, where there are more. `names` are the classes'.
    `asked` stands for both where only the networks know what can be asked for.
    """

    def preview(networks: Networks) -> dict[str, Grid]:
        key = jax.random.key(0)
        found = asked(networks) if asked is not None else classes_asked(classes, names)
        if found is None:
            pictures = draw_samples(networks, key, count=count, latent_size=latent_size)
            return {"preview": Grid.from_batch(pictures, columns, magnify=magnify)}
        number = len(found.given)
        shown = np.unique(np.linspace(0, number - 1, min(number, PREVIEWED_CLASSES)).astype(int))
        label = np.repeat(shown, columns)
        told = jnp.asarray(found.given[label])
        pictures = draw_samples(
            networks, key, count=len(label), latent_size=latent_size, label=told
        )
        return {"preview": class_grid(pictures, label, columns, found.names, magnify)}

    return preview


def sample_file(
    latent_size: int,
    *,
    columns: int = 8,
    classes: int = 0,
    faces: bool = False,
    asked: Ask | None = None,
) -> Callable[[Networks, SampleRequest], Path]:
    """Makes the `sample` of an experiment that draws pictures: a grid of them, or a folder.

    `--output` is a .png, or else a folder, which is made and gets a .png for each of the `count`
    pictures. With `classes` they are spread over all of these as evenly as `count` allows: in rows
    by class, or in a folder for each. What is written says in its metadata that it is synthetic.

    Args:
      latent_size: dimensions of the latent.
      columns: of the grid.
      classes: how many the generator is told of; 0 if none.
      faces: whether the pictures are also marked as synthetic for people to see.
      asked: what is asked for instead of `classes`, where only the networks know.
    """
    write = functools.partial(write_synthetic, visible=faces)

    def sample(networks: Networks, request: SampleRequest) -> Path:
        key, output, count = jax.random.key(request.seed), request.output, request.count
        found = asked(networks) if asked is not None else classes_asked(classes)
        label = told = None
        if found is not None:
            number = len(found.given)
            label = np.arange(count, dtype=np.int64) * number // count
            told = found.given[label]
        if output.suffix == ".png":
            pictures = _drawn(networks, key, count, latent_size, told)
            grid = Grid.from_batch(pictures, columns)
            if found is not None and label is not None:
                grid = class_grid(pictures, label, columns, found.names)
            return write(output, np.asarray(grid.draw()))
        if output.suffix or output.is_file():
            raise UserError(f"--output={output}: give the name of a .png, or of a folder")
        try:
            for index in range(-(-count // AT_ONCE)):
                rows = slice(index * AT_ONCE, min((index + 1) * AT_ONCE, count))
                chosen = None if told is None else told[rows]
                size = rows.stop - rows.start
                drawn = _drawn(networks, jax.random.fold_in(key, index), size, latent_size, chosen)
                for row, picture in enumerate(to_uint8(drawn)):
                    folder = output
                    if found is not None and label is not None:
                        folder = output / folder_name(found, int(label[rows.start + row]))
                    folder.mkdir(exist_ok=True, parents=True)
                    grey = picture.shape[-1] == 1 and not faces
                    picture = picture[..., 0] if grey else np.asarray(as_picture(picture))
                    write(folder / f"{rows.start + row:06d}.png", picture)
        except OSError as error:
            raise UserError(f"--output={output}: {error.strerror or error}") from None
        return output

    return sample


def folder_name(asked: Asked, index: int) -> str:
    """A folder for what is asked for: its name without what a path had better not hold."""
    if not len(asked.names):
        return str(index)
    return re.sub(r"[^\w'-]+", "_", asked.names[index]).strip("_")[:80] or str(index)


def _drawn(
    networks: Networks, key: Array, count: int, latent_size: int, label: np.ndarray | None
) -> np.ndarray:
    chosen = None if label is None else jnp.asarray(label)
    return np.asarray(
        draw_samples(networks, key, count=count, latent_size=latent_size, label=chosen)
    )
