"""Limit on the flushes of a native session that are not answered yet."""

from __future__ import annotations

from streamwhisper.errors import ProtocolError

__all__ = ["FlushLimit"]

_MAX_FLUSHES = 64


class FlushLimit:
    """Count of unanswered flushes, and its limit."""

    def __init__(self) -> None:
        self._unanswered = 0

    def add(self, id: str | None) -> None:
        """Count a flush.

        Raises:
            ProtocolError: too many flushes are unanswered.
        """
        if self._unanswered >= _MAX_FLUSHES:
            raise ProtocolError(
                "too_many_flushes",
                f"{self._unanswered} flushes are unanswered, so this one (id {id!r}) was ignored; "
                "wait for their answers.",
            )
        self._unanswered += 1

    def answer(self) -> None:
        """Count the answer to a flush."""
        self._unanswered -= 1
