"""Settings of the FFmpeg libraries in this process."""

from __future__ import annotations

import ctypes
import logging
from pathlib import Path

import av._core

__all__ = ["limit_allocations"]

log = logging.getLogger(__name__)


def limit_allocations(most: int) -> bool:
    """Let FFmpeg allocate at most `most` bytes at once, and fail beyond that.

    A file of 600 bytes can declare an index of gigabytes, which FFmpeg would fill. The limit
    applies to the whole process, so only a program that decodes the files of others sets it.

    Returns:
        False if the libraries cannot be reached; nothing changes then.
    """
    extension = Path(av._core.__file__)
    # Looking up a name in PyAV's extension finds it in the libraries it is linked to; on Windows,
    # only in the library itself.
    libraries = [extension, *(extension.parents[1] / "av.libs").glob("avutil-*.dll")]
    for library in libraries:
        try:
            set_limit = ctypes.CDLL(str(library)).av_max_alloc
        except (OSError, AttributeError):
            continue
        set_limit.argtypes, set_limit.restype = [ctypes.c_size_t], None
        set_limit(most)
        return True
    log.warning("the memory that FFmpeg may allocate for a container cannot be limited")
    return False
