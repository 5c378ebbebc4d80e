"""Renders of shapes, and meshes whose volume is that of the voxels."""

import numpy as np
import pytest

from jaxgan.errors import UserError
from jaxgan.voxels import render, render_grid, surface, write_mesh


def enclosed(vertices, faces):
    """The volume that a closed surface encloses, by the divergence theorem."""
    corners = vertices[faces]
    triangles = np.concatenate([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]])
    a, b, c = triangles.transpose(1, 0, 2)
    return np.einsum("ni,ni->n", a, np.cross(b, c)).sum() / 6


def test_a_voxel_is_a_cube():
    volume = np.zeros((4, 4, 4), bool)
    volume[1, 2, 3] = True
    vertices, faces = surface(volume)
    assert (len(vertices), len(faces)) == (8, 6)
    np.testing.assert_array_equal(vertices.min(0), [1, 2, 3])
    np.testing.assert_array_equal(vertices.max(0), [2, 3, 4])
    assert enclosed(vertices, faces) == pytest.approx(1.0)


def test_the_surface_encloses_every_voxel_and_is_closed():
    volume = np.random.default_rng(0).random((6, 6, 6)) < 0.5
    vertices, faces = surface(volume)
    assert enclosed(vertices, faces) == pytest.approx(volume.sum())
    edges = np.stack([faces, np.roll(faces, -1, 1)], -1).reshape(-1, 2)
    there = {}
    for a, b in edges:
        there[(a, b)] = there.get((a, b), 0) + 1
    # Every edge is passed as often in one direction as in the other.
    assert all(there.get((b, a)) == count for (a, b), count in there.items())


@pytest.mark.parametrize("suffix", [".obj", ".ply"])
def test_meshes_can_be_read_again(suffix, tmp_path):
    volume = np.random.default_rng(1).random((4, 4, 4)) < 0.4
    lines = write_mesh(tmp_path / f"shape{suffix}", volume).read_text().splitlines()
    if suffix == ".obj":
        vertices = [line.split()[1:] for line in lines if line.startswith("v ")]
        faces = [line.split()[1:] for line in lines if line.startswith("f ")]
        faces = np.array(faces, int) - 1
    else:
        body = lines[lines.index("end_header") + 1 :]
        count = int(next(line for line in lines if "element vertex" in line).split()[-1])
        vertices = [line.split() for line in body[:count]]
        faces = np.array([line.split()[1:] for line in body[count:]], int)
    assert enclosed(np.array(vertices, float) * 4, faces) == pytest.approx(volume.sum(), rel=1e-4)


def test_meshes_that_cannot_be_written(tmp_path):
    full = np.ones((2, 2, 2), bool)
    with pytest.raises(UserError, match=r"a mesh is written as \.obj or \.ply"):
        write_mesh(tmp_path / "a.stl", full)
    with pytest.raises(UserError, match="the shape is empty"):
        write_mesh(tmp_path / "a.obj", ~full)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        write_mesh(tmp_path / "file" / "a.obj", full)


def test_a_cube_is_seen_as_a_hexagon_of_three_shades():
    picture = render(np.ones((8, 8, 8), bool), 96)
    inside = (picture != 255).any(-1)
    # A cube of 8 on a picture of 2 * 0.84 * 8: a hexagon of area sqrt(3) * 8^2.
    assert inside.mean() == pytest.approx(np.sqrt(3) / (2 * 0.84) ** 2, rel=0.03)
    top, left, right = picture[30, 48], picture[60, 30], picture[60, 66]
    assert top.sum() > max(left.sum(), right.sum()) and left.sum() != right.sum()
    assert (render(np.zeros((8, 8, 8), bool), 32) == 255).all()


def test_what_is_in_front_hides_what_is_behind():
    front, both = np.zeros((2, 9, 9, 9), bool)
    front[7, 7, 7] = True
    both[[2, 7], [2, 7], [2, 7]] = True
    np.testing.assert_array_equal(render(both, 64), render(front, 64))
    behind = np.zeros_like(front)
    behind[2, 2, 2] = True
    assert render(behind, 64).min() < render(front, 64).min()


def test_turns_are_quarter_turns_about_the_vertical_axis():
    volume = np.random.default_rng(0).random((5, 5, 5)) < 0.3
    turned = np.rot90(volume, 1, (0, 1))
    np.testing.assert_array_equal(render(volume, 32, 1), render(turned, 32, 0))
    assert render_grid([volume] * 3, 2).draw().size[0] > 2 * 2 * 96
