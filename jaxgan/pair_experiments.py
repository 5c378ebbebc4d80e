"""Experiments that learn from pairs, built as their flags say (pix2pix, `systems.paired`).

Their files are left with what is their own: networks, data, and what the input is made of.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

from jaxgan import image_flags
from jaxgan.data.images import read_image, read_stored
from jaxgan.data.label_maps import LabelCode, default_palette
from jaxgan.data.paired import Pairs, held_out_pairs, open_pairs, pair_crops
from jaxgan.errors import UserError
from jaxgan.experiment import Data, Experiment, Networks
from jaxgan.image_data import Sources, crops, with_themselves
from jaxgan.media import to_uint8
from jaxgan.metrics import segmentation
from jaxgan.metrics.stamp import Measured, Stamp
from jaxgan.nets.patch import PatchCritic, patch_critic
from jaxgan.nets.unet import UNet
from jaxgan.ops.pixels import from_uint8
from jaxgan.systems import translating
from jaxgan.systems.paired import Input, given_input, one_hot, paired
from jaxgan.systems.translating import Example

FLAGS = flags.FLAGS

# As in `image_flags`: flags belong to the file that has them defined.
flags.disclaim_key_flags()

Both = Callable[[], tuple[Pairs, Pairs]]

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


def painted(pairs: Pairs) -> Pairs:
    """Pairs whose inputs are pictures, whatever they were: label maps are painted."""
    code = pairs.labels
    if code is None:
        return pairs

    def read(index: int) -> tuple[np.ndarray, np.ndarray]:
        numbers, target = pairs[index]
        return code.paint(numbers), target

    names = [pairs.name(index) for index in range(len(pairs))]
    return Pairs(names, read, pairs.description)


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
        held_out=functools.cache(lambda: ready()[1]),
        read=_reader(both) if count else None,
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

    def evaluate(networks: Networks) -> Measured:
        made = translating.translations(examples(), through, networks)
        about = held_out().description
        return translating.closeness(examples(), made, about, beside_input=beside_input)

    measures = FLAGS.eval_pictures > 0
    system = paired(
        image_flags.player(generator, channels, averaged=True),
        image_flags.player(critic, channels, 3),
        image_flags.adversarial_loss(),
        make_input=make_input,
        labels=bool(getattr(FLAGS, "label_count", 0)),
        l1_weight=FLAGS.l1_weight,
        adversarial_weight=FLAGS.adversarial_weight,
        feature_matching=FLAGS.feature_matching,
    )
    return Experiment(
        system=system,
        phases=image_flags.turns(("generator",), ("critic",), ("generator", "critic")),
        data=data,
        evaluate=evaluate if measures else None,
        conclude=conclude if measures else None,
        preview=translating.comparison(examples, through),
        sample=translating.sample_files(read or read_picture, through),
        best="psnr_rgb" if measures else None,
    )


def example(
    index: int,
    name: str,
    given: np.ndarray,
    target: np.ndarray,
    *,
    make_input: Input,
    pairs: Pairs,
) -> Example:
    """A held-out pair as the generator and as people see it; always the same for an index."""
    batch = {"input": jnp.asarray(given)[None], "target": from_uint8(jnp.asarray(target)[None])}
    if pairs.labels is None:
        batch["input"] = from_uint8(batch["input"])
    made = np.asarray(make_input(batch, jax.random.fold_in(jax.random.key(0), index))[0])
    shown = visible(made) if pairs.labels is None else pairs.labels.paint(given)
    return Example(name, (made,), shown, target)


def visible(given: np.ndarray) -> np.ndarray:
    """Floats in [-1, 1] of one or three channels as uint8 [height, width, 3]."""
    return np.broadcast_to(to_uint8(given), (*given.shape[:2], 3))


def read_picture(path: Path) -> Example:
    """A user's picture as an input."""
    picture = read_image(path)
    given = np.asarray(from_uint8(jnp.asarray(picture)))
    return Example(path.name, (given,), picture)


def _reader(both: Both) -> Callable[[Path], Example]:
    """Reads a user's label map as those of the data are read."""

    def read(path: Path) -> Example:
        stored, count = read_stored(path), FLAGS.label_count
        # Only colours need the data, which say what they mean.
        plain = LabelCode(count, default_palette(count), by_colour=False)
        code = both()[0].labels if stored.numbers is None else plain
        assert code is not None
        numbers = code.read(stored, str(path))
        batch = {"input": jnp.asarray(numbers)[None]}
        given = np.asarray(one_hot(FLAGS.label_count)(batch, jax.random.key(0))[0])
        return Example(path.name, (given,), code.paint(numbers))

    return read


def fcn_score(both: Both, multiple: int) -> Callable[[Networks], Measured]:
    """The FCN-score of generated and of real held-out pictures, as an experiment's `conclude`.

    A segmentation network is trained on the real pairs that the generator was trained on, as
    squares of `--side` pixels.
    """
    through = translating.by("generator", multiple)

    @functools.cache
    def squares(which: int) -> tuple[np.ndarray, np.ndarray]:
        found = held_out_pairs(both()[which], side=FLAGS.side)
        return np.stack([target for _, _, target in found]), np.stack([m for _, m, _ in found])

    @functools.cache
    def segmenter() -> Any:
        return segmentation.train(*squares(0), FLAGS.label_count, void=void())

    def void() -> tuple[int, ...]:
        return () if FLAGS.ignore_label is None else (FLAGS.ignore_label,)

    def conclude(networks: Networks) -> Measured:
        real, labels = squares(1)
        make = one_hot(FLAGS.label_count)
        made = []
        for numbers in labels:
            given = make({"input": jnp.asarray(numbers)[None]}, jax.random.key(0))
            shown = np.zeros((*numbers.shape, 3), np.uint8)
            made.append(through(networks, Example("", (np.asarray(given[0]),), shown)))
        figures: dict[str, float] = {}
        for suffix, pictures in (("", np.stack(made)), ("_real", real)):
            found = segmentation.scores(
                segmenter(), pictures, labels, FLAGS.label_count, void=void()
            )
            figures |= {f"fcn_{name}{suffix}": value for name, value in found._asdict().items()}
        stamp = Stamp(
            f"FCN-score: a small segmentation network of jaxgan's own after {segmentation.STEPS} "
            f"steps on {len(squares(0)[0])} real pairs",
            len(real),
            len(made),
            both()[1].description,
            warning="compares only with figures of the same network",
        )
        return Measured(figures, {name: stamp for name in figures if not name.endswith("_real")})

    return conclude
