"""OpenAI's REST interface: transcriptions, translations and models.

Fields, answers and errors follow the API reference and its Python client.
"""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Literal, get_args

import msgspec
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from streamwhisper.audio.opening import Selection
from streamwhisper.errors import RecognitionError
from streamwhisper.languages import LANGUAGES
from streamwhisper.recognition import ModelInfo, Task
from streamwhisper.server.access.rejection import HandshakeRejected
from streamwhisper.server.rest.forms import (
    CHANNEL,
    TRACK,
    FormField,
    check_names,
    language,
    names,
    read_fields,
    read_form,
    uploaded,
)
from streamwhisper.server.rest.request import BadField, TranscriptionRequest
from streamwhisper.subtitles.writers import SubtitleOptions, as_record, render
from streamwhisper.transcript import TimedWord, Transcript
from streamwhisper.transcription.options import PromptOptions, TranscriptionOptions, WordOptions
from streamwhisper.transcription.recognizer import WindowRecognizer
from streamwhisper.validation import all_values, last_value, merge_lists, shown
from streamwhisper.whisper.fallback import FallbackOptions
from streamwhisper.whisper.search import SearchOptions

__all__ = [
    "ALIAS",
    "FIELDS",
    "IGNORED",
    "OpenAiRestDialect",
    "check_model",
    "error_record",
    "known_models",
    "model_record",
]

log = logging.getLogger(__name__)

ALIAS = "whisper-1"
"""OpenAI's name of Whisper; it selects the served model."""
_OTHERS = re.compile(r"gpt-[a-z0-9.-]*transcribe[a-z0-9.-]*")
"""OpenAI's other speech models, the defaults of its clients; they select the served model, too."""

Format = Literal["json", "text", "srt", "vtt", "verbose_json"]
FORMATS: tuple[Format, ...] = get_args(Format)
FIELDS: Mapping[str, FormField] = {
    "language": FormField("language", language),
    "prompt": FormField("prompt", last_value(str)),
    "keywords[]": FormField("keywords", names),
    "response_format": FormField("format", last_value(Format)),
    "temperature": FormField("temperature", last_value(Annotated[float, msgspec.Meta(ge=0, le=1)])),
    "timestamp_granularities[]": FormField("granularities", all_values(Literal["word", "segment"])),
    "include[]": FormField("include", all_values(Literal["logprobs"])),
    "stream": FormField("stream", last_value(bool)),
    "channel": FormField("channel", CHANNEL),
    "audio_track": FormField("track", TRACK),
}
"""Supported fields of a form beside `file` and `model`."""
IGNORED = ("chunking_strategy", "languages[]")
"""Fields without effect: recordings are split at pauses, and their language is detected."""

_KNOWN = tuple(name.removesuffix("[]") for name in ("file", "model", *FIELDS, *IGNORED))
_LISTS = tuple(name[:-2] for name in (*FIELDS, *IGNORED) if name.endswith("[]"))
_BEST_OF = 5
_MOST_NAMED = 8
_MEDIA = {"text": "text/plain", "srt": "application/x-subrip", "vtt": "text/vtt"}
_CODES = {"unauthorized": "invalid_api_key", "too_many_sessions": "rate_limit_exceeded"}
_ABOUT_THE_FILE = ("invalid_audio", "upload_too_large", "recording_too_long")
_TYPES = {
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
    HTTPStatus.INTERNAL_SERVER_ERROR: "server_error",
    HTTPStatus.SERVICE_UNAVAILABLE: "server_error",
}


