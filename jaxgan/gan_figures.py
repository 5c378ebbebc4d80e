"""The figures of the plain GANs of pictures, measured as their flags say."""

import functools
from collections.abc import Callable

import numpy as np
from absl import flags

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

FLAGS = flags.FLAGS

# Where pictures are drawn for something else than `figures`: so many at a time, for a classifier
# with seeds from here on.
DRAWN_AT_ONCE, AUGMENTATION_SEED = 250, 1 << 20


def check(size: int) -> None:
    """Raises UserError for feature weights that cannot be used, or too few pictures of the data."""
    if FLAGS.feature_weights:
        inception_features()
    enough("measuring figures (--eval_samples=0 trains without)", own.LEAST, real=size)


def figures(source: Pictures, class_count: int) -> Callable[[Networks], Measured]:
    """The figures of `metrics.pictures`; with classes, also whether samples are of the class asked.

    Raises:
      UserError: `--eval_samples` is less than they need.
    """
    count, size = FLAGS.eval_samples, FLAGS.latent_size
    enough("--eval_samples: measuring pictures", LEAST, fake=count)

    classifier = functools.cache(functools.partial(classifier_of, source))

    def reference() -> Reference:
        judged = source.judged()
        network = inception_features() if FLAGS.feature_weights else classifier()
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
        asked = (np.arange(count) % class_count).astype(np.int32)
        draw = drawing(networks, size, functools.partial(_given, asked))
        if classifier().scored:
            seen = source.seen().description
            found |= class_agreement(draw, asked, classifier(), seen)
        return found

    return evaluate


def modes(digits: Pictures) -> Callable[[Networks], Measured]:
    """How many modes of stacked digits are found, as the `evaluate` of an experiment.

    Args:
      digits: grey, one by one; their classifier looks at each channel.

    Raises:
      UserError: `--eval_samples` is less than there are modes, or there are feature weights.
    """
    count, size = FLAGS.eval_samples, FLAGS.latent_size
    if FLAGS.feature_weights:
        raise UserError(
            "--feature_weights: modes are told by a classifier of the digits; leave them out"
        )
    enough("--eval_samples: counting modes", MODES, fake=count)

    def evaluate(networks: Networks) -> Measured:
        network, draw = classifier_of(digits), drawing(networks, size)
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
    both: Callable[[], tuple[Labelled, Labelled]],
) -> Callable[[Networks], Measured]:
    """What the samples are worth to a classifier, as the `conclude` of a conditional experiment."""

    def conclude(networks: Networks) -> Measured:
        def draw(labels: np.ndarray, seed: int) -> np.ndarray:
            parts = np.array_split(labels, -(-len(labels) // DRAWN_AT_ONCE))
            # Away from the seeds that `figures` draws with.
            first = AUGMENTATION_SEED + seed * len(parts)
            pictures = []
            for index, part in enumerate(parts):
                drawn = drawing(networks, FLAGS.latent_size, functools.partial(_given, part))
                pictures.append(drawn(len(part), first + index))
            return np.concatenate(pictures)

        return accuracies(*both(), draw)

    return conclude


def classifier_of(source: Pictures) -> Features:
    """A classifier of the pictures that are trained on, as a feature network."""
    seen = source.seen()
    return own.own_features(seen.pictures, seen.labels, FLAGS.data_dir)


def inception_features() -> Features:
    """Inception-v3 with the weights that the flags name; UserError if they are something else."""
    return features.inception(FLAGS.feature_weights, FLAGS.feature_weights_sha256)


def _given(label: np.ndarray, count: int, seed: int) -> np.ndarray:
    return label
