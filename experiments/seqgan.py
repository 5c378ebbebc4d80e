"""SeqGAN: sentences, by a generator that learns by policy gradient (Yu et al. 2017).

    python -m jaxgan.main --experiment=seqgan
    python -m jaxgan.main --experiment=seqgan --data=captions.txt
    python -m jaxgan.main --experiment=seqgan --data=names.txt --unit=character --length=12
    python -m jaxgan.main --mode=sample --run_dir=runs/seqgan --output=out.txt --count=100

arXiv 1609.05473: an LSTM is taught by maximum likelihood, then plays against a text CNN, whose
opinion of sentences completed by sampling is the reward of each word. Without data, sentences of a
small grammar, which then says what share of the generated ones is right (`grammatical`). Figures:
BLEU and self-BLEU, and the negative log-likelihood of held-out sentences (`nll`), at the end of the
first phase and afterwards. Text files have a sentence a line; --data=zip:PATH and folder:PATH too.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl import flags

from jaxgan import losses, sentence_figures
from jaxgan.data.sentences import Corpus, no_spelling, open_corpus, spelling
from jaxgan.errors import UserError
from jaxgan.experiment import Data, Experiment
from jaxgan.game import Phase
from jaxgan.metrics.stamp import enough
from jaxgan.nets.seqgan import SequenceCritic, SequenceGenerator
from jaxgan.state import PlayerSpec
from jaxgan.systems.seqgan import seqgan

FLAGS = flags.FLAGS

FLAGS.set_default("steps", 22_000)
FLAGS.set_default("batch_size", 64)

flags.DEFINE_enum("unit", "word", ["word", "character"], "What a token is.")
flags.DEFINE_integer("length", 20, "Tokens of a sentence at most, its end among them.", 2)
flags.DEFINE_integer("vocabulary_size", 5_000, "Ids of tokens that there are, three of no word.", 4)
flags.DEFINE_integer("embedding", 32, "Dimensions of a token's vector in the generator.", 1)
flags.DEFINE_integer("hidden", 32, "Units of the generator's LSTM.", 1)
flags.DEFINE_list(
    "windows",
    ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "15", "20"],
    "Tokens that the critic's filters see.",
)
flags.DEFINE_list(
    "filters",
    ["100", "200", "200", "200", "200", "100", "100", "100", "100", "100", "160", "160"],
    "How many filters there are of each of --windows.",
)
flags.DEFINE_integer("critic_embedding", 64, "Dimensions of a token's vector in the critic.", 1)
flags.DEFINE_float("dropout", 0.25, "The share that is left out in the critic.", 0.0, 0.99)
flags.DEFINE_integer("pretrain_steps", 18_000, "Steps of maximum likelihood, at the start.", 0)
flags.DEFINE_integer(
    "critic_steps", 2_000, "Steps between both phases in which the critic alone learns.", 0
)
flags.DEFINE_integer("n_critic", 5, "The critic's steps to one of the generator's.", 1)
flags.DEFINE_integer("rollouts", 16, "Completions of each prefix.", 1)
flags.DEFINE_integer("rollouts_at_once", 1, "How many of them are made at once; takes memory.", 1)
flags.DEFINE_float("pretrain_learning_rate", 1e-2, "Adam's, in the first phase.", 0.0)
flags.DEFINE_float("learning_rate", 1e-3, "The generator's afterwards.", 0.0)
flags.DEFINE_float("critic_learning_rate", 1e-4, "The critic's.", 0.0)
flags.DEFINE_float(
    "ema_halflife", 0.0, "Of the generator's moving average, then the rollout policy; 0: none.", 0.0
)
flags.DEFINE_integer("eval_samples", 1_000, "Sentences to measure figures on; 0: none.", 0)

SMALL = {
    "steps": 2_000,
    "length": 14,
    "vocabulary_size": 64,
    "embedding": 32,
    "hidden": 64,
    "windows": ["1", "2", "3", "4", "6", "8"],
    "filters": ["32", "32", "32", "32", "32", "32"],
    "critic_embedding": 32,
    "pretrain_steps": 600,
    "critic_steps": 300,
    "n_critic": 2,
    "rollouts": 4,
    "pretrain_learning_rate": 5e-3,
    "critic_learning_rate": 1e-3,
    "eval_every": 200,
    "checkpoint_every": 200,
}

TINY = {
    "steps": 4,
    "pretrain_steps": 1,
    "critic_steps": 0,
    "batch_size": 4,
    "hidden": 4,
    "embedding": 4,
    "critic_embedding": 4,
    "windows": "2",
    "filters": "3",
    "n_critic": 1,
    "rollouts": 1,
    "eval_samples": 8,
    "length": 8,
    "scale": "small",
}


def experiment() -> Experiment:
    windows, filters = whole_numbers("windows"), whole_numbers("filters")
    if len(windows) != len(filters) or max(windows) > FLAGS.length:
        raise UserError(
            f"--windows={','.join(FLAGS.windows)} needs as many --filters, and none may be longer "
            f"than --length={FLAGS.length}"
        )
    if FLAGS.loss != "bce":
        raise UserError(f"--loss={FLAGS.loss}: the reward is a probability; use bce")
    if FLAGS.eval_samples:
        enough("--eval_samples: measuring sentences", 2, fake=FLAGS.eval_samples)
    size, length, dtype = FLAGS.vocabulary_size, FLAGS.length, jnp.dtype(FLAGS.dtype)

    @functools.cache
    def corpus() -> Corpus:
        return open_corpus(
            FLAGS.data,
            unit=FLAGS.unit,
            length=length,
            vocabulary_size=size,
            held_out=FLAGS.held_out,
        )

    def spelt() -> np.ndarray:
        # A checkpoint has its own, and the data may be somewhere else.
        return spelling(corpus().vocabulary, size) if FLAGS.mode == "train" else no_spelling(size)

    def data() -> Data:
        rows = corpus().train
        return Data(lambda indices, seeds: {"real": rows[indices]}, len(rows), corpus().description)

    evaluate = sentence_figures.figures(
        corpus,
        count=FLAGS.eval_samples,
        length=length,
        drawn_from_grammar=FLAGS.data == "sample" and FLAGS.unit == "word",
    )
    sequences = (jax.ShapeDtypeStruct((1, length), jnp.int32),)
    rates = [optax.constant_schedule(FLAGS.pretrain_learning_rate)]
    rates.append(optax.constant_schedule(FLAGS.learning_rate))
    judged_from = FLAGS.pretrain_steps + FLAGS.critic_steps
    return Experiment(
        system=seqgan(
            PlayerSpec(
                SequenceGenerator(size, spelt, FLAGS.embedding, FLAGS.hidden, dtype),
                sequences,
                optax.chain(
                    optax.clip_by_global_norm(5.0),
                    optax.adam(optax.join_schedules(rates, [FLAGS.pretrain_steps])),
                ),
                FLAGS.ema_halflife or None,
            ),
            PlayerSpec(
                SequenceCritic(
                    size, windows, filters, FLAGS.critic_embedding, FLAGS.dropout, dtype
                ),
                sequences,
                optax.adam(FLAGS.critic_learning_rate),
            ),
            losses.bce(),
            rollouts=FLAGS.rollouts,
            at_once=FLAGS.rollouts_at_once,
        ),
        phases=(
            Phase("pretrain", ("generator",), "pretrain", stop=FLAGS.pretrain_steps),
            Phase(
                "critic", ("critic",), "critic", repeats=FLAGS.n_critic, start=FLAGS.pretrain_steps
            ),
            Phase("generator", ("generator",), "generator", start=judged_from),
        ),
        data=data,
        evaluate=evaluate if FLAGS.eval_samples else None,
        preview=sentence_figures.preview(length, FLAGS.unit),
        sample=sentence_figures.sample_text(length, FLAGS.unit),
    )


def whole_numbers(flag: str) -> tuple[int, ...]:
    """The values of a flag that lists whole numbers above 0."""
    values = FLAGS[flag].value or []
    if not values or not all(str(value).isdecimal() and int(value) > 0 for value in values):
        raise UserError(f"--{flag}={','.join(map(str, values))}: give whole numbers above 0")
    return tuple(map(int, values))
