"""Why somebody is not let in: an HTTP answer, or the error and the close of a WebSocket."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

from websockets.datastructures import Headers
from websockets.http11 import Response

__all__ = ["RETRY_AFTER", "HandshakeRejected", "http_response"]

RETRY_AFTER = 5.0
"""Seconds after which who found no place may find one."""


class HandshakeRejected(Exception):
    """Somebody is not let in.

    Attributes:
        status: of the HTTP answer. 429 and 503 pass; the client may try again.
        code: short name for programs.
        message: what was seen, what was expected and what to try.
    """

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message

    def response(self, body: Mapping[str, object] | None = None) -> Response:
        """The HTTP answer; `body`: what it says in JSON, where that is not code and message."""
        answer = {"code": self.code, "message": self.message} if body is None else body
        passes = self.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
        if passes:
            answer = {**answer, "retry_after": RETRY_AFTER}
        response = http_response(self.status, json.dumps(answer) + "\n", "application/json")
        if passes:
            response.headers["Retry-After"] = f"{RETRY_AFTER:.0f}"
        if self.status is HTTPStatus.UNAUTHORIZED:
            response.headers["WWW-Authenticate"] = 'Bearer realm="streamwhisper"'
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
