"""Feature networks, each of which says what it is: the standard Inception-v3, or jaxgan's own.

Figures of different networks do not compare; a `Stamp` carries the name and the hash of the one
that was used.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh

from jaxgan import processes
from jaxgan.data.prepared import data_root
from jaxgan.errors import UserError
from jaxgan.metrics import classifier
from jaxgan.metrics.stamp import enough
from jaxgan.nets.inception import bilinear_matrix, load_inception
from jaxgan.ops import resample
from jaxgan.ops.pixels import from_uint8
from jaxgan.parallel import make_mesh
from jaxgan.weights import read_weights

# With which the SHA-256 of the weights that published figures were measured with begins.
PUBLISHED = "6726825d"
_SIDE = 299


@dataclasses.dataclass(frozen=True, eq=False)
class Features:
    """A network that turns pictures into features, and into the chances of classes.

    Attributes:
      name: in words, with what there is to know of its quality.
      sha256: of its weights, in hexadecimal.
      resize: what is done to the pictures first.
      size: how many features.
      scored: whether its classes mean something, so that an Inception Score does.
      warning: what speaks against comparing its figures with published ones.
      params, apply: `apply(params, uint8 [b, h, w, c])` gives features and logits.
      batch_size: pictures at a time.
      mesh: the devices of this process that share them.
      shape: (height, width, channels), if the network takes no other.
    """

    name: str
    sha256: str
    resize: str
    size: int
    scored: bool
    warning: str
    params: Any = dataclasses.field(repr=False)
    apply: Callable[[Any, Array], tuple[Array, Array]] = dataclasses.field(repr=False)
    batch_size: int = 64
    mesh: Mesh | None = dataclasses.field(default=None, repr=False)
    shape: tuple[int, ...] | None = None

    def __call__(self, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Features and, from a network whose classes mean something, their probabilities.

        The same for one picture whatever the others and the number of devices, up to the last
        digits of float32.

        Args:
          pictures: uint8 `[n, height, width, 1 or 3]`, n at least 1.

        Returns:
          float32 `[n, size]`; float32 `[n, classes]`, rows that sum to 1, or None.

        Raises:
          ValueError: for another shape or dtype.
        """
        if pictures.ndim != 4 or pictures.dtype != np.uint8 or pictures.shape[-1] not in (1, 3):
            raise ValueError(
                f"features are of uint8 [n, height, width, 1 or 3], not of {pictures.dtype} "
                f"{pictures.shape}"
            )
        if self.shape not in (None, pictures.shape[1:]):
            raise ValueError(f"{self.name} takes pictures {self.shape}, not {pictures.shape[1:]}")
        enough("a feature network", 1, picture=len(pictures))
        features, logits = classifier.in_batches(
            self.apply, self.params, pictures, self.batch_size, self.mesh
        )
        return features, np.asarray(jax.nn.softmax(logits)) if self.scored else None


def inception(
    path: str | os.PathLike[str],
    sha256: str | None = None,
    *,
    batch_size: int = 32,
    mesh: Mesh | None = None,
) -> Features:
    """Inception-v3 with weights from a file, as pytorch-fid runs it: 2048 features, 1008 classes.

    On a CPU a picture takes about a tenth of a second of one core.

    Args:
      path, sha256: as `load_inception` takes them; the published file's hash begins with 6726825d.
      batch_size: pictures at a time.
      mesh: the devices of this process that share them; all of them when None.

    Raises:
      UserError: as `load_inception`.
    """
    module, params, digest = load_inception(Path(path), sha256)

    @jax.jit
    def apply(params: Any, pictures: Array) -> tuple[Array, Array]:
        x = from_uint8(pictures)
        x = jnp.broadcast_to(x, (*x.shape[:-1], 3))
        with jax.default_matmul_precision("highest"):
            if x.shape[1:3] != (_SIDE, _SIDE):
                rows, columns = (bilinear_matrix(side, _SIDE) for side in x.shape[1:3])
                x = resample.resize(x, rows, columns)
            return cast(tuple[Array, Array], module.apply({"params": params}, x))

    mesh = mesh or make_mesh(jax.local_devices())
    published = digest.startswith(PUBLISHED)
    return Features(
        name="Inception-v3 2015-12-05, last pooling" + ("" if published else ", other weights"),
        sha256=digest,
        resize=f"bilinear to {_SIDE}x{_SIDE}, half-pixel centres, no antialiasing, in float32 (as "
        "pytorch-fid); [-1, 1]",
        size=2048,
        scored=True,
        warning="" if published else "not the published weights: compares with nothing published",
        params=classifier.replicated(params, mesh),
        apply=apply,
        batch_size=batch_size,
        mesh=mesh,
    )


