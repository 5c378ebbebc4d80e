"""Folders, zips, arrays: what is found, what is refused and how, what is kept in memory."""

import concurrent.futures
import json
import zipfile

import numpy as np
import pytest

from jaxgan.data import sample
from jaxgan.data.images import write_image
from jaxgan.data.pictures import ReadSource
from jaxgan.data.sources import (
    ArraySource,
    open_held_out,
    open_source,
    open_train_and_held_out,
)
from jaxgan.errors import UserError


def picture(seed, height=8, width=10):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def make_folder(root, names):
    for seed, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        write_image(root / name, picture(seed))
    return root


def make_zip(path, folder):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return path


NAMES = ["b.png", "deep/c.png", "deep/er/a.PNG", "z.png"]


@pytest.fixture
def folder(tmp_path):
    root = make_folder(tmp_path / "pictures", NAMES)
    make_folder(root, [".hidden.png", ".thumbs/a.png", "__MACOSX/a.png", "META/a.png"])
    (root / "notes.txt").write_text("no picture")
    return root


@pytest.mark.parametrize("kind", ["folder", "zip"])
@pytest.mark.parametrize("prefixed", [True, False])
def test_pictures_in_the_order_of_their_names(folder, kind, prefixed):
    where = folder if kind == "folder" else make_zip(folder.parent / "p.zip", folder)
    source = open_source(f"{kind}:{where}" if prefixed else str(where))
    assert [source.name(i) for i in range(len(source))] == NAMES
    for i in range(len(NAMES)):
        np.testing.assert_array_equal(source[i], picture(i))
        assert source.size(i) == (8, 10)
    np.testing.assert_array_equal(source[-1], picture(3))
    with pytest.raises(IndexError):
        source[4]
    about = {"kind": kind, "where": str(where), "count": 4, "skipped": []}
    assert json.loads(json.dumps(source.description)) == about


def test_a_folder_inside_a_zip(folder):
    archive = make_zip(folder.parent / "p.zip", folder)
    source = open_source(f"zip:{archive}/deep")
    assert [source.name(i) for i in range(len(source))] == ["c.png", "er/a.PNG"]
    np.testing.assert_array_equal(source[0], picture(1))
    with pytest.raises(UserError, match=r"no pictures in .*p\.zip/nothing"):
        open_source(f"{archive}/nothing")


def test_home_is_expanded(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder.parent))
    assert len(open_source("folder:~/pictures")) == len(open_source("~/pictures")) == 4


