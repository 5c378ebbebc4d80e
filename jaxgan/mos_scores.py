"""Mean opinion scores with confidence intervals, from the CSV files that the page saves."""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from jaxgan.console import table
from jaxgan.errors import UserError

COLUMNS = ("page", "rater", "item", "score")
LOWEST, HIGHEST = 1, 5
CONFIDENCE = 0.95


class Key(NamedTuple):
    """A page's number, and the system of each of its items."""

    page: str
    systems: Mapping[str, str]


class Rating(NamedTuple):
    """What one rater thinks of one item of a system, 1 to 5."""

    rater: str
    system: str
    score: int


@dataclass(frozen=True)
class Score:
    """The mean opinion of a system.

    Attributes:
      system: its name.
      mos: the mean of all its ratings.
      margin: half of the 95 % confidence interval over ratings; None for a single one.
      margin_by_rater: the same over raters, whose ratings hang together; None for a single one.
      deviation: the standard deviation of the ratings; None for a single one.
      ratings, raters: how many there are.
    """

    system: str
    mos: float
    margin: float | None
    margin_by_rater: float | None
    deviation: float | None
    ratings: int
    raters: int

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def read_key(path: Path) -> Key:
    """The key beside a page; UserError if it is none."""
    try:
        content = json.loads(path.read_text("utf-8"))
        systems = {name: str(item["system"]) for name, item in content["items"].items()}
        return Key(str(content["page"]), systems)
    except OSError as error:
        raise UserError(f"--key={path}: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"--key={path} is no key of a page: give the .key.json beside it") from None


def read_ratings(paths: Sequence[Path], key: Key) -> list[Rating]:
    """The ratings in CSV files that the page saved.

    Raises:
      UserError: a file cannot be read, is empty, is of another page, or holds an item that is not
        on the page, a score out of range, or a second score of a rater for an item.
    """
    found: dict[tuple[str, str], tuple[Rating, Path]] = {}
    for path in paths:
        for line, row in _rows(path):
            at = f"{path}, line {line}"
            if row["page"] != key.page:
                raise UserError(f"{at}: is of page {row['page']!r}, and the key is of {key.page}")
            rater, item = row["rater"], row["item"]
            if not rater:
                raise UserError(f"{at}: has no rater; write a name into its column")
            if item not in key.systems:
                raise UserError(
                    f"{at}: there is no item {item!r} on the page; give the CSV as saved"
                )
            text = row["score"]
            if not text.isdecimal() or not LOWEST <= int(text) <= HIGHEST:
                raise UserError(f"{at}: score {text!r} is not a whole number from 1 to 5")
            if (rater, item) in found:
                other = found[rater, item][1]
                raise UserError(
                    f"{at}: {rater!r} has rated item {item} before, in {other}; give one of them"
                )
            found[rater, item] = Rating(rater, key.systems[item], int(text)), path
    return [rating for rating, _ in found.values()]


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not text in UTF-8: give the CSV as the page saved it") from None
    first = text.partition("\n")[0]
    # What spreadsheets make of a CSV where the comma is a decimal point.
    reader = csv.DictReader(
        text.splitlines(), delimiter=";" if ";" in first else ",", restval="", strict=True
    )
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if not text.strip():
        raise UserError(f"{path} is empty: give the CSV as the page saved it")
    if missing:
        raise UserError(f"{path} has no column {missing[0]}: give the CSV as the page saved it")
    try:
        rows = [(reader.line_num, {n: (row[n] or "").strip() for n in COLUMNS}) for row in reader]
    except csv.Error as error:
        raise UserError(f"{path} is no CSV: {error}") from None
    if not rows:
        raise UserError(f"{path} holds no scores: rate some samples before saving")
    return rows


def scores(ratings: Sequence[Rating]) -> list[Score]:
    """The mean opinion score of each system, the best first.

    Two confidence intervals, both with Student's t as in ITU-T P.800 and P.808: over ratings, as if
    every one were an opinion of its own, and over raters, some of whom are stricter than others
    (clusters of any size: Cameron and Miller 2015, "A practitioner's guide to cluster-robust
    inference", section II; raters of equally many ratings: the interval of the raters' means).
    """
    found = []
    for system in sorted({rating.system for rating in ratings}):
        own = [rating for rating in ratings if rating.system == system]
        values = np.array([rating.score for rating in own], np.float64)
        raters = sorted({rating.rater for rating in own})
        mean = float(values.mean())
        several = len(values) > 1
        deviation = float(values.std(ddof=1)) if several else None
        margin = None
        if deviation is not None:
            margin = _quantile(len(values) - 1) * deviation / math.sqrt(len(values))
        found.append(
            Score(system, mean, margin, _by_rater(own, mean), deviation, len(values), len(raters))
        )
    return sorted(found, key=lambda score: -score.mos)


def _by_rater(ratings: Sequence[Rating], mean: float) -> float | None:
    sums: dict[str, float] = {}
    for rating in ratings:
        sums[rating.rater] = sums.get(rating.rater, 0.0) + rating.score - mean
    count = len(sums)
    if count < 2:
        return None
    variance = count / (count - 1) * sum(value**2 for value in sums.values()) / len(ratings) ** 2
    return _quantile(count - 1) * math.sqrt(variance)


def _quantile(degrees: int) -> float:
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, degrees))


def scores_table(found: Sequence[Score]) -> str:
    """A row for each system."""

    def margin(value: float | None) -> str:
        return "" if value is None else f"± {value:.2f}"

    rows = [
        (s.system, f"{s.mos:.2f}", margin(s.margin), margin(s.margin_by_rater), s.ratings, s.raters)
        for s in found
    ]
    header = ("system", "MOS", "95 % (ratings)", "95 % (raters)", "ratings", "raters")
    return table(header, rows)
