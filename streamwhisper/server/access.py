"""Who may come in, and how much one client may ask of the server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus

from websockets.datastructures import Headers
from websockets.http11 import Response

__all__ = ["RETRY_AFTER", "Access", "Limits", "http_response", "refusal"]

RETRY_AFTER = 5.0
"""Seconds after which who found no place may find one."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server grants its clients.

    Attributes:
        max_sessions: connections served at the same time; further ones are refused. Sessions
            that wait to be resumed take places that no connection needs.
        max_text_bytes: the largest text frame; a larger one is answered by close 1009.
        max_message_bytes: the largest frame of any kind, likewise.
        start_timeout: seconds from the connection to its ``start``.
        idle_timeout: seconds without any message before a session is ended.
        send_timeout: seconds that a client may leave its incoming data unread.
        drain_timeout: seconds in which what a client has sent is still heard when the server
            stops.
        resume_timeout: seconds that a session is kept after its connection was lost; 0: none is.
    """

    max_sessions: int = 100
    max_text_bytes: int = 64 * 1024
    max_message_bytes: int = 1024 * 1024
    start_timeout: float = 10.0
    idle_timeout: float = 300.0
    send_timeout: float = 20.0
    drain_timeout: float = 10.0
    resume_timeout: float = 30.0


class Access:
    """Counts the sessions that are open, and refuses those beyond the limit."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.open_sessions = 0
        self.shutting_down = False

    def obstacle(self) -> tuple[str, str] | None:
        """Why nobody can come in at present, as an error's code and message; None: they can."""
        if self.shutting_down:
            return "shutting_down", "the server is shutting down; try another one, or later"
        if self.open_sessions >= self.limits.max_sessions:
            return (
                "too_many_sessions",
                f"all {self.limits.max_sessions} sessions of this server are taken; try again "
                "in a few seconds, or have the server started with a higher limit",
            )
        return None

    @contextmanager
    def session(self) -> Iterator[None]:
        """Holds a place while its body runs."""
        self.open_sessions += 1
        try:
            yield
        finally:
            self.open_sessions -= 1


def refusal(code: str, message: str) -> Response:
    """The HTTP answer to a client that cannot come in."""
    body = json.dumps({"code": code, "message": message, "retry_after": RETRY_AFTER}) + "\n"
    response = http_response(HTTPStatus.SERVICE_UNAVAILABLE, body, "application/json")
    response.headers["Retry-After"] = f"{RETRY_AFTER:.0f}"
    return response


def http_response(
    status: HTTPStatus, body: str | bytes, content_type: str = "text/plain; charset=utf-8"
) -> Response:
    """A whole HTTP response, after which the connection is closed."""
    content = body.encode() if isinstance(body, str) else body
    headers = Headers(
        {
            "Content-Type": content_type,
            "Content-Length": str(len(content)),
            "Cache-Control": "no-store",
            "Connection": "close",
        }
    )
    return Response(status.value, status.phrase, headers, content)