@dataclass(frozen=True, slots=True)
class _OpenAiFields:
    """Values of a form."""

    language: str | None = None
    prompt: str | None = None
    keywords: tuple[str, ...] = ()
    format: Format = "json"
    temperature: float = 0.0
    granularities: tuple[str, ...] = ("segment",)
    include: tuple[str, ...] = ()
    stream: bool = False
    channel: int | None = None
    track: int | None = None

    @property
    def logprobs(self) -> bool:
        return "logprobs" in self.include

    def check(self, given: Mapping[str, Any]) -> None:
        """Raise BadField for fields that contradict each other."""
        if "granularities" in given and self.format != "verbose_json":
            raise BadField(
                "timestamp_granularities[]",
                f"timestamp granularities need response_format verbose_json, not {self.format}",
            )
        if self.logprobs and self.format != "json":
            raise BadField("include[]", f"logprobs need response_format json, not {self.format}")
        if self.stream and self.format not in ("json", "text"):
            raise BadField(
                "stream", f"stream needs response_format json or text, not {self.format}"
            )

    def options(self, task: Task) -> TranscriptionOptions:
        timed = self.format in ("srt", "vtt", "verbose_json")
        words = self.logprobs or (self.format == "verbose_json" and "word" in self.granularities)
        return TranscriptionOptions(
            language=self.language,
            task=task,
            prompts=PromptOptions(initial=self.prompt, vocabulary=self.keywords),
            words=WordOptions() if words else None,
            search=SearchOptions(best_of=_BEST_OF, timestamps=timed),
            fallback=FallbackOptions((self.temperature,))
            if self.temperature
            else FallbackOptions(),
        )


class OpenAiRestDialect:
    """Dialect of one request to OpenAI's interface."""

    def __init__(self, task: Task, request_id: str) -> None:
        """Create the dialect of a request that transcribes, or translates into English."""
        self._task: Task = task
        self._id = request_id

    async def read(self, request: Request, recognizer: WindowRecognizer) -> TranscriptionRequest:
        """Receive the form."""
        form = await read_form(request)
        try:
            check_model(str(form.get("model") or ALIAS), recognizer.info)
            given = read_fields(FIELDS, self._values(form))
            fields = _OpenAiFields(**given)
            fields.check(given)
            options = self._options(fields, recognizer)
            audio = uploaded(form, "file").file
        except BaseException:
            await form.close()
            raise

        def answer(transcripts: Sequence[Transcript]) -> Response:
            return self._with_id(_rendered(transcripts[0], fields, self._task))

        def stream(parts: AsyncIterator[Transcript | HandshakeRejected]) -> Response:
            events = _events(parts, logprobs=fields.logprobs)
            return self._with_id(StreamingResponse(events, media_type="text/event-stream"))

        return TranscriptionRequest(
            audio,
            None,
            options,
            answer,
            stream if fields.stream else None,
            Selection(fields.track, fields.channel),
        )

    def _values(self, form: FormData) -> dict[str, list[str]]:
        """Return the values of a form by name; unknown fields are named in the log."""
        sent = {name: [str(value) for value in form.getlist(name)] for name in form}
        values = merge_lists(sent, _LISTS)
        unknown = check_names(values, _KNOWN)
        if unknown:
            named = ", ".join(shown(name) for name in unknown[:_MOST_NAMED])
            log.info("request %s: ignored unknown fields: %s", self._id, named)
        return values

    def _options(self, fields: _OpenAiFields, recognizer: WindowRecognizer) -> TranscriptionOptions:
        options = fields.options(self._task)
        try:
            options.check(recognizer)
        except RecognitionError as error:
            unsupported = self._task == "translate" and not recognizer.info.multilingual
            field = "model" if unsupported else "language"
            raise BadField(field, str(error), code="unsupported") from error
        return options

    def refuse(self, refusal: HandshakeRejected) -> Response:
        """Return OpenAI's error object."""
        return self._with_id(JSONResponse(error_record(refusal), refusal.status.value))

    def _with_id(self, response: Response) -> Response:
        response.headers["X-Request-Id"] = self._id
        return response


