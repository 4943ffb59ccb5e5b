"""Which dialect is spoken at which path, and what it knows from the handshake."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

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
    places,
    refuse,
)
from streamwhisper.server.dialects.deepgram.listen import PATIENCE, ListenDialect
from streamwhisper.server.dialects.deepgram.messages import StreamMetadata
from streamwhisper.server.dialects.deepgram.query import read_query
from streamwhisper.server.dialects.native import NativeDialect
from streamwhisper.server.dialects.openai_realtime.client_events import (
    MAX_FRAME_BYTES,
    unwrap_audio,
)
from streamwhisper.server.dialects.openai_realtime.dialect import RealtimeDialect
from streamwhisper.server.dialects.openai_realtime.dialect import refuse as refuse_realtime
from streamwhisper.server.publishing.observers import Admit
from streamwhisper.session.options import SessionOptions

__all__ = ["ENTRANCES", "REALTIME_PATH", "STREAM_PATH", "Handshake", "Route"]

STREAM_PATH = "/v1/stream"
REALTIME_PATH = "/v1/realtime"


@dataclass(frozen=True, slots=True)
class Handshake:
    """What a dialect knows from the start.

    Attributes:
        info: the model that is served.
        options: of its sessions, save what the client may choose.
        request_id: a UUID that names the connection.
        session_id: names the session to the client and in the log; the UUID's beginning.
        query: of the address.
        admit: whether and with which witness a session may start.
        on_error: told the code of every error that is sent.
    """

    info: ModelInfo
    options: SessionOptions
    request_id: str
    session_id: str
    query: Query
    admit: Admit
    on_error: OnError


@dataclass(frozen=True, slots=True)
class Route:
    """What waits at a path.

    Attributes:
        speak: begins to speak the dialect.
        check: raises `HandshakeRejected` for a query that cannot be served, before the handshake.
        places: that a query takes which can be served: as many as sessions.
        headers: of the answer that opens it, by its query and the UUID that names it.
        refuse: the answer to who is not let in, likewise.
        subprotocols: of which one is chosen if a client offers it.
        patience: seconds without any message after which a session is ended, where the server's
            limit is not less.
        unwrap: takes the sound out of a text frame that carries it; other frames stay as they are.
        max_message_bytes: the largest frame, where the server's limit would be too low.
    """

    speak: Callable[[Handshake], Dialect]
    check: Callable[[Query, ModelInfo], None] = lambda query, info: None
    places: Callable[[Query], int] = lambda query: 1
    headers: Callable[[Query, str], Mapping[str, str]] = lambda query, request_id: {}
    refuse: Callable[[HandshakeRejected, str], Response] = lambda refusal, request_id: (
        refusal.response()
    )
    subprotocols: frozenset[str] = field(default_factory=frozenset)
    patience: float = math.inf
    unwrap: Callable[[str | bytes], str | bytes] = lambda frame: frame
    max_message_bytes: int = 0


def _native(handshake: Handshake) -> NativeDialect:
    return NativeDialect(
        handshake.info,
        handshake.options,
        handshake.session_id,
        handshake.admit,
        handshake.on_error,
    )


def _realtime(handshake: Handshake) -> RealtimeDialect:
    return RealtimeDialect(
        handshake.info,
        handshake.options,
        handshake.session_id,
        handshake.admit,
        handshake.on_error,
        transcribes="transcription" in handshake.query.get("intent", ()),
    )


def _deepgram(
    dialect: Callable[..., Dialect], read: Callable[[Query], object]
) -> Callable[[Handshake], Dialect]:
    """Begins to speak one of Deepgram's dialects, whose query is read like this."""

    def speak(handshake: Handshake) -> Dialect:
        return dialect(
            StreamMetadata(handshake.request_id, handshake.info.name, datetime.now(UTC)),
            handshake.info,
            handshake.options,
            read(handshake.query),
            session_id=handshake.session_id,
            admit=handshake.admit,
            on_error=handshake.on_error,
        )

    return speak


ENTRANCES: Mapping[str, Route] = {
    STREAM_PATH: Route(_native, subprotocols=frozenset({SUBPROTOCOL})),
    REALTIME_PATH: Route(
        _realtime,
        refuse=refuse_realtime,
        subprotocols=frozenset({"realtime"}),
        unwrap=unwrap_audio,
        max_message_bytes=MAX_FRAME_BYTES,
    ),
    "/v1/listen": Route(
        _deepgram(ListenDialect, read_query), check, places, headers, refuse, SCHEMES, PATIENCE
    ),
    "/v2/listen": Route(
        _deepgram(FluxDialect, read_flux),
        check_flux,
        headers=headers,
        refuse=refuse,
        subprotocols=SCHEMES,
    ),
}
"""By path."""
