"""Two domains of pictures without pairs, as CycleGAN takes them (Zhu et al., arXiv 1703.10593)."""

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from jaxgan.data import prepared, sides, sources
from jaxgan.data.class_folders import class_names, divide
from jaxgan.data.framing import shorter_side
from jaxgan.data.pictures import Kept, Source, Subset, default_memory_limit
from jaxgan.errors import UserError, did_you_mean

# Of a large domain so many pictures are held out: enough for a FID.
_HELD_OUT_MOST = 1000


class Domains(NamedTuple):
    """Two sources of pictures that need not be equally long."""

    a: Source
    b: Source


def open_domains(
    data: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    skip_broken: bool = False,
    sample: str = "domains",
    side: int = 128,
    classes: Sequence[str] | None = None,
    held_out: str | None = None,
) -> tuple[Domains, Domains]:
    """The two domains that `--data` names: what to train on, and what to judge by.

    Args:
      data: 'sample'; two names joined by a comma, each anything that `sources.open_source` takes;
        a folder or a zip with trainA/ and trainB/ (the layout of CycleGAN) or A/ and B/; one with
        class folders, two of which `classes` names, unless there are but two; or tfds:NAME of a
        prepared set with the splits trainA and trainB, such as cycle_gan/horse2zebra.
      data_dir: where TFDS sets are prepared; TFDS's own default when None.
      skip_broken: as in `sources.open_source`.
      sample: what 'sample' is: one of `sample_domains.DOMAINS`.
      side: of the embedded sample's pictures; other data has sizes of its own.
      classes: the folders that are A and B.
      held_out: other data of the same kind to judge by. Without it that is what each domain itself
        holds out (testA/, a TFDS split, ...), or else a tenth of it, evenly spaced.

    Raises:
      UserError: nothing is there, a domain is empty, or it cannot be told what the two are.
    """
    train, apart = _open(data, data_dir, skip_broken, sample, side, classes)
    if held_out is None:
        if apart is not None:
            return train, apart
        a, b = (sources.hold_out(domain, most=_HELD_OUT_MOST) for domain in train)
        return Domains(a[0], b[0]), Domains(a[1], b[1])
    whole, apart = _open(held_out, data_dir, skip_broken, sample, side, classes)
    return train, apart or whole


def unpaired_size(domains: Domains) -> int:
    """How many examples `unpaired_crops` makes of the domains: the larger one, once through."""
    return max(len(domains.a), len(domains.b))


