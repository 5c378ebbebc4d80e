"""Solid shapes to look at and to take along: renders, and meshes of their surface."""

import functools
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxgan.errors import UserError
from jaxgan.media import Grid

# Of a face that looks along each axis: the light comes from above, and more from the left.
_SHADES = (0.62, 0.82, 1.0)
_COLOUR = np.array([110.0, 160.0, 215.0])
_PAPER = 255
# What is farthest away is so much darker.
_FADING = 0.35
# Quarter turns about the vertical axis: from the front on either hand.
VIEWS = (0, 1)
MESHES = (".obj", ".ply")


@functools.lru_cache(maxsize=4)
def _rays(side: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The voxels that each pixel's ray meets, in order, and the axis through which it enters each.

    Every ray runs along (-1, -1, -1), so that it crosses planes of voxels on the three axes in
    turn, always in the order of the fractions that it began with.

    Returns:
      int32 [size * size, steps], places in a flat volume (side^3: outside of it); int8 of the same
      shape, the axis of the face.
    """
    # Two directions across the view: to the right, and up.
    right = np.array([-1.0, 1.0, 0.0]) / np.sqrt(2)
    up = np.array([-1.0, -1.0, 2.0]) / np.sqrt(6)
    half = 0.84 * side
    across = (np.arange(size) + 0.5) / size * 2 - 1
    plane = across[None, :, None] * half * right - across[:, None, None] * half * up
    start = (side / 2 + plane + 0.9 * side).reshape(-1, 3)
    cell = np.floor(start).astype(np.int32)
    order = np.argsort(start - cell, axis=1)
    steps = 6 * side
    entered = np.empty((len(start), steps), np.int8)
    met = np.empty((len(start), steps), np.int32)
    rows = np.arange(len(start))
    for step in range(steps):
        axis = order[:, step % 3]
        cell[rows, axis] -= 1
        inside = ((cell >= 0) & (cell < side)).all(1)
        met[:, step] = np.where(inside, (cell[:, 0] * side + cell[:, 1]) * side + cell[:, 2], -1)
        entered[:, step] = axis
    met[met < 0] = side**3
    return met, entered


def render(volume: np.ndarray, size: int = 96, turn: int = 0) -> np.ndarray:
    """A shape as it is seen from above a corner, in parallel (isometric) projection.

    Faces are shaded by the axis that they look along, and what lies farther back is darker.

    Args:
      volume: bool [side, side, side], the third axis upwards.
      size: of the picture, in pixels.
      turn: quarter turns of the shape about its vertical axis first.

    Returns:
      uint8 [size, size, 3].
    """
    side = len(volume)
    if volume.shape != (side,) * 3 or volume.dtype != bool:
        raise ValueError(f"expected bool [side, side, side], not {volume.dtype} {volume.shape}")
    met, entered = _rays(side, size)
    turned = np.rot90(volume, turn, (0, 1))
    hits = np.append(turned.ravel(), False)[met]
    first = hits.argmax(1)
    rows = np.arange(len(met))
    seen = hits[rows, first]
    place = np.minimum(met[rows, first], side**3 - 1)
    near = (place // side**2 + place // side % side + place % side) / max(3 * (side - 1), 1)
    light = np.asarray(_SHADES)[entered[rows, first]] * (1 - _FADING * (1 - near))
    pixels = np.where(seen[:, None], light[:, None] * _COLOUR, _PAPER)
    return np.rint(pixels).astype(np.uint8).reshape(size, size, 3)


def render_grid(volumes: Sequence[np.ndarray] | np.ndarray, columns: int = 4) -> Grid:
    """Renders of shapes from two sides, `columns` shapes to a row."""
    size = max(96, 3 * len(volumes[0]))
    pictures = [
        np.concatenate([render(volume, size, turn) for turn in VIEWS], axis=1) for volume in volumes
    ]
    return Grid([pictures[i : i + columns] for i in range(0, len(pictures), columns)])


def surface(volume: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The surface of a shape, of squares: where a voxel that is filled meets one that is not.

    Args:
      volume: bool [side, side, side].

    Returns:
      vertices float64 [v, 3] in voxels, each once; faces int64 [f, 4], corners that are seen in
      counter-clockwise order from outside.
    """
    padded = np.pad(volume, 1)
    corners = []
    for axis in range(3):
        before, after = padded, np.roll(padded, -1, axis)
        for outward in (1, -1):
            full, empty = (before, after) if outward > 0 else (after, before)
            # The face lies between a voxel and the next one along the axis.
            place = np.argwhere(full & ~empty) - 1
            place[:, axis] += 1
            one, two = np.zeros(3, np.int64), np.zeros(3, np.int64)
            one[(axis + 1) % 3], two[(axis + 2) % 3] = 1, 1
            around = [0 * one, one, one + two, two][::outward]
            corners.append(place[:, None] + np.stack(around))
    quads = np.concatenate(corners)
    vertices, numbers = np.unique(quads.reshape(-1, 3), axis=0, return_inverse=True)
    return vertices.astype(np.float64), numbers.reshape(-1, 4)


def write_mesh(path: str | os.PathLike[str], volume: np.ndarray) -> Path:
    """Writes the surface of a shape as Wavefront .obj or ASCII .ply; it is there when complete.

    Args:
      path: its suffix decides.
      volume: bool [side, side, side]; the mesh is as large as the unit cube.

    Raises:
      UserError: another suffix, an empty shape, or the place cannot be written to.
    """
    path = Path(path)
    if path.suffix.lower() not in MESHES:
        raise UserError(f"--output={path}: a mesh is written as {' or '.join(MESHES)}")
    vertices, faces = surface(volume)
    if not len(faces):
        raise UserError(f"--output={path}: the shape is empty, there is no surface to write")
    vertices = vertices / len(volume)
    if path.suffix.lower() == ".obj":
        lines = ["# synthetic: made by jaxgan"]
        lines += [f"v {x:.6g} {y:.6g} {z:.6g}" for x, y, z in vertices]
        lines += [f"f {a} {b} {c} {d}" for a, b, c, d in faces + 1]
    else:
        lines = ["ply", "format ascii 1.0", "comment synthetic: made by jaxgan"]
        lines += [f"element vertex {len(vertices)}"]
        lines += [f"property float {name}" for name in "xyz"]
        lines += [f"element face {len(faces)}", "property list uchar int vertex_indices"]
        lines += ["end_header"]
        lines += [f"{x:.6g} {y:.6g} {z:.6g}" for x, y, z in vertices]
        lines += [f"4 {a} {b} {c} {d}" for a, b, c, d in faces]
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text("\n".join(lines) + "\n")
        partial.replace(path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None
    return path
