"""Queue of unread events: bounded, and only superseded events are dropped."""

from __future__ import annotations

import asyncio
from collections import deque

from streamwhisper.events import Partial
from streamwhisper.protocol import Ack, ServerMessage, Status

__all__ = ["EventQueue"]

_REPLACED = (Partial, Status, Ack)  # a newer one supersedes older ones


class EventQueue:
    """Queue for one reader. At `capacity` events, only the newest partial, status and ack stay.

    All other events are kept: the sender has to wait while the queue is `full`.
    """

    def __init__(self, capacity: int = 4096) -> None:
        """Create a queue that is full with `capacity` events."""
        self._capacity = capacity
        self._events: deque[ServerMessage] = deque()
        self._closed = False
        self._news = asyncio.Event()

    def __len__(self) -> int:
        """Return the number of unread events."""
        return len(self._events)

    @property
    def full(self) -> bool:
        """True if an event has to be read before more audio is sent."""
        return len(self._events) >= self._capacity

    def put(self, event: ServerMessage) -> None:
        """Add an event."""
        self._events.append(event)
        if self.full:
            self._thin_out()
        self._news.set()

    def close(self) -> None:
        """Declare that no more events follow."""
        self._closed = True
        self._news.set()

    async def get(self) -> ServerMessage | None:
        """Wait for the next event; return None when no more follow."""
        while not self._events:
            if self._closed:
                return None
            self._news.clear()
            await self._news.wait()
        return self._events.popleft()

    def _thin_out(self) -> None:
        newest = {type(event): at for at, event in enumerate(self._events)}
        self._events = deque(
            event
            for at, event in enumerate(self._events)
            if not isinstance(event, _REPLACED) or newest[type(event)] == at
        )
