"""The figures of pictures that were asked for with a text."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from jaxgan.data.captioned import Captioned, Texts
from jaxgan.experiment import Networks
from jaxgan.metrics import features, own
from jaxgan.metrics.agreement import aspect_agreement
from jaxgan.metrics.features import Features
from jaxgan.metrics.pictures import LEAST, Draw, PictureFigures, Reference
from jaxgan.metrics.stamp import Measured, enough
from jaxgan.systems.sampling import drawing

# Pictures that are drawn at a time, with seeds from here on where classes are asked for in turn.
DRAWN_AT_ONCE, AGREEMENT_SEED = 250, 1 << 21


def check(options: Any, seen: Captioned, judged: Captioned) -> None:
    """Raises UserError for feature weights that cannot be used, and for too few pictures."""
    if options.feature_weights:
        features.inception(options.feature_weights, options.feature_weights_sha256)
    without = "measuring figures (--eval_samples=0 trains without)"
    enough(without, own.LEAST, real=len(seen))
    enough(without, LEAST, **{"held-out": len(judged)})


def figures(
    options: Any,
    seen: Callable[[], Captioned],
    judged: Callable[[], Captioned],
    texts: Callable[[Networks], Texts],
) -> Callable[[Networks], Measured]:
    """FID and its kin and, where pictures have classes, whether samples show what was asked for.

    For FID the captions of random pictures are asked for, as often as in the data; for the
    agreement captions of each class, equally often. A classifier that was trained on the real
    pictures judges it.

    Args:
      options: the flags' values.
      seen: what is trained on.
      judged: what samples are measured against.
      texts: the ids of `seen`'s captions, as the networks read them.

    Raises:
      UserError: `--eval_samples` is less than they need.
    """
    count, size = options.eval_samples, options.latent_size
    enough("--eval_samples: measuring pictures", LEAST, fake=count)

    @functools.cache
    def classifier() -> Features:
        return own.own_features(seen().pictures, seen().labels, options.data_dir)

    def reference() -> Reference:
        weights, sha256 = options.feature_weights, options.feature_weights_sha256
        network = features.inception(weights, sha256) if weights else classifier()
        return Reference(network, judged().pictures, judged().description)

    measure = PictureFigures(reference, count)

    def evaluate(networks: Networks) -> Measured:
        ids = texts(networks)

        def random_captions(count: int, seed: int) -> np.ndarray:
            random = np.random.default_rng(seed)
            rows = random.integers(len(seen()), size=count)
            return ids.of(rows, random.integers(1 << 30, size=count).astype(np.uint64))

        found = measure(drawing(networks, size, random_captions))
        labels = seen().labels
        if labels is None or not classifier().scored:
            return found
        random = np.random.default_rng(0)
        asked = random.permutation(count) % len(seen().classes)
        rows = np.empty(count, np.int64)
        for label in np.unique(asked):
            members = np.flatnonzero(labels == label)
            rows[asked == label] = random.choice(members, int((asked == label).sum()))
        told = ids.of(rows, random.integers(1 << 30, size=count).astype(np.uint64))
        samples = told_drawing(networks, size, told, AGREEMENT_SEED)
        about = seen().description
        return found | aspect_agreement(samples, asked, classifier(), about, seen().aspects)

    return evaluate


def told_drawing(networks: Networks, latent_size: int, told: np.ndarray, first: int) -> np.ndarray:
    """A sample of each text: uint8 [n, height, width, channels].

    Args:
      networks: as `evaluate` gets them.
      latent_size: dimensions of the latent.
      told: int32 [n, length], ids.
      first: seed of the first batch of `DRAWN_AT_ONCE`; the others follow.
    """
    at_once = min(DRAWN_AT_ONCE, len(told))
    pictures = []
    for index, start in enumerate(range(0, len(told), at_once)):
        part = told[start : start + at_once]
        # Always as many at a time: another number would be compiled anew.
        whole = np.concatenate([part, np.repeat(told[:1], at_once - len(part), axis=0)])
        draw = _drawing(networks, latent_size, whole)
        pictures.append(draw(at_once, first + index)[: len(part)])
    return np.concatenate(pictures)


def _drawing(networks: Networks, latent_size: int, told: np.ndarray) -> Draw:
    return drawing(networks, latent_size, lambda count, seed: told)
