"""Experiments that learn from pairs, built as their flags say (pix2pix, `systems.paired`).

Their files are left with what is their own: networks, data, and what the input is made of.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from absl import flags

from jaxgan import image_flags
from jaxgan.data.images import read_image
from jaxgan.data.paired import held_out_pairs, open_pairs, pair_crops
from jaxgan.data.pairs import Pairs
from jaxgan.errors import UserError
from jaxgan.experiment import Data, Experiment, Networks
from jaxgan.image_data import Sources, crops, with_themselves
from jaxgan.metrics.perceptual import Perceptual
from jaxgan.metrics.stamp import Measured
from jaxgan.nets.patch import PatchCritic, patch_critic
from jaxgan.nets.unet import UNet
from jaxgan.pair_figures import fcn_score, patch_distances
from jaxgan.pair_inputs import Both, example, label_reader, painted, read_picture, visible
from jaxgan.systems import translating
from jaxgan.systems.paired import Input, given_input, one_hot, paired
from jaxgan.systems.superres import vgg_features
from jaxgan.systems.translating import Example

FLAGS = flags.FLAGS

# As in `image_flags`: flags belong to the file that has them defined.
flags.disclaim_key_flags()

# Sizes for a test of an experiment that makes pictures of pictures.
TINY = {
    "steps": 4,
    "batch_size": 2,
    "side": 32,
    "channels": 2,
    "critic_channels": 2,
    "receptive_field": 16,
    "eval_pictures": 12,
    "scale": "small",
}
# Sizes for two CPU cores: a few minutes.
SMALL = {
    "steps": 1_500,
    "batch_size": 4,
    "side": 64,
    "channels": 32,
    "critic_channels": 32,
    "receptive_field": 34,
    "learning_rate": 5e-4,
    "eval_every": 250,
    "checkpoint_every": 250,
}
# U-Nets halve no further (arXiv 1611.07004, section 6.1.1).
DEEPEST = 8


def define(
    *, receptive_field: int, direction: str = "AtoB", label_count: int = 0, **defaults: Any
) -> None:
    """Defines the flags of an experiment with pairs.

    Args:
      receptive_field: of the critic.
      direction: which side is the input.
      label_count: how many classes the label maps have; 0 where inputs are pictures.
      defaults: as `image_flags.define` takes them.
    """
    define_photographs(receptive_field=receptive_field, **defaults)
    flags.DEFINE_enum("direction", direction, ["AtoB", "BtoA"], "Which side is the input.")
    flags.DEFINE_integer(
        "label_count",
        label_count,
        "Classes of the label maps that are the input; 0: the inputs are pictures.",
        0,
        255,
    )
    flags.DEFINE_integer(
        "ignore_label", None, "The class of label maps that means none: it is not scored."
    )


def define_photographs(*, receptive_field: int, l1_weight: float = 100.0, **defaults: Any) -> None:
    """Defines the flags of an experiment whose inputs are made of photographs."""
    image_flags.define(**defaults)
    image_flags.define_critic(receptive_field)
    flags.DEFINE_float("l1_weight", l1_weight, "Of the distance to the target.", 0.0)
    flags.DEFINE_string("vgg_weights", None, "VGG-19 weights (.pth, .npz) for --perceptual_weight.")
    flags.DEFINE_float(
        "perceptual_weight", 0.0, "Of the distance of VGG-19's features to the target's.", 0.0
    )
    flags.DEFINE_string(
        "lpips_backbone", None, "AlexNet's or VGG-16's weights (.pth, .npz), to measure LPIPS with."
    )
    flags.DEFINE_string("lpips_heads", None, "The heads of LPIPS 0.1 (.pth, .npz) for it.")
    flags.DEFINE_float(
        "feature_matching", 0.0, "Of matching the critic's features, pair by pair; 0: none.", 0.0
    )


def open_both(sample: str) -> Both:
    """The pairs that the flags name, to train on and held out; opened when first asked for."""
    return functools.cache(
        lambda: open_pairs(
            FLAGS.data,
            direction=FLAGS.direction,
            data_dir=FLAGS.data_dir,
            skip_broken=FLAGS.skip_broken,
            sample=sample,
            side=FLAGS.side,
            label_count=FLAGS.label_count,
            held_out=FLAGS.held_out,
        )
    )


def unet() -> UNet:
    """The U-Net that the flags describe, down to a single pixel if `--side` is a power of two.

    Raises:
      UserError: `--side` cannot be halved often enough.
    """
    depth = min((FLAGS.side & -FLAGS.side).bit_length() - 1, DEEPEST)
    if depth < 3:
        raise UserError(f"--side={FLAGS.side} must be a multiple of 8, better a power of two")
    return UNet(depth=depth, channels=FLAGS.channels, dtype=jnp.dtype(FLAGS.dtype))


def critic() -> PatchCritic:
    """The critic of patches that the flags describe.

    Raises:
      UserError: there is none of that receptive field, or the pictures are too small for it.
    """
    dtype = jnp.dtype(FLAGS.dtype)
    return patch_critic(
        FLAGS.receptive_field, channels=FLAGS.critic_channels, norm="batch", dtype=dtype
    )


def unet_on_pairs(sample: str) -> Experiment:
    """pix2pix as its authors have it: a U-Net and a critic of patches, on pairs of the data.

    Args:
      sample: what `--data=sample` is, one of `sample_pairs.PAIRS`.
    """
    generator, both = unet(), open_both(sample)
    scored = fcn_score(both, generator.multiple) if FLAGS.label_count else None
    return from_pairs(generator, critic(), both, multiple=generator.multiple, conclude=scored)


def from_pairs(
    generator: nn.Module,
    critic: nn.Module,
    both: Both,
    *,
    multiple: int,
    conclude: Callable[[Networks], Measured] | None = None,
) -> Experiment:
    """pix2pix on pairs of the data: label maps or pictures to pictures.

    Args:
      generator: inputs to pictures in [-1, 1].
      critic: `(input, picture)` to logits.
      both: as `open_both` gives it.
      multiple: what the generator's sides must divide by.
      conclude: as in `Experiment`.
    """
    count = FLAGS.label_count

    def ready() -> tuple[Pairs, Pairs]:
        train, held_out = both()
        return (train, held_out) if count else (painted(train), painted(held_out))

    def data() -> Data:
        train, held_out = ready()
        load = pair_crops(train, side=FLAGS.side, jitter=FLAGS.jitter, mirror=FLAGS.mirror)
        return Data(load, len(train), {**train.description, "held_out": held_out.description})

    return _experiment(
        generator,
        critic,
        make_input=one_hot(count) if count else given_input,
        channels=count or 3,
        data=data,
        train=lambda: ready()[0],
        held_out=functools.cache(lambda: ready()[1]),
        read=label_reader(both) if count else None,
        multiple=multiple,
        conclude=conclude,
    )


def from_targets(
    generator: nn.Module,
    critic: nn.Module,
    both: Callable[[], Sources],
    *,
    make_input: Input,
    channels: int,
    multiple: int,
    read_input: Callable[[np.ndarray], np.ndarray],
) -> Experiment:
    """pix2pix on photographs alone, whose inputs are made of them on the device.

    Args:
      generator, critic, multiple: as in `from_pairs`.
      both: opens the photographs, as `image_data.open_photographs`.
      make_input: makes inputs of `batch["target"]`.
      channels: of these inputs.
      read_input: makes one, float32 [height, width, channels], of a user's picture, uint8
        [height, width, 3].
    """

    def read(path: Path) -> Example:
        picture = read_image(path)
        given = read_input(picture)
        return Example(path.name, (given,), visible(given))

    return _experiment(
        generator,
        critic,
        make_input=make_input,
        channels=channels,
        data=crops(both, "target"),
        train=lambda: with_themselves(both()[0]),
        held_out=functools.cache(lambda: with_themselves(both()[1])),
        read=read,
        multiple=multiple,
        beside_input=True,
    )


def _experiment(
    generator: nn.Module,
    critic: nn.Module,
    *,
    make_input: Input,
    channels: int,
    data: Callable[[], Data],
    train: Callable[[], Pairs],
    held_out: Callable[[], Pairs],
    read: Callable[[Path], Example] | None,
    multiple: int,
    beside_input: bool = False,
    conclude: Callable[[Networks], Measured] | None = None,
) -> Experiment:
    through = translating.by("generator", multiple)

    @functools.cache
    def examples() -> list[Example]:
        pairs = held_out()
        chosen = pairs.take(range(min(len(pairs), FLAGS.eval_pictures or len(pairs))))
        return [
            example(index, *pair, make_input=make_input, pairs=pairs)
            for index, pair in enumerate(held_out_pairs(chosen, side=FLAGS.side))
        ]

    distances = patch_distances(train, examples, through)

    def concluded(networks: Networks) -> Measured:
        found = distances(networks)
        return found if conclude is None else found | conclude(networks)

    lpips = functools.cache(lambda: Perceptual(FLAGS.lpips_backbone, FLAGS.lpips_heads))

    def evaluate(networks: Networks) -> Measured:
        made = translating.translations(examples(), through, networks)
        about = held_out().description
        found = translating.closeness(examples(), made, about, beside_input=beside_input)
        if FLAGS.lpips_backbone:
            targets = [example.target for example in examples() if example.target is not None]
            found |= lpips()(targets, made, about)
        return found

    def checked_data() -> Data:
        if FLAGS.lpips_backbone:
            # Here, where nothing has been written yet.
            lpips()
        return data()

    measures = FLAGS.eval_pictures > 0
    if bool(FLAGS.vgg_weights) != bool(FLAGS.perceptual_weight):
        raise UserError("a perceptual loss needs both --vgg_weights and --perceptual_weight")
    if bool(FLAGS.lpips_backbone) != bool(FLAGS.lpips_heads):
        raise UserError("LPIPS needs both --lpips_backbone and --lpips_heads")
    system = paired(
        image_flags.player(generator, channels, averaged=True),
        image_flags.player(critic, channels, 3),
        image_flags.adversarial_loss(),
        make_input=make_input,
        labels=bool(getattr(FLAGS, "label_count", 0)),
        l1_weight=FLAGS.l1_weight,
        adversarial_weight=FLAGS.adversarial_weight,
        feature_matching=FLAGS.feature_matching,
        features=vgg_features(FLAGS.vgg_weights) if FLAGS.vgg_weights else None,
        perceptual_weight=FLAGS.perceptual_weight,
    )
    return Experiment(
        system=system,
        phases=image_flags.turns(("generator",), ("critic",), ("generator", "critic")),
        data=checked_data,
        evaluate=evaluate if measures else None,
        conclude=concluded if measures else None,
        preview=translating.comparison(examples, through),
        sample=translating.sample_files(read or read_picture, through),
        best="psnr_rgb" if measures else None,
    )
