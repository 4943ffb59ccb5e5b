"""A clock that tests set."""

from __future__ import annotations


class Clock:
    """Tells `now`, in seconds."""

    now = 100.0

    def __call__(self) -> float:
        return self.now
