"""Settings of the C allocator that keep a server's memory near its use.

A recognizer allocates and frees tens of megabytes of intermediate results for each request. glibc
keeps freed memory in an arena of the thread that allocated it, so the peaks of all threads add up.
In one arena, threads share the free memory. Other C libraries have no such settings and are not
changed.
"""

from __future__ import annotations

import ctypes
import sys

__all__ = ["release_free_memory", "share_one_arena"]

_M_ARENA_MAX = -8  # malloc.h


def share_one_arena() -> bool:
    """Make all later threads allocate from the main arena; return whether that worked."""
    mallopt = _glibc("mallopt")
    return mallopt is not None and bool(mallopt(_M_ARENA_MAX, 1))


def release_free_memory() -> bool:
    """Return free memory to the system; return whether there was any.

    The call takes milliseconds, and allocating the memory again costs page faults. Call it after
    start-up, not between requests.
    """
    malloc_trim = _glibc("malloc_trim")
    return malloc_trim is not None and bool(malloc_trim(0))


def _glibc(name: str) -> ctypes._NamedFuncPointer | None:
    if sys.platform != "linux":
        return None
    return getattr(ctypes.CDLL(None), name, None)
