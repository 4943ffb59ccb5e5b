"""Messages of the native protocol, version 1, and their JSON text frames in both directions.

Audio travels in binary frames, outside this module. Unknown fields are ignored; an unknown type, a
missing field or a field of the wrong type raises `ProtocolError`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args, get_type_hints

from streamwhisper import events
from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.errors import ProtocolError
from streamwhisper.events import Event, Word
from streamwhisper.json_text import read_json, write_json
from streamwhisper.recognition import Task
from streamwhisper.validation import FieldError, describe, read, shown

__all__ = [
    "ENCODINGS",
    "PROTOCOL_VERSION",
    "Ack",
    "ClientMessage",
    "Encoding",
    "End",
    "ErrorMessage",
    "Flush",
    "Ping",
    "Pong",
    "Ready",
    "ServerMessage",
    "Start",
    "Status",
    "VocabularyMessage",
    "Watching",
    "encode_client_message",
    "encode_server_message",
    "parse_client_message",
    "parse_server_message",
    "plain_message",
]

PROTOCOL_VERSION = 1

Encoding = Literal["pcm_s16le", "pcm_f32le", "mulaw", "alaw", "container"]
ENCODINGS: tuple[Encoding, ...] = get_args(Encoding)


@dataclass(frozen=True, slots=True)
class Start:
    """First message of a client: starts or resumes a session.

    The class has one field for each key of the message.

    Attributes:
        encoding: encoding of the binary frames; ``"container"`` is any file format PyAV reads.
        sample_rate: sample rate in Hz; ignored for containers.
        channels: number of interleaved channels, which are mixed to one.
        language: language code, e.g. ``"en"``; None or ``"auto"`` detects the language.
        languages: candidates for language detection; empty: all of the model.
        task: "transcribe", or "translate" into English.
        model: name of the model; None accepts the served one.
        words: whether events contain words with times and confidences.
        partials: whether to send partial text.
        vocabulary: names and terms to prefer when the audio is ambiguous, as they are written.
        resume: token of a session whose connection was lost; all fields except `last_seq` are
            then ignored.
        last_seq: sequence number of the last message received in that session.
        publish: name of the room in which viewers can read along; None: no room.
        continued: whether the session began on a server that has lost it; it is then admitted
            under any load, like a resumed session.
    """

    encoding: Encoding = "pcm_s16le"
    sample_rate: int = SAMPLE_RATE
    channels: int = 1
    language: str | None = None
    languages: tuple[str, ...] = ()
    task: Task = "transcribe"
    model: str | None = None
    words: bool = True
    partials: bool = True
    vocabulary: tuple[str, ...] = ()
    resume: str | None = None
    last_seq: int = 0
    publish: str | None = None
    continued: bool = False


@dataclass(frozen=True, slots=True)
class Flush:
    """Command to commit all audio sent so far; answered by `Flushed` with the same `id`."""

    id: str | None = None


@dataclass(frozen=True, slots=True)
class VocabularyMessage:
    """Command to replace the vocabulary."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class End:
    """End of the audio: all text is committed, then `Done` follows."""


@dataclass(frozen=True, slots=True)
class Ping:
    """Request for a `Pong` with the same `id`."""

    id: str | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """The session is open and accepts audio.

    For a resumed session it states what the server has received; the client continues after that.
    Its `seq` is then the client's `Start.last_seq`.

    Attributes:
        session: identifier of the session in the server's log.
        resume_token: token for `Start.resume` after a lost connection.
        model: name of the model.
        sample_rate: sample rate in Hz in which `samples` are counted.
        protocol: version of the protocol.
        samples: samples received, per channel.
        bytes: bytes of audio received in binary frames.
        messages: text frames received, without those that start or resume the session.
    """

    session: str
    resume_token: str
    model: str
    sample_rate: int
    protocol: int = PROTOCOL_VERSION
    samples: int = 0
    bytes: int = 0
    messages: int = 0


@dataclass(frozen=True, slots=True)
class Ack:
    """Acknowledgement: a resumed session has all audio up to here.

    Attributes:
        samples: samples since the session's start, per channel.
        bytes: bytes of audio since the session's start, in binary frames.
    """

    samples: int
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Status:
    """Load report, about once per second of audio.

    Attributes:
        lag_ms: milliseconds of received audio that no hypothesis covers yet.
        real_time_factor: seconds of waiting for the recognizer per second of audio since the
            last status; above 1 the session falls behind.
        audio_seconds: seconds of audio received.
        viewers: number of viewers of the session's room; None: it publishes in no room.
    """

    lag_ms: int
    real_time_factor: float
    audio_seconds: float
    viewers: int | None = None


@dataclass(frozen=True, slots=True)
class Pong:
    """Answer to a `Ping`."""

    id: str | None = None


@dataclass(frozen=True, slots=True)
class ErrorMessage:
    """Error report: what was received, what was expected and what to try.

    Attributes:
        code: identifier of the error.
        message: explanation for people.
        fatal: whether the connection closes after it.
        retry_after: seconds after which to try again; None if trying again is useless.
    """

    code: str
    message: str
    fatal: bool
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Watching:
    """Message to a viewer: another session publishes in the room, and its events follow.

    Attributes:
        room: name of the room.
        session: identifier of the session; None while no session publishes.
        omitted: number of committed messages of the session that are no longer kept.
    """

    room: str
    session: str | None = None
    omitted: int = 0


