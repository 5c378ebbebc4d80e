"""The face swap as its flags say: data, figures and files (`systems.faceswap`)."""

import dataclasses
import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from absl.flags import FlagValues
from jax import Array

from jaxgan import image_flags
from jaxgan.data import video, video_writing
from jaxgan.data.framing import resize
from jaxgan.data.images import read_image
from jaxgan.data.unpaired import unpaired_crops, unpaired_size
from jaxgan.experiment import Data, Experiment, Networks, SampleRequest
from jaxgan.image_data import middles, open_two
from jaxgan.media import Grid, to_uint8
from jaxgan.metrics import own
from jaxgan.metrics.psnr import psnr
from jaxgan.metrics.stamp import Measured, Stamp, enough
from jaxgan.nets.faceswap import FaceDecoder, FaceEncoder
from jaxgan.nets.patch import patch_critic
from jaxgan.ops.pixels import from_uint8
from jaxgan.provenance import write_synthetic, write_synthetic_film
from jaxgan.systems import translating
from jaxgan.systems.faceswap import PEOPLE, faceswap, swap
from jaxgan.systems.translating import Example

# Faces that the classifier of the two people learns from, of each.
MOST_SEEN = 2000
# Rows of each direction that a preview shows.
SHOWN = 4


def swap_faces(options: FlagValues, sample: str) -> Experiment:
    """The experiment.

    Args:
      options: the flags' values.
      sample: what `--data=sample` is, one of `sample_domains.DOMAINS`.
    """
    dtype, side = jnp.dtype(options.dtype), options.side
    encoder = FaceEncoder(options.channels, code=8 * options.channels, dtype=dtype)
    decoder = FaceDecoder(max(options.channels // 2, 1), dtype=dtype)
    critic = patch_critic(
        options.receptive_field, channels=options.critic_channels, norm="instance", dtype=dtype
    )
    features = jax.ShapeDtypeStruct((1, side // 8, side // 8, 4 * options.channels), jnp.float32)
    coder = image_flags.player(options, encoder, 3, averaged=True)

    both = functools.cache(functools.partial(open_two, options, sample))

    def data() -> Data:
        train, held_out = both()
        about = {name: domain.description for name, domain in zip(PEOPLE, train, strict=True)}
        apart = {name: domain.description for name, domain in zip(PEOPLE, held_out, strict=True)}
        if options.eval_pictures:
            without = "measuring (--eval_pictures=0 trains without)"
            enough(without, own.LEAST, **{"training": min(len(domain) for domain in train)})
        load = unpaired_crops(train, side=side, jitter=options.jitter, mirror=options.mirror)
        description = {"kind": "two people", "where": options.data, **about, "held_out": apart}
        return Data(load, unpaired_size(train), description)

    @functools.cache
    def held_out() -> dict[str, np.ndarray]:
        return {
            person: middles(domain, side, options.eval_pictures or SHOWN)
            for person, domain in zip(PEOPLE, both()[1], strict=True)
        }

    @functools.cache
    def judge() -> own.Features:
        faces = [middles(domain, side, MOST_SEEN) for domain in both()[0]]
        labels = np.repeat(np.arange(2), [len(one) for one in faces])
        return own.own_features(np.concatenate(faces), labels, options.data_dir)

    def evaluate(networks: Networks) -> Measured:
        figures: dict[str, float] = {}
        stamps: dict[str, Stamp] = {}
        for index, person in enumerate(PEOPLE):
            other = PEOPLE[1 - index]
            faces, about = held_out()[person], both()[1][index].description
            same = swapped(networks, faces, person)
            values = [psnr(a, b, channel="rgb") for a, b in zip(faces, same, strict=True)]
            figures[f"psnr_{person}"] = float(np.mean(values))
            metric = "PSNR over RGB of a face after its own coder, mean"
            stamps[f"psnr_{person}"] = Stamp(metric, len(faces), len(faces), about)
            _, chances = judge()(swapped(networks, faces, other))
            assert chances is not None
            name = f"taken_for_{other}"
            figures[name] = float((chances.argmax(1) == 1 - index).mean())
            metric = "swapped faces that a classifier takes for the other person"
            stamps[name] = judge().stamp(metric, 0, len(faces), about)
            figures[f"{name}_unswapped"] = float(
                (np.asarray(judge()(faces)[1]).argmax(1) == 1 - index).mean()
            )
        return Measured(figures, stamps)

    def preview(networks: Networks) -> dict[str, Grid]:
        rows = []
        for index, person in enumerate(PEOPLE):
            faces = held_out()[person][:SHOWN]
            same, other = (swapped(networks, faces, p) for p in (person, PEOPLE[1 - index]))
            rows += [list(row) for row in zip(faces, same, other, strict=True)]
        return {"preview": Grid(rows, ("frame", "own face", "swapped"), magnify=2)}

    def sample_frames(networks: Networks, request: SampleRequest) -> Path:
        onto = PEOPLE[options.direction == "AtoB"]

        def through(networks: Networks, example: Example) -> np.ndarray:
            return on_frame(networks, example.shown, onto, side)

        if request.input is not None and is_film(request.input, request.output):

            def change(frame: np.ndarray) -> np.ndarray:
                return on_frame(networks, frame, onto, side)

            return write_synthetic_film(
                request.output, request.input, change, skip_broken=options.skip_broken
            )
        write = translating.sample_files(read_frame, through, write=write_synthetic)
        return write(networks, request)

    return Experiment(
        system=faceswap(
            coder,
            dataclasses.replace(coder, network=decoder, inputs=(features,)),
            image_flags.player(options, critic, 3),
            image_flags.adversarial_loss(options.loss),
            warp=options.warp,
            face_weight=options.face_weight,
            adversarial_weight=options.adversarial_weight,
        ),
        phases=image_flags.turns(
            ("encoder", "decoder_a", "decoder_b"),
            ("critic_a", "critic_b"),
            ("makers", "critics"),
            adversarial_weight=options.adversarial_weight,
        ),
        data=data,
        evaluate=evaluate if options.eval_pictures else None,
        preview=preview,
        sample=sample_frames,
    )


@functools.partial(jax.jit, static_argnames="onto")
def _swap(networks: Networks, faces: Array, *, onto: str) -> Array:
    return swap(networks, faces, onto)


def swapped(networks: Networks, faces: np.ndarray, onto: str) -> np.ndarray:
    """Faces uint8 [n, side, side, 3] with the looks of person `onto`, 'a' or 'b'."""
    made = _swap(networks, from_uint8(jnp.asarray(faces)), onto=onto)
    return to_uint8(np.asarray(made))


def on_frame(networks: Networks, frame: np.ndarray, onto: str, side: int) -> np.ndarray:
    """A frame of any size, uint8 [height, width, 3], that shows a face, with the other's looks.

    The coder sees the whole frame as a square of `side` pixels; what it changes is enlarged and
    added to the frame, which so keeps what is finer than that.
    """
    height, width = frame.shape[:2]
    small = resize(frame, side, side)
    made = swapped(networks, small[None], onto)[0]
    change = made.astype(np.float32) - small
    rows, columns = (np.linspace(0, side - 1, size) for size in (height, width))
    first = np.stack([_interpolated(change[..., c], rows, columns) for c in range(3)], -1)
    return np.clip(np.rint(frame + first), 0, 255).astype(np.uint8)


def _interpolated(plane: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    index = np.arange(len(plane))
    along = np.stack([np.interp(columns, index, row) for row in plane])
    return np.stack([np.interp(rows, index, column) for column in along.T], 1)


def is_film(given: Path, output: Path) -> bool:
    """Whether one of two files is a film, which makes both films; a .gif may be a picture."""
    films = video.SUFFIXES - {".gif"}
    return (given.suffix.lower() in films and not given.is_dir()) or (
        output.suffix.lower() in video_writing.SUFFIXES
    )


def read_frame(path: Path) -> Example:
    """A user's frame."""
    picture = read_image(path)
    return Example(path.name, (), picture)
