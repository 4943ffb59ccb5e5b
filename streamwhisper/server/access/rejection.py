"""Rejections: of a handshake, as an HTTP response, and of a session, as an error and a close."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

from websockets.datastructures import Headers
from websockets.http11 import Response

from streamwhisper.protocol import ErrorMessage
from streamwhisper.server.dialect import Close

__all__ = [
    "ANY_ORIGIN",
    "RETRY_AFTER",
    "HandshakeRejected",
    "SessionRejected",
    "http_response",
]

RETRY_AFTER = 5.0
"""Seconds after which a client may try again when the server is full."""

ANY_ORIGIN = {"Access-Control-Allow-Origin": "*"}
"""Header of responses without secrets: a page of any origin may read them.

A refused page can then show why the server refuses it.
"""


class HandshakeRejected(Exception):
    """A request that the server does not accept.

    Attributes:
        status: HTTP status of the response. After 429 and 503 the client may try again.
        code: short name for programs.
        message: what was received, what was expected and what to try.
    """

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message

    def response(self, body: Mapping[str, object] | None = None) -> Response:
        """Return the HTTP response; `body` replaces its JSON of code and message."""
        answer = {"code": self.code, "message": self.message} if body is None else body
        temporary = self.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
        if temporary:
            answer = {**answer, "retry_after": RETRY_AFTER}
        response = http_response(self.status, json.dumps(answer) + "\n", "application/json")
        response.headers.update(ANY_ORIGIN)
        if temporary:
            response.headers["Retry-After"] = f"{RETRY_AFTER:.0f}"
        if self.status is HTTPStatus.UNAUTHORIZED:
            response.headers["WWW-Authenticate"] = 'Bearer realm="streamwhisper"'
        return response


class SessionRejected(Exception):
    """A session that the server does not accept.

    Attributes:
        error: sent to the client.
        close: how the connection is closed.
    """

    def __init__(self, error: ErrorMessage, close: Close) -> None:
        super().__init__(error.message)
        self.error = error
        self.close = close


def http_response(
    status: HTTPStatus, body: str | bytes, content_type: str = "text/plain; charset=utf-8"
) -> Response:
    """Return an HTTP response that closes its connection."""
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
