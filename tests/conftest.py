"""Every test runs as strictly as JAX can: no silent promotion, two devices, warnings are errors."""

import os

import jax
import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver
from PIL import Image

from jaxgan import compilation_cache, main, xla_flags
from jaxgan import experiment as experiments
from jaxgan.metrics import augmentation, classifier, segmentation

# Most of the tests' time was LLVM's; what they prove does not hang on how hard it tries.
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0"
# As every command does it: a run must have the same bits in this process and in another.
xla_flags.settle()

jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
# The tests and the runs that they start compile much the same steps.
compilation_cache.enable()


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
def command(monkeypatch, capfd):
    """Runs `python -m jaxgan.main` with some arguments, in this process.

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


@pytest.fixture
def hasty_measures(monkeypatch):
    """The networks that figures are measured with learn for two steps only."""
    monkeypatch.setattr(classifier, "STEPS", 2)
    monkeypatch.setattr(segmentation, "STEPS", 2)
    monkeypatch.setattr(augmentation, "SEEDS", 2)


@pytest.fixture
def tiny_flags():
    """A function of an experiment's name that gives its smoke test's flags, changed as asked."""

    def flags_of(experiment, **changes):
        with flagsaver.flagsaver():
            tiny = experiments.load(experiments.find(experiment)).module.TINY
        return [f"--{flag}={value}" for flag, value in {**tiny, **changes}.items()]

    return flags_of
