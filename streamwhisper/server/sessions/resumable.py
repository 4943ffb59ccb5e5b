"""Resumable sessions: those that are connected, and those whose connection was lost.

A detached session, i.e. one without a connection, is kept for a while. Nothing is recognized
meanwhile: a session that is not resumed costs only memory, and a resumed one catches up at once,
because one request covers all of its audio. The number of sessions and the memory of detached ones
are limited, in total and for each owner. Connected clients come first: a new session replaces the
one of its owner that has been detached longest, or else one of the owner that has most of them.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from streamwhisper.server.dialect import Resumable

__all__ = ["MAX_DETACHED_BYTES", "Holder", "Owner", "ResumableSessions", "Timer"]

MAX_DETACHED_BYTES = 256 * 1024 * 1024
"""Maximum size of the audio that all detached sessions keep."""

Owner = tuple[str | None, str]
"""Name of the owner's key, or None and its address; see `Client.owner`."""


class Holder(Protocol):
    """The connection of a session."""

    def hand_over(self) -> None:
        """Give up the session at once: it continues in another connection."""
        ...

    async def answers(self) -> bool:
        """Return whether the client answers at once; otherwise the connection may be dead."""
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
    owner: Owner
    timer: Timer | None = None
    size: int = 0  # bytes, while it is detached


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
        max_bytes: int = MAX_DETACHED_BYTES,
    ) -> None:
        """Start without sessions.

        Args:
            timeout: seconds that a detached session is kept; 0: sessions cannot be resumed.
            capacity: maximum number of sessions, including connected ones.
            call_later: schedules a call after so many seconds, e.g. on an event loop.
            on_expire: called for each detached session that was not resumed.
            max_bytes: maximum size of all detached sessions.
        """
        self._timeout = timeout
        self._capacity = capacity
        self._call_later = call_later
        self._on_expire = on_expire
        self._max_bytes = max_bytes
        self._claims: Counter[Owner] = Counter()
        self._entries: dict[bytes, _Entry] = {}  # the one detached last comes last

    @property
    def detached(self) -> int:
        """Number of sessions without a connection."""
        return sum(entry.holder is None for entry in self._entries.values())

    def add(
        self, dialect: Resumable, holder: Holder, owner: Owner = (None, ""), most: int | None = None
    ) -> None:
        """Add a new session; if there are too many, it replaces a detached one.

        Args:
            dialect: the session's dialect.
            holder: its connection.
            owner: its owner.
            most: maximum number of the owner's sessions; None: no limit.
        """
        if self._timeout <= 0:
            return
        own = [key for key, entry in self._entries.items() if entry.owner == owner]
        lost = [key for key in own if self._entries[key].holder is None]
        if most is not None:
            for key in lost[: max(0, len(own) - most + 1)]:
                self._expire(key)
        while len(self._entries) >= self._capacity and self.detached:
            self._expire_one(owner)
        self._entries[_key(dialect.token)] = _Entry(dialect, holder, owner)

    def detach(self, dialect: Resumable) -> bool:
        """Keep a session whose connection was lost; return False if it cannot be resumed."""
        key = _key(dialect.token)
        entry = self._entries.pop(key, None)
        if entry is None:
            return False
        entry.holder = None
        entry.size = sum(session.held_bytes for session in dialect.sessions)
        entry.timer = self._call_later(self._timeout, lambda: self._expire(key))
        self._entries[key] = entry
        while self.detached > 1 and self._detached_bytes > self._max_bytes:
            self._expire_one()
        return key in self._entries

    def resume(self, token: str, holder: Holder, owner: Owner = (None, "")) -> Resumable | None:
        """Return the session of a token for another connection; None: the token is unknown.

        If the session still has a connection, which may be dead already, that one hands it over.

        Args:
            token: the session's token.
            holder: the new connection.
            owner: its owner; only the key that opened the session can resume it.
        """
        entry = self._entries.get(_key(token))
        if entry is None or entry.owner[0] != owner[0]:
            return None
        if entry.timer is not None:
            entry.timer.cancel()
            entry.timer = None
        if entry.holder is not None:
            entry.holder.hand_over()
        entry.holder = holder
        return entry.dialect

    def holders(self, owner: Owner) -> list[Holder]:
        """Return the connections of an owner's sessions."""
        entries = self._entries.values()
        return [e.holder for e in entries if e.owner == owner and e.holder is not None]

    def claimable(self, owner: Owner) -> bool:
        """Return whether a connection beyond the owner's quota may resume a connected session.

        The old connection of a session may be dead without the server's knowledge, and must not
        keep out the one that resumes it.
        """
        return len(self.holders(owner)) > self._claims[owner]

    @contextmanager
    def claiming(self, owner: Owner) -> Iterator[None]:
        """Count a connection beyond the owner's quota while the body runs; see `claimable`."""
        self._claims[owner] += 1
        try:
            yield
        finally:
            self._claims[owner] -= 1
            if not self._claims[owner]:
                del self._claims[owner]

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

    @property
    def _detached_bytes(self) -> int:
        return sum(entry.size for entry in self._entries.values() if entry.holder is None)

    def _expire_one(self, newcomer: Owner | None = None) -> None:
        """End a detached session of the owner that has most of them; `newcomer` has one more."""
        detached = [(key, entry) for key, entry in self._entries.items() if entry.holder is None]
        counts = Counter(entry.owner for _, entry in detached)
        if newcomer is not None and newcomer in counts:
            counts[newcomer] += 1
        most = max(counts.values())
        self._expire(next(key for key, entry in detached if counts[entry.owner] == most))

    def _expire(self, key: bytes) -> None:
        entry = self._entries.pop(key)
        if entry.timer is not None:
            entry.timer.cancel()
        entry.dialect.release()
        self._on_expire()


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
