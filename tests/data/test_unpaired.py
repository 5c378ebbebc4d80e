"""Two domains without pairs: every layout, how their pictures meet, and what is refused."""

import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from jaxgan.data.pictures import ArraySource
from jaxgan.data.unpaired import Domains, open_domains, unpaired_crops, unpaired_size
from jaxgan.errors import UserError


def picture(value, height=10, width=12):
    return np.full((height, width, 3), value, np.uint8)


def write_folders(root, **counts):
    """Pictures whose values tell the folders apart: 0, 1, ... in the first, 50, 51, ... then."""
    for number, (folder, count) in enumerate(counts.items()):
        (root / folder).mkdir(parents=True)
        for i in range(count):
            Image.fromarray(picture(50 * number + i)).save(root / folder / f"{i:03}.png")
    return root


def values(source):
    return [int(source[i][0, 0, 0]) for i in range(len(source))]


def as_data(root, kind):
    if kind == "folder":
        return str(root)
    with zipfile.ZipFile(root.parent / "set.zip", "w") as archive:
        for file in sorted(root.rglob("*.png")):
            archive.write(file, file.relative_to(root.parent))
    return f"zip:{root.parent / 'set.zip'}"


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_the_folders_of_cyclegan(tmp_path, kind):
    root = write_folders(tmp_path / "set", trainA=3, trainB=5, testA=1, testB=2)
    train, held_out = open_domains(as_data(root, kind))
    assert (values(train.a), values(train.b)) == ([0, 1, 2], [50, 51, 52, 53, 54])
    assert (values(held_out.a), values(held_out.b)) == ([100], [150, 151])
    about = json.loads(json.dumps(train.b.description))
    assert (about["domain"], about["part"], about["count"]) == ("B", "train", 5)


def test_without_a_held_out_part_a_tenth_of_each_is(tmp_path):
    root = write_folders(tmp_path / "set", A=5, B=20)
    train, held_out = open_domains(str(root))
    assert (values(train.a), values(held_out.a)) == ([0, 1, 3, 4], [2])
    assert len(train.b) == 18 and values(held_out.b) == [55, 65]


def test_two_names_joined_by_a_comma(tmp_path):
    a = write_folders(tmp_path / "a", one=3)
    b = as_data(write_folders(tmp_path / "b", one=0, train=4, val=1), "zip")
    train, held_out = open_domains(f"folder:{a},{b}")
    assert (values(train.a), values(held_out.a)) == ([0, 2], [1])
    assert (values(train.b), values(held_out.b)) == ([50, 51, 52, 53], [100])
    one = as_data(write_folders(tmp_path / "b2" / "set", cats=4, dogs=6), "zip")
    train, _ = open_domains(f"{one}/set/dogs,{one}/set/cats")
    assert (len(train.a), len(train.b)) == (5, 3) and values(train.b) == [0, 1, 3]
    many = write_folders(tmp_path / "many", x=45, y=45, z=30)
    assert [len(part.a) for part in open_domains(f"{many},{a}")] == [108, 12]
    # A path may hold a comma.
    (tmp_path / "set,of").mkdir()
    root = write_folders(tmp_path / "set,of" / "two", trainA=2, trainB=2)
    assert len(open_domains(f"folder:{root}")[0].a) == 1


def test_two_classes_of_a_labelled_folder(tmp_path):
    root = write_folders(tmp_path / "set", daisy=2, rose=3, tulip=4)
    train, held_out = open_domains(str(root), classes=("tulip", "rose"))
    assert sorted(values(train.a) + values(held_out.a)) == [100, 101, 102, 103]
    assert sorted(values(train.b) + values(held_out.b)) == [50, 51, 52]
    assert train.a.description["domain"] == "tulip"
    both = write_folders(tmp_path / "both", cats=2, dogs=2)
    assert values(open_domains(str(both))[0].b) in ([50], [51])


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_classes_within_train_and_val(tmp_path, kind):
    for part, first in (("test", 200), ("train", 0), ("val", 100)):
        for number, name in enumerate(("cat", "dog", "eel")):
            for i in range(3):
                path = tmp_path / "set" / part / name / f"{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(picture(first + 10 * number + i)).save(path)
    data = as_data(tmp_path / "set", kind)
    train, held_out = open_domains(data, classes=("eel", "cat"))
    assert (values(train.a), values(train.b)) == ([20, 21, 22], [0, 1, 2])
    assert (values(held_out.a), values(held_out.b)) == ([120, 121, 122], [100, 101, 102])


def test_other_data_to_judge_by(tmp_path):
    root = write_folders(tmp_path / "set", trainA=3, trainB=3)
    other = write_folders(tmp_path / "other", A=1, B=2)
    train, held_out = open_domains(str(root), held_out=str(other))
    assert values(train.a) == [0, 1, 2] and values(held_out.b) == [50, 51]
    # What the other data itself holds out is meant, where it does.
    other = write_folders(tmp_path / "more", trainA=3, testA=1, trainB=3, testB=2)
    _, held_out = open_domains(str(root), held_out=str(other))
    assert (values(held_out.a), values(held_out.b)) == ([50], [150, 151])


