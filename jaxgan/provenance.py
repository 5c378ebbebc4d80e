"""Marks on pictures, films and sounds that nobody took: one to see, and one for programs.

The second one is the digital source type of the IPTC, which C2PA manifests use too, in an XMP
packet: https://cv.iptc.org/newscodes/digitalsourcetype/. A film or a sound has it in its comment,
and a sound has no other. It is not signed; it tells honest programs, and does not stop anybody who
removes it.
"""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image, ImageDraw, ImageFont

import jaxgan
from jaxgan.data import video, video_writing
from jaxgan.data.images import write_image
from jaxgan.errors import UserError

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
WORD = "synthetic"
# Of the picture's height, at most; smaller pictures than this allows get a plain stripe.
_SHARE, _LEAST = 1 / 10, 8

# The comment of films and sounds, whose formats have no place for XMP that programs would look at.
SYNTHETIC = f"{WORD}: made by jaxgan {jaxgan.__version__}; {SOURCE_TYPE}"

_XMP = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about=""
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE}"
 xmp:CreatorTool="jaxgan {jaxgan.__version__}"/>
</rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""


def mark(picture: np.ndarray) -> np.ndarray:
    """A copy with the word `synthetic` in its lower right corner.

    A picture too small for letters gets a stripe of black and white along its lower edge instead.

    Args:
      picture: uint8 [height, width, 3].
    """
    image = Image.fromarray(picture)
    pen = ImageDraw.Draw(image)
    size = max(round(image.height * _SHARE), _LEAST)
    font = ImageFont.load_default(size)
    left, top, right, bottom = pen.textbbox((0, 0), WORD, font)
    width, height = int(right - left) + 4, int(bottom - top) + 4
    if width > image.width or height > image.height // 2:
        striped = picture.copy()
        striped[-1] = np.where(np.arange(image.width)[:, None] // 2 % 2, 255, 0)
        return striped
    box = (image.width - width, image.height - height, image.width, image.height)
    pen.rectangle(box, fill=(0, 0, 0))
    pen.text((box[0] + 2 - left, box[1] + 2 - top), WORD, (255, 255, 255), font)
    return np.array(image)


def write_synthetic(
    path: str | os.PathLike[str], picture: np.ndarray, *, visible: bool = True
) -> Path:
    """Writes a picture with both marks.

    Args:
      path: .png, .jpg or .webp.
      picture: uint8 [height, width, 3].
      visible: False leaves out the one that people see.

    Raises:
      UserError: a suffix that holds no such mark, or the place cannot be written to.
    """
    if Path(path).suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp"):
        raise UserError(f"{path}: synthetic pictures are .png, .jpg or .webp, which say so")
    return write_image(path, mark(picture) if visible else picture, xmp=_XMP)


def write_synthetic_film(
    path: str | os.PathLike[str],
    source: str | os.PathLike[str],
    change: Callable[[np.ndarray], np.ndarray],
    *,
    skip_broken: bool = False,
) -> Path:
    """Writes a film made of another one, with both marks; `video_writing.rewrite` says how.

    Args and raises: as there.
    """

    def marked(frame: np.ndarray) -> np.ndarray:
        return mark(change(frame))

    return video_writing.rewrite(path, source, marked, comment=SYNTHETIC, skip_broken=skip_broken)


def says_synthetic(path: str | os.PathLike[str]) -> bool:
    """Whether a picture's XMP, or the comment of a film or a sound, names a trained algorithm."""
    if Path(path).suffix.lower() == ".wav":
        with soundfile.SoundFile(os.fspath(path)) as sound:
            return SOURCE_TYPE in sound.comment
    if Path(path).suffix.lower() in video_writing.SUFFIXES:
        return any(SOURCE_TYPE in said for said in video.metadata(path).values())
    with Image.open(path) as image:
        found = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    text = found if isinstance(found, str) else found.decode("utf-8", "replace")
    return SOURCE_TYPE in text
