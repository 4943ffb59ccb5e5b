"""What a client says: JSON events, and audio that comes inside of them as base64."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, NoReturn

__all__ = [
    "APPEND",
    "CLEAR",
    "CLIENT_EVENTS",
    "COMMIT",
    "MAX_AUDIO_BYTES",
    "MAX_FRAME_BYTES",
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
    APPEND: "audio, up to 15 MiB in one event; no answer",
    COMMIT: "ends the item and transcribes the rest; answered by `input_audio_buffer.committed`",
    CLEAR: "discards audio that is not part of an item yet; answered by "
    "`input_audio_buffer.cleared`",
}
"""The types that are taken, and what is done."""

MAX_AUDIO_BYTES = 15 * 1024 * 1024
MAX_FRAME_BYTES = MAX_AUDIO_BYTES // 3 * 4 + 4096
"""With room for what stands around the audio."""


class InvalidRequest(Exception):
    """An event that cannot be done; the session goes on.

    Attributes:
        code: short name for programs.
        param: where in the event the fault is.
    """

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.param = param


def unwrap_audio(frame: str | bytes) -> str | bytes:
    """The sound of an append, which may be long; any other frame as it is.

    What is wrong with an append is said by `check_event`, so its audio, if any, is left out.
    """
    if isinstance(frame, bytes) or APPEND not in frame:
        return frame
    try:
        event = read_event(frame)
    except InvalidRequest:
        return frame
    if event.get("type") != APPEND:
        return frame
    audio = event.get("audio")
    try:
        if isinstance(audio, str) and len(audio) <= MAX_FRAME_BYTES:
            return base64.b64decode(audio, validate=True)
    except (binascii.Error, ValueError):
        pass
    kept = {"type": APPEND, "audio": None if isinstance(audio, str) else audio}
    return json.dumps(kept | {"event_id": event.get("event_id")})


def check_event(event: Json) -> None:
    """See that an event, whose sound was unwrapped, is one of those that are taken.

    Raises:
        InvalidRequest: it is not.
    """
    kind = event.get("type")
    if kind == APPEND:
        raise InvalidRequest(
            "invalid_value",
            f'"audio" of {APPEND} is missing, or is not base64 of up to 15 MiB of sound.',
            "audio",
        )
    if not isinstance(kind, str) or kind not in CLIENT_EVENTS:
        seen = f"the event type {kind!r:.80}" if "type" in event else "an event without a type"
        raise InvalidRequest(
            "unsupported_event",
            f"saw {seen}; this server only transcribes, and takes {', '.join(CLIENT_EVENTS)}.",
            "type",
        )


def read_event(text: str) -> Json:
    """Read an event, whatever it says.

    Raises:
        InvalidRequest: it is no JSON object.
    """
    try:
        event = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(
            "invalid_json", f"the frame is not JSON ({error}); expected one event in each frame."
        ) from None
    if not isinstance(event, dict):
        raise InvalidRequest("invalid_json", f"saw {text:.60}; expected an object with a type.")
    return event


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")
