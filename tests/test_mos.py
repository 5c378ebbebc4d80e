"""Opinion scores: the page that is parsed as a browser does, the scores against SciPy, mistakes."""

import base64
import csv
import json
from html.parser import HTMLParser

import numpy as np
import pytest
from scipy import stats

from jaxgan import mos
from jaxgan.mos_scores import Rating, scores


class Page(HTMLParser):
    """What is in a page: ids, links to elsewhere, and the text of its scripts."""

    def __init__(self):
        super().__init__()
        self.ids, self.links, self.scripts, self.open = [], [], [], []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.ids.append(attributes.get("id"))
        self.links += [v for k, v in attrs if k in ("src", "href") and not v.startswith("data:")]
        self.open.append((tag, attributes.get("type")))

    def handle_data(self, data):
        if self.open and self.open[-1][0] == "script":
            self.scripts.append((self.open[-1][1], data))

    def handle_endtag(self, tag):
        self.open.append((None, None))


@pytest.fixture
def systems(tmp_path):
    for name, count in (("real", 3), ("ours", 4)):
        (tmp_path / name).mkdir()
        for i in range(count):
            (tmp_path / name / f"clip{i}.wav").write_bytes(f"{name} {i}".encode())
    (tmp_path / "ours" / "clip0.txt").write_text("said </script> here\n")
    return tmp_path


def run(capsys, *arguments):
    code = mos.main([str(argument) for argument in arguments])
    return code, *capsys.readouterr()


def write(capsys, folder, *more):
    samples = f"--samples={folder / 'real'},{folder / 'ours'}"
    return run(capsys, "page", samples, f"--output={folder / 'page.html'}", *more)


def contents(folder):
    page = Page()
    page.feed((folder / "page.html").read_text())
    (data,) = [json.loads(text) for kind, text in page.scripts if kind == "application/json"]
    return page, data, json.loads((folder / "page.key.json").read_text())


def save(path, page, rows):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["page", "rater", "item", "score"])
        writer.writerows([page, *row] for row in rows)
    return path


def test_the_page_holds_all_samples_and_does_not_say_whose_they_are(systems, capsys):
    assert write(capsys, systems)[0] == 0
    page, data, key = contents(systems)
    assert not page.links and len(set(page.ids) - {None}) == len([i for i in page.ids if i])
    assert data["page"] == key["page"] and len(data["items"]) == 7
    for item in data["items"]:
        known = key["items"][item["id"]]
        kind, _, content = item["source"].partition(",")
        with open(known["file"], "rb") as file:
            assert base64.b64decode(content) == file.read()
        assert kind == "data:audio/wav;base64" and item["kind"] == "audio"
        assert not {"real", "ours", "clip"} & {item["id"], *item["text"].split()}
    assert [item["text"] for item in data["items"] if item["text"]] == ["said </script> here"]
    # What is rated first is not what was named first.
    order = [key["items"][item["id"]]["system"] for item in data["items"]]
    assert order != sorted(order) and order != sorted(order, reverse=True)


def test_a_page_is_the_same_again_and_another_seed_makes_another(systems, capsys):
    write(capsys, systems)
    first = (systems / "page.html").read_bytes()
    write(capsys, systems)
    assert (systems / "page.html").read_bytes() == first
    write(capsys, systems, "--seed=1", "--count=2")
    _, data, key = contents(systems)
    assert len(data["items"]) == 4
    assert sorted(item["system"] for item in key["items"].values()) == [
        "ours",
        "ours",
        "real",
        "real",
    ]


def test_a_question_is_escaped(systems, capsys):
    write(capsys, systems, "--question=Is <this> $5?")
    assert "<h1>Is &lt;this&gt; $5?</h1>" in (systems / "page.html").read_text()


def test_scores_of_several_raters(systems, capsys):
    write(capsys, systems)
    _, _, key = contents(systems)
    wanted = {"real": [[5, 4, 5], [4, 4, 3]], "ours": [[2, 3, 2, 1], [1, 2, 1, 1]]}
    files, left = [], {name: [list(row) for row in rows] for name, rows in wanted.items()}
    for i, rater in enumerate(("Anna", "Ben, jr.")):
        rows = [
            (rater, item, left[about["system"]][i].pop(0)) for item, about in key["items"].items()
        ]
        files.append(save(systems / f"{i}.csv", key["page"], rows))
    saved = systems / "scores.json"
    code, out, error = run(
        capsys, "score", f"--key={systems / 'page.key.json'}", f"--output={saved}", *files
    )
    assert code == 0, error
    found = {row["system"]: row for row in json.loads(saved.read_text())}
    assert list(found) == ["real", "ours"]
    for name, rows in wanted.items():
        every = np.concatenate(rows)
        low, high = stats.t.interval(0.95, every.size - 1, every.mean(), stats.sem(every))
        assert found[name]["mos"] == pytest.approx(every.mean())
        assert found[name]["margin"] == pytest.approx((high - low) / 2)
        # Equally many of each rater: the interval of the raters' means.
        means = np.mean(rows, axis=1)
        low, high = stats.t.interval(0.95, 1, means.mean(), stats.sem(means))
        assert found[name]["margin_by_rater"] == pytest.approx((high - low) / 2)
        assert found[name]["ratings"] == every.size and found[name]["raters"] == 2
        assert f"{every.mean():.2f}" in out


