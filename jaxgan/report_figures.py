"""The figures of a run from its metrics.jsonl: names in words, units, baselines, best and last."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jaxgan.metrics_log import read_rows

ACRONYMS = (
    "psnr",
    "ssim",
    "fid",
    "kid",
    "kl",
    "lpips",
    "fad",
    "mcd",
    "nll",
    "bleu",
    "rgb",
    "ema",
    "r1",
    "r2",
    "l1",
    "l2",
    "vgg",
    "id",
)
CHANNELS = ("rgb", "y")
UNITS = {"psnr": "dB", "mcd": "dB", "distortion": "dB"}
# Less is better for these, wherever the word stands in a figure's name.
LOWER = frozenset(
    [
        "fid",
        "kid",
        "kl",
        "lpips",
        "fad",
        "mcd",
        "distortion",
        # Of self_bleu: texts that are alike.
        "self",
        "loss",
        "error",
        "distance",
        "divergence",
        "wasserstein",
        "mmd",
        "mse",
        "mae",
        "l1",
        "l2",
        "nll",
        "perplexity",
    ]
)


@dataclass(frozen=True)
class Series:
    """A metric's values in the order of the steps; NaN where the run wrote null."""

    steps: list[int]
    values: list[float]


@dataclass(frozen=True)
class Figure:
    """A figure of evaluation: its `name` in metrics.jsonl, and those that go with it.

    These are its `baselines`, by word, and its `spread`, '' if it has none.
    """

    name: str
    label: str
    unit: str
    higher_is_better: bool
    baselines: Mapping[str, str]
    spread: str = ""


def read_metrics(path: Path) -> dict[str, Series]:
    """Each metric of a metrics.jsonl, in the order of appearance; none if there is no file."""
    found: dict[str, dict[int, float]] = {}
    if path.exists():
        for row in read_rows(path):
            for name, value in row.items():
                if name == "step" or not (value is None or isinstance(value, (int, float))):
                    continue
                number = math.nan if value is None or not math.isfinite(value) else float(value)
                found.setdefault(name, {})[int(row["step"] or 0)] = number
    return {
        name: Series(steps=sorted(values), values=[values[s] for s in sorted(values)])
        for name, values in found.items()
    }


def figures(metrics: Mapping[str, Series]) -> list[Figure]:
    """The figures of evaluation.

    X_bicubic is a baseline of X; X_gain, the difference of the two, is left out. X_spread is its
    standard deviation.
    """
    names = [name for name in metrics if name.startswith("eval/")]
    parents = {}
    for name in names:
        stems = [n for n in names if name.startswith(f"{n}_")]
        if stems:
            parents[name] = min(stems, key=len)
    found = []
    for name in names:
        if name in parents:
            continue
        word = name.removeprefix("eval/")
        tokens = word.lower().split("_")
        children = {n[len(name) + 1 :]: n for n, parent in parents.items() if parent == name}
        children.pop("gain", None)
        spread = children.pop("spread", "")
        found.append(
            Figure(
                name,
                describe(word),
                next((UNITS[t] for t in tokens if t in UNITS), ""),
                not any(t in LOWER for t in tokens),
                {child.replace("_", " "): n for child, n in children.items()},
                spread,
            )
        )
    return found


def describe(word: str) -> str:
    """A metric's name in words: psnr_rgb -> 'PSNR (RGB)', critic_loss -> 'Critic loss'."""
    tokens = word.replace("/", "_").split("_")
    channel = f" ({tokens.pop().upper()})" if len(tokens) > 1 and tokens[-1] in CHANNELS else ""
    words = [t.upper() if t.lower() in ACRONYMS else t for t in tokens]
    text = " ".join(words)
    return text[:1].upper() + text[1:] + channel


def best(series: Series, higher_is_better: bool) -> tuple[int, float] | None:
    """The step and value of the best finite value, the earliest of equals."""
    finite = [(s, v) for s, v in zip(series.steps, series.values, strict=True) if math.isfinite(v)]
    if not finite:
        return None
    return max(finite, key=lambda point: point[1] if higher_is_better else -point[1])


def last(series: Series) -> tuple[int, float] | None:
    """The step and value of the last finite value."""
    finite = [(s, v) for s, v in zip(series.steps, series.values, strict=True) if math.isfinite(v)]
    return finite[-1] if finite else None


def training_seconds(metrics: Mapping[str, Series]) -> float:
    """How long the steps took, evaluations and checkpoints apart."""
    series = metrics.get("train/ms_per_step", Series([], []))
    total, before = 0.0, 0
    for step, ms in zip(series.steps, series.values, strict=True):
        total += (step - before) * ms / 1000 if math.isfinite(ms) else 0.0
        before = step
    return total
