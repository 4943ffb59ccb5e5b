"""Resumable sessions: those that are connected, and those whose connection was lost.

A detached session, i.e. one without a connection, is kept for a while. Nothing is recognized
meanwhile: a session that is not resumed costs only memory, and a resumed one catches up at once,
because one request covers all of its audio. The total number of sessions is limited. Connected
clients come first: a new session replaces the one that has been detached longest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from streamwhisper.server.dialect import Resumable

__all__ = ["Holder", "ResumableSessions", "Timer"]


class Holder(Protocol):
    """The connection of a session."""

    def hand_over(self) -> None:
        """Give up the session at once: it continues in another connection."""
        ...


class Timer(Protocol):
    """A scheduled call."""

    def cancel(self) -> None:
        """Cancel the call."""
        ...


@dataclass(slots=True)
class _Entry:
    dialect: Resumable
    holder: Holder | None
    timer: Timer | None = None


class ResumableSessions:
    """All sessions that can be resumed, by token.

    Tokens are looked up by their digest, so the duration of a lookup reveals nothing about them.
    """

    def __init__(
        self,
        timeout: float,
        capacity: int,
        call_later: Callable[[float, Callable[[], None]], Timer],
        on_expire: Callable[[], None] = lambda: None,
    ) -> None:
        """Start without sessions.

        Args:
            timeout: seconds that a detached session is kept; 0: sessions cannot be resumed.
            capacity: maximum number of sessions, including connected ones.
            call_later: schedules a call after so many seconds, e.g. on an event loop.
            on_expire: called for each detached session that was not resumed.
        """
        self._timeout = timeout
        self._capacity = capacity
        self._call_later = call_later
        self._on_expire = on_expire
        self._entries: dict[bytes, _Entry] = {}  # the one detached last comes last

    @property
    def detached(self) -> int:
        """Number of sessions without a connection."""
        return sum(entry.holder is None for entry in self._entries.values())

    def add(self, dialect: Resumable, holder: Holder) -> None:
        """Add a new session; if there are too many, it replaces a detached one."""
        if self._timeout <= 0:
            return
        lost = [key for key, entry in self._entries.items() if entry.holder is None]
        for key in lost[: max(0, len(self._entries) - self._capacity + 1)]:
            self._expire(key)
        self._entries[_key(dialect.token)] = _Entry(dialect, holder)

    def detach(self, dialect: Resumable) -> bool:
        """Keep a session whose connection was lost; return False if it cannot be resumed."""
        key = _key(dialect.token)
        entry = self._entries.pop(key, None)
        if entry is None:
            return False
        entry.holder = None
        entry.timer = self._call_later(self._timeout, lambda: self._expire(key))
        self._entries[key] = entry
        return True

    def resume(self, token: str, holder: Holder) -> Resumable | None:
        """Return the session of a token for another connection; None: the token is unknown.

        If the session still has a connection, which may be dead already, that one hands it over.
        """
        entry = self._entries.get(_key(token))
        if entry is None:
            return None
        if entry.timer is not None:
            entry.timer.cancel()
            entry.timer = None
        if entry.holder is not None:
            entry.holder.hand_over()
        entry.holder = holder
        return entry.dialect

    def dismiss(self, name: str) -> bool:
        """End the detached session of this name; return False if there is none."""
        for key, entry in self._entries.items():
            if entry.dialect.name == name and entry.holder is None:
                self._expire(key)
                return True
        return False

    def remove(self, dialect: Resumable) -> None:
        """Remove a session that has ended and cannot be resumed."""
        self._entries.pop(_key(dialect.token), None)

    def close(self) -> None:
        """End all detached sessions, and keep no more."""
        self._timeout = 0.0
        for key in [key for key, entry in self._entries.items() if entry.holder is None]:
            self._expire(key)
        self._entries.clear()

    def _expire(self, key: bytes) -> None:
        entry = self._entries.pop(key)
        if entry.timer is not None:
            entry.timer.cancel()
        entry.dialect.release()
        self._on_expire()


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
