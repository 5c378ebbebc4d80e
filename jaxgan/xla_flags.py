"""What XLA must be told before JAX touches a device."""

import importlib.metadata
import os

# On a CPU XLA hands convolutions to YNNPACK, whose weight gradients take up to twice the time of
# XLA's own; its matrix products and sums are better than XLA's and stay.
_CONVOLUTIONS = "--xla_cpu_experimental_ynn_fusion_type=-individual_convolution"
# XLA ends a process that names a flag it does not know, so it is given only to versions that do.
_KNOWN_UNTIL = (0, 12)


def settle(*, deterministic: bool = False) -> None:
    """Adds to $XLA_FLAGS; what the user says there already is left as it is.

    Args:
      deterministic: the same bits in every run on a GPU.
    """
    wanted = ["--xla_gpu_deterministic_ops"] if deterministic else []
    major, minor = importlib.metadata.version("jaxlib").split(".")[:2]
    if (int(major), int(minor)) <= _KNOWN_UNTIL:
        wanted.append(_CONVOLUTIONS)
    new = [flag for flag in wanted if not given(flag.partition("=")[0])]
    if new:
        os.environ["XLA_FLAGS"] = " ".join([*os.environ.get("XLA_FLAGS", "").split(), *new])


def given(name: str) -> bool:
    """Whether $XLA_FLAGS says something of a flag."""
    return name in os.environ.get("XLA_FLAGS", "")
