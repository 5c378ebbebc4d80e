"""What a person looks at: sample grids and scatter plots, written as PNG files.

Pillow alone draws them, with the font that is inside Pillow, so that they look the same on every
machine.
"""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from jaxgan.errors import UserError

PAPER = (255, 255, 255)
INK = (38, 43, 51)
FAINT = (222, 226, 231)
# Okabe and Ito's palette (2008): told apart by readers with any colour vision.
COLOURS = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (86, 180, 233))


class Exhibit(Protocol):
    """Something to look at, or to listen to."""

    def save(self, path: str | os.PathLike) -> Path:
        """Writes `path` + the suffix of its kind, and returns the path written."""


def to_uint8(images) -> np.ndarray:
    """Pictures in [-1, 1], any float dtype, any shape -> uint8 of the same shape.

    Values outside the range are clipped; those that are not finite become black.
    """
    values = np.nan_to_num(np.asarray(images, np.float32), nan=-1.0, posinf=-1.0, neginf=-1.0)
    return np.rint((np.clip(values, -1.0, 1.0) + 1.0) * 127.5).astype(np.uint8)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About `count` round numbers (1, 2 or 5 times a power of ten apart) within [low, high]."""
    if not high > low:
        return [low]
    raw = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    apart = next(power * m for m in (1, 2, 5, 10) if power * m >= raw * 0.7)
    first, last = math.ceil(low / apart - 1e-9), math.floor(high / apart + 1e-9)
    # A count of steps times the spacing, never a running sum: 0.30000000000000004 is no label.
    return [float(f"{i * apart:.12g}") for i in range(first, last + 1)]


@dataclass(frozen=True)
class Grid:
    """Pictures in rows and columns.

    rows: pictures, uint8 [height, width, 3] (or [height, width], [height, width, 1]); sizes may
        differ, and rows may be of different lengths.
    columns: a caption over each column, or none at all.
    labels: a caption at the left of each row, or none at all; may hold line breaks.
    magnify: every picture is enlarged by this whole factor, nearest neighbour.
    enlarge: a picture smaller than the largest of its row is enlarged as well, nearest neighbour,
        by the largest whole factor that fits: a low-resolution input then stands at its output's
        size.
    max_width: a wider grid is reduced to this many pixels.
    """

    rows: Sequence[Sequence[np.ndarray]]
    columns: Sequence[str] = ()
    labels: Sequence[str] = ()
    magnify: int = 1
    enlarge: bool = False
    max_width: int = 2400

    @classmethod
    def from_batch(cls, images, columns: int = 8, *, magnify: int = 1) -> "Grid":
        """A batch [n, height, width, 1 or 3], uint8 or float in [-1, 1], `columns` to a row."""
        images = np.asarray(images)
        pictures = images if images.dtype == np.uint8 else to_uint8(images)
        if pictures.ndim != 4:
            raise ValueError(f"a batch of pictures has 4 axes, this one has shape {images.shape}")
        starts = range(0, len(pictures), columns)
        return cls([list(pictures[i : i + columns]) for i in starts], magnify=magnify)

    def draw(self) -> Image.Image:
        """The grid as an RGB picture."""
        if not any(len(row) for row in self.rows):
            raise ValueError("a grid needs at least one picture")
        rows = [self._scaled(row) for row in self.rows]
        count = max(len(row) for row in rows)
        if self.columns and len(self.columns) != count:
            raise ValueError(f"{len(self.columns)} captions for {count} columns")
        if self.labels and len(self.labels) != len(rows):
            raise ValueError(f"{len(self.labels)} labels for {len(rows)} rows")
        widths = [
            max((row[c].width for row in rows if c < len(row)), default=0) for c in range(count)
        ]
        heights = [max((picture.height for picture in row), default=0) for row in rows]
        font = ImageFont.load_default(float(np.clip(max(widths) / 14, 12, 30)))
        if self.columns:
            widths = [
                max(w, text_size(t, font)[0]) for w, t in zip(widths, self.columns, strict=True)
            ]
        gap = int(np.clip(max(widths) / 40, 2, 10))
        margin = max(gap, 6) if self.columns or self.labels else gap
        label_sizes = [text_size(text, font) for text in self.labels]
        heights = [max([h, *(s[1] for s in label_sizes[i : i + 1])]) for i, h in enumerate(heights)]
        left = margin + (max(w for w, _ in label_sizes) + 2 * margin if self.labels else 0)
        top = margin + (
            max(text_size(t, font)[1] for t in self.columns) + margin if self.columns else 0
        )

        xs = [left + sum(widths[:c]) + gap * c for c in range(count)]
        ys = [top + sum(heights[:r]) + gap * r for r in range(len(rows))]
        canvas = Image.new(
            "RGB", (xs[-1] + widths[-1] + margin, ys[-1] + heights[-1] + margin), PAPER
        )
        pen = ImageDraw.Draw(canvas)
        for x, width, text in zip(xs, widths, self.columns, strict=False):
            pen.text((x + width / 2, top - margin), text, INK, font, anchor="md")
        for y, height, text, (w, h) in zip(ys, heights, self.labels, label_sizes, strict=False):
            pen.multiline_text(
                (left - 2 * margin - w, y + (height - h) / 2), text, INK, font, align="right"
            )
        for y, height, row in zip(ys, heights, rows, strict=True):
            for x, width, picture in zip(xs, widths, row, strict=False):
                canvas.paste(
                    picture, (x + (width - picture.width) // 2, y + (height - picture.height) // 2)
                )
        if canvas.width > self.max_width:
            height = max(1, round(canvas.height * self.max_width / canvas.width))
            canvas = canvas.resize((self.max_width, height), Image.Resampling.LANCZOS)
        return canvas

    def save(self, path: str | os.PathLike) -> Path:
        """Writes `path` + '.png' and returns that path."""
        return save_png(self.draw(), path)

    def _scaled(self, row: Sequence[np.ndarray]) -> list[Image.Image]:
        pictures = [as_picture(image) for image in row]
        if not pictures:
            return []
        width, height = max(p.width for p in pictures), max(p.height for p in pictures)
        scaled = []
        for picture in pictures:
            factor = self.magnify
            if self.enlarge:
                factor *= min(width // picture.width, height // picture.height)
            size = (picture.width * factor, picture.height * factor)
            scaled.append(picture.resize(size, Image.Resampling.NEAREST))
        return scaled


@dataclass(frozen=True)
class Scatter:
    """Points of two dimensions, one colour a series.

    series: name -> [n, 2] of any float dtype; drawn in this order, so the last lies on top.
    limits: (low, high) of both axes; points beyond them are left out, and the legend says how many.
    size: of the square plot, in pixels.
    """

    series: Mapping[str, np.ndarray]
    limits: tuple[float, float]
    size: int = 640

    def draw(self) -> Image.Image:
        """The plot as an RGB picture."""
        # Drawn at three times its size and reduced, which smooths every edge.
        over = 3
        low, high = self.limits
        font = ImageFont.load_default(14.0 * over)
        legend = 26 * over * len(self.series) + 10 * over
        left, margin, side = 46 * over, 14 * over, (self.size - 60) * over
        canvas = Image.new("RGB", (left + side + margin, legend + side + 40 * over), PAPER)
        pen = ImageDraw.Draw(canvas, "RGBA")

        def place(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            unit = (values - low) / (high - low)
            return left + unit[..., 0] * side, legend + (1.0 - unit[..., 1]) * side

        for tick in ticks(low, high, 6):
            x, y = (float(v) for v in place(np.asarray([tick, tick])))
            pen.line((x, legend, x, legend + side), FAINT, over)
            pen.line((left, y, left + side, y), FAINT, over)
            pen.text((x, legend + side + 8 * over), f"{tick:g}", INK, font, anchor="ma")
            pen.text((left - 8 * over, y), f"{tick:g}", INK, font, anchor="rm")
        radius = 2.2 * over
        for i, (name, points) in enumerate(self.series.items()):
            points = np.asarray(points, np.float64)
            if points.ndim != 2 or points.shape[1] != 2:
                raise ValueError(f"{name}: points have shape [n, 2], these have {points.shape}")
            colour = COLOURS[i % len(COLOURS)]
            with np.errstate(invalid="ignore"):
                inside = np.all((points >= low) & (points <= high), axis=1)
            for x, y in zip(*place(points[inside]), strict=True):
                pen.ellipse((x - radius, y - radius, x + radius, y + radius), (*colour, 150))
            y = (18 + 26 * i) * over
            pen.ellipse((left, y - 5 * over, left + 10 * over, y + 5 * over), colour)
            outside = len(points) - int(inside.sum())
            text = f"{name}  ({outside} outside)" if outside else name
            pen.text((left + 18 * over, y), text, INK, font, anchor="lm")
        size = (canvas.width // over, canvas.height // over)
        return canvas.resize(size, Image.Resampling.LANCZOS)

    def save(self, path: str | os.PathLike) -> Path:
        """Writes `path` + '.png' and returns that path."""
        return save_png(self.draw(), path)


def as_picture(image: np.ndarray) -> Image.Image:
    """uint8 [height, width], [height, width, 1] or [height, width, 3] -> an RGB picture."""
    image = np.asarray(image)
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    if image.dtype != np.uint8 or not (
        image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)
    ):
        raise ValueError(
            f"a picture is uint8 [height, width, 3]; this is {image.dtype} {image.shape}"
        )
    return Image.fromarray(np.ascontiguousarray(image)).convert("RGB")


def text_size(text: str, font) -> tuple[int, int]:
    """Width and height in pixels of a text that may hold line breaks."""
    pen = ImageDraw.Draw(Image.new("L", (1, 1)))
    box = pen.multiline_textbbox((0, 0), text, font)
    return math.ceil(box[2]), math.ceil(box[3])


def save_png(picture: Image.Image, path: str | os.PathLike) -> Path:
    """Writes `path` + '.png', whole or not at all: a run that is killed leaves no torn picture.

    Raises UserError when the folder cannot be written.
    """
    target = Path(f"{os.fspath(path)}.png")
    partial = target.with_name(f".{target.name}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        picture.save(partial, "PNG")
        partial.replace(target)
    except OSError as error:
        raise UserError(f"cannot write {target}: {error.strerror or error}") from error
    return target
