"""Statistics over the last seconds."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable

__all__ = ["RECENT", "RollingStats"]

RECENT = 5.0
"""Length of the time window, in seconds."""
_MOST = 1024  # maximum number of amounts kept


class RollingStats:
    """Amounts with their times over a rolling window; written on one thread, read on any."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start without amounts."""
        self._clock = clock
        self._amounts: deque[tuple[float, float]] = deque(maxlen=_MOST)

    def add(self, amount: float) -> None:
        """Add an amount at the current time."""
        self._amounts.append((self._clock(), amount))

    def mean(self, seconds: float = math.inf) -> float:
        """Return the mean over the last `seconds` or over all amounts; 0 if there are none."""
        came = self._since(seconds)
        return sum(came) / len(came) if came else 0.0

    def rising(self) -> float:
        """Return the mean over a fifth of the window or over all of it, whichever is higher.

        So it rises soon and falls slowly.
        """
        return max(self.mean(RECENT / 5), self.mean(RECENT))

    def rate(self) -> float:
        """Return the sum per second."""
        return sum(self._since(RECENT)) / RECENT

    def _since(self, seconds: float) -> list[float]:
        since = self._clock() - seconds
        return [amount for at, amount in list(self._amounts) if at > since]