def test_a_single_rating_has_no_interval():
    (found,) = scores([Rating("Anna", "ours", 4)])
    assert found.mos == 4 and found.margin is None and found.margin_by_rater is None


def test_a_csv_from_a_spreadsheet(systems, capsys):
    write(capsys, systems)
    _, _, key = contents(systems)
    item = next(iter(key["items"]))
    path = systems / "a.csv"
    path.write_text(f"page;rater;item;score\n{key['page']};Anna;{item};3\n", encoding="utf-8-sig")
    code, out, _ = run(capsys, "score", f"--key={systems / 'page.key.json'}", path)
    assert code == 0 and "3.00" in out


@pytest.mark.parametrize(
    "change, message",
    [
        ({"item": "nothing"}, "no item 'nothing' on the page"),
        ({"score": "6"}, "score '6' is not a whole number from 1 to 5"),
        ({"score": "0"}, "score '0' is not"),
        ({"score": "3.5"}, "score '3.5' is not"),
        ({"score": ""}, "score '' is not"),
        ({"page": "another"}, "is of page 'another'"),
        ({"rater": ""}, "has no rater"),
    ],
)
def test_wrong_rows(systems, capsys, change, message):
    write(capsys, systems)
    _, _, key = contents(systems)
    row = {
        "page": key["page"],
        "rater": "Anna",
        "item": next(iter(key["items"])),
        "score": "3",
    } | change
    path = save(systems / "a.csv", row["page"], [(row["rater"], row["item"], row["score"])])
    code, _, error = run(capsys, "score", f"--key={systems / 'page.key.json'}", path)
    assert code == 2 and message in error and "a.csv, line 2" in error and error.count("\n") == 1


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "is empty"),
        (b"page,rater,item,score\r\n", "holds no scores"),
        (b"item,score\r\nx,1\r\n", "has no column page"),
        (b"\xff\xfe", "is not text in UTF-8"),
        (None, "No such file"),
    ],
)
def test_files_that_are_no_ratings(systems, capsys, content, message):
    write(capsys, systems)
    path = systems / "a.csv"
    if content is not None:
        path.write_bytes(content)
    code, _, error = run(capsys, "score", f"--key={systems / 'page.key.json'}", path)
    assert code == 2 and message in error and "a.csv" in error and error.count("\n") == 1


def test_the_same_opinion_twice(systems, capsys):
    write(capsys, systems)
    _, _, key = contents(systems)
    rows = [("Anna", next(iter(key["items"])), 3)]
    a, b = (save(systems / f"{n}.csv", key["page"], rows) for n in "ab")
    code, _, error = run(capsys, "score", f"--key={systems / 'page.key.json'}", a, b)
    assert code == 2 and "has rated item" in error and "a.csv" in error


def test_no_key(systems, capsys):
    write(capsys, systems)
    for name, message in (("page.html", "is no key of a page"), ("none.json", "No such file")):
        code, _, error = run(capsys, "score", f"--key={systems / name}", systems / "a.csv")
        assert code == 2 and message in error and error.count("\n") == 1


@pytest.mark.parametrize(
    "samples, output, message",
    [
        ("none", "page.html", "there is no folder"),
        ("empty", "page.html", "holds no sample"),
        ("real,real", "page.html", "names two folders 'real'"),
        ("real", "page.txt", "give the name of a .html"),
        ("real", "none/page.html", "No such file"),
    ],
)
def test_pages_that_cannot_be(systems, capsys, samples, output, message):
    (systems / "empty").mkdir()
    folders = ",".join(str(systems / name) for name in samples.split(","))
    code, _, error = run(capsys, "page", f"--samples={folders}", f"--output={systems / output}")
    assert code == 2 and message in error and error.count("\n") == 1


def test_too_much_for_a_page(systems, capsys, monkeypatch):
    monkeypatch.setattr("jaxgan.mos_page.LARGEST_BYTES", 10)
    code, _, error = write(capsys, systems)
    assert code == 2 and "too much for a page" in error
