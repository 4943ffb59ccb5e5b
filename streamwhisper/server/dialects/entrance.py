"""Which dialect is spoken at which path, and what it knows from the handshake."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from streamwhisper.recognition import ModelInfo
from streamwhisper.server.dialects import Dialect, OnError
from streamwhisper.server.dialects.native import NativeDialect
from streamwhisper.server.dialects.openai_realtime.client_events import (
    MAX_FRAME_BYTES,
    unwrap_audio,
)
from streamwhisper.server.dialects.openai_realtime.dialect import RealtimeDialect
from streamwhisper.server.dialects.witness import Admit
from streamwhisper.server.keys import SUBPROTOCOL
from streamwhisper.session.options import SessionOptions

__all__ = ["ENTRANCES", "REALTIME_PATH", "STREAM_PATH", "Entrance", "Handshake", "Query"]

STREAM_PATH = "/v1/stream"
REALTIME_PATH = "/v1/realtime"

Query = Mapping[str, Sequence[str]]
"""What an address asks for, by name; each may stand there several times."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """What a dialect knows from the start.

    Attributes:
        info: the model that is served.
        options: of its sessions, save what the client may choose.
        session_id: names the session to the client and in the log.
        query: of the address.
        admit: whether and with which witness a session may start.
        on_error: told the code of every error that is sent.
    """

    info: ModelInfo
    options: SessionOptions
    session_id: str
    query: Query
    admit: Admit
    on_error: OnError


@dataclass(frozen=True, slots=True)
class Entrance:
    """What waits at a path.

    Attributes:
        speak: begins to speak the dialect.
        check: raises `Refusal` for a query that cannot be served, before there is a WebSocket.
        headers: of the answer that opens it.
        subprotocols: of which one is chosen if a client offers it.
        unwrap: takes the sound out of a text frame that carries it; other frames stay as they are.
        max_message_bytes: the largest frame, where the server's limit would be too low.
    """

    speak: Callable[[Handshake], Dialect]
    check: Callable[[Query, ModelInfo], None] = lambda query, info: None
    headers: Callable[[Query], Mapping[str, str]] = lambda query: {}
    subprotocols: frozenset[str] = field(default_factory=frozenset)
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


ENTRANCES: Mapping[str, Entrance] = {
    STREAM_PATH: Entrance(_native, subprotocols=frozenset({SUBPROTOCOL})),
    REALTIME_PATH: Entrance(
        _realtime,
        subprotocols=frozenset({"realtime"}),
        unwrap=unwrap_audio,
        max_message_bytes=MAX_FRAME_BYTES,
    ),
}
"""By path."""
