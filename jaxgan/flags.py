"""The flags of the engine. Experiments change their defaults; only main.py and experiments read
them. What experiments share is handed the values: one or two by name, many as `options`."""

from absl import flags

flags.DEFINE_string(
    "experiment", None, "An experiment's name (see --list), or the path to a file of your own."
)
flags.DEFINE_enum(
    "mode",
    "train",
    ["train", "eval", "sample"],
    "Train (or go on with a run), measure a trained run, or make samples with it.",
)
flags.DEFINE_bool("list", False, "Show every experiment with a line each, and exit.")
flags.DEFINE_string("run_dir", None, "Where the run lives. Default: runs/EXPERIMENT.")
flags.DEFINE_enum(
    "scale",
    "auto",
    ["auto", "small", "full"],
    "full: the paper's sizes. small: sizes that teach something on two CPU cores in ten minutes. "
    "auto: full where the experiment's data set is prepared (or, with --data=folder:PATH, where "
    "there is a GPU or TPU), else small.",
)
flags.DEFINE_string(
    "data",
    "sample",
    "A TFDS name (mnist, emnist/letters, celeb_a#Smiling with an attribute as the label), "
    "folder:PATH or zip:PATH (a folder for each class; train/ and val/ are told apart; a folder "
    "inside a zip may follow), video:PATH, or `sample`, which needs no network; where pictures fit "
    "in memory also npz:PATH, csv:PATH (the label, then pixels) and idx:PATH (MNIST's own files).",
)
flags.DEFINE_string(
    "classes",
    None,
    "Where the data has labels: the classes to use, by name, and ranges of them: A,C-E. Default: "
    "all.",
)
flags.DEFINE_string("held_out", None, "Data to measure on, named as --data is.")
flags.DEFINE_string(
    "data_dir",
    None,
    "Where TFDS data sets are, and what is made of data once. Default: ~/tensorflow_datasets.",
)
flags.DEFINE_bool("skip_broken", False, "Leave out files that cannot be read, and say which.")
flags.DEFINE_integer("steps", 10_000, "Steps to train for.", lower_bound=1)
flags.DEFINE_integer("batch_size", 64, "Examples in a batch, over all devices.", lower_bound=1)
flags.DEFINE_string("loss", "bce", "bce, lsgan, wgan, wgan_gp, hinge or relativistic.")
flags.DEFINE_integer("seed", 0, "Seed of everything that is random.", lower_bound=0)
flags.DEFINE_enum(
    "dtype",
    "float32",
    ["float32", "bfloat16"],
    "What the networks compute in; parameters, losses and statistics stay float32.",
)
flags.DEFINE_enum(
    "update",
    "alternating",
    ["alternating", "simultaneous"],
    "Whether a phase sees the other players after or before their move in the same step.",
)
flags.DEFINE_bool(
    "share_fake", True, "Phases of a step reuse one forward pass of the generator (exact)."
)
flags.DEFINE_integer(
    "accumulate", 1, "Work through a batch in this many parts, to save memory.", lower_bound=1
)
flags.DEFINE_bool("fsdp", False, "Split large parameters over the devices instead of copying them.")
flags.DEFINE_bool(
    "deterministic", False, "On a GPU: the same bits in every run, at the price of slower kernels."
)
flags.DEFINE_integer(
    "steps_per_dispatch",
    1,
    "Steps that the device takes at one call of the host, at most; for tiny networks. Such a group "
    "of steps ends where a line is logged, at measurements and checkpoints, and where other phases "
    "play: with a phase that plays every k-th step, groups have 1 and k - 1 steps.",
    lower_bound=1,
)
flags.DEFINE_integer("log_every", 50, "Steps between console lines.", lower_bound=1)
flags.DEFINE_integer(
    "eval_every", 1000, "Steps between measurements, sample grids and their checkpoints.", 1
)
flags.DEFINE_integer("checkpoint_every", 1000, "Steps between checkpoints.", lower_bound=1)
flags.DEFINE_integer("keep", 2, "Newest checkpoints to keep, beside the best one.", lower_bound=1)
flags.DEFINE_string(
    "checkpoint", "newest", "For eval and sample: `newest`, `best`, or the number of a step."
)
flags.DEFINE_string("input", None, "For sample: what to work on, where the experiment takes one.")
flags.DEFINE_string("output", None, "For sample: the file to write, or a folder.")
flags.DEFINE_integer("count", 64, "For sample: how many samples to draw.", lower_bound=1)
flags.DEFINE_string(
    "coordinator",
    None,
    "HOST:PORT of process 0, where several processes train one run; the same for all of them. Not "
    "needed on TPU VMs and under Slurm.",
)
flags.DEFINE_integer(
    "processes",
    None,
    "With --coordinator: how many processes there are. 1 keeps to this process in any case.",
    lower_bound=1,
)
flags.DEFINE_integer("process_index", None, "With --coordinator: which process this is, from 0.")
flags.DEFINE_integer("join_timeout", 300, "Seconds to wait for the other processes.", lower_bound=1)

# What a run was begun with and cannot go on without: it decides what the numbers in its checkpoints
# (the position in the data, the random key) mean.
FIXED = ("experiment", "data", "classes", "scale", "seed", "batch_size")
# What its figures mean: the best checkpoint is chosen among figures of one kind.
MEASURED = ("held_out", "eval_samples", "eval_pictures", "feature_weights")
# What concerns one command only, and is not part of a run's configuration.
PER_COMMAND = (
    "mode",
    "list",
    "run_dir",
    "checkpoint",
    "input",
    "output",
    "count",
    "coordinator",
    "processes",
    "process_index",
    "join_timeout",
)
