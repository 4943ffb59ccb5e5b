"""Messages of the server in Deepgram's protocol; times are in seconds."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from streamwhisper.events import Word
from streamwhisper.json_text import write_json
from streamwhisper.server.dialects.deepgram.formatting import FormattedText, bare

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
    """Description of a stream in its messages.

    Attributes:
        request_id: a UUID.
        model: name of the model.
        created: start of the stream.
    """

    request_id: str
    model: str
    created: datetime

    @property
    def metadata(self) -> Message:
        """Metadata of every result."""
        return {
            "request_id": self.request_id,
            "model_info": {"name": self.model, "version": "1", "arch": _ARCHITECTURE},
            "model_uuid": model_uuid(self.model),
        }


Place = tuple[int, int]
"""Number of a channel, from 0, and the number of channels."""


def results(
    stream: StreamMetadata,
    place: Place,
    span: tuple[float, float],
    formatted: FormattedText,
    *,
    is_final: bool,
    speech_final: bool = False,
    from_finalize: bool = False,
    languages: Sequence[str] = (),
) -> Message:
    """Return a result.

    Args:
        stream: description of the stream.
        place: number of the channel, and the number of channels.
        span: start and end of the audio that the result covers.
        formatted: the text.
        is_final: whether the text is final.
        speech_final: whether the text ends an utterance.
        from_finalize: whether the result answers a Finalize message.
        languages: detected languages; empty if the client chose one.
    """
    start, end = (round(at, 3) for at in span)
    words = formatted.words
    confidence = sum(word.confidence for word in words) / len(words) if words else 0.0
    alternative: dict[str, Any] = {
        "transcript": formatted.transcript,
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
    """Return the UUID of a model's name."""
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
    """Return the message for the start of speech."""
    return {"type": "SpeechStarted", "channel": list(place), "timestamp": round(at, 3)}


def utterance_end(place: Place, last_word_end: float) -> Message:
    """Return the message for a long pause after a word."""
    return {
        "type": "UtteranceEnd",
        "channel": list(place),
        "last_word_end": round(last_word_end, 3),
    }


def metadata(stream: StreamMetadata, sha256: str, duration: float, channels: int) -> Message:
    """Return the last message: a summary of the received audio."""
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
    """Return the answer to a valid Configure message."""
    message: dict[str, Any] = {"type": "ConfigureSuccess", "request_id": stream.request_id}
    return message if keyterms is None else {**message, "keyterms": list(keyterms)}


def not_configured(stream: StreamMetadata, code: str, description: str) -> Message:
    """Return the answer to an invalid Configure message; the options are unchanged."""
    return {
        "type": "ConfigureFailure",
        "request_id": stream.request_id,
        "code": code,
        "description": description,
    }


def error(variant: str, description: str, message: str) -> Message:
    """Return an error message.

    Args:
        variant: identifier for programs.
        description: what was received, what was expected and what to try.
        message: the invalid text of the client, or otherwise the description.
    """
    return {
        "type": "Error",
        "variant": variant,
        "description": description,
        "code": variant,
        "message": message,
    }


def encode(message: Message) -> str:
    """Return a message as a text frame."""
    return write_json(message)
