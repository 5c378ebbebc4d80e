"""Shapes from archives and .binvox files; what cannot be used."""

import numpy as np
import pytest

from jaxgan.data.drawn_chairs import furniture
from jaxgan.data.voxels import open_shapes, read_binvox, resized, turning
from jaxgan.errors import UserError
from jaxgan.metrics.occupancy import connected_share


def shapes(count=12, side=8):
    return np.random.default_rng(0).random((count, side, side, side)) < 0.3


def write_binvox(path, volume):
    """By the format's description: x, then z, then y runs; ours has z upwards, theirs y."""
    values = volume.ravel().astype(np.uint8)
    pairs = []
    for value in values:
        if pairs and pairs[-1][0] == value and pairs[-1][1] < 255:
            pairs[-1][1] += 1
        else:
            pairs.append([value, 1])
    sides = volume.shape
    header = f"#binvox 1\ndim {sides[0]} {sides[2]} {sides[1]}\ntranslate 0 0 0\nscale 1\ndata\n"
    path.write_bytes(header.encode() + np.array(pairs, np.uint8).tobytes())


def all_of(parts):
    return sorted(one.tobytes() for part in parts for one in part.volumes)


@pytest.mark.parametrize("kind", ["packed", "bool", "bytes", "channel"])
def test_archives_give_back_their_shapes(kind, tmp_path):
    volumes = shapes()
    arrays = {
        "packed": {"packed": np.packbits(volumes.reshape(12, -1), axis=1)},
        "bool": {"voxels": volumes},
        "bytes": {"x": volumes * np.uint8(200)},
        "channel": {"data": volumes[..., None]},
    }[kind]
    path = tmp_path / "shapes.npz"
    np.savez(path, **arrays)
    parts = open_shapes(f"npz:{path}", 8)
    assert [len(part) for part in parts] == [11, 1]
    assert all_of(parts) == sorted(one.tobytes() for one in volumes)


def test_binvox_files(tmp_path):
    volumes = shapes(3)
    for number, volume in enumerate(volumes):
        write_binvox(tmp_path / f"{number}.binvox", volume)
    np.testing.assert_array_equal(read_binvox(tmp_path / "1.binvox"), volumes[1])
    assert all_of(open_shapes(f"folder:{tmp_path}", 8)) == sorted(v.tobytes() for v in volumes)
    whole = (tmp_path / "0.binvox").read_bytes()
    (tmp_path / "0.binvox").write_bytes(whole[:-4])
    with pytest.raises(UserError, match=r"0\.binvox is cut off: it holds .* of 512 voxels"):
        open_shapes(f"folder:{tmp_path}", 8)
    (tmp_path / "0.binvox").write_bytes(b"solid")
    with pytest.raises(UserError, match=r"no \.binvox file"):
        open_shapes(f"folder:{tmp_path}", 8)
    write_binvox(tmp_path / "0.binvox", shapes(1, 6)[0])
    with pytest.raises(UserError, match="must be cubes of one side"):
        open_shapes(f"folder:{tmp_path}", 8)


def test_sides_are_brought_to_each_other():
    one = np.zeros((1, 8, 8, 8), bool)
    one[0, 5, 0, 7] = True
    small = resized(one, 4, "here")
    assert small.sum() == 1 and small[0, 2, 0, 3]
    large = resized(one, 16, "here")
    assert large.sum() == 8 and large[0, 10:12, 0:2, 14:16].all()
    with pytest.raises(UserError, match="sides of 8 voxels, which do not go into --side=12"):
        resized(one, 12, "here")


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"faces": np.zeros(3)}, "holds faces: its shapes must be"),
        ({"voxels": np.zeros((3, 4, 4, 5), bool)}, "voxels must be bool or uint8"),
        ({"packed": np.zeros((3, 5), np.uint8)}, "packed must be uint8"),
        ({"voxels": np.zeros((3, 8, 8, 8), bool)}, "all 3 shapes of .* are empty"),
        ({"voxels": np.ones((1, 8, 8, 8), bool)}, "holds one shape"),
    ],
)
def test_archives_that_cannot_be_used(arrays, words, tmp_path):
    path = tmp_path / "shapes.npz"
    np.savez(path, **arrays)
    with pytest.raises(UserError, match=words):
        open_shapes(str(path), 8)


def test_other_data_is_no_shape(tmp_path):
    for data, words in [
        ("mnist", "shapes are read from npz:PATH"),
        ("npz:", "names nothing"),
        (f"npz:{tmp_path}/none.npz", "cannot be read"),
        (f"folder:{tmp_path}", "no .binvox files"),
        (f"folder:{tmp_path}/none", "there is no folder"),
    ]:
        with pytest.raises(UserError, match=words):
            open_shapes(data, 8)


def test_rows_are_turned_by_their_seeds():
    train, _ = open_shapes("sample", 8)
    seeds = np.array([2, 3], np.uint64)
    real = turning(train, mirror=True)(np.array([4, 4]), seeds)["real"]
    assert real.dtype == np.uint8 and real.shape == (2, 8, 8, 8, 1)
    np.testing.assert_array_equal(real[0, ..., 0], train.volumes[4] * 255)
    np.testing.assert_array_equal(real[1], real[0][:, ::-1])


def test_drawn_furniture_hangs_together():
    volumes, kinds = furniture(32, 40)
    assert set(kinds) == {0, 1}
    assert min(connected_share(volume) for volume in volumes) == 1.0
    assert len({volume.tobytes() for volume in volumes}) == 40
    # They stand on the ground.
    assert volumes[:, :, :, 0].any((1, 2)).all()
