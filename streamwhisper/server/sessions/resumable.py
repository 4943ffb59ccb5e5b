"""Sessions that can be resumed: those that are connected, and those whose connection was lost.

A lost session is parked for a while. Nothing is recognized meanwhile: a session that nobody comes
back for costs no more than its memory, and one that is resumed has its sound heard at once, for
one request covers all of it. All sessions together are bounded in number; somebody who is here
goes before somebody who is not, so a newcomer takes the place of the one parked longest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from streamwhisper.server.dialect import Resumable

__all__ = ["Holder", "ResumableSessions", "Timer"]


class Holder(Protocol):
    """The connection that has a session."""

    def hand_over(self) -> None:
        """Let go of the session at once: it goes on in another connection."""
        ...


class Timer(Protocol):
    """A call that is to come."""

    def cancel(self) -> None:
        """It will not be made."""
        ...


@dataclass(slots=True)
class _Place:
    dialect: Resumable
    holder: Holder | None
    timer: Timer | None = None


class ResumableSessions:
    """Knows every session that can be resumed by its token.

    Tokens are looked up by their digest, so the time that it takes tells nothing about them.
    """

    def __init__(
        self,
        timeout: float,
        capacity: int,
        call_later: Callable[[float, Callable[[], None]], Timer],
        on_lapse: Callable[[], None] = lambda: None,
    ) -> None:
        """Park sessions for a while.

        Args:
            timeout: seconds that a session whose connection was lost is kept; 0: not at all.
            capacity: sessions that are known at the same time, connected ones included.
            call_later: has a function called after so many seconds, such as an event loop's.
            on_lapse: told of every session that nobody came back for.
        """
        self._timeout = timeout
        self._capacity = capacity
        self._call_later = call_later
        self._on_lapse = on_lapse
        self._places: dict[bytes, _Place] = {}  # the one parked last comes last

    @property
    def parked(self) -> int:
        """Sessions without a connection."""
        return sum(place.holder is None for place in self._places.values())

    def enter(self, dialect: Resumable, holder: Holder) -> None:
        """A session has started; a parked one makes room for it if need be."""
        if self._timeout <= 0:
            return
        lost = [key for key, place in self._places.items() if place.holder is None]
        for key in lost[: max(0, len(self._places) - self._capacity + 1)]:
            self._lapse(key)
        self._places[_key(dialect.token)] = _Place(dialect, holder)

    def park(self, dialect: Resumable) -> bool:
        """The session's connection was lost; False if it is not to be kept."""
        key = _key(dialect.token)
        place = self._places.pop(key, None)
        if place is None:
            return False
        place.holder = None
        place.timer = self._call_later(self._timeout, lambda: self._lapse(key))
        self._places[key] = place
        return True

    def resume(self, token: str, holder: Holder) -> Resumable | None:
        """The session of this token, for another connection; None if there is none.

        A connection that has it still, and need not know yet that it is dead, hands it over.
        """
        place = self._places.get(_key(token))
        if place is None:
            return None
        if place.timer is not None:
            place.timer.cancel()
            place.timer = None
        if place.holder is not None:
            place.holder.hand_over()
        place.holder = holder
        return place.dialect

    def dismiss(self, name: str) -> bool:
        """Nobody will come back for the session of this name; False if it has a connection."""
        for key, place in self._places.items():
            if place.dialect.name == name and place.holder is None:
                self._lapse(key)
                return True
        return False

    def leave(self, dialect: Resumable) -> None:
        """The session is over and cannot be resumed."""
        self._places.pop(_key(dialect.token), None)

    def close(self) -> None:
        """Let go of everything: from now on nothing is kept."""
        self._timeout = 0.0
        for key in [key for key, place in self._places.items() if place.holder is None]:
            self._lapse(key)
        self._places.clear()

    def _lapse(self, key: bytes) -> None:
        place = self._places.pop(key)
        if place.timer is not None:
            place.timer.cancel()
        place.dialect.release()
        self._on_lapse()


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
