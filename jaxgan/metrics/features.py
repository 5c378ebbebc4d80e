"""Feature networks, each of which says what it is: the standard Inception-v3, or jaxgan's own.

Figures of different networks do not compare; a `Stamp` carries the name and the hash of the one
that was used.
"""

import dataclasses
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh
from scipy.special import softmax

from jaxgan.metrics import classifier
from jaxgan.metrics.stamp import Stamp, enough
from jaxgan.nets.inception import load_inception
from jaxgan.ops import resample
from jaxgan.ops.pixels import from_uint8
from jaxgan.parallel import make_mesh

# With which the SHA-256 of the weights that published figures were measured with begins.
PUBLISHED = "6726825d"
_SIDE = 299


@dataclasses.dataclass(frozen=True, eq=False)
class Features:
    """A network that turns pictures into features, and into the chances of classes.

    Attributes:
      name: in words, with what there is to know of its quality.
      sha256: of its weights, in hexadecimal.
      resize: what is done to the pictures first.
      size: how many features.
      scored: whether its classes mean something, so that an Inception Score does.
      warning: what speaks against comparing its figures with published ones.
      params, apply: `apply(params, uint8 [b, h, w, c])` gives features and logits.
      batch_size: pictures at a time.
      mesh: the devices of this process that share them.
      shape: (height, width, channels), if the network takes no other.
    """

    name: str
    sha256: str
    resize: str
    size: int
    scored: bool
    warning: str
    params: Any = dataclasses.field(repr=False)
    apply: Callable[[Any, Array], tuple[Array, Array]] = dataclasses.field(repr=False)
    batch_size: int = 64
    mesh: Mesh | None = dataclasses.field(default=None, repr=False)
    shape: tuple[int, ...] | None = None

    def stamp(
        self, metric: str, real: int, fake: int, data: Mapping[str, Any], warning: str = ""
    ) -> Stamp:
        """The stamp of a figure that was measured with these features; see `Stamp`."""
        return Stamp(
            metric=metric,
            real=real,
            fake=fake,
            data=data,
            features=self.name,
            sha256=self.sha256,
            resize=self.resize,
            warning="; ".join(text for text in (self.warning, warning) if text),
        )

    def __call__(self, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Features and, from a network whose classes mean something, their probabilities.

        The same for one picture whatever the others and the number of devices, up to the last
        digits of float32.

        Args:
          pictures: uint8 `[n, height, width, 1 or 3]`, n at least 1.

        Returns:
          float32 `[n, size]`; float32 `[n, classes]`, rows that sum to 1, or None.

        Raises:
          ValueError: for another shape or dtype.
        """
        if pictures.ndim != 4 or pictures.dtype != np.uint8 or pictures.shape[-1] not in (1, 3):
            raise ValueError(
                f"features are of uint8 [n, height, width, 1 or 3], not of {pictures.dtype} "
                f"{pictures.shape}"
            )
        if self.shape not in (None, pictures.shape[1:]):
            raise ValueError(f"{self.name} takes pictures {self.shape}, not {pictures.shape[1:]}")
        enough("a feature network", 1, picture=len(pictures))
        features, logits = classifier.in_batches(
            self.apply, self.params, pictures, self.batch_size, self.mesh
        )
        return features, softmax(logits, axis=1) if self.scored else None


def inception(
    path: str | os.PathLike[str],
    sha256: str | None = None,
    *,
    batch_size: int = 32,
    mesh: Mesh | None = None,
) -> Features:
    """Inception-v3 with weights from a file, as pytorch-fid runs it: 2048 features, 1008 classes.

    On a CPU a picture takes about a tenth of a second of one core.

    Args:
      path, sha256: as `load_inception` takes them; the published file's hash begins with 6726825d.
      batch_size: pictures at a time.
      mesh: the devices of this process that share them; all of them when None.

    Raises:
      UserError: as `load_inception`.
    """
    module, params, digest = load_inception(Path(path), sha256)

    @jax.jit
    def apply(params: Any, pictures: Array) -> tuple[Array, Array]:
        x = from_uint8(pictures)
        x = jnp.broadcast_to(x, (*x.shape[:-1], 3))
        with jax.default_matmul_precision("highest"):
            if x.shape[1:3] != (_SIDE, _SIDE):
                rows, columns = (resample.bilinear_matrix(side, _SIDE) for side in x.shape[1:3])
                x = resample.resize(x, rows, columns)
            return cast(tuple[Array, Array], module.apply({"params": params}, x))

    mesh = mesh or make_mesh(jax.local_devices())
    published = digest.startswith(PUBLISHED)
    return Features(
        name="Inception-v3 2015-12-05, last pooling" + ("" if published else ", other weights"),
        sha256=digest,
        resize=f"bilinear to {_SIDE}x{_SIDE}, half-pixel centres, no antialiasing, in float32 (as "
        "pytorch-fid); [-1, 1]",
        size=2048,
        scored=True,
        warning="" if published else "not the published weights: compares with nothing published",
        params=classifier.replicated(params, mesh),
        apply=apply,
        batch_size=batch_size,
        mesh=mesh,
    )