def own(
    pictures: np.ndarray,
    labels: np.ndarray | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    *,
    steps: int = classifier.STEPS,
    batch_size: int = 256,
    mesh: Mesh | None = None,
) -> Features:
    """jaxgan's own features: a small classifier of the data set itself, trained or read again.

    It learns the labels. Where there are none, or one class only, it learns to tell by how many
    quarter turns a picture was turned (Gidaris et al. 2018, arXiv 1803.07728), and has no classes
    to score. A share of the pictures is held out to state how well it does. It is kept as
    `jaxgan-features/own-HASH.npz` under the data directory, HASH being that of the pictures, labels
    and recipe; where that cannot be written it is trained each time.

    Args:
      pictures: uint8 `[n, height, width, 1 or 3]`, n at least 20; squares where labels are missing.
      labels: int `[n]`, 0 or more, or None.
      data_dir: as in `prepared.data_root`.
      steps: of training; others than the default are another recipe.
      batch_size, mesh: as in `inception`.

    Raises:
      UserError: for fewer pictures.
      ValueError: for other shapes or dtypes.
    """
    if pictures.ndim != 4 or pictures.dtype != np.uint8:
        raise ValueError(f"expected uint8 [n, h, w, c], not {pictures.dtype} {pictures.shape}")
    enough("a feature network of the data's own", 20, real=len(pictures))
    if labels is not None and (labels.shape != (len(pictures),) or labels.min() < 0):
        raise ValueError(f"labels {labels.shape} do not go with {len(pictures)} pictures")
    if labels is not None and labels.min() == labels.max():
        labels = None
    classes = 4 if labels is None else int(labels.max()) + 1
    folder = data_root(data_dir) / "jaxgan-features"
    path = folder / f"own-{_data_hash(pictures, labels, steps)[:16]}.npz"
    shapes = jax.eval_shape(
        classifier.Classifier(classes).init,
        jax.random.key(0),
        jax.ShapeDtypeStruct((1, *pictures.shape[1:]), jnp.float32),
    )["params"]
    kept = _read(path, shapes)
    if kept is None:
        kept = _train(pictures, labels, classes, steps)
        _keep(path, *kept)
    params, accuracy = kept
    warning = "own features: compares only with figures of the same network"
    chance = 0.25 if labels is None else np.bincount(labels).max() / len(labels)
    if accuracy < chance + (1 - chance) / 4:
        warning += f"; its classifier hardly does better than chance ({100 * chance:.0f} %)"
    task = "of quarter turns" if labels is None else f"of {len(np.unique(labels))} classes"
    height, width, channels = pictures.shape[1:]
    mesh = mesh or make_mesh(jax.local_devices())
    return Features(
        name=f"own classifier {task}, held-out accuracy {100 * accuracy:.1f} % on "
        f"{len(_held_out(len(pictures))[1])} pictures",
        sha256=_params_hash(params),
        resize=f"none, {height}x{width}x{channels}; [-1, 1]",
        size=classifier.FEATURES,
        scored=labels is not None,
        warning=warning,
        params=classifier.replicated(params, mesh),
        apply=classifier.compiled(classes),
        batch_size=batch_size,
        mesh=mesh,
        shape=pictures.shape[1:],
    )