def error_record(refusal: HandshakeRejected) -> dict[str, Any]:
    """Return an error in OpenAI's format."""
    field = "file" if refusal.code in _ABOUT_THE_FILE else None
    return {
        "error": {
            "message": refusal.message,
            "type": _TYPES.get(refusal.status, "invalid_request_error"),
            "param": refusal.field if isinstance(refusal, BadField) else field,
            "code": _CODES.get(refusal.code, refusal.code),
        }
    }


def known_models(info: ModelInfo) -> list[str]:
    """Return the names of the served model."""
    return [ALIAS, info.name]


def check_model(name: str, info: ModelInfo) -> None:
    """Raise BadField for a model that is not served."""
    if name not in known_models(info) and not _OTHERS.fullmatch(name):
        raise BadField(
            "model",
            f"model {name[:100]!r} is not available; this server serves {info.name!r}, also as "
            f"{ALIAS!r} and gpt-*transcribe",
            code="model_not_found",
            status=HTTPStatus.NOT_FOUND,
        )


def model_record(name: str, created: int) -> dict[str, Any]:
    """Return the entry of a model."""
    return {"id": name, "object": "model", "created": created, "owned_by": "streamwhisper"}


def _rendered(transcript: Transcript, fields: _OpenAiFields, task: Task) -> Response:
    if fields.format in _MEDIA:
        layout = SubtitleOptions(by_segment=True)  # OpenAI's
        content = render(transcript, "txt" if fields.format == "text" else fields.format, layout)
        return PlainTextResponse(content, media_type=_MEDIA[fields.format])
    record: dict[str, Any] = {"text": transcript.text.strip(), "usage": _usage(transcript)}
    if fields.logprobs:
        record["logprobs"] = _logprobs(transcript)
    if fields.format == "verbose_json":
        spoken = "en" if task == "translate" else transcript.language
        record = {
            "task": "transcribe" if task == "transcribe" else "translate",
            "language": LANGUAGES.get(spoken, spoken).lower(),
            "duration": round(transcript.duration, 2),
            **record,
        }
        if "segment" in fields.granularities:
            segments: Any = as_record(transcript)["segments"]
            for segment in segments:
                segment.pop("words", None)
            record["segments"] = segments
        if "word" in fields.granularities:
            record["words"] = [
                {"word": word.word.strip(), "start": word.start, "end": word.end}
                for word in _words(transcript)
            ]
    return JSONResponse(record)


async def _events(
    parts: AsyncIterator[Transcript | HandshakeRejected], *, logprobs: bool
) -> AsyncIterator[bytes]:
    """Yield server-sent events: a delta for each part, then the whole text."""
    deltas: list[str] = []
    logprobs_so_far: list[dict[str, Any]] = []
    async for part in parts:
        if isinstance(part, HandshakeRejected):
            yield b"event: error\n" + _event(error_record(part))
            return
        delta = part.text if deltas else part.text.lstrip()
        if not delta:
            continue
        deltas.append(delta)
        event: dict[str, Any] = {"type": "transcript.text.delta", "delta": delta}
        if logprobs:
            event["logprobs"] = _logprobs(part)
            logprobs_so_far += event["logprobs"]
        yield _event(event)
    done: dict[str, Any] = {"type": "transcript.text.done", "text": "".join(deltas)}
    if logprobs:
        done["logprobs"] = logprobs_so_far
    yield _event(done)


def _event(event: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(event, ensure_ascii=False)}\n\n".encode()


def _usage(transcript: Transcript) -> dict[str, Any]:
    return {"type": "duration", "seconds": math.ceil(transcript.duration)}


def _logprobs(transcript: Transcript) -> list[dict[str, Any]]:
    """Return the log probability of each word: the mean of its tokens."""
    return [
        {
            "token": word.word,
            "bytes": list(word.word.encode()),
            "logprob": math.log(max(word.probability, 1e-9)),
        }
        for word in _words(transcript)
    ]


def _words(transcript: Transcript) -> list[TimedWord]:
    return [word for segment in transcript.segments for word in segment.words or ()]
