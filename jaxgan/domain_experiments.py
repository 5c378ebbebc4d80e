"""Experiments with two domains and no pairs, built as their flags say (`systems.unpaired`)."""

import functools
from collections.abc import Callable
from pathlib import Path

import flax.linen as nn
import numpy as np
from absl import flags
from absl.flags import FlagValues

from jaxgan import image_flags
from jaxgan.data.images import read_image
from jaxgan.data.unpaired import Domains, unpaired_crops, unpaired_size
from jaxgan.experiment import Data, Experiment, Networks, SampleRequest
from jaxgan.image_data import middles, open_two
from jaxgan.media import Grid
from jaxgan.metrics import own
from jaxgan.metrics.pictures import LEAST, PictureFigures, Reference
from jaxgan.metrics.stamp import Measured, Stamp, enough
from jaxgan.ops.pixels import from_uint8
from jaxgan.systems import translating
from jaxgan.systems.translating import Example
from jaxgan.systems.unpaired import unpaired

# As in `image_flags`: flags belong to the file that has them defined.
flags.disclaim_key_flags()

# Of a large domain so many pictures are learned from by the feature network.
MOST_SEEN = 2000
# Rows of each direction that a preview shows.
SHOWN = 4


def define(pool_size: int = 50) -> None:
    """Defines the flags that come to those of `image_flags`."""
    flags.DEFINE_float("cycle_weight", 10.0, "Of coming back to the picture itself.", 0.0)
    flags.DEFINE_float(
        "identity_weight", 0.5, "Of leaving the own domain alone, in shares of --cycle_weight.", 0.0
    )
    flags.DEFINE_integer("pool_size", pool_size, "Fakes of the past shown to the critics.", 0)
    flags.DEFINE_enum(
        "direction", "AtoB", ["AtoB", "BtoA"], "For --mode=sample: what becomes what."
    )


