"""Experiments that draw what a text asks for, built as their flags' values say.

Their files are left with what is their own: networks, data, sizes.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl import flags

from jaxgan import losses, text_figures
from jaxgan.data.captioned import (
    Captioned,
    Texts,
    described,
    gather,
    make_lexicon,
    read_texts,
)
from jaxgan.data.text import make_tokeniser
from jaxgan.data.vocabulary import Lexicon, array_shapes
from jaxgan.errors import UserError
from jaxgan.experiment import Data, Experiment, Networks
from jaxgan.game import Phase
from jaxgan.metrics.stamp import Measured
from jaxgan.nets.text2image import WithLexicon
from jaxgan.ops.augment import AUGMENTATIONS, check_names
from jaxgan.state import PlayerSpec
from jaxgan.systems.sampling import Asked, sample_file, sample_grid
from jaxgan.systems.text2image import text2image
from jaxgan.systems.view import View

# The flags belong to the file that calls `define`: to its --help and to its runs' configuration.
flags.disclaim_key_flags()


def define(
    *,
    vocabulary_size: int,
    text_length: int,
    stop_words: bool,
    learning_rate: float = 2e-4,
    l1_weight: float = 0.0,
    r1_weight: float = 0.0,
    ema_halflife: float = 0.0,
    label_smoothing: float = 0.0,
    eval_samples: int = 2000,
) -> None:
    """Defines the flags, with defaults of the experiment's own."""
    flags.DEFINE_string(
        "text", None, "For sample: what to draw. Default: the texts that the preview shows."
    )
    flags.DEFINE_integer(
        "vocabulary_size", vocabulary_size, "Ids of words that there are, the most frequent.", 3
    )
    flags.DEFINE_integer("text_length", text_length, "Words of a text that are read.", 1)
    flags.DEFINE_bool("stop_words", stop_words, "Leave out words such as `the`.")
    flags.DEFINE_enum(
        "word_forms",
        "lemma",
        ["none", "stem", "lemma"],
        "What words are brought to: WordNet's lemmas where nltk has its data, or Porter's stems.",
    )
    flags.DEFINE_integer("latent_size", 100, "Dimensions of the latent.", 1)
    flags.DEFINE_float("learning_rate", learning_rate, "Adam's, for both players.", 0.0)
    flags.DEFINE_float("b1", 0.5, "Adam's memory of past gradients, below 1.", 0.0, 0.9999)
    flags.DEFINE_float("l1_weight", l1_weight, "Of the distance to the real picture.", 0.0)
    flags.DEFINE_float(
        "wrong_share", 0.5, "Of real pictures with a wrong text in what the critic rejects.", 0.0
    )
    flags.DEFINE_float(
        "feature_matching", 0.0, "Of matching the mean of the critic's last hidden layer.", 0.0
    )
    flags.DEFINE_float("r1_weight", r1_weight, "Of R1 on the critic; 0: none.", 0.0)
    flags.DEFINE_float(
        "label_smoothing",
        label_smoothing,
        "With --loss=bce: real labels are 1 less this, for the critic.",
        0.0,
    )
    flags.DEFINE_list(
        "augment",
        [],
        f"Differentiable augmentation of what the critic sees: any of {','.join(AUGMENTATIONS)}.",
    )
    flags.DEFINE_bool("mirror", False, "Turn half of the pictures left to right.")
    flags.DEFINE_float(
        "ema_halflife", ema_halflife, "Of the generator's moving average, in samples; 0: none.", 0.0
    )
    flags.DEFINE_integer("eval_samples", eval_samples, "Samples to measure figures on; 0: none.", 0)
    flags.DEFINE_string(
        "feature_weights",
        None,
        "Inception-v3 weights (.pth, .npz) to measure figures with; without them, with a small "
        "classifier that is trained on the data.",
    )
    flags.DEFINE_string("feature_weights_sha256", None, "The hash that they must have.")


class Source(NamedTuple):
    """What an experiment trains on and is measured against; opened when first asked for."""

    seen: Callable[[], Captioned]
    judged: Callable[[], Captioned]


def sources(options: Any, open_part: Callable[[str, str], Captioned]) -> Source:
    """The data that `--data` and `--held_out` name.

    Args:
      options: the flags' values.
      open_part: `(data, part)` to pictures; the part is 'train' or 'held out'.
    """
    seen = functools.cache(lambda: open_part(options.data, "train"))

    @functools.cache
    def judged() -> Captioned:
        return open_part(options.held_out, "held out") if options.held_out else seen()

    return Source(seen, judged)


