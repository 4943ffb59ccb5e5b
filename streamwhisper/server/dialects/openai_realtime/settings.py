"""Settings of a Realtime session, a JSON object, and their updates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec

from streamwhisper.server.dialects.openai_realtime.client_events import InvalidRequest, Json
from streamwhisper.validation import FieldError, read, shown

__all__ = [
    "FIELDS",
    "LOGPROBS",
    "Field",
    "changed",
    "from_beta",
    "initial_session",
    "is_beta",
    "to_beta",
]

LOGPROBS = "item.input_audio_transcription.logprobs"
UNDETECTED_MODELS = ("gpt-realtime-whisper", "gpt-live-transcribe")
"""Models without turn detection by default, as at OpenAI."""


@dataclass(frozen=True, slots=True)
class Field:
    """Supported setting.

    Attributes:
        hint: type of the value, with its bounds.
        done: effect of the setting, as a Markdown cell of the compatibility page.
    """

    hint: Any
    done: str


def _integer(low: int, high: int, done: str) -> Field:
    return Field(Annotated[int, msgspec.Meta(ge=low, le=high)], done)


def _number(low: float, high: float, done: str) -> Field:
    return Field(Annotated[float, msgspec.Meta(ge=low, le=high)], done)


_NO_RESPONSE = "accepted; there are no responses"
FIELDS: Mapping[str, Field] = {
    "type": Field(
        Literal["transcription"], "any other value is an error: this server only transcribes"
    ),
    "include": Field(list[str], f"with `{LOGPROBS}`, texts have the log probability of each word"),
    "audio.input.format.type": Field(
        Literal["audio/pcm", "audio/pcmu", "audio/pcma"],
        "16-bit little-endian PCM, G.711 mu-law or A-law; one channel",
    ),
    "audio.input.format.rate": _integer(
        4000, 192_000, "4000 to 192000 Hz; by default 24000 for PCM and 8000 for G.711"
    ),
    "audio.input.noise_reduction.type": Field(
        Literal["near_field", "far_field"], "accepted; the audio is not changed"
    ),
    "audio.input.noise_reduction.strength": _number(0, 1e6, "accepted; the audio is not changed"),
    "audio.input.transcription.model": Field(
        str,
        "any name: the served model transcribes. With `gpt-realtime-whisper` and "
        "`gpt-live-transcribe`, turns are not detected unless `turn_detection` is set",
    ),
    "audio.input.transcription.language": Field(
        str, "spoken language: a code, a tag or an English name; an error if the model lacks it"
    ),
    "audio.input.transcription.languages": Field(
        list[str], "candidates for language detection; an English-only model uses English"
    ),
    "audio.input.transcription.prompt": Field(
        str, "context before the text of every window: names, spelling, style"
    ),
    "audio.input.transcription.keywords": Field(
        list[str], "words and phrases that are preferred when the audio is ambiguous"
    ),
    "audio.input.transcription.delay": Field(
        Literal["minimal", "low", "medium", "high", "xhigh"],
        "`minimal` and `low` commit words earliest, `medium` is the default, `high` and `xhigh` "
        "wait for more audio",
    ),
    "audio.input.turn_detection.type": Field(
        Literal["server_vad", "semantic_vad"],
        "`server_vad`: a fixed silence ends an item; `semantic_vad`: its length depends on the "
        "text. `turn_detection: null`: only a commit ends an item",
    ),
    "audio.input.turn_detection.threshold": _number(
        0, 1, "speech probability at which speech begins"
    ),
    "audio.input.turn_detection.prefix_padding_ms": _integer(
        0, 10_000, "audio included before the speech; at least 300, at most 1500"
    ),
    "audio.input.turn_detection.silence_duration_ms": _integer(
        0, 60_000, "silence that ends an item"
    ),
    "audio.input.turn_detection.idle_timeout_ms": _integer(
        1,
        3_600_000,
        "after this time without speech, once: `input_audio_buffer.timeout_triggered` and an item "
        "without text",
    ),
    "audio.input.turn_detection.eagerness": Field(
        Literal["low", "medium", "high", "auto"],
        "how early a pause ends an item; `auto` and `medium` are the server's setting",
    ),
    "audio.input.turn_detection.create_response": Field(bool, _NO_RESPONSE),
    "audio.input.turn_detection.interrupt_response": Field(bool, _NO_RESPONSE),
}
"""Supported settings by their path in the session; others are ignored."""

_GROUPS = {path[:end] for path in FIELDS for end in range(len(path)) if path[end] == "."}
_FORMAT = "audio.input.format"
_TURNS = "audio.input.turn_detection"
_SHARED = ("type", "create_response", "interrupt_response")
_KINDS: Mapping[str, tuple[str, Mapping[str, Json]]] = {
    _FORMAT: (
        "audio/pcm",
        {
            "audio/pcm": {"rate": 24_000},
            "audio/pcmu": {"rate": 8_000},
            "audio/pcma": {"rate": 8_000},
        },
    ),
    _TURNS: (
        "server_vad",
        {
            "server_vad": {
                "threshold": 0.5,
                "prefix_padding_ms": 300,
                "silence_duration_ms": 500,
                "idle_timeout_ms": None,
            },
            "semantic_vad": {"eagerness": "auto"},
        },
    ),
}
"""Groups with a type: the default type, and the defaults of each type."""


def initial_session(session_id: str, model: str) -> Json:
    """Return the settings of a new session."""
    return {
        "type": "transcription",
        "id": session_id,
        "object": "realtime.transcription_session",
        "audio": {
            "input": {
                "format": _completed(_FORMAT, {}),
                "transcription": {"model": model},
                "noise_reduction": None,
                "turn_detection": _completed(_TURNS, {}),
            }
        },
        "include": [],
    }


def changed(session: Json, change: Any) -> Json:
    """Return the settings after an update.

    Raises:
        InvalidRequest: a value is invalid; the whole update is rejected.
    """
    kind = change.get("type") if isinstance(change, dict) else None
    if isinstance(kind, str) and kind != "transcription":
        raise InvalidRequest(
            "invalid_value",
            f'session.type is {shown(kind)}; expected "transcription": this server only '
            "transcribes. Conversations and responses are not supported.",
            "session.type",
        )
    updated: Json = {"include": [], "type": "transcription"} | _merged(session, change, "")
    given: Json = change["audio"]["input"] if _names_input(change) else {}
    transcription = given.get("transcription") or {}
    model = transcription.get("model") or ""
    audio = updated["audio"]["input"]
    if "turn_detection" not in given and model.startswith(UNDETECTED_MODELS):
        audio["turn_detection"] = None
    for named, other in (("language", "languages"), ("languages", "language")):
        if transcription.get(named):  # replaces the other one
            audio["transcription"].pop(other, None)
    return updated


def _names_input(change: Any) -> bool:
    audio = change.get("audio")
    return isinstance(audio, dict) and isinstance(audio.get("input"), dict)


def _merged(current: Json, change: object, path: str) -> Json:
    result = dict(current)
    for name, value in _read(path, change, dict[str, Any]).items():
        at = f"{path}{name}"
        if at in _GROUPS:
            result[name] = _group(at, current.get(name), value)
        elif at in FIELDS:
            if value is None:
                result.pop(name, None)
            else:
                result[name] = _read(at, value, FIELDS[at].hint)
    return result


def _group(at: str, current: Json | None, change: object) -> Json | None:
    if at not in _KINDS:
        return (
            None
            if change is None and at.count(".") > 1
            else _merged(current or {}, change, f"{at}.")
        )
    if change is None:
        return None if at == _TURNS else _completed(at, {})
    kind = change.get("type") if isinstance(change, dict) else None
    same = current is not None and kind in (None, current["type"])
    return _completed(at, _merged(current or {} if same else {}, change, f"{at}."))


def _completed(at: str, values: Json) -> Json:
    """Return a group with the defaults of its type, without fields of other types."""
    usual, kinds = _KINDS[at]
    kind = values.get("type", usual)
    known = {name: value for name, value in values.items() if name in (*_SHARED, *kinds[kind])}
    return {"type": kind, **kinds[kind], **known}


def _read(path: str, value: object, hint: Any) -> Any:
    # Clients that compute milliseconds send 500.0.
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    try:
        return read(whole, hint)
    except FieldError as error:
        param = f"session.{path}".rstrip(".")
        raise InvalidRequest("invalid_value", f"{param} {error}.", param) from None


_BETA_NAMES = {
    "format": "input_audio_format",
    "transcription": "input_audio_transcription",
    "noise_reduction": "input_audio_noise_reduction",
    "turn_detection": "turn_detection",
}
_BETA_FORMATS = {"audio/pcm": "pcm16", "audio/pcmu": "g711_ulaw", "audio/pcma": "g711_alaw"}


def is_beta(change: object) -> bool:
    """Return whether a ``session.update`` has its fields where the beta has them."""
    return (
        isinstance(change, dict)
        and "audio" not in change
        and any(name in change for name in _BETA_NAMES.values())
    )


def from_beta(change: object) -> Json:
    """Convert an update in the format of the beta.

    Raises:
        InvalidRequest: the format is unknown, or the update is not an object.
    """
    fields: Json = _read("", change, dict[str, Any])
    settings = {name: fields[old] for name, old in _BETA_NAMES.items() if old in fields}
    if (given := settings.get("format")) is not None:
        known = {old: kind for kind, old in _BETA_FORMATS.items()}
        given = _read("input_audio_format", given, Literal["pcm16", "g711_ulaw", "g711_alaw"])
        settings["format"] = {"type": known[given]}
    shared = {name: fields[name] for name in ("include", "type") if name in fields}
    return {"audio": {"input": settings}} | shared


def to_beta(session: Json) -> Json:
    """Convert settings to the format of the beta."""
    audio = session["audio"]["input"]
    old = {_BETA_NAMES[name]: value for name, value in audio.items()}
    old["input_audio_format"] = _BETA_FORMATS[audio["format"]["type"]]
    return {name: session[name] for name in ("id", "object", "include")} | old
