"""Figures of generators that learn from pairs: FID and KID of patches, and the FCN-score."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import processes
from jaxgan.data.paired import held_out_pairs
from jaxgan.data.pairs import Pairs
from jaxgan.experiment import Networks
from jaxgan.metrics import own, pictures, segmentation
from jaxgan.metrics.pictures import PictureFigures, Reference
from jaxgan.metrics.stamp import Measured, Stamp
from jaxgan.pair_inputs import Both
from jaxgan.systems import translating
from jaxgan.systems.paired import one_hot
from jaxgan.systems.translating import Example

# Pictures that the feature network of patches learns from, at most.
MOST_SEEN = 500
# Pictures whose quarters are enough for the figures and for the feature network.
LEAST = {"held out": -(-pictures.LEAST // 4), "to train on": -(-own.LEAST // 4)}


def quarters(squares: Sequence[np.ndarray]) -> np.ndarray:
    """Upper left, upper right, lower left and lower right of each of some equal squares.

    Args:
      squares: uint8 [side, side, channels] each.

    Returns:
      uint8 [4 n, side // 2, side // 2, channels].
    """
    half = squares[0].shape[0] // 2
    corners = [(row, column) for row in (0, half) for column in (0, half)]
    return np.stack([p[r : r + half, c : c + half] for p in squares for r, c in corners])


def patch_distances(
    train: Callable[[], Pairs],
    examples: Callable[[], Sequence[Example]],
    through: translating.Translate,
    *,
    side: int,
    data_dir: str | None,
) -> Callable[[Networks], Measured]:
    """FID and KID of what is made of held-out inputs against their targets, as a `conclude`.

    Held-out pairs are few, so the quarters of each square are compared, not the squares. The
    feature network is jaxgan's own, which learned the quarter turns of the quarters of the targets
    that the generator learned from.

    Args:
      train: gives the pairs that were trained on.
      examples: gives those held out, as squares of one size, with targets.
      through: makes a picture of one.
      side: of the squares, in pixels.
      data_dir: where the feature network is kept; None: where TFDS data sets are.

    Returns:
      What gives `fid` and `kid`, or, said in a line, nothing where there are too few pairs.
    """

    def targets() -> list[np.ndarray]:
        return [one.target for one in examples() if one.target is not None]

    @functools.cache
    def figures() -> PictureFigures:
        pairs = train()
        order = np.random.default_rng(0).permutation(len(pairs))[:MOST_SEEN]
        seen = held_out_pairs(pairs.take(sorted(order.tolist())), side=side)
        features = own.own_features(quarters([t for _, _, t in seen]), data_dir=data_dir)
        about = {**pairs.description, "part": "quarters of held-out squares"}
        real = quarters(targets())
        reference = functools.partial(Reference, features, real, about)
        return PictureFigures(reference, len(real), draw_size=len(real))

    def conclude(networks: Networks) -> Measured:
        counts = {"held out": len(examples()), "to train on": len(train())}
        short = [f"{counts[name]} {name}" for name, least in LEAST.items() if counts[name] < least]
        if short:
            processes.say(f"FID and KID are left out: there are {' and '.join(short)}")
            return Measured({})
        made = quarters(translating.translations(examples(), through, networks))
        found = figures()(lambda count, seed: made)
        kept = ("fid", "kid")
        return Measured(
            {name: found.figures[name] for name in kept},
            {name: found.stamps[name] for name in kept},
        )

    return conclude


def fcn_score(
    both: Both, multiple: int, *, side: int, label_count: int, ignore_label: int | None
) -> Callable[[Networks], Measured]:
    """The FCN-score of generated and of real held-out pictures, as an experiment's `conclude`.

    A segmentation network is trained on the real pairs that the generator was trained on.

    Args:
      both: opens the pairs, to train on and held out.
      multiple: what the generator's sides must divide by.
      side: of the squares that all are made, in pixels.
      label_count: how many classes the label maps have.
      ignore_label: the one that means none and is not scored, if there is one.
    """
    through = translating.by("generator", multiple)
    void = () if ignore_label is None else (ignore_label,)

    @functools.cache
    def squares(which: int) -> tuple[np.ndarray, np.ndarray]:
        found = held_out_pairs(both()[which], side=side)
        return np.stack([target for _, _, target in found]), np.stack([m for _, m, _ in found])

    @functools.cache
    def segmenter() -> Any:
        return segmentation.train(*squares(0), label_count, void=void)

    def conclude(networks: Networks) -> Measured:
        real, labels = squares(1)
        make = one_hot(label_count)
        made = []
        for numbers in labels:
            given = make({"input": jnp.asarray(numbers)[None]}, jax.random.key(0))
            shown = np.zeros((*numbers.shape, 3), np.uint8)
            made.append(through(networks, Example("", (np.asarray(given[0]),), shown)))
        figures: dict[str, float] = {}
        for suffix, shown in (("", np.stack(made)), ("_real", real)):
            found = segmentation.scores(segmenter(), shown, labels, label_count, void=void)
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
