"""Errors of sockets that cannot listen."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator

__all__ = ["binding"]


@contextlib.contextmanager
def binding(host: str, port: int) -> Iterator[None]:
    """Add the address and advice to an OSError of the body, which opens a listening socket."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno == errno.EADDRINUSE:
            reason = "the port is in use; choose another one, or 0 for any free port"
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {reason}") from error
