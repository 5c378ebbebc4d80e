"""A model of step time on many chips, from counts and vendors' figures. Nothing here is measured.

    step = max(FLOPs / compute, bytes / memory) + all-reduce of the gradients + small all-reduces

Nothing overlaps, which is pessimistic: the compilers hide part of the all-reduces behind the
backward pass. Assumptions and their sources: SCALING.md.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

# Whose counts it starts from.
TOPOLOGY = "v5e:2x4"
CHIPS = (1, 8, 64, 256, 1024)
# The batch of strong scaling, over all chips together.
STRONG_BATCH = 1024


@dataclasses.dataclass(frozen=True)
class Level:
    """One level of a network: all-reduces go through it in groups of `chips`.

    Attributes:
      chips: the largest group.
      bytes_per_second: what a chip sends while an all-reduce makes full use of its links.
      hop_seconds: of a message to a neighbour, or through the switch, with what starts it.
      dimensions: of the torus; 0 is a switch, where messages go along a binary tree.
      closes_at: the size from which the torus is closed; below it half of the links lie idle.
    """

    chips: float
    bytes_per_second: float
    hop_seconds: float
    dimensions: int = 0
    closes_at: int = 1


@dataclasses.dataclass(frozen=True)
class Machine:
    """A chip and its networks, the innermost first."""

    name: str
    flops_per_second: float
    memory_bytes_per_second: float
    levels: tuple[Level, ...]


@dataclasses.dataclass(frozen=True)
class Share:
    """What is reached of the vendors' figures."""

    compute: float = 0.4
    memory: float = 0.7
    network: float = 0.7


@dataclasses.dataclass(frozen=True)
class Work:
    """What a step asks of one chip.

    Attributes:
      batch_size: the experiment's.
      dtype: what its networks computed in when they were counted.
      flops_per_image: FLOPs.
      memory_per_image: bytes to and from memory that grow with the images of a chip.
      memory_fixed: bytes to and from memory that every chip repeats.
      gradient_bytes: what the all-reduces of a step carry, statistics included.
      gradient_all_reduces: how many of them carry gradients.
      small_all_reduces: how many carry statistics and scalars only.
    """

    batch_size: int
    dtype: str
    flops_per_image: float
    memory_per_image: float
    memory_fixed: float
    gradient_bytes: float
    gradient_all_reduces: int
    small_all_reduces: int


@dataclasses.dataclass(frozen=True)
class Times:
    """Seconds of a step, by what they go into."""

    compute: float
    gradients: float
    small: float

    @property
    def step(self) -> float:
        """All together, nothing hidden."""
        return self.compute + self.gradients + self.small


MACHINES = (
    Machine(
        "TPU v5e",
        197e12,
        819e9,
        (Level(256, 200e9, 1e-6, 2, 256), Level(math.inf, 3.1e9, 2e-5)),
    ),
    Machine("TPU v4", 275e12, 1200e9, (Level(4096, 268e9, 1e-6, 3, 64),)),
    Machine("H100 SXM", 989e12, 3350e9, (Level(8, 450e9, 5e-6), Level(math.inf, 50e9, 5e-6))),
)


def work_of(records: Mapping[str, Mapping[str, Any]]) -> Work | None:
    """The work of a system, from its counts on eight chips; None if it was not compiled for them.

    Those in bfloat16 come first. Every chip reads and writes the whole state once, whatever its
    images; the rest of its work grows with them. A step with a loop is left out: XLA counts the
    FLOPs of a loop's body once.
    """
    labels = (f"{TOPOLOGY} {dtype}" for dtype in ("bfloat16", "float32"))
    record = next((records[label] for label in labels if label in records), None)
    if record is None or record["looped"]:
        return None
    images = record["batch_size"] / record["devices"]
    purposes, state = record["purposes"], 2.0 * record["argument_bytes"]
    return Work(
        record["batch_size"],
        record["dtype"],
        record["flops"] / images,
        max(record["hbm_bytes"] - state, 0.0) / images,
        state,
        sum(purpose["bytes"] for purpose in purposes.values()),
        purposes["gradients"]["count"],
        purposes["statistics"]["count"] + purposes["other"]["count"],
    )


def ring_bytes(size: float, chips: float) -> float:
    """What each chip sends in an all-reduce of `size` bytes: 2 (n - 1) / n of them."""
    return 2 * (chips - 1) / chips * size


def bandwidth_seconds(size: float, chips: int, machine: Machine, share: Share) -> float:
    """Time of an all-reduce without its latency.

    Scattered sums inside a group, an all-reduce of each chip's part between groups, and gathering
    inside the group: a level has to carry only what the level below has left of `size`.
    """
    seconds = 0.0
    for group, level in _groups(chips, machine):
        idle = 0.5 if level.dimensions and group < level.closes_at else 1.0
        seconds += ring_bytes(size, group) / (level.bytes_per_second * share.network * idle)
        size /= group
    return seconds


def latency_seconds(chips: int, machine: Machine) -> float:
    """Time of an all-reduce of next to nothing: there and back across every level."""
    return sum(
        2 * _hops(group, level) * level.hop_seconds for group, level in _groups(chips, machine)
    )


def _groups(chips: int, machine: Machine) -> list[tuple[float, Level]]:
    groups = []
    left = float(chips)
    for level in machine.levels:
        group = min(left, level.chips)
        if group > 1:
            groups.append((group, level))
        left /= group
    return groups


def _hops(group: float, level: Level) -> float:
    if not level.dimensions:
        return math.ceil(math.log2(group))
    side = group ** (1 / level.dimensions)
    return level.dimensions * (side / 2 if group >= level.closes_at else side - 1)


def times(
    work: Work, images: float, chips: int, machine: Machine, share: Share | None = None
) -> Times:
    """The modelled step.

    Args:
      work: of a system.
      images: on each chip.
      chips: how many.
      machine: which.
      share: what is reached of the vendors' figures.
    """
    share = share or Share()
    flops = images * work.flops_per_image
    moved = work.memory_fixed + images * work.memory_per_image
    compute = max(
        flops / (machine.flops_per_second * share.compute),
        moved / (machine.memory_bytes_per_second * share.memory),
    )
    latency = latency_seconds(chips, machine)
    gradients = bandwidth_seconds(work.gradient_bytes, chips, machine, share)
    return Times(
        compute,
        gradients + work.gradient_all_reduces * latency if chips > 1 else 0.0,
        work.small_all_reduces * latency,
    )


def tables(work: Work, chips: Sequence[int] = CHIPS) -> str:
    """Weak and strong scaling of one system on every machine, as a table in Markdown."""
    lines = [
        f"| machine | chips | weak: {work.batch_size} images a chip, ms | gradients, ms "
        f"| small all-reduces, ms | efficiency | strong: {STRONG_BATCH} images in all, ms "
        "| speed-up |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for machine in MACHINES:
        weak_alone = times(work, work.batch_size, 1, machine).step
        strong_alone = times(work, STRONG_BATCH, 1, machine).step
        for number in chips:
            weak = times(work, work.batch_size, number, machine)
            strong = times(work, STRONG_BATCH / number, number, machine)
            cells = (
                machine.name,
                f"{number}",
                *(f"{1e3 * t:.3g}" for t in (weak.step, weak.gradients, weak.small)),
                f"{weak_alone / weak.step:.0%}",
                f"{1e3 * strong.step:.3g}",
                f"{strong_alone / strong.step:.1f}x",
            )
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
