"""Curves for report.html as inline SVG, thinned; its script shows the values under the pointer."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from jaxgan.media import ticks
from jaxgan.report_figures import Series, best, describe, figures

WIDTH, HEIGHT = 400, 216
LEFT, RIGHT, TOP, BOTTOM = 50, 14, 20, 24
# About how wide a letter of a chart is.
LETTER = 6
POINTS = 240
# The first is images per second over again; the second is said in words.
UNCHARTED = ("train/ms_per_step", "train/skipped")
LAST = ("Gradient norms", "Images per second", "Waiting for data")


@dataclass(frozen=True)
class Line:
    """One curve; a baseline is dashed."""

    label: str
    series: Series
    dashed: bool = False


@dataclass(frozen=True)
class Chart:
    """Curves of one unit over the steps; `best` is the point to mark."""

    title: str
    unit: str
    lines: Sequence[Line]
    best: tuple[int, float] | None = None


def evaluation_charts(metrics: Mapping[str, Series]) -> list[Chart]:
    """A chart for each figure of evaluation, its baselines dashed in it."""
    charts = []
    for figure in figures(metrics):
        lines = [Line("this run", metrics[figure.name])]
        lines += [Line(word, metrics[name], True) for word, name in figure.baselines.items()]
        marked = best(metrics[figure.name], figure.higher_is_better)
        charts.append(Chart(figure.label, figure.unit, lines, marked))
    return charts


def training_charts(metrics: Mapping[str, Series]) -> list[Chart]:
    """The losses in one chart, gradient norms in one, a critic's answers in one, others apart."""
    groups: dict[str, list[Line]] = {}
    charts = []
    for name, series in metrics.items():
        if not name.startswith("train/") or name in UNCHARTED:
            continue
        word = name.removeprefix("train/")
        stem, _, last = word.rpartition("_")
        if last == "share":
            percent = Series(series.steps, [100 * v for v in series.values])
            title = "Waiting for data" if stem == "wait" else describe(word)
            charts.append(Chart(title, "% of the time", [Line("", percent)]))
            continue
        if last == "loss" and stem:
            groups.setdefault("Losses", []).append(Line(describe(stem), series))
        elif word.endswith("_grad_norm"):
            player = describe(word.removesuffix("_grad_norm"))
            groups.setdefault("Gradient norms", []).append(Line(player, series))
        elif last in ("real", "fake") and stem:
            groups.setdefault(f"{describe(stem)}'s answer", []).append(Line(f"on {last}", series))
        else:
            groups.setdefault(describe(word), []).append(Line("", series))
    charts += [Chart(title, "", lines) for title, lines in groups.items()]
    return sorted(charts, key=lambda c: LAST.index(c.title) if c.title in LAST else -1)


def thin(
    lines: Sequence[Line], points: int = POINTS
) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """At most `points` steps, and each line's mean, least and greatest value there.

    Values are NaN where a line has none. A step stands for the steps since the one before it.
    """
    every = np.unique(np.concatenate([np.asarray(line.series.steps) for line in lines]))
    ends = np.unique(np.linspace(0, len(every) - 1, min(points, len(every))).round().astype(int))
    steps = every[ends]
    means, lows, highs = [], [], []
    for line in lines:
        bucket = np.searchsorted(steps, np.asarray(line.series.steps))
        values = np.asarray(line.series.values, np.float64)
        finite = np.isfinite(values)
        bucket, values = bucket[finite], values[finite]
        count = np.bincount(bucket, minlength=len(steps)).astype(np.float64)
        total = np.bincount(bucket, values, len(steps))
        means.append(np.divide(total, count, out=np.full(len(steps), np.nan), where=count > 0))
        low, high = np.full(len(steps), np.inf), np.full(len(steps), -np.inf)
        np.minimum.at(low, bucket, values)
        np.maximum.at(high, bucket, values)
        lows.append(np.where(count > 0, low, np.nan))
        highs.append(np.where(count > 0, high, np.nan))
    return steps, means, lows, highs


