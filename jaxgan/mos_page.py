"""The page on which people rate samples without knowing whose they are.

Absolute category rating as in ITU-T P.800, annex B, and P.808: one sample at a time, in an order of
every rater's own, on five categories; a sound or a film is heard to its end before it is rated.
"""

import base64
import hashlib
import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template

import numpy as np

from jaxgan.errors import UserError

QUESTION = "How natural is this sample?"
MIME = {
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".mp3": "audio/mpeg",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
}
# Browsers that read more than this in one file may give up on it.
LARGEST_BYTES = 300_000_000


@dataclass(frozen=True)
class Item:
    """A sample of a system.

    Attributes:
      id: what stands for it on the page; says nothing of the system.
      system: whose it is.
      file: where it was.
      text: what it should say, from a .txt of the same stem beside it; '' where there is none.
    """

    id: str
    system: str
    file: Path
    text: str


def write_page(
    folders: Sequence[Path],
    output: Path,
    *,
    seed: int = 0,
    count: int | None = None,
    question: str = QUESTION,
) -> Path:
    """Writes the page, and its key beside it: page.html and page.key.json.

    Args:
      folders: the samples (sounds, pictures, films) of a system each; its name is the folder's.
      output: a .html.
      seed: decides which are taken, what they are called and how they lie in the file.
      count: samples of each system at most.
      question: what raters are asked.

    Returns:
      `output`.

    Raises:
      UserError: a folder is missing, empty or named twice, there is too much, or no room.
    """
    if output.suffix.lower() != ".html":
        raise UserError(f"--output={output}: give the name of a .html")
    if count is not None and count < 1:
        raise UserError(f"--count={count}: it must be at least 1")
    items = collect(folders, seed=seed, count=count)
    size = sum(item.file.stat().st_size for item in items)
    if size > LARGEST_BYTES:
        raise UserError(
            f"{len(items)} samples have {size / 1e6:.0f} MB, too much for a page "
            f"({LARGEST_BYTES / 1e6:.0f} MB): give fewer, or --count"
        )
    page = page_id(items, question)
    key = {
        "page": page,
        "question": question,
        "seed": seed,
        "items": {i.id: {"system": i.system, "file": str(i.file)} for i in items},
    }
    try:
        content = render(items, page, question)
        output.write_text(content, encoding="utf-8")
        key_path(output).write_text(json.dumps(key, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"--output={output}: {error.strerror or error}") from None
    return output


def key_path(page: Path) -> Path:
    """Where the key of a page lies: page.html to page.key.json."""
    return page.with_suffix(".key.json")


def collect(folders: Sequence[Path], *, seed: int, count: int | None = None) -> list[Item]:
    """The samples of all systems, shuffled together.

    Raises:
      UserError: a folder is missing, holds no sample, or two of them have the same name.
    """
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"--samples names two folders {twice!r}: systems need names of their own")
    random = np.random.default_rng(seed)
    items = []
    for folder, name in zip(folders, names, strict=True):
        if not folder.is_dir():
            raise UserError(f"--samples: there is no folder {folder}")
        files = sorted(f for f in folder.rglob("*") if f.suffix.lower() in MIME and f.is_file())
        if not files:
            raise UserError(
                f"--samples: {folder} holds no sample; files shown are {' '.join(sorted(MIME))}"
            )
        if count is not None and count < len(files):
            files = [files[i] for i in np.sort(random.choice(len(files), count, replace=False))]
        for file in files:
            inside = file.relative_to(folder).as_posix()
            known = hashlib.sha256(f"{seed}/{name}/{inside}".encode()).hexdigest()[:10]
            items.append(Item(known, name, file, _text_beside(file)))
    if not items:
        raise UserError("--samples names no folder: give FOLDER[,FOLDER...]")
    return [items[i] for i in random.permutation(len(items))]


def page_id(items: Sequence[Item], question: str) -> str:
    """What the CSV files of a page are known by: other items or contents, another number."""
    found = hashlib.sha256(question.encode())
    for item in sorted(items, key=lambda item: item.id):
        found.update(item.id.encode() + hashlib.sha256(item.file.read_bytes()).digest())
    return found.hexdigest()[:12]


def render(items: Sequence[Item], page: str, question: str) -> str:
    """The page's HTML."""
    shown = [
        {
            "id": item.id,
            "kind": MIME[item.file.suffix.lower()].partition("/")[0],
            "source": _data_uri(item.file),
            "text": item.text,
        }
        for item in items
    ]
    template = Template(resources.files("jaxgan").joinpath("mos.html").read_text("utf-8"))
    # Inside a script nothing but its end tag ends it, so no text may hold that.
    data = json.dumps({"page": page, "items": shown}).replace("<", "\\u003c")
    return template.substitute(question=html.escape(question), data=data)


def _data_uri(file: Path) -> str:
    content = base64.b64encode(file.read_bytes()).decode("ascii")
    return f"data:{MIME[file.suffix.lower()]};base64,{content}"


def _text_beside(file: Path) -> str:
    beside = file.with_suffix(".txt")
    try:
        return " ".join(beside.read_text("utf-8").split()) if beside.is_file() else ""
    except UnicodeDecodeError:
        raise UserError(f"{beside} is not text in UTF-8: convert it, or move it away") from None
