"""What a figure was measured on."""

import importlib.metadata
import os
import pathlib
import platform
import re
import resource
import subprocess
import sys

import jax


def describe_machine() -> dict[str, str]:
    """What a reader must know to judge the times, and the kind of machine in one word."""
    device = jax.devices()[0]
    return {
        "kind": kind(device.platform, device.device_kind, os.cpu_count() or 1, processor()),
        "processor": processor(),
        "cores": str(os.cpu_count()),
        "device": f"{device.platform} {device.device_kind}",
        "system": platform.system(),
        "python": platform.python_version(),
        **versions(),
    }


def versions() -> dict[str, str]:
    """The versions that decide what is compiled."""
    return {name: importlib.metadata.version(name) for name in ("jax", "jaxlib", "flax")}


def kind(platform: str, device: str, cores: int, processor: str) -> str:
    """A name for machines whose times may be compared, as "cpu-2-cores-amd-epyc-9b14"."""
    words = f"{cores} cores {processor}" if platform == "cpu" else device
    words = re.sub(r"\((r|tm)\)|@.*|\bprocessor\b|\bcpu\b", " ", words.lower())
    return "-".join([platform, *re.findall(r"[a-z0-9.]+", words)])


def processor(listing: pathlib.Path = pathlib.Path("/proc/cpuinfo")) -> str:
    """The processor's name, for which Python itself has only the architecture on Linux.

    A virtual machine may hide the number in the name ("AMD EPYC"), which then stands for
    generations that differ by twice in speed: family and model are added.
    """
    text = listing.read_text() if listing.exists() else ""
    lines = (line.partition(":") for line in text.splitlines())
    said = {name.strip(): value.strip() for name, _, value in lines}
    name = said.get("model name")
    if name is None:
        return platform.processor() or platform.machine()
    if any(letter.isdigit() for letter in name) or "cpu family" not in said:
        return name
    return f"{name} family {said['cpu family']} model {said['model']}"


def peak_memory_bytes() -> int:
    """The most memory that this process has held: on its accelerator, or, on CPUs, resident."""
    if statistics := jax.devices()[0].memory_stats():
        return int(statistics["peak_bytes_in_use"])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def commit() -> str:
    """The checkout's commit, with "-dirty" if files differ from it; "unknown" outside of one."""
    root = pathlib.Path(__file__).parent

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + "-dirty" * bool(git("status", "-s"))
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
