"""The C library's heap, each time in a process of its own: settings stay for good."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallopt"),
    reason="only glibc has these settings",
)
ARENAS = """
import ctypes, sys, threading
from streamwhisper.engine.malloc import share_one_arena
if sys.argv[1] == "shared":
    assert share_one_arena()
together = threading.Barrier(4)
def work():
    held = [bytes(50_000) for _ in range(20)]
    together.wait()
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
"""
FREED = """
from streamwhisper.engine.malloc import release_free_memory
def held():
    with open("/proc/self/statm") as file: return int(file.read().split()[1]) * 4096
pieces = [bytes([1]) * 60_000 for _ in range(2000)]
last = bytes([1]) * 60_000  # on top of the heap, so that nothing goes back by itself
pieces.clear()
before = held()
assert release_free_memory()
assert before - held() > 100_000_000, (before, held())
"""


def run(code: str, *arguments: str) -> str:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_threads_share_one_arena_where_that_was_asked_for() -> None:
    assert run(ARENAS, "shared").count("<heap nr=") == 1
    assert run(ARENAS, "apart").count("<heap nr=") > 1


def test_what_was_freed_goes_back_to_the_system() -> None:
    run(FREED)
