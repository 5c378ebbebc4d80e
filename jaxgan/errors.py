"""What a person did that cannot work, as opposed to a bug in jaxgan."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake that the user can mend.

    The message is one line: what is wrong, where, and what to do. `main.py` prints it without a
    traceback and exits with a non-zero code.
    """


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown word: the nearest known one, and all of them."""
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=1)
    guess = f"did you mean {near[0]!r}? " if near else ""
    return f"which is not known; {guess}known are: {', '.join(known) or 'none'}"