def complaint(data, **options):
    with pytest.raises(UserError) as caught:
        open_domains(str(data), **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_each_mistake_has_its_line(tmp_path):
    assert "no sample of domains 'domain'" in complaint("sample", sample="domain")
    root = write_folders(tmp_path / "empty", trainA=2, trainB=0)
    assert "has pictures of A and none of B" in complaint(root)
    root = write_folders(tmp_path / "test", trainA=2, trainB=2, testA=1)
    assert "the held out pictures of" in complaint(root) and "none of B" in complaint(root)
    root = write_folders(tmp_path / "classes", daisy=2, rose=2, tulip=2)
    assert "daisy, rose, tulip: choose the two domains with --classes" in complaint(root)
    assert "did you mean 'rose'" in complaint(root, classes=("rosa", "daisy"))
    assert "choose the two domains" in complaint(root, classes=("rose", "rose"))
    root = write_folders(tmp_path / "flat" / "x", one=2)
    assert "holds no two domains: give folders trainA and trainB" in complaint(root)
    root = write_folders(tmp_path / "single", A=1, B=4)
    assert "holds one picture: at least 2" in complaint(root)
    assert "there is no such folder" in complaint(f"{root}/B,{root}/C")


SEEDS = np.random.default_rng(5).integers(0, 2**64, 600, dtype=np.uint64)


def domains(a, b):
    return Domains(
        ArraySource([picture(i) for i in range(a)]), ArraySource([picture(i) for i in range(b)])
    )


@pytest.mark.parametrize(("a", "b"), [(7, 3), (3, 7), (5, 5)])
def test_the_larger_domain_is_gone_through_and_the_other_is_drawn(a, b):
    both = domains(a, b)
    size = unpaired_size(both)
    assert size == max(a, b)
    indices = np.arange(600) % size
    batch = unpaired_crops(both, side=8)(indices, SEEDS)
    assert batch["a"].shape == batch["b"].shape == (600, 8, 8, 3)
    seen = {name: rows[:, 0, 0, 0] for name, rows in batch.items()}
    by_index, drawn, other = ("a", "b", b) if a >= b else ("b", "a", a)
    np.testing.assert_array_equal(seen[by_index], indices)
    # Evenly, and every one beside every other.
    times = np.bincount(seen[drawn], minlength=other)
    assert len(times) == other and times.min() > 0.6 * 600 / other
    assert len(set(zip(*seen.values(), strict=True))) == a * b
    # Epochs differ: rows of one index, other seeds.
    epochs = seen[drawn][: 600 // size * size].reshape(-1, size)
    assert len(np.unique(epochs, axis=0)) > 0.5 * min(len(epochs), other**size)


def test_crops_of_either_domain_have_a_place_and_a_turn_of_their_own():
    down, right = np.mgrid[:20, :25]
    ramp = np.stack([down, right, 0 * down], axis=2).astype(np.uint8)
    both = Domains(ArraySource([ramp]), ArraySource([255 - ramp]))
    batch = unpaired_crops(both, side=16, jitter=1.25)(np.zeros(600, int), SEEDS)
    places = []
    for rows in (batch["a"], 255 - batch["b"]):
        turned = rows[:, 0, 0, 1] > rows[:, 0, -1, 1]
        upright = np.where(turned[:, None, None, None], rows[:, :, ::-1], rows)
        for crop in upright[:50]:
            top, left = crop[0, 0, :2]
            np.testing.assert_array_equal(crop, ramp[top : top + 16, left : left + 16])
        places.append(np.stack([turned, upright[:, 0, 0, 0], upright[:, 0, 0, 1]], axis=1))
        assert len(np.unique(places[-1], axis=0)) == 2 * 5 * 10
    # Neither follows the other.
    for column in range(3):
        a, b = (place[:, column].astype(float) for place in places)
        assert abs(np.corrcoef(a, b)[0, 1]) < 0.15
    plain = unpaired_crops(both, side=16, jitter=1.25, mirror=False)(np.zeros(9, int), SEEDS[:9])
    assert (plain["a"][:, 0, 0, 1] < plain["a"][:, 0, -1, 1]).all()


def test_a_row_depends_on_its_index_and_seed_alone():
    load = unpaired_crops(domains(7, 4), side=8)
    indices = np.arange(60) % 7
    whole = load(indices, SEEDS[:60])
    order = np.random.default_rng(0).permutation(60)[:9]
    part = load(indices[order], SEEDS[:60][order])
    for name in ("a", "b"):
        np.testing.assert_array_equal(part[name], whole[name][order])
    with pytest.raises(UserError, match="at least 1"):
        unpaired_crops(domains(1, 1), side=8, jitter=0.5)
