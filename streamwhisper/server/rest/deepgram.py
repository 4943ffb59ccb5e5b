"""Deepgram's REST interface for recordings: the body is sound, the address says what is wanted.

Parameters, answers and errors are those of the API reference, as its Python client has them.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http import HTTPStatus
from statistics import fmean
from tempfile import SpooledTemporaryFile
from typing import Annotated, Any, BinaryIO, cast

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.audio.formats import AudioFormat
from streamwhisper.errors import AudioFormatError, RecognitionError
from streamwhisper.events import Word
from streamwhisper.server.access.rejection import HandshakeRejected
from streamwhisper.server.dialects.deepgram.formatting import FormattingOptions, bare, worded
from streamwhisper.server.dialects.deepgram.messages import model_uuid
from streamwhisper.server.dialects.deepgram.query import HEEDED, WORDING, read_values
from streamwhisper.server.rest.forms import (
    FormField,
    language,
    names,
    read_fields,
)
from streamwhisper.server.rest.request import BadField, TranscriptionRequest
from streamwhisper.transcript import Segment, TimedWord, Transcript
from streamwhisper.transcription.options import PromptOptions, TranscriptionOptions, WordOptions
from streamwhisper.transcription.recognizer import WindowRecognizer
from streamwhisper.validation import all_values, last_value
from streamwhisper.version import __version__
from streamwhisper.whisper.search import SearchOptions

__all__ = ["ACCEPTED", "LACKING", "PARAMETERS", "REFUSED", "DeepgramRestDialect"]

_RAW = {"linear16": "pcm_s16le", "linear32": "pcm_f32le", "mulaw": "mulaw", "alaw": "alaw"}


def _language(values: Sequence[str]) -> str | None:
    return None if values[-1] == "multi" else language(values)


def _keywords(values: Sequence[str]) -> tuple[str, ...]:
    return names(HEEDED["keywords"](values))


PARAMETERS: Mapping[str, FormField] = {
    "encoding": FormField("encoding", last_value(str)),
    "sample_rate": FormField("sample_rate", last_value(int)),
    "channels": FormField("channels", last_value(int)),
    "language": FormField("language", _language),
    "detect_language": FormField("detect", lambda values: values[-1].lower() != "false"),
    "keyterm": FormField("keyterms", names),
    "keywords": FormField("keywords", _keywords),
    "utterances": FormField("utterances", last_value(bool)),
    "utt_split": FormField("split", last_value(Annotated[float, msgspec.Meta(ge=0, le=60)])),
    "paragraphs": FormField("paragraphs", last_value(bool)),
    "smart_format": FormField("paragraphs", last_value(bool)),
    "tag": FormField("tags", all_values(str)),
}
"""What an address may ask for, and what that means."""
ACCEPTED = ("model", "version", "mip_opt_out", "language_hint")
"""Parameters that change nothing, for the server has one model, which writes as it does."""
LACKING = (
    *("custom_intent", "custom_topic", "detect_entities", "diarize", "diarize_model", "extra"),
    *("intents", "measurements", "multichannel", "search", "sentiment", "summarize", "topics"),
)
"""Parameters for what there is not here: the answer has a warning of each."""
REFUSED = {
    "callback": "answers are sent to who asks alone; leave it out, and read the answer",
    "redact": "nothing can be redacted here, and it must not be thought that it was; leave it out",
}
"""Parameters without which an answer would be wrong, and what is said of them."""

_PIECE = 1024 * 1024
_SENTENCES = 5  # in a paragraph, at the most
_PARAGRAPH_PAUSE = 1.5
_CODES = {
    "unauthorized": "INVALID_AUTH",
    "too_many_sessions": "TOO_MANY_REQUESTS",
    "invalid_audio": "Bad Request",
}


@dataclass(frozen=True, slots=True)
class _DeepgramFields:
    """What the parameters of an address say."""

    encoding: str | None = None
    sample_rate: int = SAMPLE_RATE
    channels: int = 1
    language: str | None = None
    detect: bool = False
    keyterms: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    utterances: bool = False
    split: float = 0.8
    paragraphs: bool = False
    tags: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    wording: FormattingOptions = field(default_factory=FormattingOptions)

    def format(self) -> AudioFormat | None:
        """Of raw samples; other encodings are for the container to tell."""
        if self.encoding not in _RAW:
            return None
        try:
            return AudioFormat(_RAW[self.encoding], self.sample_rate, self.channels)
        except AudioFormatError as error:
            raise BadField("encoding", str(error)) from error

    def options(self, recognizer: WindowRecognizer) -> TranscriptionOptions:
        options = TranscriptionOptions(
            language=None if self.detect else self.language,
            prompts=PromptOptions(vocabulary=(*self.keyterms, *self.keywords)),
            words=WordOptions(),
            search=SearchOptions(best_of=5),
        )
        try:
            options.check(recognizer)
        except RecognitionError as error:
            raise BadField("language", str(error), code="unsupported") from error
        return options


def _wording(given: Mapping[str, Sequence[str]]) -> FormattingOptions:
    try:
        return FormattingOptions(**read_values(given, WORDING))
    except ValueError as error:
        name = str(error).partition(" ")[0]
        raise BadField(name if name in WORDING else "replace", str(error)) from error


def _written(transcript: Transcript, wording: FormattingOptions) -> Transcript:
    """The transcript with its text as it is asked for."""
    if not (wording.rewrites or wording.plain):
        return transcript
    segments = []
    for segment in transcript.segments:
        own = segment.words or ()
        space = " " if any(word.word.startswith(" ") for word in own) else ""
        words = [Word(w.word.strip(), w.start, w.end, w.probability) for w in own]
        new = worded(segment.text, words, wording, transcript.language)
        timed = [TimedWord(space + w.word, w.start, w.end, w.confidence) for w in new.words]
        segments.append(replace(segment, text=space + new.transcript, words=tuple(timed)))
    text = "".join(segment.text for segment in segments)
    return replace(transcript, text=text, segments=tuple(segments))


class DeepgramRestDialect:
    """One request for the words of a recording."""

    def __init__(self, request_id: str) -> None:
        self._id = request_id

    async def read(self, request: Request, recognizer: WindowRecognizer) -> TranscriptionRequest:
        """Receive the sound."""
        given: dict[str, list[str]] = {}
        for name, value in request.query_params.multi_items():
            given.setdefault(name, []).append(value)
        for name, said in REFUSED.items():
            if name in given:
                raise BadField(name, f"{name} is asked for, but {said}", code="unsupported")
        lacking = tuple(name for name in LACKING if given.get(name, ["false"]) != ["false"])
        fields = read_fields(PARAMETERS, given)
        asked = _DeepgramFields(**fields, lacking=lacking, wording=_wording(given))
        format, options = asked.format(), asked.options(recognizer)
        await _refuse_address(request)
        sound, digest = await _receive(request)

        def answer(transcript: Transcript) -> Response:
            about = {
                "transaction_key": "deprecated",
                "request_id": self._id,
                "sha256": digest,
                "created": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
                **_about(transcript, asked, recognizer.info.name),
            }
            results = _results(_written(transcript, asked.wording), asked)
            record = {"metadata": about, "results": results}
            return self._answered(JSONResponse(record))

        return TranscriptionRequest(sound, format, options, answer)

    def refuse(self, refusal: HandshakeRejected) -> Response:
        """Deepgram's error object."""
        record = {
            "err_code": _CODES.get(refusal.code, refusal.code.upper()),
            "err_msg": refusal.message,
            "request_id": self._id,
        }
        return self._answered(JSONResponse(record, refusal.status.value))

    def _answered(self, response: Response) -> Response:
        response.headers["dg-request-id"] = self._id
        return response