def _train(
    pictures: np.ndarray, labels: np.ndarray | None, classes: int, steps: int
) -> tuple[Any, float]:
    seen, unseen = _held_out(len(pictures))
    params = classifier.train(
        pictures[seen], None if labels is None else labels[seen], classes, steps=steps
    )
    params = _scaled(params, pictures[seen[:: max(len(seen) // 5000, 1)]], classes)
    test, wanted = pictures[unseen], None if labels is None else labels[unseen]
    if wanted is None:
        wanted = np.repeat(np.arange(4), len(test))
        test = classifier.turned(np.concatenate([test] * 4), wanted)
    return params, classifier.accuracy(params, test, wanted, classes)


def _scaled(params: Any, pictures: np.ndarray, classes: int) -> Any:
    """The same classifier with features of variance 1 on average, which training leaves open.

    Distances then do not say by how much, by accident, the features of a data set were stretched.
    """
    features, _ = classifier.in_batches(classifier.compiled(classes), params, pictures, 256)
    gain = np.float32(1.0 / max(np.sqrt(features.var(0).mean()), 1e-6))
    grown = {name: value * gain for name, value in params["features"].items()}
    shrunk = {**params["classes"], "kernel": params["classes"]["kernel"] / gain}
    return {**params, "features": grown, "classes": shrunk}


def _held_out(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from, and rows to state the accuracy on: a tenth, more of few pictures."""
    order = np.random.default_rng(0).permutation(count)
    held = min(max(count // 10, min(200, count // 4)), 5000)
    return np.sort(order[held:]), np.sort(order[:held])


def _data_hash(pictures: np.ndarray, labels: np.ndarray | None, steps: int) -> str:
    recipe = {
        "version": 1,
        "steps": steps,
        "batch_size": classifier.BATCH_SIZE,
        "learning_rate": classifier.LEARNING_RATE,
        "shift": classifier.SHIFT,
        "features": classifier.FEATURES,
        "shape": pictures.shape,
        "labels": labels is not None,
    }
    digest = hashlib.sha256(json.dumps(recipe).encode())
    digest.update(np.ascontiguousarray(pictures).data)
    if labels is not None:
        digest.update(np.ascontiguousarray(labels.astype("<i8")).data)
    return digest.hexdigest()


def _params_hash(params: Any) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(_flat(params).items()):
        digest.update(f"{name} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array.astype("<f4")).data)
    return digest.hexdigest()


def _flat(params: Any) -> dict[str, np.ndarray]:
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return {"/".join(key.key for key in path): leaf for path, leaf in leaves}


def _read(path: Path, shapes: Any) -> tuple[Any, float] | None:
    """Parameters and held-out accuracy that were kept; None if there are none that fit."""
    if not path.exists():
        return None
    try:
        arrays = read_weights(path)
    except UserError as error:
        processes.say(f"{error}; its feature network is trained again")
        return None
    accuracy = arrays.pop("held_out_accuracy", np.zeros(0))
    wanted = {name: leaf.shape for name, leaf in _flat(shapes).items()}
    if {name: array.shape for name, array in arrays.items()} != wanted or accuracy.shape:
        processes.say(f"{path} is not what it should be; its feature network is trained again")
        return None
    leaves = [arrays[name] for name in wanted]
    return jax.tree.unflatten(jax.tree.structure(shapes), leaves), float(accuracy)


def _keep(path: Path, params: Any, accuracy: float) -> None:
    unfinished = path.with_name(f".{path.stem}-{jax.process_index()}-{os.getpid()}.npz")
    arrays: dict[str, Any] = {**_flat(params), "held_out_accuracy": np.float64(accuracy)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(unfinished, **arrays)
        # Whoever reads it, at whatever moment, finds all of it or nothing.
        os.replace(unfinished, path)
    except OSError as error:
        processes.say(f"the feature network cannot be kept in {path}: {error.strerror or error}")
