"""Time average of a changing amount, e.g. of queued audio."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

__all__ = ["TimeAverage"]


class TimeAverage:
    """Time average of the amounts in progress; for one thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with nothing in progress."""
        self._clock = clock
        self._present = 0.0
        self._area = 0.0  # amount times seconds since the last call of average
        self._counted_from = self._counted_to = clock()

    @contextlib.contextmanager
    def of(self, amount: float) -> Iterator[None]:
        """Count an amount as in progress while the block runs."""
        self._change(amount)
        try:
            yield
        finally:
            self._change(-amount)

    def average(self) -> float:
        """Return the average since the last call."""
        self._change(0.0)
        seconds = self._counted_to - self._counted_from
        average = self._area / seconds if seconds > 0 else self._present
        self._area, self._counted_from = 0.0, self._counted_to
        return average

    def _change(self, amount: float) -> None:
        now = self._clock()
        self._area += self._present * (now - self._counted_to)
        self._counted_to = now
        self._present += amount
