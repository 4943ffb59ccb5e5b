"""The native wire format, version 1, both directions: JSON text frames to messages and back.

Audio travels in binary frames and is not seen here. Unknown fields are ignored; an unknown type,
a missing field or a field of the wrong type is a `ProtocolError`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args, get_type_hints

from streamwhisper import events
from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.errors import ProtocolError
from streamwhisper.events import Event, Word
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
    """The first message of a client: what it will send and what it wants back.

    Attributes:
        encoding: of the binary frames; ``"container"`` is anything PyAV reads.
        sample_rate: in Hz; a container says its own.
        channels: interleaved; they are mixed to one.
        language: a code such as ``"en"``; with None or ``"auto"`` a multilingual model finds it.
        languages: those that may be spoken, where it is to be found; none: any.
        model: None takes what is served; a name must be the served one.
        words: whether texts come with their words' times and confidences.
        partials: whether partial texts are wanted.
        vocabulary: words and phrases to prefer where the sound allows it, as they are written.
        resume: the token of a session whose connection was lost; nothing else is looked at then
            but `last_seq`.
        last_seq: the number of the last message that was received in that session.
        publish: the room in which viewers may read along; None: nobody may.
        continued: whether the session was begun at a server that has lost it since; it is taken
            in however much there is to do, as one that is resumed.
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
    """Commit everything heard so far now; answered by `Flushed` with the same `id`."""

    id: str | None = None


@dataclass(frozen=True, slots=True)
class VocabularyMessage:
    """From now on these words and phrases are preferred, in place of those before."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class End:
    """No more audio: everything is committed, then `Done` comes."""


@dataclass(frozen=True, slots=True)
class Ping:
    """Answered by `Pong` with the same `id`."""

    id: str | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """The session is open and takes audio.

    In a session that is resumed it says what the server has of it, in the order in which it was
    sent; the client goes on after that. Its `seq` is then the client's `Start.last_seq`.

    Attributes:
        session: its identifier, as it stands in the server's log.
        resume_token: names the session when its connection is lost.
        sample_rate: the rate in Hz that samples are counted at.
        protocol: the version spoken.
        samples: audio the server has, for each channel.
        bytes: the same as it came in binary frames.
        messages: text frames it has, those that start or resume the session apart.
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
    """All audio up to here, from the session's start, is safe in a session that can be resumed.

    Attributes:
        samples: of each channel.
        bytes: the same as it came in binary frames.
    """

    samples: int
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Status:
    """How well the server keeps up, about once a second of audio.

    Attributes:
        lag_ms: audio received − audio covered by the latest hypothesis.
        real_time_factor: seconds spent waiting for the recognizer for each second of audio,
            since the last status; above 1 the session falls behind.
        audio_seconds: audio received so far.
    """

    lag_ms: int
    real_time_factor: float
    audio_seconds: float


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to a `Ping`."""

    id: str | None = None


@dataclass(frozen=True, slots=True)
class ErrorMessage:
    """Something went wrong: what was seen, what was expected, what to do.

    A `fatal` one is followed by the connection's close.

    Attributes:
        retry_after: seconds after which trying again is worth while; None where it is not.
    """

    code: str
    message: str
    fatal: bool
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Watching:
    """To a viewer: whom the room belongs to from now on. What was shown before is over.

    Attributes:
        room: its name.
        session: the one that publishes there; None while nobody does.
        omitted: committed messages of the session that are not kept any more; those that are
            follow.
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
    """Read a text frame that a client sent.

    Raises:
        ProtocolError: with a code of ``bad_json``, ``not_an_object``, ``no_type``,
            ``unknown_type``, ``bad_field`` or ``unknown_encoding``.
    """
    fields = _json_object(text)
    return cast("ClientMessage", _build(_kind(fields, _CLIENT_TYPES), fields))


def encode_client_message(message: ClientMessage) -> str:
    """The text frame that says `message`."""
    return _dumps(plain_message(message))


def parse_server_message(text: str) -> tuple[int, ServerMessage]:
    """Read a text frame that a server sent: its sequence number and the message.

    Raises:
        ProtocolError: as `parse_client_message` does.
    """
    fields = _json_object(text)
    message = _build(_kind(fields, _SERVER_TYPES), fields)
    return _field("message", "seq", int, fields), cast("ServerMessage", message)


def encode_server_message(message: ServerMessage, seq: int) -> str:
    """The text frame that says `message`, the connection's `seq`-th; floats get three decimals."""
    return _dumps({"type": _NAMES[type(message)], "seq": seq, **_fields(message)})


def plain_message(message: ClientMessage | ServerMessage) -> dict[str, object]:
    """What `message` says as JSON has it, without a sequence number."""
    return {"type": _NAMES[type(message)], **_fields(message)}


def _listed(choices: Iterable[str]) -> str:
    return ", ".join(f'"{choice}"' for choice in choices)


def _json_object(text: str) -> dict[str, object]:
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:  # a deep nesting is a RecursionError
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


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON value")


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


def _dumps(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:  # an id from a client may hold half a surrogate pair
        return json.dumps(value, separators=(",", ":"))
    return text
