"""Framing of the Wyoming protocol: a line of JSON, then more JSON, then audio.

``{"type": …, "data": {…}, "data_length": N, "payload_length": M}`` and a newline, N bytes of JSON
that are merged over ``data``, M bytes of payload. The format is that of the reference
implementation, OHF-Voice's `wyoming`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec

from streamwhisper.errors import ProtocolError
from streamwhisper.json_text import read_json
from streamwhisper.validation import FieldError, read, shown

__all__ = ["VERSION", "EventReader", "WyomingEvent", "encode_event"]

VERSION = "1.10.2"
"""Protocol version in events."""
_Size = Annotated[int, msgspec.Meta(ge=0)]


@dataclass(frozen=True, slots=True)
class WyomingEvent:
    """Event without its payload.

    Attributes:
        type: type of the event.
        data: its fields.
        payload_bytes: size of the payload that follows.
    """

    type: str
    data: Mapping[str, Any] = field(default_factory=dict)
    payload_bytes: int = 0


def encode_event(type: str, data: Mapping[str, Any]) -> str:
    """Return an event without a payload as text; the wire encoding is UTF-8."""
    if not data:
        return json.dumps({"type": type, "version": VERSION}) + "\n"
    text = json.dumps(data, ensure_ascii=False)
    try:
        size = len(text.encode())
    except UnicodeEncodeError:  # half a surrogate pair from a client
        text = json.dumps(data)
        size = len(text)
    return json.dumps({"type": type, "version": VERSION, "data_length": size}) + f"\n{text}"


class EventReader:
    """Parser of received bytes; events may be split anywhere, and payloads arrive in pieces."""

    def __init__(self, max_text_bytes: int, max_payload_bytes: int) -> None:
        """Create a parser with limits for a line or its data, and for a payload."""
        self._max_text = max_text_bytes
        self._max_payload = max_payload_bytes
        self._bytes = bytearray()
        self._searched = 0  # bytes without a newline
        self._header: dict[str, Any] | None = None  # waiting for its data
        self._payload = 0  # remaining bytes

    def feed(self, data: bytes) -> None:
        """Append received bytes."""
        self._bytes += data

    def next(self) -> WyomingEvent | bytes | None:
        """Return the next event or a piece of its payload; None if more bytes are needed.

        Raises:
            ProtocolError: the data is invalid (``bad_json``, ``not_an_object``, ``no_type``,
                ``bad_field`` or ``message_too_big``); the reader cannot continue.
        """
        if self._payload:
            piece = self._take(min(self._payload, len(self._bytes)))
            self._payload -= len(piece)
            return piece or None
        if self._header is None:
            self._header = self._read_header()
            if self._header is None:
                return None
        size = _length(self._header, "data_length", self._max_text)
        if len(self._bytes) < size:
            return None
        header, self._header = self._header, None
        data = header.get("data")
        data = {} if data is None else _object(data, '"data"')
        if size:
            data = {**data, **_parse(self._take(size), "the data of an event")}
        self._payload = _length(header, "payload_length", self._max_payload)
        return WyomingEvent(header["type"], data, self._payload)

    def _read_header(self) -> dict[str, Any] | None:
        end = self._bytes.find(b"\n", self._searched)
        size = len(self._bytes) if end < 0 else end
        if size > self._max_text:
            raise _too_big("a line", size, self._max_text)
        if end < 0:
            self._searched = size
            return None
        self._searched = 0
        header = _parse(self._take(end + 1), "the line")
        kind = header.get("type")
        if not isinstance(kind, str):
            raise ProtocolError(
                "no_type",
                f'the event has the type {shown(kind)}; expected a string, e.g. "transcribe".',
            )
        return header

    def _take(self, size: int) -> bytes:
        taken = bytes(self._bytes[:size])
        del self._bytes[:size]
        return taken


def _length(header: Mapping[str, Any], name: str, most: int) -> int:
    value = header.get(name)
    if value is None:
        return 0
    try:
        size: int = read(value, _Size)
    except FieldError as error:
        raise ProtocolError("bad_field", f'"{name}" {error}, in bytes.') from None
    if size > most:
        raise _too_big(f'"{name}"', size, most)
    return size


def _parse(text: bytes, name: str) -> dict[str, Any]:
    try:
        value = read_json(text)
    except ValueError as error:
        raise ProtocolError(
            "bad_json",
            f"{name} is not JSON ({error}): saw {text[:60]!r}; expected an event of the Wyoming "
            'protocol, e.g. {"type": "describe"} and a newline. WebSocket clients use '
            "the server's other port.",
        ) from None
    return _object(value, name)


def _object(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ProtocolError("not_an_object", f"{name} is {shown(value)}; expected an object.")
    return value


def _too_big(name: str, size: int, most: int) -> ProtocolError:
    return ProtocolError(
        "message_too_big",
        f"{name} has {size} bytes; expected at most {most}. Send audio in smaller chunks.",
    )
