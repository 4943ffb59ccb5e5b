"""Priority of threads."""

from __future__ import annotations

import contextlib
import os
import sys
import threading

__all__ = ["lower_priority"]

_NICE = 10


def lower_priority() -> None:
    """Lower the priority of the calling thread; has an effect on Linux only."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
