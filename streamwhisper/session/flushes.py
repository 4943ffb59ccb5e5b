"""Flush commands that wait until all audio before them is covered."""

from __future__ import annotations

from collections import deque

from streamwhisper.events import Flushed

__all__ = ["FlushQueue"]


class FlushQueue:
    """Flushes by position, oldest first; positions are samples since the session began."""

    def __init__(self) -> None:
        self._flushes: deque[tuple[int, str | None]] = deque()

    def __len__(self) -> int:
        """Return the number of flushes."""
        return len(self._flushes)

    @property
    def position(self) -> int | None:
        """Position of the oldest flush; None when there is none."""
        return self._flushes[0][0] if self._flushes else None

    def add(self, position: int, id: str | None) -> None:
        """Add a flush of all audio before `position`."""
        self._flushes.append((position, id))

    def answer(self, taken: int) -> Flushed | None:
        """Remove the oldest flush and return its event; None if it lies beyond `taken`."""
        if not self._flushes or taken < self._flushes[0][0]:
            return None
        return Flushed(self._flushes.popleft()[1])
