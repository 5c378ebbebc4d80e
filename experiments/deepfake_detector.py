"""Real faces told from generated ones, and from those of a generator never seen in training.

    python -m jaxgan.main --experiment=deepfake_detector --data=folder:real,folder:fakes \\
      --other_fakes=folder:others
    python -m jaxgan.main --mode=sample --run_dir=runs/deepfake_detector --input=faces \\
      --output=faces.csv

Real pictures, generated ones, and as --other_fakes those of another generator. What a generator
writes in the lower corner to say so is not looked at: the detector sees the upper four fifths of
each file. Without data, faces against eigenfaces of them, and morphs as the other generator's.
Figures, held out: accuracy and area under the curve, for both generators. --mode=sample writes the
chance that each picture is generated.
"""

import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

from jaxgan import image_flags
from jaxgan.data.fake_faces import faces_and_fakes
from jaxgan.data.images import read_image
from jaxgan.data.pictures import ArraySource, Source
from jaxgan.data.sources import open_source
from jaxgan.data.unpaired import Domains, open_domains, unpaired_crops, unpaired_size
from jaxgan.errors import UserError
from jaxgan.experiment import Data, Experiment, Networks, SampleRequest
from jaxgan.game import Phase
from jaxgan.image_data import middles
from jaxgan.media import Grid
from jaxgan.metrics.ranking import area_under_curve
from jaxgan.metrics.stamp import Measured, Stamp, enough
from jaxgan.nets.patch import ImageCritic
from jaxgan.ops.pixels import from_uint8
from jaxgan.state import Network
from jaxgan.systems.detecting import detecting
from jaxgan.systems.translating import picture_files

FLAGS = flags.FLAGS

FLAGS.set_default("steps", 20_000)
FLAGS.set_default("batch_size", 64)

image_flags.define(side=64, decay_from=1.0, jitter=1.1)
flags.DEFINE_string("other_fakes", None, "Pictures of a generator that is not trained on.")
flags.DEFINE_list("augment", ["colour", "translation"], "How both kinds are changed in training.")

SMALL = {
    "steps": 400,
    "batch_size": 16,
    "critic_channels": 16,
    "learning_rate": 5e-4,
    "eval_pictures": 200,
    "eval_every": 100,
    "checkpoint_every": 100,
}

TINY = {**image_flags.TINY, "eval_pictures": 6}

# Of a file's height; the mark of `provenance` is below.
SEEN = 0.8
# Pictures of each kind in a preview.
SHOWN = 10


class Upper:
    """A source's pictures without what is in their lowest part."""

    def __init__(self, source: Source):
        self._source = source
        self.description = source.description

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> np.ndarray:
        return upper(self._source[index])

    def name(self, index: int) -> str:
        return self._source.name(index)

    def size(self, index: int) -> tuple[int, int]:
        height, width = self._source.size(index)
        return max(round(SEEN * height), 1), width


def upper(picture: np.ndarray) -> np.ndarray:
    """What the detector looks at of a picture, uint8 [height, width, 3]."""
    return picture[: max(round(SEEN * len(picture)), 1)]


@functools.cache
def sample() -> tuple[Domains, Domains, Source]:
    return faces_and_fakes(round(FLAGS.side * FLAGS.jitter))


def pictures() -> tuple[Domains, Domains, Source | None]:
    """Real and generated pictures, to train on and held out; and another generator's, if any."""
    if FLAGS.data == "sample":
        if FLAGS.other_fakes:
            raise UserError("--other_fakes goes with --data=REAL,FAKES; the sample has its own")
        return sample()
    options = {"data_dir": FLAGS.data_dir, "skip_broken": FLAGS.skip_broken}
    parts = open_domains(FLAGS.data, side=FLAGS.side, held_out=FLAGS.held_out, **options)
    train, held_out = (Domains(Upper(part.a), Upper(part.b)) for part in parts)
    other = Upper(open_source(FLAGS.other_fakes, **options)) if FLAGS.other_fakes else None
    return train, held_out, other


@jax.jit
def logits_of(network: Network, faces: jax.Array) -> jax.Array:
    return network(from_uint8(faces))


def scores(network: Network, faces: np.ndarray) -> np.ndarray:
    """Logits of squares, uint8 [n, side, side, 3]; above 0 for real ones."""
    return np.asarray(logits_of(network, faces))


def experiment() -> Experiment:
    side = FLAGS.side
    both = functools.cache(pictures)
    network = ImageCritic(
        width=FLAGS.critic_channels, batch_norm=False, dtype=jnp.dtype(FLAGS.dtype)
    )

    def data() -> Data:
        train, held_out, _ = both()
        if FLAGS.eval_pictures:
            for name, part in zip(("real", "generated"), held_out, strict=True):
                enough("an accuracy", 2, **{f"held-out {name}": len(part)})
        load = unpaired_crops(train, side=side, jitter=FLAGS.jitter, mirror=FLAGS.mirror)
        about = {"real": train.a.description, "generated": train.b.description}
        description = {"kind": "real and generated", "where": FLAGS.data, **about}
        return Data(load, unpaired_size(train), description)

    def evaluate(networks: Networks) -> Measured:
        _, held_out, other = both()
        real = scores(networks["detector"], middles(held_out.a, side, FLAGS.eval_pictures))
        figures: dict[str, float] = {}
        stamps: dict[str, Stamp] = {}
        for suffix, source in (("", held_out.b), ("_other", other)):
            if source is None:
                continue
            fake = scores(networks["detector"], middles(source, side, FLAGS.eval_pictures))
            # Of each kind by itself, as there may be more of one.
            figures[f"accuracy{suffix}"] = float(((real > 0).mean() + (fake < 0).mean()) / 2)
            figures[f"auc{suffix}"] = area_under_curve(real, fake)
            for name in ("accuracy", "auc"):
                metric = "mean of both kinds' accuracy" if name == "accuracy" else "area under ROC"
                stamps[name + suffix] = Stamp(metric, len(real), len(fake), source.description)
        return Measured(figures, stamps)

    def preview(networks: Networks) -> dict[str, Grid]:
        """Some of each kind, from the one most taken for generated to the one most for real."""
        _, held_out, other = both()
        kinds = {"real": held_out.a, "generated": held_out.b, "other": other}
        rows, labels = [], []
        for name, source in kinds.items():
            if source is not None:
                faces = middles(source, side, SHOWN)
                rows.append(list(faces[np.argsort(scores(networks["detector"], faces))]))
                labels.append(name)
        return {"preview": Grid(rows, labels=labels)}

    def sample_chances(networks: Networks, request: SampleRequest) -> Path:
        rows = ["file,generated"]
        for file in picture_files(request.input):
            face = middles(ArraySource([upper(read_image(file))]), side, 1)
            logit = float(scores(networks["detector"], face)[0])
            rows.append(f"{file.name},{1 / (1 + np.exp(logit)):.4f}")
        try:
            request.output.write_text("\n".join(rows) + "\n")
        except OSError as error:
            raise UserError(f"--output={request.output}: {error.strerror or error}") from None
        return request.output

    return Experiment(
        system=detecting(
            image_flags.player(FLAGS, network, 3, averaged=True), tuple(FLAGS.augment)
        ),
        phases=(Phase("detector", ("detector",), "detector"),),
        data=data,
        evaluate=evaluate if FLAGS.eval_pictures else None,
        preview=preview,
        sample=sample_chances,
        best="auc" if FLAGS.eval_pictures else None,
    )
