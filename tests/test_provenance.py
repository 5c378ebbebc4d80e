"""Synthetic pictures and films say so, to people and to programs."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PIL import Image

from jaxgan.data import video
from jaxgan.data.images import read_image, write_image
from jaxgan.errors import UserError
from jaxgan.provenance import mark, says_synthetic, write_synthetic, write_synthetic_film


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_a_file_says_that_it_is_synthetic(tmp_path, suffix):
    picture = np.full((96, 128, 3), 90, np.uint8)
    path = write_synthetic(tmp_path / f"face{suffix}", picture)
    assert says_synthetic(path)
    with Image.open(path) as image:
        packet = image.info.get("xmp") or image.info["XML:com.adobe.xmp"]
    text = packet if isinstance(packet, str) else packet.decode()
    ElementTree.fromstring(text[text.index("<x:xmpmeta") : text.index("<?xpacket end")])
    assert not says_synthetic(write_image(tmp_path / f"plain{suffix}", picture))
    # The mark to see is there as well, and in one corner only.
    seen = np.abs(read_image(path).astype(int) - 90).max(-1) > 60
    assert seen.any() and not seen[:64].any() and not seen[:, :40].any()


@pytest.mark.parametrize("size", [(64, 64), (8, 8), (1, 1), (500, 20)])
def test_a_mark_fits_any_picture_and_leaves_the_original_alone(size):
    picture = np.full((*size, 3), 90, np.uint8)
    marked = mark(picture)
    assert marked.shape == picture.shape and (picture == 90).all()
    changed = (marked != picture).any(-1)
    assert (changed.any() and changed.mean() < 0.4) or size[0] <= 2
    assert {0, 255} & set(np.unique(marked[-1]))


def test_a_format_without_room_for_the_mark_is_refused(tmp_path):
    with pytest.raises(UserError, match="which say so"):
        write_synthetic(tmp_path / "face.bmp", np.zeros((8, 8, 3), np.uint8))


def test_a_film_says_that_it_is_synthetic(tmp_path, write_film):
    frames = [np.full((96, 128, 3), 90, np.uint8)] * 3
    source = write_film(tmp_path / "film.mp4", frames)
    for suffix in (".mp4", ".mkv", ".webm"):
        path = write_synthetic_film(tmp_path / f"new{suffix}", source, lambda frame: frame)
        assert says_synthetic(path)
        for frame in video.frames(path):
            seen = np.abs(frame.astype(int) - 90).max(-1) > 60
            assert seen.any() and not seen[:64].any() and not seen[:, :40].any()
    assert not says_synthetic(source)
