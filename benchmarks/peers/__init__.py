"""The same games in PyTorch and Keras, to be timed beside jaxgan's own step.

`export` writes one game's weights, data and expected losses to a directory; each contestant is a
program that reads them, shows that it computes the same, and takes steps against the clock.
"""

import importlib.util
import os
import shutil
from pathlib import Path

INSTALL = (
    "the peers are not installed: pip install -e '.[peers]' (for PyTorch without CUDA first: "
    "pip install torch --index-url https://download.pytorch.org/whl/cpu)"
)

# The tutorials of Keras call `predict` and `train_on_batch` for games of two plain losses only;
# for the others they, too, write a step of their own.
_PLAIN = ("vanilla_mnist", "vanilla_simultaneous", "dcgan_mnist", "dcgan_simultaneous")
# Written in Keras, too.
_KERAS = (*_PLAIN, "wgan_gp", "srgan_div2k")
# Convolutions over one axis, for which PyTorch has a single layout.
_SOUNDS = ("hifigan_vocoder",)
SUBJECTS = (
    *_KERAS,
    *_SOUNDS,
    "pix2pix_facades",
    "cyclegan_horse2zebra",
    "text2image_fashion_mnist",
    "video_gan",
)


def contestants(subject: str, device: str | None = None) -> dict[str, list[str]]:
    """The peers of a subject that can run here.

    Args:
      subject: one of `SUBJECTS`; any other has no peers.
      device: "cpu" or "cuda"; None takes CUDA where an NVIDIA driver is loaded.

    Returns:
      A label for each, and the arguments after `python` that start it; `--subject_dir=DIR` is to be
      added. Empty where nothing is installed; `missing` says why.
    """
    if subject not in SUBJECTS:
        return {}
    device = device or default_device()
    found: dict[str, list[str]] = {}
    if _installed("torch"):
        start = ["-m", "benchmarks.peers.torch_worker", f"--device={device}"]
        prefix = "torch" if device == "cpu" else f"torch {device}"
        layouts = ["eager"] if subject in _SOUNDS else ["eager", "channels-last"]
        for layout in layouts:
            found[f"{prefix} {layout}"] = [*start, f"--variant={layout}"]
        if device == "cuda":
            found[f"{prefix} {layouts[-1]} bf16"] = [*start, f"--variant={layouts[-1]}", "--bf16"]
            found[f"{prefix} compile"] = [*start, "--variant=compile"]
            found[f"{prefix} compile bf16"] = [*start, "--variant=compile", "--bf16"]
        elif compiler() is not None:
            found[f"{prefix} compile"] = [*start, "--variant=compile"]
    # pip's TensorFlow and this engine's JAX would be compared on different devices elsewhere.
    if device == "cpu" and subject in _KERAS and _installed("keras"):
        for backend in ("tensorflow", "jax"):
            if not _installed(backend):
                continue
            start = ["-m", "benchmarks.peers.keras_worker", f"--backend={backend}"]
            if subject in _PLAIN:
                found[f"keras {backend}"] = [*start, "--style=train_on_batch"]
            if backend == "tensorflow":
                found[f"keras {backend} train_step"] = [*start, "--style=train_step"]
    return found


def missing(device: str | None = None) -> list[str]:
    """What keeps peers from running here, in a sentence each; empty where all can."""
    reasons = []
    lacking = [name for name in ("torch", "keras", "tensorflow") if not _installed(name)]
    if lacking:
        reasons.append(f"{', '.join(lacking)}: {INSTALL}")
    if (device or default_device()) == "cpu" and _installed("torch") and compiler() is None:
        reasons.append("torch compile: needs a C++ compiler, install g++ or clang++ or set CXX")
    return reasons


def default_device() -> str:
    """ "cuda" where an NVIDIA driver is loaded and not hidden, else "cpu"."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    return "cuda" if Path("/proc/driver/nvidia/version").exists() and not hidden else "cpu"


def compiler() -> str | None:
    """The C++ compiler that torch.compile would use on a CPU, if there is one."""
    names = [os.environ.get("CXX", ""), "g++", "clang++", "c++"]
    return next((path for name in names if name and (path := shutil.which(name))), None)


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
