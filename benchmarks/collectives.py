"""Which collectives a compiled step holds: their number, kind and bytes, read from its HLO text.

The text is `jax.stages.Compiled.as_text()`: optimised, for one device, whatever the backend. An
asynchronous pair counts once, at its start. A collective in the body of a loop counts as often as
the loop runs, if its number of trips stands in the text or its condition counts up from zero to a
constant (as `lax.scan` does), and once where neither is so.
Every branch of a conditional counts, so there the figures are upper bounds.
"""

import collections
import math
import re
from collections.abc import Iterator
from typing import NamedTuple

KINDS = (
    "all-reduce",
    "all-gather",
    "reduce-scatter",
    "all-to-all",
    "ragged-all-to-all",
    "collective-permute",
    "collective-broadcast",
)

BITS = {
    **dict.fromkeys(("pred", "s8", "u8"), 8),
    **dict.fromkeys(("s4", "u4"), 4),
    **dict.fromkeys(("s16", "u16", "f16", "bf16"), 16),
    **dict.fromkeys(("s32", "u32", "f32"), 32),
    **dict.fromkeys(("s64", "u64", "f64", "c64"), 64),
    "c128": 128,
}


class Array(NamedTuple):
    """The type of an array in HLO: `f32[3,3,64,64]`."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """What it takes, without padding; a float of 8 bits or fewer counts as a byte."""
        return -(-math.prod(self.shape) * BITS.get(self.dtype, 8) // 8)


class Collective(NamedTuple):
    """One collective operation of a step.

    Attributes:
      kind: one of `KINDS`.
      arrays: what it works on, on one device: the larger of its operands and its results.
      times: how often it runs in a step.
      source: the name of the operation that it was made for, `jit(step)/...`; empty if unknown.
    """

    kind: str
    arrays: tuple[Array, ...]
    times: int
    source: str

    @property
    def bytes(self) -> int:
        """Bytes of its arrays, each time it runs."""
        return sum(array.bytes for array in self.arrays)


class _Instruction(NamedTuple):
    name: str
    result: str
    opcode: str
    rest: str


_HEADER = re.compile(r"^(ENTRY\s+)?%?([\w.\-]+)\s*\(.*\{\s*$")
# A tuple's type has spaces and comments in it, and layouts have parentheses: T(8,128)S(1).
_INSTRUCTION = re.compile(r"^\s+(?:ROOT\s+)?%?([\w.\-]+)\s*=\s*(.*)$")
_OPCODE = re.compile(r"\s([a-z][a-z0-9\-]*)\(")
_ARRAY = re.compile(r"\b([a-z]\w*)\[([\d,<= ]*)\]")
_CALLED = re.compile(
    r"\b(body|condition|calls|to_apply|true_computation|false_computation|branch_computations"
    r"|called_computations)=(\{[^}]*\}|%?[\w.\-]+)"
)
_TRIPS = re.compile(r'"known_trip_count":\s*\{\s*"n":\s*"?(\d+)')
_SOURCE = re.compile(r'op_name="([^"]*)"')


def find_collectives(hlo_text: str) -> list[Collective]:
    """Every collective that a step runs, in the order of the text.

    Args:
      hlo_text: optimised HLO of a whole module.

    Raises:
      ValueError: the text has no entry computation.
    """
    entry, computations = _parse(hlo_text)
    times = _times(entry, computations)
    return [
        Collective(_kind(instruction), arrays, times[name], _source(instruction))
        for name, instructions in computations.items()
        if times[name]
        for instruction, arrays in _collectives_of(instructions)
    ]


def count_collectives(hlo_text: str) -> dict[str, int]:
    """How many collectives of each kind a step runs; kinds that it has none of are left out."""
    counts: collections.Counter[str] = collections.Counter()
    for collective in find_collectives(hlo_text):
        counts[collective.kind] += collective.times
    return dict(counts)


def arrays_in(text: str) -> tuple[Array, ...]:
    """The arrays named in an HLO type, in order: one, or those of a tuple."""
    text = re.sub(r"/\*.*?\*/", "", text)
    return tuple(
        Array(dtype, tuple(int(size.lstrip("<= ")) for size in sizes.split(",") if size.strip()))
        for dtype, sizes in _ARRAY.findall(text)
    )


def _parse(hlo_text: str) -> tuple[str, dict[str, list[_Instruction]]]:
    entry = None
    computations: dict[str, list[_Instruction]] = {}
    current: list[_Instruction] = []
    for line in hlo_text.splitlines():
        if not line[:1].isspace():
            if header := _HEADER.match(line):
                current = computations.setdefault(header[2], [])
                entry = header[2] if header[1] else entry
        elif found := _INSTRUCTION.match(line):
            name, body = found[1], found[2]
            if opcode := _OPCODE.search(body):
                result, rest = body[: opcode.start()], body[opcode.end() :]
                current.append(_Instruction(name, result, opcode[1], rest))
    if entry is None:
        raise ValueError("the HLO text has no entry computation")
    return entry, computations


def _times(
    entry: str, computations: dict[str, list[_Instruction]]
) -> collections.defaultdict[str, int]:
    """How often each computation runs; calls have no cycles."""
    edges = {
        name: [edge for instruction in instructions for edge in _calls(instruction, computations)]
        for name, instructions in computations.items()
    }
    # A computation is written before those that call it.
    times: collections.defaultdict[str, int] = collections.defaultdict(int)
    times[entry] = 1
    for name in reversed(computations):
        for called, often in edges[name]:
            times[called] += times[name] * often
    return times


def _calls(
    instruction: _Instruction, computations: dict[str, list[_Instruction]]
) -> Iterator[tuple[str, int]]:
    # The computation of an asynchronous pair may be named at both of its ends.
    if instruction.opcode.endswith(("-done", "-update")):
        return
    called = {
        attribute: [name.strip().lstrip("%") for name in named.strip("{}").split(",")]
        for attribute, named in _CALLED.findall(instruction.rest)
    }
    often = 1
    if instruction.opcode == "while":
        written = _TRIPS.search(instruction.rest)
        condition = computations.get(called["condition"][0], [])
        often = int(written[1]) if written else _trips_by(condition)
    for names in called.values():
        for name in names:
            yield name, often


def _trips_by(condition: list[_Instruction]) -> int:
    """The trips of a loop that runs while a counter is below the condition's only constant."""
    below = [i for i in condition if i.opcode == "compare" and "direction=LT" in i.rest]
    limits = [i.rest for i in condition if i.opcode == "constant" and i.result.startswith("s32[]")]
    if len(below) != 1 or len(limits) != 1 or not (limit := re.match(r"(\d+)\)", limits[0])):
        return 1
    return int(limit[1])


def _kind(instruction: _Instruction) -> str:
    return instruction.opcode.removesuffix("-start")


def _source(instruction: _Instruction) -> str:
    found = _SOURCE.search(instruction.rest)
    return found[1] if found else ""


def _collectives_of(
    instructions: list[_Instruction],
) -> Iterator[tuple[_Instruction, tuple[Array, ...]]]:
    results = {instruction.name: instruction.result for instruction in instructions}
    for instruction in instructions:
        if _kind(instruction) not in KINDS:
            continue
        operands = instruction.rest[: _closing(instruction.rest)]
        named = re.findall(r"%([\w.\-]+)", operands)
        worked_on = arrays_in(operands) or tuple(
            array for name in named for array in arrays_in(results.get(name, ""))
        )
        given = arrays_in(instruction.result)
        if instruction.opcode.endswith("-start") and len(given) > len(worked_on) > 0:
            # The start of some kinds gives (operands, results, context).
            given = given[len(worked_on) : 2 * len(worked_on)]
        yield instruction, max(worked_on, given, key=lambda a: sum(array.bytes for array in a))


def _closing(text: str) -> int:
    """Where the parenthesis closes that was opened just before `text`."""
    depth = 1
    for index, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if not depth:
            return index
    return len(text)
