"""What a figure was measured on."""

import importlib.metadata
import os
import pathlib
import platform

import jax


def describe_machine() -> dict[str, str]:
    """What a reader must know to judge the times."""
    device = jax.devices()[0]
    versions = {name: importlib.metadata.version(name) for name in ("jax", "jaxlib", "flax")}
    return {
        "processor": processor(),
        "cores": str(os.cpu_count()),
        "device": f"{device.platform} {device.device_kind}",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **versions,
    }


def processor() -> str:
    """The processor's name, for which Python itself has only the architecture on Linux."""
    listing = pathlib.Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
