"""CSV files of pixels: against NumPy's own reader, and every way a row can be wrong."""

import gzip

import numpy as np
import pytest

from jaxgan.data import csv_pixels
from jaxgan.data.csv_pixels import read_csv
from jaxgan.errors import UserError

TABLE = np.random.default_rng(0).integers(0, 256, (40, 10)).astype(np.uint8)
TABLE[:, 0] %= 10


def text(table=TABLE, end="\n"):
    return "".join(",".join(map(str, row)) + end for row in table.tolist())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "pixels.csv"


@pytest.mark.parametrize("block", [1 << 22, 64, 7])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_as_numpy_reads_it_however_it_is_cut(path, monkeypatch, block, end):
    monkeypatch.setattr(csv_pixels, "_BLOCK", block)
    for tail in ("", end, end + end, None):
        written = text(end=end)
        path.write_bytes((written[: -len(end)] if tail is None else written + tail).encode())
        found = read_csv(path)
        expected = np.loadtxt(path, delimiter=",", dtype=int)
        np.testing.assert_array_equal(found.values, expected[:, 0])
        np.testing.assert_array_equal(found.pictures, expected[:, 1:].reshape(-1, 3, 3, 1))
        assert found.pictures.dtype == np.uint8 and found.values.dtype == np.int64


@pytest.mark.parametrize(
    "header", ["label," + ",".join(f"pixel{i}" for i in range(9)), "0,0.1,0.2,0.3" + ",0.4" * 6]
)
@pytest.mark.parametrize("block", [1 << 22, 16])
def test_a_header_is_left_out(path, monkeypatch, header, block):
    monkeypatch.setattr(csv_pixels, "_BLOCK", block)
    path.write_text(header + "\n" + text())
    np.testing.assert_array_equal(read_csv(path).values, TABLE[:, 0])
    # Rows are counted as an editor counts them.
    path.write_text(header + "\n" + text() + "1,2\n")
    with pytest.raises(UserError, match="row 42 of"):
        read_csv(path)


def test_packed_by_gzip(path):
    packed = path.with_name("pixels.csv.gz")
    packed.write_bytes(gzip.compress(text().encode()))
    np.testing.assert_array_equal(read_csv(packed).values, TABLE[:, 0])
    packed.write_bytes(packed.read_bytes()[:-12])
    with pytest.raises(UserError, match="cannot be read"):
        read_csv(packed)


def complaint(path, written):
    path.write_text(written)
    with pytest.raises(UserError) as caught:
        read_csv(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def rows(number, row):
    """The table with another row at a number that counts from 1."""
    lines = text().splitlines()
    lines[number - 1] = row
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("block", [1 << 22, 32])
def test_a_wrong_row_is_named(path, monkeypatch, block):
    monkeypatch.setattr(csv_pixels, "_BLOCK", block)
    short, long = ",".join(["1"] * 9), ",".join(["1"] * 11)
    for number in (2, 17, 40):
        assert f"row {number} of {path} has 9 values, not 10" in complaint(
            path, rows(number, short)
        )
        assert f"row {number} of {path} has 11 values" in complaint(path, rows(number, long))
        for word in ("256", "1000", "-1", "0.5", "", "a", " 1", "99999999999999999999"):
            row = f"3,{word}" + ",7" * 8
            expected = f"row {number} of {path} has {word!r} as its value 2: a whole number from 0"
            assert expected in complaint(path, rows(number, row))
    assert "row 1 of" in complaint(path, rows(1, "3,256" + ",7" * 8))
    assert "row 5 of" in complaint(path, rows(5, ""))


def test_what_holds_no_pictures(path):
    with pytest.raises(UserError, match="cannot be read"):
        read_csv(path)
    assert "holds no rows of pixels" in complaint(path, "")
    assert "holds no rows of pixels" in complaint(path, "label,a,b,c,d\n")
    assert "has 4 values a row; 1 label and the pixels of a square" in complaint(path, "1,2,3,4\n")
    assert "has 1 values a row" in complaint(path, "nothing\n")
