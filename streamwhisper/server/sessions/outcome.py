"""How a connection ended: in order, by somebody's fault, or lost."""

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
"""Neither side meant it: the session can be resumed."""

_OUTCOMES = {
    NORMAL: "done",
    GOING_AWAY: "shut_down",
    CLIENT_FAULT: "client_error",
    TOO_BIG: "client_error",
    SERVER_FAULT: "server_error",
    TRY_AGAIN_LATER: "cut_off",
}
_BROKEN_FRAMES = {1002, 1007, 1009}  # close codes with which websockets answers them by itself
_ON_PURPOSE = {1000, 1001, 1005}  # close codes of clients that want no more; 1005: without a code


def outcome_of(code: int) -> str:
    """What became of a session whose connection the server closed with this code."""
    return _OUTCOMES.get(code, "done")


def how_client_left(sent: CloseFrame | None, received: CloseFrame | None) -> str:
    """What became of a session whose client is gone, by the close frames that were exchanged."""
    if sent is not None and sent.code in _BROKEN_FRAMES:
        return "client_error"
    if received is not None and received.code in _ON_PURPOSE:
        return "client_left"
    return LOST


def how_server_left(code: int, received: CloseFrame | None) -> str:
    """The same where the server closed; a client that did not answer may have heard nothing."""
    if code == NORMAL and received is None:
        return LOST
    return outcome_of(code)
