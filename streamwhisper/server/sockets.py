"""Ports that cannot be had: what is said of them."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator

__all__ = ["binding"]


@contextlib.contextmanager
def binding(host: str, port: int) -> Iterator[None]:
    """Listen inside of this; an OSError then names the address, and says what to do."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno == errno.EADDRINUSE:
            reason = "the port is in use; take another one (0 finds a free one)"
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {reason}") from error
