"""Client events: JSON, with audio as base64."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec

from streamwhisper.json_text import read_json
from streamwhisper.validation import shown

__all__ = [
    "APPEND",
    "CLEAR",
    "CLIENT_EVENTS",
    "COMMIT",
    "UPDATE",
    "UPDATE_BETA",
    "InvalidRequest",
    "Json",
    "check_event",
    "read_event",
    "unwrap_audio",
]

Json = dict[str, Any]

APPEND = "input_audio_buffer.append"
COMMIT = "input_audio_buffer.commit"
CLEAR = "input_audio_buffer.clear"
UPDATE = "session.update"
UPDATE_BETA = "transcription_session.update"

CLIENT_EVENTS = {
    UPDATE: "changes the named fields; `null` clears a field; answered by "
    "`session.updated` with the whole session",
    UPDATE_BETA: "changes the named fields, in the format of the beta; answered by "
    "`transcription_session.updated`",
    APPEND: "audio, in events of at most `--max-message-bytes` (1 MiB); no answer",
    COMMIT: "ends the item and transcribes the rest; answered by `input_audio_buffer.committed`",
    CLEAR: "discards audio that is not part of an item yet; answered by "
    "`input_audio_buffer.cleared`",
}
"""Supported event types, and their effect as a Markdown cell of the compatibility page."""


class InvalidRequest(Exception):
    """Invalid event; the session continues.

    Attributes:
        code: identifier for programs.
        param: path of the invalid field.
    """

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.param = param


class _Append(msgspec.Struct):
    """An event that may carry audio; its other fields are skipped, which takes little time."""

    type: str
    audio: str | None = None
    event_id: msgspec.Raw = msgspec.Raw(b"null")


def unwrap_audio(frame: str | bytes) -> str | bytes:
    """Return the audio of an append event, or any other frame unchanged.

    `check_event` reports an invalid append, so its audio is left out.
    """
    if isinstance(frame, bytes) or APPEND not in frame:
        return frame
    try:
        event = msgspec.json.decode(frame, type=_Append)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return frame
    if event.type != APPEND or event.audio is None:
        return frame
    try:
        return base64.b64decode(event.audio, validate=True)
    except (binascii.Error, ValueError):
        event.audio = None
    return msgspec.json.encode(event).decode()


def check_event(event: Json) -> None:
    """Check that an event is supported; its audio must be unwrapped.

    Raises:
        InvalidRequest: the event is not supported.
    """
    kind = event.get("type")
    if kind == APPEND:
        raise InvalidRequest(
            "invalid_value",
            f'"audio" of {APPEND} is missing, or is not base64.',
            "audio",
        )
    if not isinstance(kind, str) or kind not in CLIENT_EVENTS:
        received = f"the event type {shown(kind)}" if "type" in event else "an event without a type"
        raise InvalidRequest(
            "unsupported_event",
            f"received {received}; this server only transcribes. Expected one of "
            f"{', '.join(CLIENT_EVENTS)}.",
            "type",
        )


def read_event(text: str) -> Json:
    """Parse an event of any type.

    Raises:
        InvalidRequest: the frame is not a JSON object.
    """
    try:
        event = read_json(text)
    except ValueError as error:
        raise InvalidRequest(
            "invalid_json", f"the frame is not JSON ({error}); expected one event in each frame."
        ) from None
    if not isinstance(event, dict):
        raise InvalidRequest(
            "invalid_json", f"the frame is {shown(event)}; expected an object with a type."
        )
    return event