@dataclass(frozen=True)
class Axis:
    """From values to pixels, linear or logarithmic."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def place(self, values) -> np.ndarray:
        """Pixels of the values, held within the axis."""
        low, high = (math.log10(v) if self.log else v for v in (self.low, self.high))
        values = np.clip(np.asarray(values, np.float64), self.low, self.high)
        values = np.log10(values) if self.log else values
        return self.start + (values - low) / (high - low) * (self.stop - self.start)

    def ticks(self) -> list[float]:
        """Round values to label."""
        if not self.log:
            return ticks(self.low, self.high, 4)
        bottom, top = math.log10(self.low), math.log10(self.high)
        decades = range(math.floor(bottom), math.ceil(top) + 1)
        multiples = (1, 2, 5) if top - bottom < 1.5 else (1, 3) if top - bottom < 3 else (1,)
        every = [float(f"{m}e{d}") for d in decades for m in multiples]
        inside = [v for v in every if self.low <= v <= self.high]
        return inside[:: math.ceil(len(inside) / 6)] if inside else [self.low]


def value_axis(lines: Sequence[np.ndarray], logarithmic: bool) -> Axis:
    """An axis that shows the values: logarithmic, where allowed, if positive ones span much.

    A few spikes far above all else run off the top.
    """
    values = np.concatenate([line[np.isfinite(line)] for line in lines])
    if not len(values):
        values = np.zeros(1)
    low, high = float(values.min()), float(values.max())
    inner_low, inner_high = (float(v) for v in np.percentile(values, [1, 99]))
    if logarithmic and low > 0 and inner_high / inner_low > 30:
        room = (high / low) ** 0.04
        return Axis(low / room, high * room, HEIGHT - BOTTOM, TOP, log=True)
    if inner_high > inner_low and high - low > 6 * (inner_high - inner_low):
        low, high = max(low, 2 * inner_low - inner_high), min(high, 2 * inner_high - inner_low)
    room = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
    # Losses and shares start at zero: no tick is spent below it.
    bottom = 0.0 if 0 <= low <= room else low - room
    return Axis(bottom, high + room, HEIGHT - BOTTOM, TOP)


def labels(values: Sequence[float]) -> list[str]:
    """The texts of ticks: [0, 20000] -> ['0', '20k'], [0.7, 0.72] -> ['0.70', '0.72']."""
    largest = max(abs(v) for v in values)
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if largest >= 10 * size:
            return [f"{v / size:g}{letter}" if v else "0" for v in values]
    if any(0 < abs(v) < 1e-3 for v in values):
        return [f"{v:.0e}".replace("e-0", "e-") if v else "0" for v in values]
    if len(values) > 2 and values[1] - values[0] < 0.75 * (values[2] - values[1]):
        return [f"{v:g}" for v in values]  # logarithmic: each as short as it can be
    decimals = max(len(f"{v:g}".partition(".")[2]) for v in values)
    return [f"{v:.{decimals}f}" if v else "0" for v in values]


def path(xs: np.ndarray, ys: np.ndarray) -> str:
    """An SVG path through the points, broken where a value is missing."""
    parts, pen = [], "M"
    for x, y in zip(xs, ys, strict=True):
        if math.isnan(y):
            pen = "M"
            continue
        parts.append(f"{pen}{x:.1f} {y:.1f}")
        pen = "L"
    return "".join(parts)


def draw(chart: Chart, phases: Sequence[Mapping] = (), last_step: int = 0) -> str:
    """A <figure> with the chart.

    phases: {"name": ..., "start": step}, each marked by an upright line.
    last_step: where the axis ends, if no line goes further.
    """
    steps, means, lows, highs = thin(chart.lines)
    last_step = max(last_step, int(steps[-1]), 1)
    across = Axis(0, last_step, LEFT, WIDTH - RIGHT)
    up = value_axis([*lows, *highs], logarithmic=not chart.unit)
    floor, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    xs = across.place(steps)
    svg = []
    for tick, label in zip(up.ticks(), labels(up.ticks()), strict=True):
        y = float(up.place(tick))
        svg.append(f'<line class="rule" x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        svg.append(f'<text x="{LEFT - 7}" y="{y + 4:.1f}" class="end">{label}</text>')
    for tick, label in zip(ticks(0, last_step, 4), labels(ticks(0, last_step, 4)), strict=True):
        x = float(across.place(tick))
        svg.append(f'<text x="{x:.1f}" y="{floor + 16}" class="middle">{label}</text>')
    svg.append(f'<line class="axis" x1="{LEFT}" x2="{right}" y1="{floor}" y2="{floor}"/>')
    svg.append(f'<text x="{LEFT - 12}" y="{floor + 16}" class="end">step</text>')
    svg.extend(phase_marks(phases, across, floor))
    legend, shown = [], []
    for i, line in enumerate(chart.lines):
        colour = f"s{i % 6}"
        ys = up.place(means[i])
        if len(line.series.steps) > len(steps):
            there = np.isfinite(lows[i])
            edge = np.concatenate([up.place(highs[i])[there], up.place(lows[i])[there][::-1]])
            outline = path(np.concatenate([xs[there], xs[there][::-1]]), edge)
            svg.append(f'<path class="band {colour}" d="{outline}Z"/>')
        dashed = " dashed" if line.dashed else ""
        svg.append(f'<path class="curve {colour}{dashed}" d="{path(xs, ys)}"/>')
        seen = np.flatnonzero(np.isfinite(means[i]))
        if len(seen) == 1:
            x, y = xs[seen[0]], ys[seen[0]]
            svg.append(f'<circle class="dot {colour}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>')
        svg.append(f'<circle class="dot {colour} pointed" r="3.5" hidden=""/>')
        last = f"{means[i][seen[-1]]:.4g}" if len(seen) else "none"
        label = f"<span>{escape(line.label)}</span>" if line.label else ""
        legend.append(f'<li><i class="{colour}{dashed}"></i>{label}<output>{last}</output></li>')
        shown.append({"y": rounded(ys, 1), "value": rounded(means[i], None)})
    dense = any(len(line.series.steps) > len(steps) for line in chart.lines)
    note = '<li class="quiet">shaded: least to greatest</li>' if dense else ""
    if chart.best is not None:
        step, value = chart.best
        x, y = float(across.place(step)), float(up.place(value))
        svg.append(f'<circle class="best s0" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>')
        note += f'<li class="quiet">○ best {value:.4g} at step {step}</li>'
    data = json.dumps({"x": rounded(xs, 1), "step": [int(s) for s in steps], "lines": shown})
    title = escape(chart.title)
    at = '<span class="at quiet"></span>'
    units = [u for u in (chart.unit, "log scale" if up.log else "") if u]
    unit = f' <span class="quiet">{escape(", ".join(units))}</span>' if units else ""
    return (
        f'<figure class="chart" data-chart="{escape(data)}">'
        f'<figcaption><h3>{title}{unit}{at}</h3><ul class="legend">{"".join(legend)}{note}</ul>'
        f'</figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{title} over {last_step} steps">{"".join(svg)}'
        f'<line class="cursor" y1="{TOP}" y2="{floor}" hidden=""/></svg></figure>'
    )


def phase_marks(phases: Sequence[Mapping], across: Axis, floor: float) -> list[str]:
    """Upright lines where phases begin, with their names; a name that has no room beside its line
    before the one to its left ends goes a row lower."""
    marks, ends = [], [0.0, 0.0]
    for phase in phases:
        x = float(across.place(phase["start"]))
        if phase["start"] > 0 and x >= across.stop:
            continue
        name = str(phase["name"])
        width = LETTER * len(name)
        left = min(x + 4, across.stop - width)
        row = 0 if left >= ends[0] or left < ends[1] else 1
        ends[row] = left + width + LETTER
        y = TOP - 7 + 11 * row
        marks.append(f'<text x="{left:.1f}" y="{y}" class="quiet">{escape(name)}</text>')
        if phase["start"] > 0:
            marks.append(f'<line class="phase" x1="{x:.1f}" x2="{x:.1f}" y1="6" y2="{floor}"/>')
    return marks


def rounded(values: np.ndarray, decimals: int | None) -> list[float | None]:
    """For JSON: to so many decimals, or to four figures if None; null where there is no value."""
    return [
        None
        if math.isnan(v)
        else (float(f"{v:.4g}") if decimals is None else round(float(v), decimals))
        for v in values
    ]
