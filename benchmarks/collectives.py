"""Which collectives a compiled step holds."""

import collections
import re

KINDS = (
    "all-gather",
    "all-reduce",
    "all-to-all",
    "collective-broadcast",
    "collective-permute",
    "ragged-all-to-all",
    "reduce-scatter",
)
# An instruction reads `%name = type operation(operands)`; the asynchronous ones are pairs, of which
# the start is counted.
_INSTRUCTION = re.compile(rf"= .*?\s({'|'.join(KINDS)})(?:-start)?\(")


def count_collectives(optimised: str) -> dict[str, int]:
    """How many collectives of each kind the text of an optimised HLO module holds.

    Those in the body of a loop count once.
    """
    found = (
        match.group(1) for line in optimised.splitlines() if (match := _INSTRUCTION.search(line))
    )
    return dict(sorted(collections.Counter(found).items()))
