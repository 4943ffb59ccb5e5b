"""What is said to a Deepgram client, as JSON has it; times are in seconds."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from streamwhisper.events import Word
from streamwhisper.server.dialects.deepgram.formatting import Formatter, bare

__all__ = [
    "Message",
    "Place",
    "StreamMetadata",
    "configured",
    "encode",
    "error",
    "metadata",
    "model_uuid",
    "not_configured",
    "results",
    "speech_started",
    "utterance_end",
]

Message = Mapping[str, Any]

_ARCHITECTURE = "whisper"
_MODELS = uuid.UUID("6ba7b812-9dad-11d1-80b4-00c04fd430c8")  # for names, RFC 4122 appendix C


@dataclass(frozen=True, slots=True)
class StreamMetadata:
    """What every message about a stream may say.

    Attributes:
        request_id: a UUID.
        model: that listens.
        created: when the stream began.
    """

    request_id: str
    model: str
    created: datetime

    @property
    def metadata(self) -> Message:
        """What stands in every result."""
        return {
            "request_id": self.request_id,
            "model_info": {"name": self.model, "version": "1", "arch": _ARCHITECTURE},
            "model_uuid": model_uuid(self.model),
        }


Place = tuple[int, int]
"""A channel's number, from 0, and how many there are."""


def results(
    stream: StreamMetadata,
    place: Place,
    span: tuple[float, float],
    wording: Formatter,
    *,
    is_final: bool,
    speech_final: bool = False,
    from_finalize: bool = False,
    languages: Sequence[str] = (),
) -> Message:
    """What was heard.

    Args:
        span: where that began, and up to where it was heard.
        wording: the text.
        is_final: whether it stands.
        speech_final: whether it ends with an utterance.
        from_finalize: whether the client asked for it.
        languages: that were found; none where the client said which it is.
    """
    start, end = (round(at, 3) for at in span)
    words = wording.words
    confidence = sum(word.confidence for word in words) / len(words) if words else 0.0
    alternative: dict[str, Any] = {
        "transcript": wording.transcript,
        "confidence": round(confidence, 4),
        "words": [_word(word) for word in words],
    }
    if languages:
        alternative["languages"] = list(languages)
    return {
        "type": "Results",
        "channel_index": list(place),
        "duration": round(end - start, 3),
        "start": start,
        "is_final": is_final,
        "speech_final": speech_final,
        "from_finalize": from_finalize,
        "channel": {"alternatives": [alternative]},
        "metadata": stream.metadata,
    }


def model_uuid(model: str) -> str:
    """The number of a model, by its name."""
    return str(uuid.uuid5(_MODELS, model))


def _word(word: Word) -> Message:
    return {
        "word": bare(word.word),
        "start": round(word.start, 3),
        "end": round(word.end, 3),
        "confidence": round(word.confidence, 4),
        "punctuated_word": word.word,
    }


def speech_started(place: Place, at: float) -> Message:
    """Somebody began to speak."""
    return {"type": "SpeechStarted", "channel": list(place), "timestamp": round(at, 3)}


def utterance_end(place: Place, last_word_end: float) -> Message:
    """Nobody has spoken for a while."""
    return {
        "type": "UtteranceEnd",
        "channel": list(place),
        "last_word_end": round(last_word_end, 3),
    }


def metadata(stream: StreamMetadata, sha256: str, duration: float, channels: int) -> Message:
    """The last one: what was received."""
    created = stream.created.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "type": "Metadata",
        "transaction_key": "deprecated",
        "request_id": stream.request_id,
        "sha256": sha256,
        "created": created,
        "duration": duration,
        "channels": channels,
        "models": [stream.metadata["model_uuid"]],
        "model_info": {stream.metadata["model_uuid"]: stream.metadata["model_info"]},
    }


def configured(stream: StreamMetadata, keyterms: Sequence[str] | None) -> Message:
    """A configuration is heeded from now on."""
    said: dict[str, Any] = {"type": "ConfigureSuccess", "request_id": stream.request_id}
    return said if keyterms is None else {**said, "keyterms": list(keyterms)}


def not_configured(stream: StreamMetadata, code: str, description: str) -> Message:
    """A configuration is left out; the one before it stands."""
    return {
        "type": "ConfigureFailure",
        "request_id": stream.request_id,
        "code": code,
        "description": description,
    }


def error(variant: str, description: str, message: str) -> Message:
    """Something went wrong.

    Args:
        variant: short name for programs.
        description: what was seen, what was expected and what to try.
        message: the client's own, where that was wrong; else the description once more.
    """
    return {
        "type": "Error",
        "variant": variant,
        "description": description,
        "code": variant,
        "message": message,
    }


def encode(message: Message) -> str:
    """The text frame."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))
