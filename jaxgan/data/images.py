"""Picture files of any kind to uint8 RGB and back."""

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps, PngImagePlugin

from jaxgan.errors import UserError

# Read by their contents, but only files with these suffixes are looked for in a folder or a zip.
SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("png", "jpg", "jpeg", "webp", "bmp", "gif", "tif", "tiff"),
        *("ppm", "pgm", "pbm", "pnm", "tga", "jp2"),
    )
)
_ORIENTATION = 0x0112  # the EXIF tag
# Formats that give back the very numbers that were put in.
_LOSSLESS = frozenset({"PNG", "BMP", "GIF", "PPM", "TGA", "TIFF"})

# Pillow's decoders let all of these escape on damaged files.
_DECODE_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    TypeError,
    IndexError,
    KeyError,
    EOFError,
    OverflowError,
    MemoryError,
    Image.DecompressionBombError,
    struct.error,
    zlib.error,
)


def read_image(path_or_bytes: str | os.PathLike[str] | bytes) -> np.ndarray:
    """Decodes a picture of any mode.

    Grey, 1-bit and palette pictures become RGB; transparency is laid over white; 16-bit greys and
    floating pictures in [0, 1] are scaled to 8 bits; CMYK is converted; an EXIF orientation is
    applied; of an animation the first frame is taken.

    Args:
      path_or_bytes: a file's path, or its whole contents.

    Returns:
      uint8 [height, width, 3], RGB, in memory of its own.

    Raises:
      UserError: the file is missing or cannot be decoded; the message names the path when one was
        given.
    """
    try:
        with _open(path_or_bytes) as image:
            image.load()
            return _to_rgb(image)
    except _DECODE_ERRORS as error:
        raise UserError(f"{_label(path_or_bytes)}cannot be read: {_one_line(error)}") from error


class Stored(NamedTuple):
    """A picture, and the numbers that its file holds: class numbers, where it is a label map.

    Attributes:
      picture: uint8 [height, width, 3], as `read_image` gives it.
      numbers: uint8 [height, width] of a file with one channel (of a palette picture its indices),
        else None.
      palette: the colours of a palette picture's indices, three bytes each, else None.
      lossless: whether its format keeps numbers exactly, as JPEG does not.
    """

    picture: np.ndarray
    numbers: np.ndarray | None
    palette: bytes | None
    lossless: bool


def read_stored(path_or_bytes: str | os.PathLike[str] | bytes) -> Stored:
    """Decodes a picture and keeps the numbers that stand in its file; raises as `read_image`."""
    try:
        with _open(path_or_bytes) as image:
            image.load()
            lossless = image.format in _LOSSLESS
            upright = ImageOps.exif_transpose(image)
            palette = bytes(upright.getpalette("RGB") or ()) if upright.mode == "P" else None
            numbers = None
            if upright.mode in ("1", "L", "P") or upright.mode.startswith(("I;16", "I")):
                values = np.asarray(upright)
                if int(values.min()) >= 0 and int(values.max()) <= 255:
                    numbers = values.astype(np.uint8)
            return Stored(_to_rgb(upright), numbers, palette, lossless)
    except _DECODE_ERRORS as error:
        raise UserError(f"{_label(path_or_bytes)}cannot be read: {_one_line(error)}") from error


def read_hole(path_or_bytes: str | os.PathLike[str] | bytes) -> np.ndarray | None:
    """Where a picture is transparent, bool [height, width]; None without transparency.

    Raises as `read_image` does.
    """
    try:
        with _open(path_or_bytes) as image:
            upright = ImageOps.exif_transpose(image)
            if not upright.has_transparency_data:
                return None
            return np.asarray(upright.convert("RGBA"))[..., 3] < 128
    except _DECODE_ERRORS as error:
        raise UserError(f"{_label(path_or_bytes)}cannot be read: {_one_line(error)}") from error


def image_size(path_or_bytes: str | os.PathLike[str] | bytes) -> tuple[int, int]:
    """(height, width) of what `read_image` would give, from the header alone; raises as it does."""
    try:
        with _open(path_or_bytes) as image:
            width, height = image.size
            # Pillow would decode a whole PNG to look for EXIF behind its pixels.
            header_only = image.format != "PNG" or "exif" in image.info
            # Orientations 5 to 8 are those with a quarter turn.
            turned = header_only and image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
            return (width, height) if turned else (height, width)
    except _DECODE_ERRORS as error:
        raise UserError(f"{_label(path_or_bytes)}cannot be read: {_one_line(error)}") from error


def write_image(path: str | os.PathLike[str], image: np.ndarray, *, xmp: str | None = None) -> Path:
    """Writes a picture in the format of the suffix; a file that was there is replaced in one go.

    Args:
      path: where to, with a suffix such as .png or .jpg.
      image: uint8 [height, width, 3] RGB or [height, width] grey.
      xmp: a packet of metadata to go into a PNG, JPEG or WebP file.

    Returns:
      The path.

    Raises:
      UserError: unknown suffix, or the place cannot be written to.
    """
    path = Path(path)
    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind is None or kind not in Image.SAVE:
        raise UserError(f"{path}: cannot write a picture with suffix '{path.suffix}'; use .png")
    if image.dtype != np.uint8:
        raise ValueError(f"write_image takes uint8, got {image.dtype}")
    buffer = io.BytesIO()
    options: dict[str, Any] = {"quality": 95} if kind == "JPEG" else {}
    if xmp is not None and kind == "PNG":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", xmp)
    elif xmp is not None:
        options["xmp"] = xmp.encode()
    Image.fromarray(image).save(buffer, kind, **options)
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_bytes(buffer.getvalue())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UserError(f"cannot write {path}: {_one_line(error)}") from error
    return path


def _open(path_or_bytes: str | os.PathLike[str] | bytes) -> Image.Image:
    if isinstance(path_or_bytes, bytes):
        return Image.open(io.BytesIO(path_or_bytes))
    return Image.open(path_or_bytes)


def _to_rgb(image: Image.Image) -> np.ndarray:
    image = ImageOps.exif_transpose(image)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return np.repeat(_scale_deep_grey(np.asarray(image), image.mode)[:, :, None], 3, axis=2)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image)
    return np.array(image.convert("RGB"))


def _scale_deep_grey(values: np.ndarray, mode: str) -> np.ndarray:
    """Pillow would clip these modes to [0, 255], which turns nearly every pixel white."""
    if mode == "F":
        if not (np.isfinite(values).all() and values.min() >= 0.0 and values.max() <= 1.0):
            raise ValueError("a floating picture must lie in [0, 1]")
        return np.rint(values * 255.0).astype(np.uint8)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError("a 32-bit picture must lie in [0, 65535]")
    # 65535 = 255 * 257, so this rounds to the nearest.
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _label(path_or_bytes: str | os.PathLike[str] | bytes) -> str:
    return "" if isinstance(path_or_bytes, bytes) else f"{os.fspath(path_or_bytes)} "


def _one_line(error: BaseException) -> str:
    if isinstance(error, Image.UnidentifiedImageError):
        return "not a picture in a known format"
    if isinstance(error, FileNotFoundError):
        return "no such file"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split()) or type(error).__name__
