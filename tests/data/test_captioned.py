"""Pictures with words and sentences: from classes, from files of captions, and drawn."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from jaxgan.data import drawn_shapes
from jaxgan.data.caption_files import read_captions
from jaxgan.data.captioned import (
    described,
    gather,
    make_lexicon,
    named,
    open_captioned,
    read_texts,
)
from jaxgan.data.examples import Labelled
from jaxgan.data.text import Tokeniser
from jaxgan.errors import UserError

SENTENCE = "a photo of {a} {name}"


def opened(data, **options):
    return open_captioned(str(data), 8, sentence=SENTENCE, **options)


def lexicon_of(found, **changes):
    options = {"size": 50, "length": 6, "shown": 4, **changes}
    return make_lexicon(found, Tokeniser("built-in"), **options)


@pytest.fixture
def album(tmp_path):
    """Four pictures in two folders, of rising brightness."""
    for index, name in enumerate(("iris/1.png", "iris/2.png", "rose/3.png", "rose/4.png")):
        path = tmp_path / "album" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (10, 10), (50 * index,) * 3).save(path)
    return tmp_path / "album"


def test_class_folders_become_sentences(album):
    found = opened(album)
    assert found.captions == (("a photo of an iris",),) * 2 + (("a photo of a rose",),) * 2
    assert found.meaning.tolist() == [0, 0, 1, 1] and found.classes == ("iris", "rose")
    assert found.pictures.shape == (4, 8, 8, 3)
    lexicon = lexicon_of(found)
    assert lexicon.texts == ("a photo of an iris", "a photo of a rose")
    assert set(lexicon.vocabulary.words) == {"photo", "iris", "rose"}


def test_a_file_of_captions_wins_over_folders(album):
    (album / "captions.txt").write_text(
        'image,caption\n1.png,a dark square\n\n1.png,"almost black, they say"\n'
        "rose/4.png,a grey square, and light\n"
    )
    found = opened(album)
    assert found.captions == (
        ("a dark square", "almost black, they say"),
        ("a grey square, and light",),
    )
    assert found.pictures[:, 0, 0, 0].tolist() == [0, 150]
    assert found.labels is None and found.meaning.tolist() == [0, 1]
    assert found.description["without_caption"] == 2 and found.description["count"] == 2
    lexicon = lexicon_of(found)
    texts = read_texts(found, lexicon)
    load = gather(found, texts)
    seeds = np.arange(8, dtype=np.uint64)
    batch = load(np.zeros(8, np.int64), seeds)
    said = {lexicon.vocabulary.tokens(row) for row in batch["text"]}
    assert said == {("dark", "square"), ("almost", "black", "say")}
    assert batch["real"].shape == (8, 8, 8, 3) and batch["meaning"].dtype == np.int32
    about = described(found, lexicon, texts).description["text"]
    assert about["captions"] == 3 and about["unknown_share"] == 0 and about["cut_captions"] == 0
    assert "built-in" in about["stop_words"]


def test_a_zip_may_hold_the_captions_some_folders_down(album, tmp_path):
    archive = tmp_path / "album.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in album.rglob("*.png"):
            packed.write(path, f"data/{path.relative_to(album)}")
        packed.writestr("data/captions.csv", "file,caption\n3.png,a grey one\n")
    found = opened(f"zip:{archive}")
    assert found.captions == (("a grey one",),)
    assert found.pictures[0, 0, 0, 0] == 100
    assert found.description["captions"].endswith("album.zip/data/captions.csv")


def test_flickrs_own_form_is_read():
    text = "1.jpg#0\tA dog , running .\n1.jpg#1\tA brown dog\n"
    assert read_captions(text, "captions.txt", ["1.jpg"]) == [("A dog , running .", "A brown dog")]


@pytest.mark.parametrize(
    "line, said",
    [
        ("5.png,a thing", "line 1 names 5.png, which is not among the 4 pictures"),
        ("1.png", "line 1: 1.png has no caption"),
        ("1.png, ", "line 1: 1.png has no caption"),
        ("", "holds no captions"),
        ("1.png,the of", "the caption='the of' has no word"),
    ],
)
def test_a_bad_line_of_captions_is_named(album, line, said):
    (album / "captions.csv").write_text(line)
    with pytest.raises(UserError, match=said) as raised:
        found = opened(album)
        read_texts(found, lexicon_of(found))
    assert "\n" not in str(raised.value) and "captions.csv" in str(raised.value)


def test_captions_must_be_utf8(album):
    (album / "captions.txt").write_bytes(b"1.png,caf\xe9")
    with pytest.raises(UserError, match=r"not UTF-8 \(byte 9\)"):
        opened(album)


def test_classes_are_not_chosen_among_captions(album):
    (album / "captions.txt").write_text("1.png,a dark square")
    for data in (album, "sample"):
        with pytest.raises(UserError, match="--classes=iris chooses among class folders"):
            opened(data, classes=("iris",))
    (album / "captions.txt").unlink()
    assert len(opened(album / "..", classes=("iris",))) == 2


def test_names_must_be_one_for_each_class():
    pictures = np.zeros((2, 4, 4, 1), np.uint8)
    labelled = Labelled(pictures, np.array([0, 1], np.int32), ("0", "1"), {"where": "here"})
    assert named(labelled, ("zero", "ankle_boot")).captions == (("zero",), ("ankle boot",))
    with pytest.raises(UserError, match=r"--names gives 1 names \(zero\), and the data has 2"):
        named(labelled, ("zero",))
    with pytest.raises(UserError, match="a name is empty"):
        named(labelled, ("zero", " "))


def test_drawn_shapes_are_what_their_sentences_say():
    pictures, labels, captions = drawn_shapes.shapes(32, each=4)
    assert pictures.shape == (96, 32, 32, 3) and len(set(map(tuple, captions))) == 48
    for picture, label, said in zip(pictures, labels, captions, strict=True):
        colour, shape, size = drawn_shapes.KINDS[label]
        ground = "white" if "white" in said[0] else "black"
        far = np.abs(picture.astype(int) - drawn_shapes.GROUNDS[ground]).max(-1) > 60
        share = far.mean()
        # Of a square of the drawn size: pi/4 of it is a circle, half of it a triangle.
        part = {"circle": np.pi / 4, "square": 1.0, "triangle": 0.5}[shape]
        low, high = ((2 * half) ** 2 * part for half in drawn_shapes.SIZES[size])
        assert 0.6 * low < share < 1.4 * high
        mean = picture[far].mean(0)
        nearest = min(
            drawn_shapes.COLOURS, key=lambda c: np.abs(mean - drawn_shapes.COLOURS[c]).sum()
        )
        assert nearest == colour
        assert all(colour in text and shape in text and size in text for text in said)
    again, _, _ = drawn_shapes.shapes(32, each=1)
    assert (again == pictures[:24]).all()


def test_mirroring_and_cutting():
    found = open_captioned("sample", 16, sentence=SENTENCE)
    texts = read_texts(found, lexicon_of(found, length=3))
    assert texts.cut == len(texts.ids)
    rows = np.zeros(2, np.int64)
    batch = gather(found, texts, mirror=True)(rows, np.arange(2, dtype=np.uint64))
    assert (batch["real"][1] == batch["real"][0, :, ::-1]).all()
