"""Experiments that learn from pairs, built as their flags say (pix2pix, `systems.paired`).

Their files are left with what is their own: networks, data, and what the input is made of.
`options` are the flags' values.
"""

import functools
from collections.abc import Callable
from pathlib import Path

import flax.linen as nn
import numpy as np
from absl.flags import FlagValues

from jaxgan import image_flags, pair_flags
from jaxgan.data.images import read_image
from jaxgan.data.paired import held_out_pairs, open_pairs, pair_crops
from jaxgan.data.pairs import Pairs
from jaxgan.errors import UserError
from jaxgan.experiment import Data, Experiment, Networks
from jaxgan.image_data import Sources, crops, with_themselves
from jaxgan.metrics.perceptual import Perceptual
from jaxgan.metrics.stamp import Measured
from jaxgan.pair_figures import fcn_score, patch_distances
from jaxgan.pair_inputs import Both, example, label_reader, painted, read_picture, visible
from jaxgan.systems import translating
from jaxgan.systems.paired import Input, given_input, one_hot, paired
from jaxgan.systems.superres import vgg_features
from jaxgan.systems.translating import Example


def open_both(options: FlagValues, sample: str) -> Both:
    """The pairs that the flags name, to train on and held out; opened when first asked for."""
    return functools.cache(
        lambda: open_pairs(
            options.data,
            direction=options.direction,
            data_dir=options.data_dir,
            skip_broken=options.skip_broken,
            sample=sample,
            side=options.side,
            label_count=options.label_count,
            held_out=options.held_out,
        )
    )


def unet_on_pairs(options: FlagValues, sample: str) -> Experiment:
    """pix2pix as its authors have it: a U-Net and a critic of patches, on pairs of the data.

    Args:
      options: the flags' values.
      sample: what `--data=sample` is, one of `sample_pairs.PAIRS`.
    """
    generator, both = pair_flags.unet(options), open_both(options, sample)
    scored = None
    if options.label_count:
        scored = fcn_score(
            both,
            generator.multiple,
            side=options.side,
            label_count=options.label_count,
            ignore_label=options.ignore_label,
        )
    return from_pairs(
        options,
        generator,
        pair_flags.critic(options),
        both,
        multiple=generator.multiple,
        conclude=scored,
    )


def from_pairs(
    options: FlagValues,
    generator: nn.Module,
    critic: nn.Module,
    both: Both,
    *,
    multiple: int,
    conclude: Callable[[Networks], Measured] | None = None,
) -> Experiment:
    """pix2pix on pairs of the data: label maps or pictures to pictures.

    Args:
      options: the flags' values.
      generator: inputs to pictures in [-1, 1].
      critic: `(input, picture)` to logits.
      both: as `open_both` gives it.
      multiple: what the generator's sides must divide by.
      conclude: as in `Experiment`.
    """
    count = options.label_count

    def ready() -> tuple[Pairs, Pairs]:
        train, held_out = both()
        return (train, held_out) if count else (painted(train), painted(held_out))

    def data() -> Data:
        train, held_out = ready()
        load = pair_crops(train, side=options.side, jitter=options.jitter, mirror=options.mirror)
        return Data(load, len(train), {**train.description, "held_out": held_out.description})

    return _experiment(
        options,
        generator,
        critic,
        make_input=one_hot(count) if count else given_input,
        channels=count or 3,
        data=data,
        train=lambda: ready()[0],
        held_out=functools.cache(lambda: ready()[1]),
        read=label_reader(both, count) if count else None,
        labels=bool(count),
        multiple=multiple,
        conclude=conclude,
    )


def from_targets(
    options: FlagValues,
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
      options, generator, critic, multiple: as in `from_pairs`.
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
        options,
        generator,
        critic,
        make_input=make_input,
        channels=channels,
        data=crops(both, "target", side=options.side, jitter=options.jitter, mirror=options.mirror),
        train=lambda: with_themselves(both()[0]),
        held_out=functools.cache(lambda: with_themselves(both()[1])),
        read=read,
        multiple=multiple,
        beside_input=True,
    )


def _experiment(
    options: FlagValues,
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
    labels: bool = False,
    beside_input: bool = False,
    conclude: Callable[[Networks], Measured] | None = None,
) -> Experiment:
    through = translating.by("generator", multiple)

    @functools.cache
    def examples() -> list[Example]:
        pairs = held_out()
        chosen = pairs.take(range(min(len(pairs), options.eval_pictures or len(pairs))))
        return [
            example(index, *pair, make_input=make_input, pairs=pairs)
            for index, pair in enumerate(held_out_pairs(chosen, side=options.side))
        ]

    distances = patch_distances(
        train, examples, through, side=options.side, data_dir=options.data_dir
    )

    def concluded(networks: Networks) -> Measured:
        found = distances(networks)
        return found if conclude is None else found | conclude(networks)

    lpips = functools.cache(lambda: Perceptual(options.lpips_backbone, options.lpips_heads))

    def evaluate(networks: Networks) -> Measured:
        made = translating.translations(examples(), through, networks)
        about = held_out().description
        found = translating.closeness(examples(), made, about, beside_input=beside_input)
        if options.lpips_backbone:
            targets = [example.target for example in examples() if example.target is not None]
            found |= lpips()(targets, made, about)
        return found

    def checked_data() -> Data:
        if options.lpips_backbone:
            # Here, where nothing has been written yet.
            lpips()
        return data()

    measures = options.eval_pictures > 0
    if bool(options.vgg_weights) != bool(options.perceptual_weight):
        raise UserError("a perceptual loss needs both --vgg_weights and --perceptual_weight")
    if bool(options.lpips_backbone) != bool(options.lpips_heads):
        raise UserError("LPIPS needs both --lpips_backbone and --lpips_heads")
    system = paired(
        image_flags.player(options, generator, channels, averaged=True),
        image_flags.player(options, critic, channels, 3),
        image_flags.adversarial_loss(options.loss),
        make_input=make_input,
        labels=labels,
        l1_weight=options.l1_weight,
        adversarial_weight=options.adversarial_weight,
        feature_matching=options.feature_matching,
        features=vgg_features(options.vgg_weights) if options.vgg_weights else None,
        perceptual_weight=options.perceptual_weight,
    )
    return Experiment(
        system=system,
        phases=image_flags.turns(
            ("generator",),
            ("critic",),
            ("generator", "critic"),
            adversarial_weight=options.adversarial_weight,
        ),
        data=checked_data,
        evaluate=evaluate if measures else None,
        conclude=concluded if measures else None,
        preview=translating.comparison(examples, through),
        sample=translating.sample_files(read or read_picture, through),
        best="psnr_rgb" if measures else None,
    )