def unpaired_crops(
    domains: Domains, *, side: int, jitter: float = 1.117, mirror: bool = True
) -> Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]]:
    """Random crops of both domains, as the `load` of `pipeline.make_batches`.

    An epoch goes once through the larger domain (A, where they are equal). Beside each of its
    pictures stands one of the other domain that the row's seed draws, so that no epoch brings the
    same ones together as the one before.

    Args:
      domains: pictures of any sizes; small ones are enlarged.
      side: of the crops, in pixels.
      jitter: how many times `side` the shorter side is made before the crop, at least 1.
      mirror: turn half of the pictures left to right, of each domain by itself.

    Returns:
      load(indices [b] in [0, unpaired_size), seeds uint64 [b]) -> {'a': uint8 [b, side, side, 3],
      'b': the same}; all that is random about a row comes from its seed.

    Raises:
      UserError: `side` or `jitter` is out of range.
    """
    if side < 1 or jitter < 1:
        raise UserError(
            f"crops of {side} pixels out of {jitter} times as many: take at least 1 of each"
        )
    larger = max(round(side * jitter), side)
    kept = [Kept(default_memory_limit() // 2) for _ in domains]
    by_index = 0 if len(domains.a) >= len(domains.b) else 1

    def crop(which: int, number: int, random: np.random.Generator) -> np.ndarray:
        picture = kept[which].get(number, lambda: shorter_side(domains[which][number], larger))
        top, left = (int(random.integers(size - side + 1)) for size in picture.shape[:2])
        step = -1 if mirror and random.integers(2) else 1
        return picture[top : top + side, left : left + side][:, ::step]

    def load(indices: np.ndarray, seeds: np.ndarray) -> dict[str, np.ndarray]:
        batch = [np.empty((len(indices), side, side, 3), np.uint8) for _ in domains]
        for row, (index, seed) in enumerate(zip(indices, seeds, strict=True)):
            random = np.random.default_rng(int(seed))
            for which, domain in enumerate(domains):
                number = int(index) if which == by_index else int(random.integers(len(domain)))
                batch[which][row] = crop(which, number, random)
        return {"a": batch[0], "b": batch[1]}

    return load


def _open(
    data: str,
    data_dir: str | os.PathLike[str] | None,
    skip_broken: bool,
    sample: str,
    side: int,
    classes: Sequence[str] | None,
) -> tuple[Domains, Domains | None]:
    """The domains to train on and, where the data divides itself, those that it holds out."""
    if data == "sample":
        from jaxgan.data import sample_domains  # not at the top: it imports this module

        return sample_domains.embedded(sample, side)
    # A path with a comma in it is a path.
    path = os.path.expanduser(data.partition(":")[2] or data)
    if data.count(",") == 1 and not os.path.exists(path):
        halves = [
            sources.open_train_and_held_out(
                name.strip(), data_dir=data_dir, skip_broken=skip_broken, most=_HELD_OUT_MOST
            )
            for name in data.split(",")
        ]
        return Domains(halves[0][0], halves[1][0]), Domains(halves[0][1], halves[1][1])
    kind, where = sources.parse(data, data_dir)
    if kind == "tfds":
        return _prepared(where, data_dir)
    if kind == "video":
        raise UserError(
            f"--data: {where} is one film, and two domains are needed: give two joined by a comma, "
            "video:ONE,video:OTHER"
        )
    whole = sources.open_source(data, data_dir=data_dir, skip_broken=skip_broken)
    names = [whole.name(i) for i in range(len(whole))]
    found = None if classes else sides.places(names, where)
    if found is not None:
        member = [each.side for each in found]
        train, held_out = sides.parts(found)
        domains = ("A", "B")
    else:
        train, held_out = divide(names)
        counted = [*train, *held_out]
        labels = class_names([names[i] for i in counted]) or []
        domains = _two_classes(sorted(set(labels)), where, classes)
        member = [""] * len(names)
        for i, label in zip(counted, labels, strict=True):
            member[i] = label

    def part(rows: Sequence[int], name: str) -> Domains:
        chosen = [[i for i in rows if member[i] == domain] for domain in domains]
        for domain, of in zip(domains, chosen, strict=True):
            if not of:
                raise UserError(f"--data: the {name} pictures of {where} hold none of {domain}")
        about = [{"domain": domain, "part": name} for domain in domains]
        a, b = (Subset(whole, of, said) for of, said in zip(chosen, about, strict=True))
        return Domains(a, b)

    if not held_out:
        return part(train, "train"), None
    return part(train, "train"), part(held_out, "held out")


def _two_classes(
    known: Sequence[str], where: str, classes: Sequence[str] | None
) -> tuple[str, str]:
    if not known:
        raise UserError(
            f"--data: {where} holds no two domains: give folders trainA and trainB, class folders "
            "with --classes=ONE,OTHER, or two names joined by a comma"
        )
    chosen = list(classes or known)
    for name in chosen:
        if name not in known:
            raise UserError(f"--classes: there is no class {name!r}, {did_you_mean(name, known)}")
    if len(chosen) != 2 or chosen[0] == chosen[1]:
        raise UserError(
            f"--data: {where} has the classes {', '.join(known)}: choose the two domains with "
            "--classes=ONE,OTHER"
        )
    return chosen[0], chosen[1]


def _prepared(name: str, data_dir: str | os.PathLike[str] | None) -> tuple[Domains, Domains | None]:
    known = prepared.splits(name, data_dir)
    if "trainA" not in known or "trainB" not in known:
        raise UserError(
            f"TFDS set '{name}' holds no two domains: it has the splits {', '.join(known)}, and "
            "trainA and trainB are needed"
        )

    def part(which: str) -> Domains:
        a, b = (
            prepared.open_prepared(name, data_dir, split=which + domain) for domain in ("A", "B")
        )
        return Domains(a, b)

    held_out = next((p for p in ("test", "validation") if {p + "A", p + "B"} <= {*known}), None)
    return part("train"), part(held_out) if held_out else None
