"""report.html: one page that shows a run, with everything it needs inside it."""

import json
import math
import shlex
from collections.abc import Iterable, Mapping
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from types import MappingProxyType
from typing import Any

import jaxgan
from jaxgan import health
from jaxgan.console import human_count
from jaxgan.errors import UserError
from jaxgan.metrics.stamp import Stamp
from jaxgan.metrics.stamp import in_words as stamps_in_words
from jaxgan.report_charts import draw, evaluation_charts, training_charts
from jaxgan.report_figures import (
    Figure,
    Series,
    best,
    figures,
    last,
    read_metrics,
    training_seconds,
)
from jaxgan.report_samples import samples_section
from jaxgan.run_directory import read_config, read_stamps

Metrics = Mapping[str, Series]


def write_report(run_dir: Path) -> Path:
    """Writes run_dir/report.html and returns its path.

    Reads config.json, metrics.jsonl and samples/; the last two may be missing or have a torn end.
    Of config.json it uses `experiment`, `command`, `flags`, `scale`, `data`, `versions`, `devices`,
    `started`, `players`, and if they are there `figures` (sentences that go with the figures) and
    `phases` (of {"name", "start"}, marked in the curves).

    Raises UserError when there is no config.json, or the page cannot be written.
    """
    run_dir = Path(run_dir)
    config = read_config(run_dir)
    if config is None:
        raise UserError(f"{run_dir} holds no config.json; give the directory of a run")
    metrics = read_metrics(run_dir / "metrics.jsonl")
    page = render(config, metrics, run_dir / "samples", read_stamps(run_dir))
    path = run_dir / "report.html"
    partial = run_dir / ".report.html.partial"
    try:
        partial.write_text(page, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
    return path


def together(phases: Iterable[Mapping]) -> list[dict]:
    """Phases that begin at one step as one, "critic + generator": their marks would overlap."""
    names: dict[int, list[str]] = {}
    for phase in phases:
        names.setdefault(phase["start"], []).append(str(phase["name"]))
    return [{"name": " + ".join(group), "start": start} for start, group in sorted(names.items())]


def render(
    config: Mapping[str, Any],
    metrics: Metrics,
    samples: Path,
    stamps: Mapping[str, Stamp] = MappingProxyType({}),
) -> str:
    """The page's HTML."""
    name = str(config.get("experiment", "run"))
    scale = config.get("scale")
    template = Template(resources.files("jaxgan").joinpath("report.html").read_text("utf-8"))
    return template.substitute(
        title=f"{escape(name)} - jaxgan",
        name=escape(name),
        badge=f'<span class="badge">{escape(str(scale))} scale</span>' if scale else "",
        lede=escape(data_in_words(config.get("data") or {})),
        headline=headline(metrics, stamps),
        facts=facts(config, metrics),
        health=health_notes(metrics),
        notes=bullets(config.get("figures") or []),
        sections=sections(config, metrics, samples, stamps),
        version=jaxgan.__version__,
    )


def data_in_words(data: Mapping[str, Any]) -> str:
    """The data in a line, from its description's kind, count and where."""
    parts = [str(data[key]) for key in ("kind", "where") if data.get(key)]
    if isinstance(data.get("count"), int):
        parts.insert(1, f"{data['count']} examples")
    return f"Data: {', '.join(parts)}" if parts else ""


def headline(metrics: Metrics, stamps: Mapping[str, Stamp]) -> str:
    """A card for each figure of evaluation: the last value, its baselines, the best, its stamp."""
    cards = [
        card(figure, metrics, stamps.get(figure.name.removeprefix("eval/")))
        for figure in figures(metrics)
    ]
    return f'<ul class="headline">{"".join(cards)}</ul>' if any(cards) else ""


def card(figure: Figure, metrics: Metrics, stamp: Stamp | None = None) -> str:
    """One figure's card; empty if it was never finite."""
    series = metrics[figure.name]
    now, top = last(series), best(series, figure.higher_is_better)
    if now is None or top is None:
        return ""
    unit = f" {figure.unit}" if figure.unit else ""
    lines = []
    for word, name in figure.baselines.items():
        baseline = last(metrics[name])
        if baseline is not None:
            gain = now[1] - baseline[1]
            better = gain > 0 if figure.higher_is_better else gain < 0
            kind = "better" if better else "worse"
            lines.append(
                f'{escape(word)} {number(baseline[1], like=now[1])}, <span class="{kind}">'
                f"{number(gain, like=now[1], signed=True)}</span>"
            )
    if top[0] == now[0]:
        lines.append(f"best so far, step {now[0]}" if len(series.steps) > 1 else f"step {now[0]}")
    else:
        lines.append(f"best {number(top[1])} at step {top[0]}")
    if stamp is not None and stamp.features:
        # Nobody shall take it for a figure of another network.
        lines.append(f"with {escape(stamp.features.partition(',')[0])}")
    spread = last(metrics[figure.spread]) if figure.spread else None
    if spread is not None:
        unit = f" ± {number(spread[1], like=now[1])}{unit}"
    small = f"<small>{escape(unit.strip())}</small>" if unit else ""
    paragraphs = "".join(f"<p>{line}</p>" for line in lines)
    return (
        f'<li><h3>{escape(figure.label)}</h3><p class="value">{number(now[1])}{small}</p>'
        f"{paragraphs}</li>"
    )


def number(value: float, *, like: float | None = None, signed: bool = False) -> str:
    """A figure for reading, with the decimals that suit its size, or that of `like`."""
    size = abs(value if like is None else like)
    if value.is_integer() and like is None and size < 1e5:
        return f"{value:.0f}".replace("-", "\u2212")
    decimals = 2 if size >= 10 else 3
    text = f"{value:.{decimals}f}" if 0.01 <= size < 1e5 else f"{value:.3g}"
    sign = "+" if signed and value > 0 else ""
    return sign + (text.replace("-", "\u2212", 1) if value < 0 else text)


def facts(config: Mapping[str, Any], metrics: Metrics) -> str:
    """A line of facts: steps, time, speed, players, devices, date."""
    rows: dict[str, str] = {}
    steps = max((series.steps[-1] for series in metrics.values()), default=0)
    total = (config.get("flags") or {}).get("steps")
    planned = f" of {total:,}" if isinstance(total, int) and total else ""
    rows["Steps"] = f"{steps:,}{planned}"
    seconds = training_seconds(metrics)
    if seconds:
        rows["Training time"] = in_words(seconds)
    speed = last(metrics.get("train/images_per_second", Series([], [])))
    if speed:
        rows["Images a second"] = f"{speed[1]:,.0f}" if speed[1] >= 100 else f"{speed[1]:.3g}"
    skipped = last(metrics.get("train/skipped", Series([], [])))
    if skipped and skipped[1]:
        rows["Steps skipped as not finite"] = f"{skipped[1]:g}"
    for player, count in (config.get("players") or {}).items():
        rows[str(player).capitalize()] = f"{human_count(count)} parameters"
    if config.get("devices"):
        rows["Devices"] = ", ".join(grouped(config["devices"]))
    if config.get("started"):
        rows["Started"] = str(config["started"])[:16].replace("T", " ")
    items = (f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in rows.items())
    return f'<dl class="facts">{"".join(items)}</dl>'


def grouped(words: list) -> list[str]:
    """['cpu', 'cpu', 'tpu'] -> ['2 x cpu', 'tpu']."""
    counts = {str(word): [str(w) for w in words].count(str(word)) for word in words}
    return [f"{n} \u00d7 {word}" if n > 1 else word for word, n in counts.items()]


def in_words(seconds: float) -> str:
    """4000 -> '1 h 7 min'."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def bullets(sentences: list) -> str:
    items = "".join(f"<li>{escape(str(sentence))}</li>" for sentence in sentences)
    return f'<ul class="notes">{items}</ul>' if items else ""


def health_notes(metrics: Metrics) -> str:
    """What stayed wrong while the run trained (`jaxgan.health`); empty where nothing did."""
    nothing = Series([], [])
    found = [
        dict(zip(s.steps, s.values, strict=True))
        for s in (metrics.get(f"train/{name}", nothing) for name in health.METRICS)
    ]
    steps = sorted(found[0].keys() | found[1].keys())
    columns = [[series.get(step, math.nan) for step in steps] for series in found]
    items = "".join(
        f"<li><b>Steps {episode.first:,} to {episode.last:,}:</b> "
        f"{escape(health.SENTENCES[episode.sign])}.</li>"
        for episode in health.episodes(steps, *columns)
    )
    return f'<ul class="notes warnings">{items}</ul>' if items else ""


def sections(
    config: Mapping[str, Any], metrics: Metrics, samples: Path, stamps: Mapping[str, Stamp]
) -> str:
    """All that stands below the headline."""
    phases = together(p for p in config.get("phases") or [] if {"name", "start"} <= set(p))
    end = max((series.steps[-1] for series in metrics.values()), default=0)
    shown = samples_section(samples)
    parts = [("Samples", shown)] if shown else []
    for title, charts in (
        ("Evaluation", evaluation_charts(metrics)),
        ("Training", training_charts(metrics)),
    ):
        if charts:
            drawn = "".join(draw(chart, phases, end) for chart in charts)
            # Three to a row would leave the last of four, or of two, beside an empty place.
            layout = "charts pairs" if len(charts) in (1, 2, 4) else "charts"
            parts.append((title, f'<div class="{layout}">{drawn}</div>'))
        if title == "Evaluation" and stamps:
            parts.append(("What the figures were measured with", bullets(stamps_in_words(stamps))))
    if not metrics:
        parts.append(("Curves", "<p>No step has been logged yet.</p>"))
    command = config.get("command") or []
    if command:
        line = command if isinstance(command, str) else shlex.join(map(str, command))
        parts.append(("Command", f'<pre class="panel">{escape(line)}</pre>'))
    parts.append(("Data, machine and settings", settings(config)))
    return "".join(f"<section><h2>{title}</h2>{body}</section>" for title, body in parts)


def settings(config: Mapping[str, Any]) -> str:
    """Tables of the data, the machine and the flags."""
    machine = {
        "devices": ", ".join(grouped(config.get("devices") or [])),
        "started": config.get("started", ""),
        **(config.get("versions") or {}),
    }
    panels = "".join(
        f'<div class="panel"><h3>{title}</h3>{table(values)}</div>'
        for title, values in (("Data", config.get("data") or {}), ("Machine", machine))
    )
    flags = config.get("flags") or {}
    return (
        f'<div class="panels">{panels}</div><details class="panel"><summary>All {len(flags)} '
        f"flags</summary><div>{table(flags)}</div></details>"
    )


def table(values: Mapping[str, Any]) -> str:
    """Names and values in two columns; what is nested gets a dotted name."""
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>'
        for name, value in flat(values)
    )
    return f"<table>{rows}</table>"


def flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """[('train.count', '12'), ...]; lists are joined by commas."""
    rows = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            rows += flat(value, f"{prefix}{name}.")
        elif isinstance(value, (list, tuple)):
            words = [v if isinstance(v, str) else json.dumps(v) for v in value]
            rows.append((f"{prefix}{name}", ", ".join(words) or "none"))
        else:
            text = value if isinstance(value, str) else json.dumps(value)
            rows.append((f"{prefix}{name}", text))
    return rows
