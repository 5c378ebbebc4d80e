"""The regression gate that continuous integration runs: about a minute on two cores.

    python -m benchmarks.gate [--json=PATH]

Times suite `gate` of `benchmarks.run` with short groups, and compares the result with the
baseline of this kind of machine (`benchmarks.compare`). Exit code 1 if anything is worse.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.compare import compare, find_baseline
from benchmarks.run import check_destination, run_suite, show
from benchmarks.subjects import subjects
from jaxgan.errors import UserError

# Medians of ratios are compared: many short groups settle them better than a few long ones. The
# plain layers need a second for a step, however short a group.
GROUPS, SECONDS = 7, 0.2


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints and compares; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", type=Path, help="write the result there")
    options = parser.parse_args(arguments)
    try:
        check_destination(options.json)
        result = run_suite("cpu", subjects("gate"), groups=GROUPS, seconds=SECONDS)
        print(show(result), flush=True)
        if options.json:
            options.json.write_text(json.dumps(result, indent=1) + "\n")
        return compare(result, find_baseline(result["machine"]))
    except UserError as error:
        print(f"benchmarks.gate: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
