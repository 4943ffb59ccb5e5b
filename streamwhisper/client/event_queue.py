"""What a server has said and nobody has read yet: bounded, and nothing that counts is dropped."""

from __future__ import annotations

import asyncio
from collections import deque

from streamwhisper.events import Partial
from streamwhisper.protocol import Ack, ServerMessage, Status

__all__ = ["EventQueue"]

_REPLACED = (Partial, Status, Ack)  # the newest one of each kind tells all that older ones told


class EventQueue:
    """A queue for one reader. From `capacity` on, only the newest partial, status and ack stay.

    All else stays in any case: whoever causes more to be said has to wait while it is `full`.
    """

    def __init__(self, capacity: int = 4096) -> None:
        """Take `capacity` events before it is full."""
        self._capacity = capacity
        self._events: deque[ServerMessage] = deque()
        self._closed = False
        self._news = asyncio.Event()

    def __len__(self) -> int:
        """Return the number of unread events."""
        return len(self._events)

    @property
    def full(self) -> bool:
        """Whether something has to be read first."""
        return len(self._events) >= self._capacity

    def put(self, event: ServerMessage) -> None:
        """Add an event."""
        self._events.append(event)
        if self.full:
            self._thin_out()
        self._news.set()

    def close(self) -> None:
        """No more will come."""
        self._closed = True
        self._news.set()

    async def get(self) -> ServerMessage | None:
        """The next event; None when there will be no more."""
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