ClientMessage = Start | Flush | VocabularyMessage | End | Ping
ServerMessage = Ready | Ack | Status | Pong | ErrorMessage | Watching | Event

_CLIENT_TYPES: dict[str, type[Any]] = {
    "start": Start,
    "flush": Flush,
    "vocabulary": VocabularyMessage,
    "end": End,
    "ping": Ping,
}
_SERVER_TYPES: dict[str, type[Any]] = {
    "ready": Ready,
    "speech_started": events.SpeechStarted,
    "speech_ended": events.SpeechEnded,
    "partial": events.Partial,
    "committed": events.Committed,
    "ack": Ack,
    "status": Status,
    "flushed": events.Flushed,
    "pong": Pong,
    "done": events.Done,
    "error": ErrorMessage,
    "watching": Watching,
}
# Fields whose name on the wire is an older one.
_WIRE_NAMES = {"covered_until": "heard", "detected_at": "decided"}
_NAMES = {kind: name for names in (_CLIENT_TYPES, _SERVER_TYPES) for name, kind in names.items()}
_HINTS = {kind: get_type_hints(kind) for kind in _NAMES}


def parse_client_message(text: str) -> ClientMessage:
    """Parse a text frame from a client.

    Raises:
        ProtocolError: with a code of ``bad_json``, ``not_an_object``, ``no_type``,
            ``unknown_type``, ``bad_field`` or ``unknown_encoding``.
    """
    fields = _json_object(text)
    return cast("ClientMessage", _build(_kind(fields, _CLIENT_TYPES), fields))


def encode_client_message(message: ClientMessage) -> str:
    """Encode a client's message as a text frame."""
    return write_json(plain_message(message))


def parse_server_message(text: str) -> tuple[int, ServerMessage]:
    """Parse a text frame from a server; return its sequence number and the message.

    Raises:
        ProtocolError: as `parse_client_message` does.
    """
    fields = _json_object(text)
    message = _build(_kind(fields, _SERVER_TYPES), fields)
    return _field("message", "seq", int, fields), cast("ServerMessage", message)


def encode_server_message(message: ServerMessage, seq: int) -> str:
    """Encode a server's message as a text frame; floats get three decimals."""
    return write_json({"type": _NAMES[type(message)], "seq": seq, **_fields(message)})


def plain_message(message: ClientMessage | ServerMessage) -> dict[str, object]:
    """Return the JSON object of `message`, without a sequence number."""
    return {"type": _NAMES[type(message)], **_fields(message)}


def _listed(choices: Iterable[str]) -> str:
    return ", ".join(f'"{choice}"' for choice in choices)


def _json_object(text: str) -> dict[str, object]:
    try:
        value = read_json(text)
    except ValueError as error:
        raise ProtocolError(
            "bad_json",
            f"the text frame is not JSON ({error}): saw {shown(text)}; expected one JSON "
            'object in each text frame, such as {"type": "start"}. Audio goes in binary frames.',
        ) from None
    if not isinstance(value, dict):
        raise ProtocolError(
            "not_an_object",
            f'saw the JSON value {shown(value)}; expected an object, such as {{"type": "start"}}.',
        )
    return value


def _kind(fields: dict[str, object], kinds: dict[str, type[Any]]) -> type[Any]:
    name = fields.get("type")
    if isinstance(name, str) and name in kinds:
        return kinds[name]
    expected = f'expected a "type" of {_listed(kinds)}.'
    if "type" not in fields:
        raise ProtocolError("no_type", f"the message {shown(fields)} has no type; {expected}")
    raise ProtocolError("unknown_type", f"unknown message type {shown(name)}; {expected}")


def _build(kind: type[Any], fields: dict[str, object]) -> Any:
    """Return an instance of the dataclass `kind` from JSON fields; unknown ones are ignored."""
    owner = f'"{_NAMES[kind]}" message'
    hints = _HINTS[kind]
    values = {
        field.name: _field(owner, name, hints[field.name], fields)
        for field in dataclasses.fields(kind)
        for name in [_WIRE_NAMES.get(field.name, field.name)]
        if name in fields or field.default is dataclasses.MISSING
    }
    return kind(**values)


def _field(owner: str, name: str, hint: Any, fields: dict[str, object]) -> Any:
    if name not in fields:
        raise ProtocolError("bad_field", f'the {owner} has no "{name}"; expected {describe(hint)}.')
    try:
        return read(fields[name], hint)
    except FieldError as error:
        code = "unknown_encoding" if hint == Encoding else "bad_field"
        raise ProtocolError(code, f'"{name}" of the {owner} {error}.') from None


def _fields(message: object) -> dict[str, object]:
    names = (field.name for field in dataclasses.fields(cast("Any", message)))
    return {_WIRE_NAMES.get(name, name): _plain(getattr(message, name)) for name in names}


def _plain(value: object) -> object:
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return _fields(value) if isinstance(value, Word) else value
