"""Errors that end a session: the message to the client, and how the connection is closed."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from streamwhisper.protocol import ErrorMessage
from streamwhisper.server.access.limits import Limits
from streamwhisper.server.access.rejection import RETRY_AFTER, HandshakeRejected
from streamwhisper.server.dialect import (
    CLIENT_FAULT,
    SERVER_FAULT,
    TOO_BIG,
    TRY_AGAIN_LATER,
    Close,
)

__all__ = [
    "Fault",
    "cut_off",
    "internal",
    "messages_gone",
    "overloaded",
    "recognition_failed",
    "rejected",
    "room_forbidden",
    "silent",
    "taken_over",
    "text_too_big",
    "too_long",
    "unknown_token",
]

Fault = tuple[ErrorMessage, Close]

_START_AGAIN = (
    'Start a new session, with "resume": null, and send the audio after the last "committed" that '
    'was "final" again.'
)


def silent(seconds: float, *, started: bool) -> Fault:
    """Return the error for a client that sent no message for so many seconds."""
    if started:
        return _fault(
            CLIENT_FAULT,
            "idle_timeout",
            f"Received no message for {seconds:g} s, so the session was closed. Send audio or "
            '{"type": "ping"} to keep a session open, and {"type": "end"} to end it.',
        )
    return _fault(
        CLIENT_FAULT,
        "start_timeout",
        f'Received no start within {seconds:g} s. Send {{"type": "start"}} right after connecting.',
    )


def too_long(seconds: float) -> Fault:
    """Return the error for a session that reached its maximum duration."""
    return _fault(
        CLIENT_FAULT,
        "session_too_long",
        f"The session reached its limit of {seconds:g} s, and its text is committed. Open another "
        "session to continue.",
    )


def rejected(rejection: HandshakeRejected) -> Fault:
    """Return the error for a client that is rejected after its handshake."""
    temporary = rejection.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
    error = ErrorMessage(
        rejection.code, rejection.message, True, RETRY_AFTER if temporary else None
    )
    return error, Close(TRY_AGAIN_LATER if temporary else CLIENT_FAULT, rejection.code)


def text_too_big(size: int, limits: Limits) -> Fault:
    """Return the error for a text frame that is too large."""
    return _fault(
        TOO_BIG,
        "message_too_big",
        f"Received a text frame of {size} bytes; expected at most {limits.max_text_bytes}. Send "
        "audio in binary frames.",
    )


def overloaded(wait: float, most: float) -> Fault:
    """Return the error for a session that would overload the recognizer."""
    error = ErrorMessage(
        "overloaded",
        f"The server cannot keep up with another session: requests wait {wait:.1f} s for the "
        "recognizer, counting sessions that have just started to send audio; new sessions are "
        f"accepted up to {most:g} s. Try again in {RETRY_AFTER:g} s, or use another server.",
        fatal=True,
        retry_after=RETRY_AFTER,
    )
    return error, Close(TRY_AGAIN_LATER, error.code)


def taken_over() -> Fault:
    """Return the error for a connection whose session continues in another one."""
    return _fault(
        CLIENT_FAULT,
        "taken_over",
        "another connection has resumed this session with its token; open a new session if that "
        "was not you.",
    )


def unknown_token() -> Fault:
    """Return the error for a resume token without a session."""
    return _fault(
        CLIENT_FAULT,
        "resume_unknown",
        "No session has this resume token: the token is wrong, the session was resumed too late, "
        f"or the server was restarted. {_START_AGAIN}",
    )


def messages_gone(last_seq: int) -> Fault:
    """Return the error for a session whose unseen messages are no longer stored."""
    return _fault(
        CLIENT_FAULT,
        "resume_failed",
        f"The messages after number {last_seq} are no longer all stored; the server keeps only the "
        f"newest ones. {_START_AGAIN}",
    )


def recognition_failed(failures: int, session: str) -> Fault:
    """Return the error for a request that failed repeatedly."""
    return _fault(
        SERVER_FAULT,
        "recognition_failed",
        f"Recognition failed {failures} times for the same audio; text after the last "
        f'"committed" is missing. See session {session} in the server log.',
    )


def internal(session: str) -> Fault:
    """Return the error for an unexpected exception."""
    return _fault(
        SERVER_FAULT,
        "internal",
        f"Internal server error. See session {session} in the server log.",
    )


def room_forbidden(room: str, allowed: Sequence[str]) -> Fault:
    """Return the error for a room in which the client's key must not publish."""
    rooms = f"only in {', '.join(sorted(allowed))}" if allowed else "in no room"
    return _fault(
        CLIENT_FAULT,
        "room_forbidden",
        f"This key may publish {rooms}, not in {room[:80]!r}. Use another room or another key. "
        "Viewers need no key: /v1/watch/NAME.",
    )


def cut_off() -> Fault:
    """Return the error for a session that did not finish before the server stopped."""
    return _fault(
        TRY_AGAIN_LATER,
        "shutting_down",
        "The server is shutting down and could not finish in time. Text after the last "
        '"committed" is missing: send its audio to another server.',
    )


def _fault(close: int, code: str, message: str) -> Fault:
    return ErrorMessage(code, message, fatal=True), Close(close, code)
