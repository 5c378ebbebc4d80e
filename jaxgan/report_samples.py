"""A run's samples, embedded in report.html: pictures, films, sounds; the latest large."""

import base64
import io
import re
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

SHOWN = 12
STRIP_WIDTH = 1000
# A picture narrower than this is shown enlarged, with its pixels as they are.
SMALL = 500
# Above this a picture is embedded in WebP, and a film or sound is linked to instead.
EMBED_BYTES = 8_000_000
MIME = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".wav": "audio/wav",
}
STILL = (".png", ".jpg", ".webp")


@dataclass(frozen=True)
class Sample:
    """A file of samples/, named as `stem_00000100.png`."""

    step: int
    path: Path


def find_samples(folder: Path) -> dict[str, list[Sample]]:
    """The samples in a folder by stem, each in the order of the steps."""
    found: dict[str, list[Sample]] = {}
    for path in sorted(folder.glob("*")):
        match = re.fullmatch(r"([^.].*)_(\d+)", path.stem)
        if match and path.suffix.lower() in MIME:
            sample = Sample(int(match[2]), path)
            found.setdefault(f"{match[1]}{path.suffix.lower()}", []).append(sample)
    return {stem: sorted(group, key=lambda s: s.step) for stem, group in found.items()}


def thin_samples(samples: list[Sample], count: int = SHOWN) -> list[Sample]:
    """The first, the last and others evenly between, `count` in all at most."""
    chosen = np.linspace(0, len(samples) - 1, min(count, len(samples))).round().astype(int)
    return [samples[i] for i in chosen]


def samples_section(folder: Path) -> str:
    """The HTML of every group of samples."""
    parts = []
    for stem, samples in find_samples(folder).items():
        name, _, kind = stem.rpartition(".")
        readable = [s for s in samples if f".{kind}" not in STILL or is_readable(s.path)]
        if readable:
            draw = pictures if f".{kind}" in STILL else recordings
            parts.append(draw(name.replace("_", " "), thin_samples(readable)))
    return "".join(parts)


def is_readable(path: Path) -> bool:
    """Whether a picture's file is whole."""
    try:
        with Image.open(path) as picture:
            picture.load()
    except OSError:
        return False
    return True


def pictures(name: str, samples: list[Sample]) -> str:
    """The latest picture large, and if there are others a slider and a strip of all."""
    latest = samples[-1]
    with Image.open(latest.path) as picture:
        width, height = picture.size
    small, shown = (" pixels", 720) if width < SMALL else ("", width)
    label = escape(name)
    stage = (
        f'<div class="stage{small}" style="--shown: {shown}px"><img src="{whole(latest.path)}" '
        f'width="{width}" height="{height}" alt="{label} at step {latest.step}"></div>'
    )
    caption = f"<figcaption><b>{label}</b>, step <output>{latest.step}</output></figcaption>"
    if len(samples) == 1:
        return f'<figure class="samples">{caption}{stage}</figure>'
    strip = "".join(
        f'<li><button type="button" data-step="{s.step}"><img src="{reduced(s.path)}" '
        f'alt="{label} at step {s.step}" loading="lazy"><span>step {s.step}</span></button></li>'
        for s in samples
    )
    slider = (
        f'<label class="slider" hidden><span>step {samples[0].step}</span><input type="range" '
        f'min="0" max="{len(samples) - 1}" value="{len(samples) - 1}" '
        f'aria-label="step of {label}"><span>{latest.step}</span></label>'
    )
    return (
        f'<figure class="samples">{caption}{stage}{slider}<ol class="strip">{strip}</ol></figure>'
    )


def recordings(name: str, samples: list[Sample]) -> str:
    """Films, moving pictures and sounds, the latest first."""
    items = []
    for sample in reversed(samples):
        kind = MIME[sample.path.suffix.lower()].partition("/")[0]
        if sample.path.stat().st_size > EMBED_BYTES:
            link = escape(f"samples/{sample.path.name}", quote=True)
            player = f'<a href="{link}">{escape(sample.path.name)}</a>, too large to embed'
        elif kind == "image":
            player = f'<img src="{whole(sample.path)}" alt="{escape(name)}">'
        else:
            player = f'<{kind} controls preload="metadata" src="{whole(sample.path)}"></{kind}>'
        said = text_beside(sample.path)
        said = f"<p>{escape(said)}</p>" if said else ""
        items.append(f"<li>{player}{said}<span>step {sample.step}</span></li>")
    return (
        f'<figure class="samples"><figcaption><b>{escape(name)}</b></figcaption>'
        f'<ol class="recordings">{"".join(items)}</ol></figure>'
    )


def text_beside(path: Path) -> str:
    """What is said in a recording, from the .txt of its name; '' without one that can be read."""
    try:
        return path.with_suffix(".txt").read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def whole(path: Path) -> str:
    """A file as a data URI; a very large picture without its least visible detail."""
    mime = MIME[path.suffix.lower()]
    if path.suffix.lower() in STILL and path.stat().st_size > EMBED_BYTES:
        with Image.open(path) as picture:
            return data_uri(webp(picture.convert("RGB"), 92), "image/webp")
    return data_uri(path.read_bytes(), mime)


def reduced(path: Path) -> str:
    """A picture as a data URI, narrow enough to hold a dozen of them."""
    with Image.open(path) as picture:
        image = picture.convert("RGB")
    if image.width < SMALL:
        # Small samples are mostly hard edges, which lossy coding would smear.
        return whole(path)
    image.thumbnail((STRIP_WIDTH, 4 * STRIP_WIDTH), Image.Resampling.LANCZOS)
    return data_uri(webp(image, 82), "image/webp")


def webp(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    # WebP holds no side above 16383 pixels.
    image.thumbnail((16_383, 16_383))
    image.save(buffer, "WEBP", quality=quality)
    return buffer.getvalue()


def data_uri(content: bytes, mime: str) -> str:
    return f"data:{mime};base64,{base64.b64encode(content).decode('ascii')}"