async def _refuse_address(request: Request) -> None:
    """Refuse the address of a recording in the place of one."""
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        raise HandshakeRejected(
            HTTPStatus.BAD_REQUEST,
            "remote_content",
            "the request is JSON, which may name the address of a recording, but this server "
            "fetches nothing for others; send the sound itself as the body, as audio/* or "
            "application/octet-stream",
        )


async def _receive(request: Request) -> tuple[BinaryIO, str]:
    """The body, from its first byte on, and its SHA-256 in hexadecimal."""
    sound = cast("BinaryIO", SpooledTemporaryFile(max_size=_PIECE))  # noqa: SIM115 (handed on)
    digest = hashlib.sha256()
    try:
        async for piece in request.stream():
            digest.update(piece)
            sound.write(piece)
        sound.seek(0)
    except BaseException:
        sound.close()
        raise
    return sound, digest.hexdigest()


def _about(transcript: Transcript, asked: _DeepgramFields, model: str) -> dict[str, Any]:
    number = model_uuid(model)
    about: dict[str, Any] = {
        "duration": transcript.duration,
        "channels": 1,
        "models": [number],
        "model_info": {number: {"name": model, "version": __version__, "arch": "whisper"}},
    }
    if asked.tags:
        about["tags"] = list(asked.tags)
    if asked.lacking:
        about["warnings"] = [
            {
                "parameter": name,
                "type": "unsupported_model",
                "message": f"{name} is not done by this server, and was left out.",
            }
            for name in asked.lacking
        ]
    return about


