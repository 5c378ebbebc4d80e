"""Memory that stays: counted in page faults, in a process of its own."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, resource, threading
from jaxgan import memory

library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
library.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
library.free.argtypes = [ctypes.c_void_p]

kept = {kept}
assert not kept or memory.one_heap()

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        block = library.malloc(64 << 20)
        library.memset(block, 1, 64 << 20)
        library.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def work():
    assert not kept or memory.keep()
    faults()
    found.append(faults())

found = []
thread = threading.Thread(target=work)
thread.start()
thread.join()
print(found[0])
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="for the GNU C library")
def test_kept_memory_is_not_asked_of_the_kernel_again():
    def faults(kept):
        program = PROGRAM.format(kept=kept)
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        return int(done.stdout)

    assert faults(False) >= 320  # even if a page has 2 MiB
    assert faults(True) < 100
