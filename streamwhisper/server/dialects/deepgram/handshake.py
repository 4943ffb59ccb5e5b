"""HTTP answers of Deepgram's handshake."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus

from websockets.http11 import Response

from streamwhisper.errors import RecognitionError
from streamwhisper.recognition import ModelInfo
from streamwhisper.server.access.rejection import HandshakeRejected
from streamwhisper.server.dialect import Query
from streamwhisper.server.dialects.deepgram.flux_query import FLUX, read_flux
from streamwhisper.server.dialects.deepgram.query import (
    ACCEPTED,
    SUPPORTED,
    UNSUPPORTED,
    read_query,
)
from streamwhisper.session.language import LanguageDetection

__all__ = ["check", "check_flux", "headers", "refuse", "session_count"]

_KNOWN = {*SUPPORTED, *FLUX, *ACCEPTED, *UNSUPPORTED, "token"}
_MOST_NAMED = 20
_MOST_SHOWN = 40  # characters of an unknown name
_CODES = {
    HTTPStatus.BAD_REQUEST: "INVALID_QUERY_PARAMETER",
    HTTPStatus.UNAUTHORIZED: "INVALID_AUTH",
    HTTPStatus.FORBIDDEN: "INSUFFICIENT_PERMISSIONS",
    HTTPStatus.TOO_MANY_REQUESTS: "TOO_MANY_REQUESTS",
}


def check(query: Query, info: ModelInfo) -> None:
    """Check that the server supports a stream.

    Raises:
        HandshakeRejected: a parameter is invalid or not supported.
    """
    _check(lambda: read_query(query).language, info)


def check_flux(query: Query, info: ModelInfo) -> None:
    """Check that the server supports a Flux stream.

    Raises:
        HandshakeRejected: a parameter is invalid or not supported.
    """
    _check(lambda: read_flux(query).language, info)


def _check(language: Callable[[], str | LanguageDetection | None], info: ModelInfo) -> None:
    try:
        found = language()
        if found is not None:
            info.check_languages([found] if isinstance(found, str) else found.candidates)
    except (ValueError, RecognitionError) as error:
        raise HandshakeRejected(HTTPStatus.BAD_REQUEST, "bad_query", str(error)) from None


def session_count(query: Query) -> int:
    """Return the number of sessions that a stream needs; the query must be valid."""
    return read_query(query).audio.sessions


def headers(query: Query, request_id: str) -> Mapping[str, str]:
    """Return the headers of a successful handshake: request ID, and ignored parameters."""
    named = {"dg-request-id": request_id}
    requested = {name for name, values in query.items() if values[-1].lower() != "false"}
    missing = sorted(UNSUPPORTED & requested)
    unknown = sorted(name[:_MOST_SHOWN] for name in query if name.partition("[")[0] not in _KNOWN)
    warnings = [
        f"{said}: {', '.join(names[:_MOST_NAMED])}"
        for said, names in (("not supported by this server", missing), ("unknown", unknown))
        if names
    ]
    return {**named, "dg-warning": _plain("; ".join(warnings))} if warnings else named


def refuse(refusal: HandshakeRejected, request_id: str) -> Response:
    """Return the answer to a rejected handshake."""
    body = {
        "err_code": _CODES.get(refusal.status, refusal.code.upper()),
        "err_msg": refusal.message,
        "request_id": request_id,
    }
    response = refusal.response(body)
    response.headers.update({"dg-request-id": request_id, "dg-error": _plain(refusal.message)})
    return response


def _plain(message: str) -> str:
    """Return a message as a header value."""
    return json.dumps(message)[1:-1]
