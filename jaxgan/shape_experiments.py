"""Experiments that draw solid shapes: what they are measured by, shown as and written to."""

from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np

from jaxgan import voxels
from jaxgan.data.voxels import Shapes
from jaxgan.errors import UserError
from jaxgan.experiment import Networks, SampleRequest
from jaxgan.media import Grid
from jaxgan.metrics.occupancy import shape_figures
from jaxgan.metrics.stamp import Measured
from jaxgan.provenance import write_synthetic
from jaxgan.systems.sampling import draw_samples

# Shapes drawn at a time.
_AT_ONCE = 50
# Of a large set so many are measured against.
_MOST_REAL = 500


def draw_shapes(networks: Networks, count: int, seed: int, latent_size: int) -> np.ndarray:
    """Generated shapes, bool [count, side, side, side]: True where the generator says above 0."""
    parts, key = [], jax.random.fold_in(jax.random.key(0), seed)
    size = min(_AT_ONCE, count)
    for index in range(-(-count // size)):
        drawn = draw_samples(
            networks, jax.random.fold_in(key, index), count=size, latent_size=latent_size
        )
        parts.append(np.asarray(drawn)[..., 0] > 0)
    return np.concatenate(parts)[:count]


def figures(
    judged: Callable[[], Shapes], count: int, latent_size: int
) -> Callable[[Networks], Measured]:
    """Makes the `evaluate` of an experiment: `metrics.occupancy` of `count` generated shapes."""

    def evaluate(networks: Networks) -> Measured:
        real = judged()
        drawn = draw_shapes(networks, count, 0, latent_size)
        return shape_figures(real.volumes[:_MOST_REAL], drawn, real.description)

    return evaluate


def renders(latent_size: int, count: int, columns: int) -> Callable[[Networks], dict[str, Grid]]:
    """Makes the `preview`: always the same shapes, from two sides."""

    def preview(networks: Networks) -> dict[str, Grid]:
        return {
            "preview": voxels.render_grid(draw_shapes(networks, count, 0, latent_size), columns)
        }

    return preview


def sample_file(latent_size: int, columns: int) -> Callable[[Networks, SampleRequest], Path]:
    """Makes the `sample`: a picture of renders, a mesh, or the volumes themselves.

    `--output` is a .png (all, from two sides), .npz (`voxels`, bool), .obj or .ply (the first
    shape), or a folder, which is made and gets an .obj for each.
    """

    def sample(networks: Networks, request: SampleRequest) -> Path:
        output, suffix = request.output, request.output.suffix.lower()
        if suffix not in (".png", ".npz", "", *voxels.MESHES) or (output.is_file() and not suffix):
            raise UserError(
                f"--output={output}: give the name of a .png, .npz, .obj or .ply, or of a folder"
            )
        count = 1 if suffix in voxels.MESHES else request.count
        # The key of a seed, whatever the count: a mesh is the first shape of a picture.
        drawn = draw_shapes(networks, max(count, 1), request.seed, latent_size)
        if suffix == ".png":
            picture = np.asarray(voxels.render_grid(drawn, columns).draw())
            return write_synthetic(output, picture, visible=False)
        if suffix in voxels.MESHES:
            return voxels.write_mesh(output, drawn[0])
        try:
            if suffix == ".npz":
                np.savez_compressed(output, voxels=drawn)
                return output
            output.mkdir(exist_ok=True, parents=True)
        except OSError as error:
            raise UserError(f"--output={output}: {error.strerror or error}") from None
        for number, volume in enumerate(drawn):
            if volume.any():
                voxels.write_mesh(output / f"{number:06d}.obj", volume)
        return output

    return sample
