"""Outcome of a connection: done, closed after an error, or lost."""

from __future__ import annotations

from websockets.frames import Close as CloseFrame

from streamwhisper.server.dialect import (
    CLIENT_FAULT,
    GOING_AWAY,
    NORMAL,
    SERVER_FAULT,
    TOO_BIG,
    TRY_AGAIN_LATER,
)

__all__ = ["LOST", "how_client_left", "how_server_left", "outcome_of"]

LOST = "connection_lost"
"""Outcome of a connection that neither side closed: the session can be resumed."""

_OUTCOMES = {
    NORMAL: "done",
    GOING_AWAY: "shut_down",
    CLIENT_FAULT: "client_error",
    TOO_BIG: "client_error",
    SERVER_FAULT: "server_error",
    TRY_AGAIN_LATER: "cut_off",
}
_BROKEN_FRAMES = {1002, 1007, 1009}  # close codes that the websockets library sends for them
_ON_PURPOSE = {1000, 1001, 1005}  # close codes of clients that leave; 1005: none was sent


def outcome_of(code: int) -> str:
    """Return the outcome of a connection that the server closed with this code."""
    return _OUTCOMES.get(code, "done")


def how_client_left(sent: CloseFrame | None, received: CloseFrame | None) -> str:
    """Return the outcome of a connection that the client left, by the close frames exchanged."""
    if sent is not None and sent.code in _BROKEN_FRAMES:
        return "client_error"
    if received is not None and received.code in _ON_PURPOSE:
        return "client_left"
    return LOST


def how_server_left(code: int, received: CloseFrame | None) -> str:
    """Return the outcome of a connection that the server closed with this code.

    A client that did not answer the close may have missed the last messages.
    """
    if code == NORMAL and received is None:
        return LOST
    return outcome_of(code)
