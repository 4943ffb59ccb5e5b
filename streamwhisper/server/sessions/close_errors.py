"""Why a connection is closed: the error that its client is sent, and the close after it."""

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
    "refused",
    "room_forbidden",
    "silent",
    "text_too_big",
    "too_long",
    "unknown_token",
]

Fault = tuple[ErrorMessage, Close]

_AFRESH = (
    'Start afresh, with "resume": null, and send the audio again that comes after the last '
    '"committed" that was "final".'
)


def silent(seconds: float, *, started: bool) -> Fault:
    """The client has sent nothing for so many seconds, which is too long."""
    if started:
        return _fault(
            CLIENT_FAULT,
            "idle_timeout",
            f"no message for {seconds:g} s, so the session was ended; send audio or "
            'pings to keep it, and {"type": "end"} to end it.',
        )
    return _fault(
        CLIENT_FAULT,
        "start_timeout",
        f'no start within {seconds:g} s; send {{"type": "start"}} at once.',
    )


def too_long(seconds: float) -> Fault:
    """The session has lasted as long as one may."""
    return _fault(
        CLIENT_FAULT,
        "session_too_long",
        f"a session may last {seconds:g} s, and bring so much sound; this one has, and its text "
        "is committed. Open another one to go on.",
    )


def refused(refusal: HandshakeRejected) -> Fault:
    """Somebody who is not let in found out only when the WebSocket was open."""
    passes = refusal.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
    error = ErrorMessage(refusal.code, refusal.message, True, RETRY_AFTER if passes else None)
    return error, Close(TRY_AGAIN_LATER if passes else CLIENT_FAULT, refusal.code)


def text_too_big(size: int, limits: Limits) -> Fault:
    """A text frame of so many bytes."""
    return _fault(
        TOO_BIG,
        "message_too_big",
        f"a text frame of {size} bytes; the most is {limits.max_text_bytes}. "
        "Audio goes in binary frames.",
    )


def overloaded(wait: float, most: float) -> Fault:
    """Requests wait for so many seconds, which is too long for one session more."""
    error = ErrorMessage(
        "overloaded",
        f"the server cannot keep up with another session: requests wait {wait:.1f} s for the "
        f"recognizer, or will because of those who just began to speak, and above {most:g} s "
        f"nobody is taken in; try again in {RETRY_AFTER:g} s, or another server.",
        fatal=True,
        retry_after=RETRY_AFTER,
    )
    return error, Close(TRY_AGAIN_LATER, error.code)


def unknown_token() -> Fault:
    """The session that the client wants to resume is not here."""
    return _fault(
        CLIENT_FAULT,
        "resume_unknown",
        "no session waits for this resume token: it is wrong, or nobody came back in time, or "
        f"the server was started anew. {_AFRESH}",
    )


def messages_gone(last_seq: int) -> Fault:
    """The session is here, but not all that the client has not seen of it."""
    return _fault(
        CLIENT_FAULT,
        "resume_failed",
        f"the messages after number {last_seq} cannot all be sent again: the server keeps only "
        f"the newest ones. {_AFRESH}",
    )


def recognition_failed(failures: int, session: str) -> Fault:
    """The recognizer could not answer a request, however often it was asked."""
    return _fault(
        SERVER_FAULT,
        "recognition_failed",
        f"the recognizer failed {failures} times on the same audio; text after the last "
        f"committed one is missing. The server's log says why (session {session}).",
    )


def internal(session: str) -> Fault:
    """Something went wrong that nobody thought of."""
    return _fault(
        SERVER_FAULT,
        "internal",
        f"an internal error; the server's log has it under session {session}",
    )


def room_forbidden(room: str, allowed: Sequence[str]) -> Fault:
    """The client's key is not for publishing in this room."""
    rooms = f"in {', '.join(sorted(allowed))} alone" if allowed else "in no room"
    return _fault(
        CLIENT_FAULT,
        "room_forbidden",
        f"this key may publish {rooms}, and not in {room[:80]!r}; take another room, or another "
        "key. To read along needs none: /v1/watch/NAME.",
    )


def cut_off() -> Fault:
    """The server stops and can wait no longer."""
    return _fault(
        TRY_AGAIN_LATER,
        "shutting_down",
        "the server is shutting down and could not finish in time; text after the last "
        "committed one is missing, send its audio again to another server",
    )


def _fault(close: int, code: str, message: str) -> Fault:
    return ErrorMessage(code, message, fatal=True), Close(close, code)
