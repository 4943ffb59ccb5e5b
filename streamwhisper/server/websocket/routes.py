"""Routes: the dialect of each WebSocket path, and how it starts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from websockets.http11 import Response

from streamwhisper.recognition import ModelInfo
from streamwhisper.server.access.keys import SCHEMES, SUBPROTOCOL
from streamwhisper.server.access.rejection import HandshakeRejected
from streamwhisper.server.dialect import Dialect, OnError, Query
from streamwhisper.server.dialects.deepgram.flux import FluxDialect
from streamwhisper.server.dialects.deepgram.flux_query import read_flux
from streamwhisper.server.dialects.deepgram.handshake import (
    check,
    check_flux,
    headers,
    refuse,
    session_count,
)
from streamwhisper.server.dialects.deepgram.listen import PATIENCE, ListenDialect
from streamwhisper.server.dialects.deepgram.messages import StreamMetadata
from streamwhisper.server.dialects.deepgram.query import read_query
from streamwhisper.server.dialects.native import NativeDialect
from streamwhisper.server.dialects.openai_realtime.client_events import (
    unwrap_audio,
)
from streamwhisper.server.dialects.openai_realtime.dialect import RealtimeDialect
from streamwhisper.server.dialects.openai_realtime.dialect import refuse as refuse_realtime
from streamwhisper.server.publishing.observers import SessionFactory
from streamwhisper.session.options import SessionOptions

__all__ = ["REALTIME_PATH", "ROUTES", "STREAM_PATH", "Handshake", "Route"]

STREAM_PATH = "/v1/stream"
REALTIME_PATH = "/v1/realtime"


@dataclass(frozen=True, slots=True)
class Handshake:
    """Parts of the handshake that a dialect needs.

    Attributes:
        info: the served model.
        options: session options, where the client does not choose its own.
        request_id: UUID of the connection.
        session_id: the start of that UUID; names the session to the client and in the log.
        query: query parameters of the URL.
        open_session: opens the client's sessions.
        on_error: receives the code of every error sent to the client.
        settings: settings of a Realtime session that its short-lived token has.
    """

    info: ModelInfo
    options: SessionOptions
    request_id: str
    session_id: str
    query: Query
    open_session: SessionFactory
    on_error: OnError
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Route:
    """The dialect of one path.

    Attributes:
        open_dialect: creates the dialect of a connection.
        check: raises `HandshakeRejected` for a query that is not supported, before the handshake.
        slots: number of sessions that a supported query opens.
        headers: extra headers of the response that opens the WebSocket; the arguments are the query
            and the UUID of the connection.
        refuse: the HTTP response for a rejected handshake; the second argument is the UUID of the
            connection.
        subprotocols: supported subprotocols; the first that the client offers is selected.
        idle_timeout: seconds without a message after which a session ends, if the server's limit is
            not shorter.
        unwrap: extracts the audio of a text frame that has some; returns other frames unchanged.
    """

    open_dialect: Callable[[Handshake], Dialect]
    check: Callable[[Query, ModelInfo], None] = lambda query, info: None
    slots: Callable[[Query], int] = lambda query: 1
    headers: Callable[[Query, str], Mapping[str, str]] = lambda query, request_id: {}
    refuse: Callable[[HandshakeRejected, str], Response] = lambda rejected, request_id: (
        rejected.response()
    )
    subprotocols: frozenset[str] = field(default_factory=frozenset)
    idle_timeout: float = math.inf
    unwrap: Callable[[str | bytes], str | bytes] = lambda frame: frame


def _native(handshake: Handshake) -> NativeDialect:
    return NativeDialect(
        handshake.info,
        handshake.options,
        handshake.session_id,
        handshake.open_session,
        handshake.on_error,
    )


def _realtime(handshake: Handshake) -> RealtimeDialect:
    return RealtimeDialect(
        handshake.info,
        handshake.options,
        handshake.session_id,
        handshake.open_session,
        handshake.on_error,
        # Without an intent, the type of the session is chosen by `session.update`.
        settings=handshake.settings,
        transcription="transcription" in handshake.query.get("intent", ["transcription"]),
    )


def _deepgram(
    dialect: Callable[..., Dialect], read: Callable[[Query], object]
) -> Callable[[Handshake], Dialect]:
    """Return a function that creates one of Deepgram's dialects; `read` parses its query."""

    def open_dialect(handshake: Handshake) -> Dialect:
        return dialect(
            StreamMetadata(handshake.request_id, handshake.info.name, datetime.now(UTC)),
            handshake.info,
            handshake.options,
            read(handshake.query),
            session_id=handshake.session_id,
            open_session=handshake.open_session,
            on_error=handshake.on_error,
        )

    return open_dialect


ROUTES: Mapping[str, Route] = {
    STREAM_PATH: Route(_native, subprotocols=frozenset({SUBPROTOCOL})),
    REALTIME_PATH: Route(
        _realtime,
        refuse=refuse_realtime,
        subprotocols=frozenset({"realtime"}),
        unwrap=unwrap_audio,
    ),
    "/v1/listen": Route(
        _deepgram(ListenDialect, read_query),
        check,
        session_count,
        headers,
        refuse,
        SCHEMES,
        PATIENCE,
    ),
    "/v2/listen": Route(
        _deepgram(FluxDialect, read_flux),
        check_flux,
        headers=headers,
        refuse=refuse,
        subprotocols=SCHEMES,
    ),
}
"""The route of each path."""
