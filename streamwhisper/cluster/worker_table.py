"""Load of each worker, as a gateway learns it from their answers."""

from __future__ import annotations

import time
from collections.abc import Callable

from streamwhisper.rolling import RECENT

__all__ = ["WorkerTable"]

_SEEN = 60.0  # seconds for which a worker counts after its last answer
_MANY = 256  # entries above which old workers are removed

# A window moves to another worker if its own is busier than the first share and the other is less
# busy by the second. Its cached state is then computed again, once.
_FULL = 0.85
_CALMER = 0.3
_MOVE_EVERY = 1.0  # seconds; the effect of a move shows in the reported load only after a while


class WorkerTable:
    """Table of workers with their last answer and busy share; written on one thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start without workers."""
        self.moves = 0
        self._clock = clock
        self._answers: dict[str, tuple[float, float]] = {}
        self._moved_at = -_MOVE_EVERY

    def note(self, worker: str, busy: float) -> None:
        """Record an answer of a worker and its busy share, 0 to 1."""
        now = self._clock()
        self._answers[worker] = (now, busy)
        if len(self._answers) > _MANY:
            self._answers = {
                name: answer for name, answer in self._answers.items() if answer[0] > now - _SEEN
            }

    @property
    def count(self) -> int:
        """Number of workers that answered within the last minute."""
        return len(self._busy(_SEEN))

    @property
    def idle(self) -> float:
        """Mean idle share of the workers that answered within the last seconds, 0 to 1."""
        busy = self._busy(RECENT).values()
        return 1 - sum(busy) / len(busy) if busy else 1.0

    def calmer(self, usual: str) -> str | None:
        """Return a less busy worker to replace an overloaded one; None if it is not overloaded."""
        now = self._clock()
        at, share = self._answers.get(usual, (now, 0.0))
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
        return {name: share for name, (at, share) in list(self._answers.items()) if at > since}
