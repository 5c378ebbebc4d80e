"""Faces made of the sample's faces, by two generators that need no training.

They stand in for the output of GANs where there is none: samples of a normal distribution over the
principal components of real faces (Turk and Pentland 1991), and morphs, means of two faces.
"""

import numpy as np

from jaxgan.data import sample
from jaxgan.data.pictures import ArraySource
from jaxgan.data.unpaired import Domains

COMPONENTS = 40
_EVERY = 5


def faces_and_fakes(side: int) -> tuple[Domains, Domains, ArraySource]:
    """Real faces (A) against eigenfaces (B), to train on and held out; and morphs of held-out ones.

    No picture of the held-out part, and nothing made of one, is in the training part. There are ten
    fakes for each face.
    """
    faces = np.repeat(sample.faces(side).pictures, 3, axis=3)
    apart = np.arange(len(faces)) % _EVERY == _EVERY // 2
    parts: list[Domains] = []
    for name, chosen in (("train", faces[~apart]), ("held out", faces[apart])):
        seed = len(parts)
        real = _source(chosen, name, "faces of scikit-image")
        fake = _source(_eigenfaces(chosen, 10 * len(chosen), seed), name, "eigenfaces of them")
        parts.append(Domains(real, fake))
    morphs = _source(_morphs(faces[apart], 200), "held out", "means of two faces")
    return parts[0], parts[1], morphs


def _eigenfaces(faces: np.ndarray, count: int, seed: int) -> np.ndarray:
    flat = faces[..., 0].reshape(len(faces), -1).astype(np.float64)
    mean = flat.mean(0)
    _, sizes, directions = np.linalg.svd(flat - mean, full_matrices=False)
    kept = min(COMPONENTS, len(faces) - 1)
    scale = sizes[:kept] / np.sqrt(len(faces) - 1)
    drawn = np.random.default_rng((1991, seed)).normal(size=(count, kept)) * scale
    grey = np.clip(np.rint(mean + drawn @ directions[:kept]), 0, 255).astype(np.uint8)
    return np.repeat(grey.reshape(count, *faces.shape[1:3], 1), 3, axis=3)


def _morphs(faces: np.ndarray, count: int) -> np.ndarray:
    random = np.random.default_rng(1992)
    pairs = np.array([random.choice(len(faces), 2, replace=False) for _ in range(count)])
    return ((faces[pairs[:, 0]].astype(np.uint16) + faces[pairs[:, 1]] + 1) // 2).astype(np.uint8)


def _source(pictures: np.ndarray, part: str, where: str) -> ArraySource:
    return ArraySource(pictures, None, {"kind": "sample", "where": where, "part": part})
