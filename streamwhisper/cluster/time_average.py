"""How much is under way, as an average over time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

__all__ = ["TimeAverage"]


class TimeAverage:
    """Amounts that come and go; on one thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is under way."""
        self._clock = clock
        self._present = 0.0
        self._area = 0.0  # amount times seconds, since the average was asked for last
        self._counted_from = self._counted_to = clock()

    @contextlib.contextmanager
    def of(self, amount: float) -> Iterator[None]:
        """So much is under way while the block runs."""
        self._change(amount)
        try:
            yield
        finally:
            self._change(-amount)

    def average(self) -> float:
        """What was under way since this was asked last."""
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
