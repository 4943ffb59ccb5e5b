"""The workers of a cluster as a gateway knows them: from what they say with their answers."""

from __future__ import annotations

import time
from collections.abc import Callable

from streamwhisper.rolling import RECENT

__all__ = ["WorkerTable"]

_SEEN = 60.0  # seconds for which a worker counts that has answered
_MANY = 256  # workers above which those that count no more are forgotten

# A window goes to another worker where its own works for more than the first share of its time, and
# the other for so much less: what was kept for it is made anew, once.
_FULL = 0.85
_CALMER = 0.3
_MOVE_EVERY = 1.0  # seconds; a move shows in what workers say only after a while


class WorkerTable:
    """Who answered, when, and for which share of its time it worked; written on one thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Nobody is known."""
        self.moves = 0
        self._clock = clock
        self._said: dict[str, tuple[float, float]] = {}
        self._moved_at = -_MOVE_EVERY

    def note(self, worker: str, busy: float) -> None:
        """A worker answered, and works for this share of its time."""
        now = self._clock()
        self._said[worker] = (now, busy)
        if len(self._said) > _MANY:
            self._said = {name: said for name, said in self._said.items() if said[0] > now - _SEEN}

    @property
    def count(self) -> int:
        """How many answered within a minute."""
        return len(self._busy(_SEEN))

    @property
    def idle(self) -> float:
        """Share of their time for which those do nothing that answered within the last seconds."""
        busy = self._busy(RECENT).values()
        return 1 - sum(busy) / len(busy) if busy else 1.0

    def calmer(self, usual: str) -> str | None:
        """Whom to ask in place of a worker that has too much to do; None: it has not."""
        now = self._clock()
        at, share = self._said.get(usual, (now, 0.0))
        if share <= _FULL or at <= now - RECENT or now < self._moved_at + _MOVE_EVERY:
            return None
        busy = self._busy(RECENT)
        calmest = min(busy, key=lambda name: busy[name])
        if busy[calmest] > share - _CALMER:
            return None
        self._moved_at = now
        self.moves += 1
        return calmest

    def _busy(self, seconds: float) -> dict[str, float]:
        since = self._clock() - seconds
        return {name: share for name, (at, share) in list(self._said.items()) if at > since}
