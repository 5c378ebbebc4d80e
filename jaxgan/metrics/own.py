"""jaxgan's own feature network: a small classifier of a data set, for where no other is given."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from jaxgan import processes
from jaxgan.data.prepared import data_root
from jaxgan.errors import UserError
from jaxgan.metrics import classifier
from jaxgan.metrics.features import Features
from jaxgan.metrics.stamp import enough
from jaxgan.parallel import make_mesh
from jaxgan.weights import read_weights

# Pictures that one is trained on, at least.
LEAST = 20


def own_features(
    pictures: np.ndarray,
    labels: np.ndarray | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    *,
    steps: int | None = None,
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
      steps: of training, `classifier.STEPS` if None; others are another recipe.
      batch_size, mesh: as in `inception`.

    Raises:
      UserError: for fewer pictures.
      ValueError: for other shapes or dtypes.
    """
    if pictures.ndim != 4 or pictures.dtype != np.uint8:
        raise ValueError(f"expected uint8 [n, h, w, c], not {pictures.dtype} {pictures.shape}")
    enough("a feature network of the data's own", LEAST, real=len(pictures))
    if labels is not None and (labels.shape != (len(pictures),) or labels.min() < 0):
        raise ValueError(f"labels {labels.shape} do not go with {len(pictures)} pictures")
    if labels is not None and labels.min() == labels.max():
        labels = None
    classes = 4 if labels is None else int(labels.max()) + 1
    steps = steps or classifier.STEPS
    folder = data_root(data_dir) / "jaxgan-features"
    path = folder / f"own-{_data_hash(pictures, labels, steps)[:16]}.npz"
    shapes = jax.eval_shape(
        classifier.Classifier(classes).init,
        jax.random.key(0),
        jax.ShapeDtypeStruct((1, *pictures.shape[1:]), jnp.float32),
    )["params"]
    kept = _read(path, shapes)
    if kept is None:
        processes.say(f"trains a small feature network on the data, once; kept in {folder}")
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
