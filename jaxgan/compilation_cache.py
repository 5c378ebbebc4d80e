"""Where compiled steps are kept between runs."""

import contextlib
import importlib.metadata
import math
import os
from collections.abc import Iterator
from pathlib import Path

import jax


def enable() -> None:
    """Keeps executables on disk, under $XDG_CACHE_HOME/jaxgan unless JAX is told where already."""
    if getattr(jax.config, "jax_compilation_cache_dir", None) is None:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jaxgan"
        # Entries of different versions of jaxlib must not meet: some have crashed on loading.
        version = importlib.metadata.version("jaxlib")
        jax.config.update("jax_compilation_cache_dir", str(cache / f"xla-{version}"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


@contextlib.contextmanager
def paused() -> Iterator[None]:
    """Nothing that is compiled inside is written to the cache."""
    name = "jax_persistent_cache_min_compile_time_secs"
    least = getattr(jax.config, name)
    jax.config.update(name, math.inf)
    try:
        yield
    finally:
        jax.config.update(name, least)
