"""Every test runs as strictly as JAX can: no silent promotion, two devices, warnings are errors."""

import gc
import importlib.metadata
import os
from fractions import Fraction

import av
import jax
import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver
from PIL import Image

from jaxgan import compilation_cache, main, train, xla_flags
from jaxgan import experiment as experiments
from jaxgan.metrics import augmentation, classifier, segmentation

# Most of the tests' time was the compiler's; what they prove does not hang on how hard it tries.
cheaper = ["--xla_backend_optimization_level=0"]
if importlib.metadata.version("jaxlib").startswith("0.10."):
    # Its older way to compile fusions is the quicker one; later versions have it no more. And what
    # is split to be compiled on several threads costs more than it saves where two tests run.
    cheaper.append("--xla_cpu_use_fusion_emitters=false")
    cheaper.append("--xla_cpu_parallel_codegen_split_count=1")
os.environ["XLA_FLAGS"] = " ".join([os.environ.get("XLA_FLAGS", ""), *cheaper])
# As every command does it: a run must have the same bits in this process and in another.
xla_flags.settle()

jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
# The tests and the runs that they start compile much the same steps.
compilation_cache.enable()
# Python would look through millions of traced objects again and again for a few that are garbage.
gc.freeze()
gc.set_threshold(100_000, 20, 100)


@pytest.fixture(autouse=True, scope="session")
def parsed_flags():
    """Grain reads absl flags; under pytest nobody parses them."""
    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()


@pytest.fixture(autouse=True, scope="session")
def own_data_directory(tmp_path_factory):
    """Nothing that tests keep with the data goes where a person's data is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFDS_DATA_DIR", str(tmp_path_factory.mktemp("tensorflow_datasets")))
        yield


@pytest.fixture
def command(monkeypatch, capfd, hasty_measures):
    """Runs `python -m jaxgan.main` with some arguments, in this process, with `hasty_measures`.

    Returns a function of the arguments that gives the exit code, standard output and error.
    """

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["jaxgan", *map(str, arguments)])
        with flagsaver.flagsaver(), pytest.raises(SystemExit) as exit:
            main.run()
        return exit.value.code, *capfd.readouterr()

    return run


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """A folder of six small pictures with something in them."""
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    for index in range(6):
        coarse = random.integers(0, 256, (5, 6, 3), np.uint8)
        Image.fromarray(coarse).resize((48, 40), Image.Resampling.BICUBIC).save(
            folder / f"photo{index}.png"
        )
    return folder


@pytest.fixture(scope="session")
def write_film():
    """A function of a path, frames uint8 [height, width, 3] and options that writes a film."""
    codecs = {
        ".webm": ("libvpx-vp9", "yuv420p"),
        ".avi": ("mpeg4", "yuv420p"),
        ".gif": ("gif", "rgb8"),
    }

    def write(path, pictures, *, rate=Fraction(30000, 1001), turned=0, times=None, sound=None):
        """`turned`: to the left, by the player; `times`: in 1/30 s; `sound`: a codec."""
        codec, colours = codecs.get(path.suffix, ("libx264", "yuv444p"))
        # What is cut off at the end shall be frames, and not the table of them.
        options = {"movflags": "faststart"} if path.suffix in (".mp4", ".mov", ".m4v") else {}
        with av.open(str(path), "w", options=options) as film:
            stream = film.add_stream(codec, rate=rate)
            stream.height, stream.width = pictures[0].shape[:2]
            stream.pix_fmt, stream.bit_rate = colours, 4_000_000
            if turned:
                stream.set_display_rotation(turned)
            heard = sound and film.add_stream(sound, rate=48000, layout="mono")
            for i, picture in enumerate(pictures):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                if times is not None:
                    frame.pts, frame.time_base = times[i], Fraction(1, 30)
                film.mux(stream.encode(frame))
            film.mux(stream.encode(None))
            for i in range(20 if sound else 0):
                noise = np.random.default_rng(i).integers(-999, 999, (1, 1024), np.int16)
                frame = av.AudioFrame.from_ndarray(noise, format="s16", layout="mono")
                frame.sample_rate, frame.pts = 48000, 1024 * i
                film.mux(heard.encode(frame))
            if sound:
                film.mux(heard.encode(None))
        return path

    return write


@pytest.fixture
def hasty_measures(monkeypatch):
    """The networks that figures are measured with learn for two steps only."""
    monkeypatch.setattr(classifier, "STEPS", 2)
    monkeypatch.setattr(segmentation, "STEPS", 2)
    monkeypatch.setattr(augmentation, "SEEDS", 2)


@pytest.fixture
def idle_steps(monkeypatch):
    """Steps only count, and none is compiled: for tests of what a run is used for."""

    def compile_steps(experiment, rules, actives, *rest, steps_per_dispatch=1):
        def step(state, batches, length=None):
            taken = 1 if length is None else int(length)
            skipped = np.zeros(() if length is None else steps_per_dispatch, np.float32)
            return state.replace(step=state.step + taken), {"skipped": skipped}

        return dict.fromkeys(actives, step)

    monkeypatch.setattr(train, "compile_steps", compile_steps)
    monkeypatch.setattr(train, "describe", lambda *_: "steps that only count")


@pytest.fixture
def tiny_flags():
    """A function of an experiment's name that gives its smoke test's flags, changed as asked."""

    def flags_of(experiment, **changes):
        with flagsaver.flagsaver():
            tiny = experiments.load(experiments.find(experiment)).module.TINY
        return [f"--{flag}={value}" for flag, value in {**tiny, **changes}.items()]

    return flags_of
