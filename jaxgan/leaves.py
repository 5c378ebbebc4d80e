"""The leaves of a pytree by name, as checkpoints and their error messages know them."""

from typing import Any

import jax


def named_leaves(tree: Any) -> dict[str, Any]:
    """Leaves by their dotted names, in the order of the tree."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    named = {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}
    if len(named) != len(leaves):
        raise ValueError("two leaves of the state have the same dotted name")
    return named


def describe(leaf: Any) -> str:
    """A leaf's shape and dtype in words."""
    return f"{leaf.shape} {leaf.dtype}"


def difference(saved: dict[str, str], leaves: dict[str, Any], partial: bool) -> str | None:
    """The first leaf that differs between both, in words; None if they agree."""
    for name, leaf in leaves.items():
        if name not in saved:
            return f"{name} is {describe(leaf)} here and not in the checkpoint"
        if saved[name] != describe(leaf):
            return f"{name} is {saved[name]} in the checkpoint and {describe(leaf)} here"
    for name in [] if partial else saved:
        if name not in leaves:
            return f"{name} is {saved[name]} in the checkpoint and not here"
    return None
