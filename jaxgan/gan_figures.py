"""The figures of the plain GANs of pictures, measured as their flags say."""

import functools
from collections.abc import Callable

import numpy as np
from absl.flags import FlagValues

from jaxgan.data.examples import Labelled
from jaxgan.data.stacked import MODES
from jaxgan.errors import UserError
from jaxgan.experiment import Networks
from jaxgan.gan_data import Pictures
from jaxgan.metrics import features, own
from jaxgan.metrics.agreement import class_agreement
from jaxgan.metrics.augmentation import accuracies
from jaxgan.metrics.features import Features
from jaxgan.metrics.pictures import LEAST, PictureFigures, Reference
from jaxgan.metrics.stacked import classify_channels, stacked_modes
from jaxgan.metrics.stamp import Measured, enough
from jaxgan.systems.sampling import drawing

# Where pictures are drawn for something else than `figures`: so many at a time, for a classifier
# with seeds from here on.
DRAWN_AT_ONCE, AUGMENTATION_SEED = 250, 1 << 20


def check(source: Pictures, weights: str | None, sha256: str | None) -> None:
    """Raises UserError for feature weights that cannot be used, and for too few pictures."""
    if weights:
        features.inception(weights, sha256)
    elif sha256:
        raise UserError(
            f"--feature_weights_sha256={sha256} is the hash of no file: name one with "
            "--feature_weights"
        )
    without = "measuring figures (--eval_samples=0 trains without)"
    enough(without, own.LEAST, real=len(source.seen()))
    enough(without, LEAST, **{"held-out": len(source.judged())})


def figures(
    options: FlagValues, source: Pictures, class_count: int
) -> Callable[[Networks], Measured]:
    """The figures of `metrics.pictures`; with classes, also whether samples are of the class asked.

    Args:
      options: the flags' values: `--eval_samples`, `--latent_size`, `--feature_weights` and their
        hash, `--data_dir`.
      source: what is trained on and measured against.
      class_count: how many classes the networks know, if they are told one.

    Raises:
      UserError: `--eval_samples` is less than they need.
    """
    count, size = options.eval_samples, options.latent_size
    enough("--eval_samples: measuring pictures", LEAST, fake=count)

    weights, sha256 = options.feature_weights, options.feature_weights_sha256
    classifier = functools.cache(lambda: classifier_of(source, options.data_dir))

    def reference() -> Reference:
        judged = source.judged()
        network = features.inception(weights, sha256) if weights else classifier()
        return Reference(network, judged.pictures, judged.description)

    measure = PictureFigures(reference, count)

    def drawn_label(count: int, seed: int) -> np.ndarray:
        # As often as in the data.
        labels = source.seen().labels
        assert labels is not None
        return np.random.default_rng(seed).choice(labels, count)

    def evaluate(networks: Networks) -> Measured:
        if not class_count:
            return measure(drawing(networks, size))
        found = measure(drawing(networks, size, drawn_label))
        # In turn, they would always meet the same ones of several generators.
        asked = np.random.default_rng(0).permutation(count) % class_count
        draw = labelled_drawing(networks, size, asked, 0)
        if classifier().scored:
            seen = source.seen().description
            found |= class_agreement(draw, asked, classifier(), seen)
        return found

    return evaluate


def modes(options: FlagValues, digits: Pictures) -> Callable[[Networks], Measured]:
    """How many modes of stacked digits are found, as the `evaluate` of an experiment.

    Args:
      options: the flags' values, as in `figures`.
      digits: grey, one by one; their classifier looks at each channel.

    Raises:
      UserError: `--eval_samples` is less than there are modes, or there are feature weights.
    """
    count, size = options.eval_samples, options.latent_size
    if options.feature_weights:
        raise UserError(
            "--feature_weights: modes are told by a classifier of the digits; leave them out"
        )
    enough("--eval_samples: counting modes", MODES, fake=count)
    classifier = functools.cache(lambda: classifier_of(digits, options.data_dir))

    def evaluate(networks: Networks) -> Measured:
        network, draw = classifier(), drawing(networks, size)
        parts = [
            classify_channels(draw(DRAWN_AT_ONCE, seed), network)
            for seed in range(-(-count // DRAWN_AT_ONCE))
        ]
        found = stacked_modes(np.concatenate(parts)[:count])
        about = digits.seen().description
        stamp = network.stamp(
            "modes of stacked digits, by the class of each channel", 0, count, about
        )
        return Measured(
            {"modes": float(found.modes), "kl": found.kl}, {"modes": stamp, "kl": stamp}
        )

    return evaluate


def augmentation(
    both: Callable[[], tuple[Labelled, Labelled]], latent_size: int
) -> Callable[[Networks], Measured]:
    """What the samples are worth to a classifier, as the `conclude` of a conditional experiment."""

    def conclude(networks: Networks) -> Measured:
        def draw(labels: np.ndarray, seed: int) -> np.ndarray:
            order = np.random.default_rng(seed).permutation(len(labels))
            # Away from the seeds that `figures` draws with.
            first = AUGMENTATION_SEED + seed * len(labels)
            drawn = labelled_drawing(networks, latent_size, labels[order], first)
            return drawn[np.argsort(order)]

        return accuracies(*both(), draw)

    return conclude


def classifier_of(source: Pictures, data_dir: str | None) -> Features:
    """A classifier of the pictures that are trained on, as a feature network."""
    seen = source.seen()
    return own.own_features(seen.pictures, seen.labels, data_dir)


def labelled_drawing(
    networks: Networks, latent_size: int, labels: np.ndarray, first: int
) -> np.ndarray:
    """A sample of each of the classes `labels [n]`: uint8 [n, height, width, channels].

    Some are drawn at a time, with the seeds `first`, `first + 1`, ...
    """
    pictures = []
    for index, start in enumerate(range(0, len(labels), DRAWN_AT_ONCE)):
        part = labels[start : start + DRAWN_AT_ONCE].astype(np.int32)
        # Always as many at a time: another number would be compiled anew.
        missing = min(DRAWN_AT_ONCE, len(labels)) - len(part)
        whole = np.concatenate([part, np.zeros(missing, np.int32)])
        draw = drawing(networks, latent_size, functools.partial(_given, whole))
        pictures.append(draw(len(whole), first + index)[: len(part)])
    return np.concatenate(pictures)


def _given(label: np.ndarray, count: int, seed: int) -> np.ndarray:
    return label