def from_domains(
    options: FlagValues, generator: nn.Module, critic: nn.Module, *, sample: str, multiple: int
) -> Experiment:
    """CycleGAN on what `--data` names.

    Args:
      options: the flags' values.
      generator: pictures to pictures in [-1, 1]; there are two of these.
      critic: pictures to logits; two as well.
      sample: what `--data=sample` is, one of `sample_domains.DOMAINS`.
      multiple: what the generators' sides must divide by.
    """
    side = options.side
    there, back = (translating.by(name, multiple) for name in ("a_to_b", "b_to_a"))

    both = functools.cache(functools.partial(open_two, options, sample))

    def data() -> Data:
        train, held_out = both()
        if options.eval_pictures:
            for name, domain in zip("AB", held_out, strict=True):
                count = min(len(domain), options.eval_pictures)
                figures = "measuring both ways (--eval_pictures=0 trains without)"
                enough(figures, LEAST, **{f"held-out {name}": count})
        load = unpaired_crops(train, side=side, jitter=options.jitter, mirror=options.mirror)
        about = {name: domain.description for name, domain in zip("ab", train, strict=True)}
        apart = {name: domain.description for name, domain in zip("ab", held_out, strict=True)}
        description = {"kind": "two domains", "where": options.data, **about, "held_out": apart}
        return Data(load, unpaired_size(train), description)

    @functools.cache
    def held_out() -> tuple[np.ndarray, np.ndarray]:
        a, b = (middles(domain, side, options.eval_pictures or SHOWN) for domain in both()[1])
        return a, b

    def preview(networks: Networks) -> dict[str, Grid]:
        rows = []
        for pictures, first, second in zip(held_out(), (there, back), (back, there), strict=True):
            for picture in pictures[:SHOWN]:
                made = first(networks, as_example(picture))
                rows.append([picture, made, second(networks, as_example(made))])
        labels = [f"{way}" for way in ("A to B", "B to A") for _ in range(len(rows) // 2)]
        return {"preview": Grid(rows, ("input", "output", "and back"), labels)}

    def read(path: Path) -> Example:
        return as_example(read_image(path), path.name)

    def sample_either(networks: Networks, request: SampleRequest) -> Path:
        through = there if options.direction == "AtoB" else back
        return translating.sample_files(read, through)(networks, request)

    maker = image_flags.player(options, generator, 3, averaged=True)
    judge = image_flags.player(options, critic, 3)
    evaluate = both_ways(both, held_out, (there, back), side=side, data_dir=options.data_dir)
    return Experiment(
        system=unpaired(
            maker,
            maker,
            judge,
            judge,
            image_flags.adversarial_loss(options.loss),
            shape=(side, side, 3),
            batch_size=options.batch_size,
            pool_size=options.pool_size,
            cycle_weight=options.cycle_weight,
            identity_weight=options.identity_weight,
        ),
        phases=image_flags.turns(
            ("a_to_b", "b_to_a"),
            ("critic_a", "critic_b"),
            ("generators", "critics"),
            adversarial_weight=options.adversarial_weight,
            order="generators first",
        ),
        data=data,
        evaluate=evaluate if options.eval_pictures else None,
        preview=preview,
        sample=sample_either,
    )


def both_ways(
    both: Callable[[], tuple[Domains, Domains]],
    held_out: Callable[[], tuple[np.ndarray, np.ndarray]],
    ways: tuple[translating.Translate, translating.Translate],
    *,
    side: int,
    data_dir: str | None,
) -> Callable[[Networks], Measured]:
    """FID and KID of each direction and the error of the round trips, as an `evaluate`.

    The feature network is jaxgan's own, which tells the domains apart. Each direction's fakes are
    compared with the held-out pictures of the domain that they should be of; `fid_ab_input` is the
    same of the pictures before translation, which a useful generator must be below.

    Args:
      both: opens the domains, to train on and held out.
      held_out: the squares of the latter's that are measured on, uint8 [n, side, side, 3] each.
      ways: from the first domain to the second, and back.
      side: of the squares, in pixels.
      data_dir: where the feature network is kept; None: where TFDS data sets are.
    """

    @functools.cache
    def features() -> own.Features:
        a, b = (middles(domain, side, MOST_SEEN) for domain in both()[0])
        labels = np.repeat(np.arange(2), (len(a), len(b)))
        return own.own_features(np.concatenate([a, b]), labels, data_dir)

    @functools.cache
    def measures() -> tuple[PictureFigures, ...]:
        found = []
        for real, fakes, domain in zip(held_out()[::-1], held_out(), both()[1][::-1], strict=True):
            reference = functools.partial(Reference, features(), real, domain.description)
            found.append(PictureFigures(reference, len(fakes), draw_size=len(fakes)))
        return tuple(found)

    @functools.cache
    def untranslated() -> tuple[float, ...]:
        pairs = zip(measures(), held_out(), strict=True)
        return tuple(measure(_given(fakes)).figures["fid"] for measure, fakes in pairs)

    def evaluate(networks: Networks) -> Measured:
        figures: dict[str, float] = {}
        stamps: dict[str, Stamp] = {}
        for index, name in enumerate(("ab", "ba")):
            first, second = ways if name == "ab" else ways[::-1]
            pictures = held_out()[index]
            made = [first(networks, as_example(picture)) for picture in pictures]
            home = [second(networks, as_example(picture)) for picture in made]
            found = measures()[index](_given(np.stack(made)))
            for figure in ("fid", "kid"):
                figures[f"{figure}_{name}"] = found.figures[figure]
                stamps[f"{figure}_{name}"] = found.stamps[figure]
            figures[f"fid_{name}_input"] = untranslated()[index]
            away = np.abs(np.stack(home).astype(np.float64) - pictures).mean() / 255
            figures[f"cycle_error_{name[0]}"] = float(away)
            stamps[f"cycle_error_{name[0]}"] = Stamp(
                "mean distance to itself after both generators, values in [0, 1]",
                len(pictures),
                len(pictures),
                both()[1][index].description,
            )
        return Measured(figures, stamps)

    return evaluate


def as_example(picture: np.ndarray, name: str = "") -> Example:
    """A picture, uint8 [height, width, 3], to be translated."""
    return Example(name, (from_uint8(picture),), picture)


def _given(pictures: np.ndarray) -> Callable[[int, int], np.ndarray]:
    return lambda count, seed: pictures[:count]
