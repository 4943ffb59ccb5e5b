"""Open files: how many connections of each kind the process can hold, and newcomers among them.

A connection is an open file. Clients without an access token must not use up all of them: a part is
reserved for sessions and for newcomers, i.e. connections that have not completed their handshake.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass

__all__ = ["FileBudget", "Newcomers", "open_files", "raise_open_files"]

log = logging.getLogger(__name__)

_WANTED = 65_536  # open files of the largest servers
_PROCESS = 100  # open files besides connections: libraries, model, log, event loop
_MOST_NEWCOMERS = 1024
_FEWEST_NEWCOMERS = 16
_QUIET_SECONDS = 60.0  # between two warnings about newcomers


def open_files() -> int:
    """Return how many files the process can open."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return _WANTED
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _WANTED if soft == resource.RLIM_INFINITY else soft


def raise_open_files() -> int:
    """Raise the limit of open files to what the system allows; return it."""
    try:
        import resource
    except ImportError:
        return _WANTED
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED if hard == resource.RLIM_INFINITY else min(hard, _WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (ValueError, OSError) as error:  # macOS allows fewer than it reports
            log.warning("the limit of %d open files cannot be raised: %s", soft, error)
    return open_files()


@dataclass(frozen=True, slots=True)
class FileBudget:
    """Connections that a process can hold.

    Attributes:
        newcomers: connections of each port that have not completed their handshake.
        viewers: viewers of all rooms.
    """

    newcomers: int
    viewers: int

    @classmethod
    def of(cls, files: int, sessions: int, *, per_session: int, ports: int) -> FileBudget:
        """Share out the open files that sessions and the process itself do not need.

        Args:
            files: how many files the process can open.
            sessions: maximum concurrent sessions.
            per_session: open files of one session.
            ports: number of ports that accept newcomers.
        """
        free = files - _PROCESS - sessions * per_session
        newcomers = min(max(free // 4, _FEWEST_NEWCOMERS), _MOST_NEWCOMERS)
        return cls(newcomers, max(free - newcomers * ports, 0))


class Newcomers:
    """Connections of one port that have not completed their handshake.

    Each newcomer is accepted. When there are too many, the oldest one is disconnected: it has had
    the most time.
    """

    def __init__(self, most: int) -> None:
        """Allow so many connections."""
        self._most = most
        self._waiting: dict[asyncio.BaseTransport, None] = {}  # the newest is last
        self._dropped = 0
        self._warned_at = -_QUIET_SECONDS

    def __len__(self) -> int:
        """Return the number of newcomers."""
        return len(self._waiting)

    def add(self, transport: asyncio.BaseTransport) -> None:
        """Add a connection; if there are too many, disconnect the oldest."""
        self._waiting[transport] = None
        if len(self._waiting) > self._most:
            oldest = next(iter(self._waiting))
            self.remove(oldest)
            self._warn()
            abort = getattr(oldest, "abort", oldest.close)
            abort()

    def remove(self, transport: asyncio.BaseTransport) -> None:
        """Remove a connection: its handshake is complete, or it is closed."""
        self._waiting.pop(transport, None)

    def _warn(self) -> None:
        self._dropped += 1
        now = time.monotonic()
        if now - self._warned_at >= _QUIET_SECONDS:
            self._warned_at = now
            log.warning(
                "more than %d connections have sent no complete request; the oldest are "
                "disconnected (%d so far)",
                self._most,
                self._dropped,
            )
