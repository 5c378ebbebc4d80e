"""Two people's faces exchanged: one encoder, a decoder and a critic for each of them.

    python -m jaxgan.main --experiment=faceswap --data=video:film_a.mp4,video:film_b.mp4
    python -m jaxgan.main --mode=sample --run_dir=runs/faceswap --input=film_a.mp4 \\
      --output=swapped.mp4

Two films, or folder:film_a,folder:film_b with their frames, cut to the faces; the last tenth of a
film is held out. For sampling a film, a frame or a folder of frames, whose faces become those of
the other person (--direction=BtoA for the other way). A film keeps its size, its rate and its
sound, and is written as .mp4, .mkv or .webm. What is written says that it is synthetic: in a
corner, and in its metadata. Films need `pip install -e '.[video]'`. Without data, drawn faces of
two people who do not exist, at sizes for two CPU cores.
Figures, on held-out frames: PSNR of each person's own face after the coder, and the share of
swapped faces that a classifier of jaxgan's own takes for the other person.
"""

from absl import flags

from jaxgan import face_experiments, image_flags
from jaxgan.experiment import Experiment

FLAGS = flags.FLAGS

FLAGS.set_default("steps", 100_000)
FLAGS.set_default("batch_size", 64)

image_flags.define(side=64, channels=128, learning_rate=5e-5, decay_from=1.0)
image_flags.define_critic(34)
FLAGS.set_default("adversarial_weight", 0.1)
flags.DEFINE_float("warp", 0.03, "Strength of the warp that the encoder sees faces through.", 0.0)
flags.DEFINE_float("face_weight", 10.0, "Of the distance to the face.", 0.0)
flags.DEFINE_enum("direction", "AtoB", ["AtoB", "BtoA"], "For --mode=sample: who becomes whom.")

SMALL = {
    "steps": 2_000,
    "batch_size": 8,
    "channels": 24,
    "critic_channels": 16,
    "learning_rate": 5e-4,
    "jitter": 1.05,
    "eval_every": 250,
    "checkpoint_every": 250,
}

TINY = {**image_flags.TINY, "receptive_field": 16}


def experiment() -> Experiment:
    return face_experiments.swap_faces(FLAGS, "people")