def complaint(data, **options):
    with pytest.raises(UserError) as caught:
        open_source(data, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_each_mistake_has_its_line(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "notes.txt").write_text("no picture")
    assert "there is no folder" in complaint(f"folder:{tmp_path}/gone")
    assert "there is no such folder" in complaint(f"{tmp_path}/gone")
    assert "there is no file" in complaint(f"zip:{tmp_path}/gone.zip")
    for text in (complaint(f"folder:{empty}"), complaint(str(empty))):
        assert f"no pictures in {empty}" in text and ".jpg" in text and ".png" in text
    assert "is not a readable zip" in complaint(f"zip:{empty}/notes.txt")
    assert f"zip:{empty}/notes.txt" in complaint(f"folder:{empty}/notes.txt")
    assert "names nothing" in complaint("folder:")
    assert "did you mean folder?" in complaint("foldr:pictures", data_dir=tmp_path)
    assert "did you mean sample?" in complaint("smaple", data_dir=tmp_path)
    assert "folder:PATH" in complaint("", data_dir=tmp_path)
    assert "no split 'test'" in complaint("sample", split="test")
    make_folder(empty, ["a.png"])
    assert "no split 'test'" in complaint(str(empty), split="test")


def test_an_empty_zip_says_what_is_read(tmp_path):
    zipfile.ZipFile(tmp_path / "p.zip", "w").close()
    text = complaint(f"zip:{tmp_path}/p.zip")
    assert "no pictures in" in text and ".png" in text
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.writestr("a-z.csv", "1,2")
    assert "unpack it, for it holds a-z.csv" in complaint(f"zip:{tmp_path}/p.zip")


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_broken_pictures_are_named_and_counted_or_skipped(folder, kind):
    data = (folder / "b.png").read_bytes()
    (folder / "b.png").write_bytes(data[: len(data) // 2])
    (folder / "deep" / "c.png").write_bytes(b"nothing")
    where = folder if kind == "folder" else make_zip(folder.parent / "p.zip", folder)
    text = complaint(f"{kind}:{where}")
    assert text.startswith(f"2 of 4 pictures in {where} cannot be read: b.png, deep/c.png (")
    assert "--skip_broken" in text
    source = open_source(f"{kind}:{where}", skip_broken=True)
    assert source.description["skipped"] == ["b.png", "deep/c.png"]
    assert source.description["count"] == len(source) == 2
    assert [source.name(i) for i in range(2)] == ["deep/er/a.PNG", "z.png"]
    np.testing.assert_array_equal(source[0], picture(2))


def test_a_zip_with_a_damaged_member(folder):
    archive = make_zip(folder.parent / "p.zip", folder)
    data = bytearray(archive.read_bytes())
    stored = (folder / "z.png").read_bytes()
    data[data.rindex(stored) + 60] ^= 255
    archive.write_bytes(bytes(data))
    text = complaint(f"zip:{archive}")
    assert text.startswith("1 of 4") and ": z.png (z.png cannot be read: Bad CRC-32" in text


def test_only_broken_pictures_are_an_error_even_when_skipping(tmp_path):
    for i in range(7):
        (tmp_path / f"{i}.png").write_bytes(b"nothing")
    text = complaint(f"folder:{tmp_path}", skip_broken=True)
    assert text.startswith("none of the 7 pictures") and "4.png, ... (" in text


def counting_source(memory_limit):
    reads = []
    encoded = {}

    def read_bytes(index):
        reads.append(index)
        return encoded[index]

    source = ReadSource(
        [str(i) for i in range(4)],
        read_bytes,
        {"kind": "test", "where": "here"},
        memory_limit=memory_limit,
    )
    return source, reads, encoded


def test_pictures_are_kept_up_to_the_budget(tmp_path):
    # Each is 240 bytes: two of the four fit.
    source, reads, encoded = counting_source(500)
    for i in range(4):
        encoded[i] = write_image(tmp_path / f"{i}.png", picture(i)).read_bytes()
    for _ in range(3):
        for i in range(4):
            np.testing.assert_array_equal(source[i], picture(i))
    assert [reads.count(i) for i in range(4)] == [1, 1, 3, 3]


def test_size_reads_a_header_once_and_no_picture(tmp_path):
    source, reads, encoded = counting_source(10**6)
    # Half a file has its header but cannot be decoded.
    data = write_image(tmp_path / "a.png", picture(0, 20, 30)).read_bytes()
    encoded[1] = data[: len(data) // 2]
    assert [source.size(1), source.size(1)] == [(20, 30)] * 2
    assert reads == [1]
    with pytest.raises(UserError, match=r"^1 cannot be read: "):
        source[1]


def test_reading_from_many_threads(folder):
    archive = make_zip(folder.parent / "p.zip", folder)
    source = open_source(f"zip:{archive}", memory_limit=500)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda i: source[i % 4], range(400)))
    for i, found in enumerate(read):
        np.testing.assert_array_equal(found, picture(i % 4))


def test_arrays():
    stack = np.stack([picture(0), picture(1)])
    source = ArraySource(stack, ["left", "right"])
    assert len(source) == 2 and source.name(1) == "right" and source.size(0) == (8, 10)
    np.testing.assert_array_equal(source[1], picture(1))
    assert source.description == {"kind": "arrays", "where": "memory", "count": 2, "skipped": []}
    with pytest.raises(UserError, match=r"not float64 \[8, 10, 3\]"):
        ArraySource([np.zeros((8, 10, 3))])
    with pytest.raises(UserError, match=r"not uint8 \[8, 10\]"):
        ArraySource([np.zeros((8, 10), np.uint8)])


def names_of(sources):
    return [[source.name(i) for i in range(len(source))] for source in sources]


def test_a_tenth_is_held_out_evenly(tmp_path):
    make_folder(tmp_path, [f"{i:02d}.png" for i in range(25)])
    train, held_out = open_train_and_held_out(str(tmp_path))
    assert names_of([held_out]) == [["06.png", "18.png"]]
    together = [name for part in names_of([train, held_out]) for name in part]
    assert sorted(together) == [f"{i:02d}.png" for i in range(25)]
    np.testing.assert_array_equal(held_out[1], picture(18))
    assert train.description["count"] == 23 and held_out.description["count"] == 2
    assert train.description["part"] != held_out.description["part"]


def test_a_folder_that_is_divided_stays_so(tmp_path):
    make_folder(tmp_path, ["Train/a.png", "Train/b.png", "val/c.png", "other/d.png"])
    assert names_of(open_train_and_held_out(f"folder:{tmp_path}")) == [
        ["Train/a.png", "Train/b.png"],
        ["val/c.png"],
    ]


def test_one_picture_cannot_be_divided(tmp_path):
    make_folder(tmp_path, ["a.png"])
    with pytest.raises(UserError, match="at least 2"):
        open_train_and_held_out(str(tmp_path))


def test_to_judge_by_a_folder_is_taken_whole_and_the_sample_in_its_held_out_part(tmp_path):
    make_folder(tmp_path, ["a.png", "b.png"])
    assert names_of([open_held_out(str(tmp_path))]) == [["a.png", "b.png"]]
    held_out = open_held_out("sample")
    assert sorted(held_out.name(i) + ".png" for i in range(len(held_out))) == sorted(
        name.replace(".jpg", ".png") for name in sample.HELD_OUT
    )
