"""Using a trained picture-to-picture generator: pictures of any size, figures, comparisons."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from jax import Array

from jaxgan.data.framing import pad_to_multiple
from jaxgan.data.images import SUFFIXES, write_image
from jaxgan.errors import UserError
from jaxgan.experiment import Networks, SampleRequest
from jaxgan.media import Grid, to_uint8
from jaxgan.metrics.psnr import psnr
from jaxgan.metrics.ssim import ssim
from jaxgan.metrics.stamp import Measured, Stamp
from jaxgan.state import Network


class Example(NamedTuple):
    """A picture to translate.

    Attributes:
      name: of its file.
      given: what the generator takes, one or several float32 [height, width, channels].
      shown: the same for people, uint8 [height, width, 3].
      target: what should come out, uint8 [height, width, 3]; None where nobody knows.
    """

    name: str
    given: tuple[np.ndarray, ...]
    shown: np.ndarray
    target: np.ndarray | None = None


# `(networks, example) -> uint8 [height, width, 3]`.
Translate = Callable[[Networks, Example], np.ndarray]


@jax.jit
def _apply(network: Network, *given: Array) -> Array:
    made = network(*given)
    return made[-1] if isinstance(made, tuple) else made


def translate(network: Network, *given: np.ndarray, multiple: int) -> np.ndarray:
    """What a generator makes of inputs of any size.

    Args:
      network: takes batches of `given`; of several stages the last one counts.
      given: float32 [height, width, channels], all of one height and width.
      multiple: what the network's sides must divide by; others are padded and cut off again.

    Returns:
      uint8 [height, width, channels].
    """
    height, width = given[0].shape[:2]
    made = _apply(network, *(pad_to_multiple(one, multiple)[None] for one in given))
    return to_uint8(np.asarray(made)[0, :height, :width])


def by(player: str, multiple: int) -> Translate:
    """Translation by one player's network."""

    def through(networks: Networks, example: Example) -> np.ndarray:
        return translate(networks[player], *example.given, multiple=multiple)

    return through


def comparison(
    examples: Callable[[], Sequence[Example]],
    through: Translate,
    *,
    captions: tuple[str, str, str] = ("input", "output", "target"),
    most: int = 6,
    magnify: int = 1,
) -> Callable[[Networks], dict[str, Grid]]:
    """Makes the `preview` of an experiment: input, output and target, if known, side by side.

    Args:
      examples: gives held-out pictures; called often, so it should remember them.
      through: translates one.
      captions: of the columns.
      most: how many are shown.
      magnify: as `Grid` takes it.
    """

    def preview(networks: Networks) -> dict[str, Grid]:
        rows = []
        # Neighbours in a folder are often frames of one film.
        spread = np.linspace(0, len(examples()) - 1, min(most, len(examples()))).astype(int)
        for example in (examples()[index] for index in spread):
            row = [example.shown, through(networks, example)]
            rows.append(row if example.target is None else [*row, example.target])
        return {"preview": Grid(rows, captions[: len(rows[0])], magnify=magnify)}

    return preview


def translations(
    examples: Sequence[Example], through: Translate, networks: Networks
) -> list[np.ndarray]:
    """What comes out for each, uint8 [height, width, 3]."""
    return [through(networks, example) for example in examples]


def closeness(
    examples: Sequence[Example], made: Sequence[np.ndarray], about: dict, *, beside_input: bool
) -> Measured:
    """How close what was made is to its targets: means of L1, PSNR and SSIM over the pictures.

    Args:
      examples: with targets.
      made: uint8 [height, width, 3] for each.
      about: the pictures, as a data set describes itself.
      beside_input: whether the input is a picture that could pass for the output, whose own
        figures then stand beside (`_input`).

    Returns:
      `l1`, of values in [0, 1]; `psnr_rgb` in dB; `ssim_rgb`, at most 1.
    """
    figures: dict[str, float] = {}
    measures: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
        "l1": lambda a, b: float(np.abs(a.astype(np.float64) - b).mean() / 255),
        "psnr_rgb": lambda a, b: psnr(a, b, channel="rgb"),
        "ssim_rgb": lambda a, b: ssim(a, b, channel="rgb"),
    }
    candidates = {"": list(made)}
    if beside_input:
        candidates["_input"] = [example.shown for example in examples]
    for name, measure in measures.items():
        for suffix, pictures in candidates.items():
            values = [
                measure(example.target, picture)
                for example, picture in zip(examples, pictures, strict=True)
                if example.target is not None
            ]
            figures[f"{name}{suffix}"] = float(np.mean(values))
    words = {"l1": "mean distance of values in [0, 1]", "psnr_rgb": "PSNR", "ssim_rgb": "SSIM"}
    stamps = {
        name: Stamp(f"{word} over RGB, mean over pictures", len(made), len(made), about)
        for name, word in words.items()
    }
    return Measured(figures, stamps)


def picture_files(where: Path | None) -> list[Path]:
    """The picture that `--input` names, or all those in the folder that it names, by name.

    Raises:
      UserError: it is not given, there is nothing, or no picture in the folder.
    """
    if where is None:
        raise UserError("--mode=sample needs --input=PICTURE, or a folder of them")
    if where.is_file():
        return [where]
    if not where.is_dir():
        raise UserError(f"--input={where}: there is no such file or folder")
    files = sorted(path for path in where.iterdir() if path.suffix.lower() in SUFFIXES)
    if not files:
        raise UserError(f"--input={where}: there are no pictures in this folder")
    return files


def sample_files(
    read: Callable[[Path], Example],
    through: Translate,
    *,
    write: Callable[[Path, np.ndarray], Path] = write_image,
) -> Callable[[Networks, SampleRequest], Path]:
    """Makes the `sample` of an experiment: a picture of any size, or all of a folder.

    `--output` is then a file, or a folder, which is made; files keep their names and become PNGs.

    Args:
      read: reads an input from its file.
      through: translates it.
      write: writes the result to a file.
    """

    def sample(networks: Networks, request: SampleRequest) -> Path:
        files = picture_files(request.input)
        if files == [request.input]:
            write(request.output, through(networks, read(files[0])))
            return request.output
        stems = [file.stem for file in files]
        if twice := next((stem for stem in stems if stems.count(stem) > 1), None):
            raise UserError(f"--input={request.input}: two pictures would become {twice}.png")
        try:
            request.output.mkdir(exist_ok=True)
        except OSError as error:
            raise UserError(f"--output={request.output}: {error.strerror or error}") from None
        for file in files:
            made = through(networks, read(file))
            write(request.output / f"{file.stem}.png", made)
        return request.output

    return sample
