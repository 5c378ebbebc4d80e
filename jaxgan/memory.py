"""How the C library hands out memory on a CPU.

A step on a CPU allocates its temporaries and frees them again. The GNU C library gets large ones
from the kernel each time and gives them back, so that every step pays for page faults. Kept memory
costs none, and the process holds more of it.
"""

import ctypes
import platform

# Names and numbers of <malloc.h>.
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8


def one_heap() -> bool:
    """From now on new threads allocate where the main one does; without it `keep` has no effect.

    Call it before JAX starts its threads.

    Returns:
      Whether the C library did so; False where it is not GNU's.
    """
    return _set({_ARENA_MAX: 1})


def keep() -> bool:
    """From now on memory that is freed stays with the process, for whoever allocates next.

    Call it when all is compiled: what a compiler leaves behind would stay as well.

    Returns:
      As `one_heap` does.
    """
    return _set({_MMAP_MAX: 0, _TRIM_THRESHOLD: -1})


def _set(options: dict[int, int]) -> bool:
    if platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    return min(library.mallopt(option, value) for option, value in options.items()) == 1
