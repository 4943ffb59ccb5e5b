"""What was measured within the last seconds."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable

__all__ = ["RECENT", "RollingStats"]

RECENT = 5.0
"""Seconds that are looked back upon."""
_MOST = 1024  # amounts that are remembered, however short the time


class RollingStats:
    """Amounts, each with the moment it came; written on one thread, read on any."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing has come."""
        self._clock = clock
        self._amounts: deque[tuple[float, float]] = deque(maxlen=_MOST)

    def add(self, amount: float) -> None:
        """It came just now."""
        self._amounts.append((self._clock(), amount))

    def mean(self, seconds: float = math.inf) -> float:
        """Of what came within so many seconds, or of all that is remembered; 0 if nothing is."""
        came = self._since(seconds)
        return sum(came) / len(came) if came else 0.0

    def rising(self) -> float:
        """The mean of a fifth of the time or of all, whichever is more.

        So it rises soon and falls slowly.
        """
        return max(self.mean(RECENT / 5), self.mean(RECENT))

    def rate(self) -> float:
        """How much came in a second."""
        return sum(self._since(RECENT)) / RECENT

    def _since(self, seconds: float) -> list[float]:
        since = self._clock() - seconds
        return [amount for at, amount in list(self._amounts) if at > since]