def _results(transcript: Transcript, asked: _DeepgramFields) -> dict[str, Any]:
    words = [word for segment in transcript.segments for word in segment.words or ()]
    alternative: dict[str, Any] = {
        "transcript": transcript.text.strip(),
        "confidence": _confidence(words),
        "words": [_word(word) for word in words],
    }
    if asked.paragraphs:
        alternative["paragraphs"] = _paragraphs(transcript.segments)
    channel: dict[str, Any] = {"alternatives": [alternative]}
    if asked.detect:
        channel["detected_language"] = transcript.language
    results: dict[str, Any] = {"channels": [channel]}
    if asked.utterances:
        results["utterances"] = [_utterance(own) for own in _utterances(words, asked.split)]
    return results


def _word(word: TimedWord) -> dict[str, Any]:
    spelt = word.word.strip()
    return {
        "word": bare(spelt),
        "start": word.start,
        "end": word.end,
        "confidence": round(word.probability, 4),
        "punctuated_word": spelt,
    }


def _confidence(words: Sequence[TimedWord]) -> float:
    return round(fmean(word.probability for word in words), 4) if words else 0.0


def _utterances(words: Sequence[TimedWord], split: float) -> Iterator[list[TimedWord]]:
    """Words that no pause of so many seconds parts."""
    own: list[TimedWord] = []
    for word in words:
        if own and word.start - own[-1].end >= split:
            yield own
            own = []
        own.append(word)
    if own:
        yield own


def _utterance(words: Sequence[TimedWord]) -> dict[str, Any]:
    return {
        "start": words[0].start,
        "end": words[-1].end,
        "confidence": _confidence(words),
        "channel": 0,
        "transcript": "".join(word.word for word in words).strip(),
        "words": [_word(word) for word in words],
        "id": str(uuid.uuid4()),
    }


def _paragraphs(segments: Sequence[Segment]) -> dict[str, Any]:
    """A few sentences each; a pause ends one, too."""
    groups: list[list[Segment]] = []
    for segment in segments:
        last = groups[-1] if groups else []
        if last and len(last) < _SENTENCES and segment.start - last[-1].end < _PARAGRAPH_PAUSE:
            last.append(segment)
        else:
            groups.append([segment])
    texts = ["".join(segment.text for segment in group).strip() for group in groups]
    return {
        "transcript": "".join(f"\n{text}\n" for text in texts),
        "paragraphs": [
            {
                "sentences": [
                    {"text": one.text.strip(), "start": one.start, "end": one.end} for one in group
                ],
                "num_words": sum(len(one.words or ()) for one in group),
                "start": group[0].start,
                "end": group[-1].end,
            }
            for group in groups
        ],
    }
