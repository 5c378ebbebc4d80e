"""What folders say of two-sided data: which side, A or B, and which part a picture belongs to.

Sides are folders of their own, in any letter case: A and B, trainA and trainB (the layout of
CycleGAN), images and labels, or train and trainannot (that of CamVid). A holds the photographs
wherever the two differ in kind.
"""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from jaxgan.data.class_folders import HELD_OUT_NAMES
from jaxgan.errors import UserError

_SIDES = {
    **dict.fromkeys(("a", "images", "image", "imgs", "img", "photos", "photo"), "A"),
    **dict.fromkeys(("b", "labels", "label", "masks", "mask"), "B"),
    **dict.fromkeys(("annotations", "annotation", "annot", "annots"), "B"),
}
_FOLDER = re.compile(f"(?:(train|{'|'.join(HELD_OUT_NAMES)})[_-]?)?({'|'.join(_SIDES)})?")
_NAMED_AT_MOST = 5


class Place(NamedTuple):
    """Where a picture belongs.

    Attributes:
      side: 'A', 'B', or '' where its folders do not say.
      part: 'train', one of `HELD_OUT_NAMES`, or ''.
      key: the rest of its name without the suffix: what the two pictures of a pair share.
      letter: whether the side is given by the letter itself.
    """

    side: str
    part: str
    key: str
    letter: bool


def place(name: str) -> Place:
    """What the folders of one picture say."""
    path = PurePosixPath(name)
    side, part, letter, rest = "", "", False, []
    for folder in path.parts[:-1]:
        found = _FOLDER.fullmatch(folder.lower())
        if found is None:
            rest.append(folder)
            continue
        part = part or found[1] or ""
        if not side and found[2]:
            side, letter = _SIDES[found[2]], found[2] in ("a", "b")
    return Place(side, part, "/".join([*rest, path.stem]), letter)


def places(names: Sequence[str], where: str) -> list[Place] | None:
    """The places of all pictures of two-sided data, each with a side.

    Where labels have folders of their own and the others have not, the others are A: train and
    trainannot.

    Args:
      names: of the pictures, with their folders.
      where: the data, for messages.

    Returns:
      None where no folders tell sides apart.

    Raises:
      UserError: one of the sides is empty, or a picture lies on neither.
    """
    found = [place(name) for name in names]
    known = {each.side for each in found}
    if known == {"", "B"}:
        return [each if each.side else each._replace(side="A") for each in found]
    if "B" not in known and not any(each.letter for each in found):
        return None
    for side, other in ("AB", "BA"):
        if side not in known:
            raise UserError(f"--data: {where} has pictures of {other} and none of {side}")
    if "" in known:
        stray = names[[each.side for each in found].index("")]
        raise UserError(f"--data: {where} has folders for A and B, and {stray} lies in neither")
    return found


def parts(found: Sequence[Place]) -> tuple[list[int], list[int]]:
    """The numbers of the pictures to train on, and of those that the data itself holds out.

    As `class_folders.divide`: where there is train and one of `HELD_OUT_NAMES`, these two count
    and no other.
    """
    known = {each.part for each in found}
    held_out = next((name for name in HELD_OUT_NAMES if name in known), None)
    if "train" not in known or held_out is None:
        return list(range(len(found))), []
    return (
        [i for i, each in enumerate(found) if each.part == "train"],
        [i for i, each in enumerate(found) if each.part == held_out],
    )


def match(names: Sequence[str], found: Sequence[Place], where: str) -> list[tuple[int, int]]:
    """The pairs: the numbers of a picture of A and of the one of B with the same name.

    Raises:
      UserError: a picture has no partner, or two have one name.
    """
    sides: dict[str, dict[tuple[str, str], int]] = {"A": {}, "B": {}}
    for number, each in enumerate(found):
        earlier = sides[each.side].setdefault((each.part, each.key), number)
        if earlier != number:
            raise UserError(
                f"--data: {where} has {names[earlier]} and {names[number]} for one picture of "
                f"side {each.side}; remove one of them"
            )
    a, b = sides["A"], sides["B"]
    lonely = {
        "A": [names[a[key]] for key in sorted(a.keys() - b.keys())],
        "B": [names[b[key]] for key in sorted(b.keys() - a.keys())],
    }
    if lonely["A"] or lonely["B"]:
        said = ", and ".join(
            f"{len(of)} of {side} without a partner ({_listed(of)})"
            for side, of in lonely.items()
            if of
        )
        raise UserError(
            f"--data: the {len(a)} pictures of A and the {len(b)} of B in {where} are no pairs: "
            f"{said}; the two pictures of a pair have one name"
        )
    return [(a[key], b[key]) for key in sorted(a)]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED_AT_MOST]) + (", ..." if len(names) > _NAMED_AT_MOST else "")
