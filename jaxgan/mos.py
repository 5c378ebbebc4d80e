"""People's opinions of samples: a page to give them on, and the scores from what they saved.

    python -m jaxgan.mos page --samples=real,ours,theirs --output=page.html
    python -m jaxgan.mos score --key=page.key.json anna.csv ben.csv

The page is one file that works from a disk. It shows the samples of several systems, a folder each,
in an order of every rater's own and without saying whose they are; `page.key.json` beside it says
that, and stays at home.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from jaxgan.errors import UserError
from jaxgan.mos_page import QUESTION, write_page
from jaxgan.mos_scores import read_key, read_ratings, scores, scores_table


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m jaxgan.mos",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    page = commands.add_parser("page", help="write the page and its key")
    page.add_argument("--samples", required=True, help="FOLDER[,FOLDER...], one for each system")
    page.add_argument("--output", required=True, type=Path, help="the .html to write")
    page.add_argument("--seed", type=int, default=0, help="decides what is drawn and its order")
    page.add_argument("--count", type=int, help="samples of each system at most; default: all")
    page.add_argument("--question", default=QUESTION, help="what raters are asked")
    score = commands.add_parser("score", help="mean opinion scores of what raters saved")
    score.add_argument("--key", required=True, type=Path, help="the .key.json beside the page")
    score.add_argument("--output", type=Path, help="a .json to write the scores to as well")
    score.add_argument("ratings", nargs="+", type=Path, help="the CSV files, one of each rater")
    arguments = parser.parse_args(argv)
    try:
        if arguments.command == "page":
            folders = [Path(name) for name in arguments.samples.split(",") if name]
            written = write_page(
                folders,
                arguments.output,
                seed=arguments.seed,
                count=arguments.count,
                question=arguments.question,
            )
            print(written)
            return 0
        found = scores(read_ratings(arguments.ratings, read_key(arguments.key)))
        print(scores_table(found))
        if arguments.output is not None:
            content = json.dumps([score.as_dict() for score in found], indent=2) + "\n"
            try:
                arguments.output.write_text(content)
            except OSError as error:
                raise UserError(f"--output={arguments.output}: {error.strerror}") from None
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