def pictures_of_texts(
    options: Any,
    generator: nn.Module,
    critic: nn.Module,
    sample_shape: tuple[int, int, int],
    source: Source,
    *,
    classes: int = 0,
    shown: int = 16,
    whole_vocabulary: bool = False,
    columns: int = 8,
    magnify: int = 1,
) -> Experiment:
    """An experiment that draws what a text asks for.

    Args:
      options: the flags' values.
      generator: `(latent, ids)` to pictures; it is given the words to keep.
      critic: `(pictures, ids)` to logits.
      sample_shape: of the pictures.
      source: the data.
      classes: how many meanings there are, if that is known; for the metric `diversity`.
      shown: texts that are kept for previews and samples.
      whole_vocabulary: whether a word for which there is no id is a mistake.
      columns, magnify: of the grids.
    """
    check_names(options.augment)
    size, length = options.vocabulary_size, options.text_length

    @functools.cache
    def lexicon() -> Lexicon:
        tokeniser = make_tokeniser(stop_words=options.stop_words, forms=options.word_forms)
        found = source.seen()
        made = make_lexicon(found, tokeniser, size=size, length=length, shown=shown)
        if whole_vocabulary:
            every = {caption for lines in found.captions for caption in lines}
            used = {token for caption in every for token in tokeniser(caption)}
            lost = sorted(used - set(made.vocabulary.words))
            if lost:
                raise UserError(
                    f"--vocabulary_size={size} leaves no id for {', '.join(lost)}: raise it"
                )
        return made

    texts = functools.cache(lambda: read_texts(source.seen(), lexicon()))

    def arrays() -> Mapping[str, np.ndarray]:
        if options.mode == "train":
            return lexicon().arrays(size, shown)
        # The checkpoint has them, and the data may be somewhere else.
        return {name: np.zeros(s, np.uint8) for name, s in array_shapes(size, shown).items()}

    def kept(networks: Networks) -> Lexicon:
        return Lexicon.from_arrays(networks["generator"].variables["lexicon"], length)

    def data() -> Data:
        found = described(source.seen(), lexicon(), texts())
        if options.eval_samples:
            # Here, where nothing has been written yet.
            text_figures.check(options, found, source.judged())
        load = gather(found, texts(), mirror=options.mirror)
        return Data(load, len(found), found.description)

    def texts_read(networks: Networks) -> Texts:
        return read_texts(source.seen(), kept(networks))

    def asked(networks: Networks) -> Asked:
        known = kept(networks)
        if options.mode == "train" and known.vocabulary != lexicon().vocabulary:
            raise UserError(
                "the words of the data are not those that the run began with: go back to the first "
                "data and flags, or begin a new run with another --run_dir"
            )
        wanted = known.texts if options.text is None else (options.text,)
        return Asked(np.stack([known.read(text) for text in wanted]), wanted)

    measures = options.eval_samples > 0
    evaluate: Callable[[Networks], Measured] | None = None
    if measures:
        evaluate = text_figures.figures(options, source.seen, source.judged, texts_read)
    adam = optax.adam(options.learning_rate, b1=options.b1)
    text = jax.ShapeDtypeStruct((1, length), jnp.int32)
    latent = jax.ShapeDtypeStruct((1, options.latent_size), jnp.float32)
    pictures = jax.ShapeDtypeStruct((1, *sample_shape), jnp.float32)
    spec = PlayerSpec(WithLexicon(generator, arrays), (latent, text), adam)
    system = text2image(
        replace(spec, ema_halflife=options.ema_halflife or None),
        PlayerSpec(critic, (pictures, text), adam),
        adversarial_loss(options),
        latent_size=options.latent_size,
        wrong_share=options.wrong_share,
        l1_weight=options.l1_weight,
        feature_matching=options.feature_matching,
        r1_weight=options.r1_weight,
        classes=classes,
        view=View(tuple(options.augment)),
    )
    return Experiment(
        system=system,
        phases=(
            Phase("critic", ("critic",), "critic"),
            Phase("generator", ("generator",), "generator"),
        ),
        data=data,
        evaluate=evaluate,
        preview=sample_grid(options.latent_size, columns=columns, magnify=magnify, asked=asked),
        sample=sample_file(options.latent_size, columns=columns, asked=asked),
        best="fid" if measures else None,
        best_mode="min",
    )


def adversarial_loss(options: Any) -> losses.AdversarialLoss:
    """The loss that the flags name.

    Raises:
      UserError: one that needs a Lipschitz critic, which these experiments have no way to ask for.
    """
    if options.loss in ("wgan", "wgan_gp"):
        raise UserError(
            f"--loss={options.loss} needs a Lipschitz critic, which this experiment has not; use "
            "bce, lsgan, hinge or relativistic"
        )
    return losses.by_name(options.loss, options.label_smoothing)
