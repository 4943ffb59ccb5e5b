"""Query parameters of Deepgram's REST interface for recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Annotated, Any

import msgspec

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.audio.formats import AudioFormat
from streamwhisper.audio.opening import Selection
from streamwhisper.errors import AudioFormatError, RecognitionError
from streamwhisper.server.dialects.deepgram.formatting import FormattingOptions
from streamwhisper.server.dialects.deepgram.query import FORMATTING, LISTS, SUPPORTED, read_values
from streamwhisper.server.rest.forms import (
    CHANNEL,
    TRACK,
    FormField,
    check_names,
    language,
    names,
    read_fields,
)
from streamwhisper.server.rest.request import BadField
from streamwhisper.transcription.options import PromptOptions, TranscriptionOptions, WordOptions
from streamwhisper.transcription.recognizer import WindowRecognizer
from streamwhisper.validation import all_values, last_value, merge_lists
from streamwhisper.whisper.search import SearchOptions

__all__ = [
    "ACCEPTED",
    "LACKING",
    "PARAMETERS",
    "REFUSED",
    "DeepgramParameters",
    "RawAudio",
    "ResultOptions",
]

_RAW = {"linear16": "pcm_s16le", "linear32": "pcm_f32le", "mulaw": "mulaw", "alaw": "alaw"}


def _keywords(values: Sequence[str]) -> tuple[str, ...]:
    return names(SUPPORTED["keywords"](values))


PARAMETERS: Mapping[str, FormField] = {
    "encoding": FormField("encoding", last_value(str)),
    "sample_rate": FormField("sample_rate", last_value(int)),
    "channels": FormField("channels", last_value(int)),
    "multichannel": FormField("multichannel", last_value(bool)),
    "channel": FormField("channel", CHANNEL),
    "audio_track": FormField("track", TRACK),
    "language": FormField("language", language),
    "detect_language": FormField("detect", lambda values: values[-1].lower() != "false"),
    "keyterm": FormField("keyterms", names),
    "keywords": FormField("keywords", _keywords),
    "utterances": FormField("utterances", last_value(bool)),
    "utt_split": FormField("split", last_value(Annotated[float, msgspec.Meta(ge=0, le=60)])),
    "paragraphs": FormField("paragraphs", last_value(bool)),
    "smart_format": FormField("paragraphs", last_value(bool)),
    "tag": FormField("tags", all_values(str)),
}
"""Supported parameters."""
ACCEPTED = ("model", "version", "mip_opt_out", "language_hint")
"""Parameters without effect."""
LACKING = (
    *("custom_intent", "custom_topic", "detect_entities", "diarize", "diarize_model", "extra"),
    *("intents", "measurements", "search", "sentiment", "summarize", "topics"),
)
"""Unsupported parameters; the answer has a warning for each."""
REFUSED = {
    "callback": "the transcript is only sent in the answer; leave it out",
    "redact": "this server cannot redact text; leave it out",
}
"""Unsupported parameters that would make the answer wrong or unsafe, and the reason."""
_KNOWN = {*PARAMETERS, *FORMATTING, *ACCEPTED, *LACKING, *REFUSED, "token"}
_MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class RawAudio:
    """Declared format of the upload, and what is transcribed of it.

    Attributes:
        encoding: Deepgram's name of a raw encoding; anything else is a container.
        sample_rate: of raw samples, in hertz.
        channels: of raw samples.
        multichannel: whether each channel is transcribed separately.
        channel: the only channel to transcribe, counted from 1.
        track: audio track of a container, counted from 1.
    """

    encoding: str | None = None
    sample_rate: int = SAMPLE_RATE
    channels: int = 1
    multichannel: bool = False
    channel: int | None = None
    track: int | None = None

    @property
    def selection(self) -> Selection:
        """Track and channel to transcribe."""
        return Selection(self.track, self.channel)

    def format(self) -> AudioFormat | None:
        """Return the format of raw samples; None for containers, which declare their own.

        Raises:
            BadField: the values are out of range.
        """
        if self.encoding not in _RAW:
            return None
        try:
            return AudioFormat(_RAW[self.encoding], self.sample_rate, self.channels)
        except AudioFormatError as error:
            raise BadField("encoding", str(error)) from error


@dataclass(frozen=True, slots=True)
class ResultOptions:
    """Optional parts of the answer.

    Attributes:
        utterances: whether the answer lists utterances.
        split: pause in seconds that separates two utterances.
        paragraphs: whether the answer has paragraphs.
        detect: whether the language is detected and reported.
        tags: values that the answer repeats.
    """

    utterances: bool = False
    split: float = 0.8
    paragraphs: bool = False
    detect: bool = False
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeepgramParameters:
    """Values of a query.

    Attributes:
        audio: declared format of the upload.
        language: a language code; None: detected.
        vocabulary: keyterms and keywords.
        results: optional parts of the answer.
        formatting: options of the text.
        lacking: parameters that the server does not support.
    """

    audio: RawAudio = field(default_factory=RawAudio)
    language: str | None = None
    vocabulary: tuple[str, ...] = ()
    results: ResultOptions = field(default_factory=ResultOptions)
    formatting: FormattingOptions = field(default_factory=FormattingOptions)
    lacking: tuple[str, ...] = ()

    @classmethod
    def read(cls, given: Mapping[str, Sequence[str]]) -> DeepgramParameters:
        """Read a query; unknown parameters are left out, with a warning.

        Raises:
            BadField: a parameter is invalid, misspelt, or would be unsafe to ignore.
        """
        given = merge_lists(given, LISTS)
        for name, reason in REFUSED.items():
            if name in given:
                raise BadField(name, f"{name} is not supported: {reason}", code="unsupported")
        unknown = check_names(given, _KNOWN)[:_MOST_NAMED]
        found = read_fields(PARAMETERS, given)
        if found.get("multichannel") and "channel" in found:
            raise BadField("channel", "channel is given with multichannel=true; leave one out")
        return cls(
            RawAudio(**_named(RawAudio, found)),
            found.get("language"),
            (*found.get("keyterms", ()), *found.get("keywords", ())),
            ResultOptions(**_named(ResultOptions, found)),
            _formatting(given),
            (*(name for name in LACKING if given.get(name, ["false"]) != ["false"]), *unknown),
        )

    def options(self, recognizer: WindowRecognizer) -> TranscriptionOptions:
        """Return the options of the transcription.

        Raises:
            BadField: the model does not support the language.
        """
        options = TranscriptionOptions(
            language=None if self.results.detect else self.language,
            prompts=PromptOptions(vocabulary=self.vocabulary),
            words=WordOptions(),
            search=SearchOptions(best_of=5),
        )
        try:
            options.check(recognizer)
        except RecognitionError as error:
            raise BadField("language", str(error), code="unsupported") from error
        return options


def _named(kind: Any, found: Mapping[str, Any]) -> dict[str, Any]:
    return {each.name: found[each.name] for each in fields(kind) if each.name in found}


def _formatting(given: Mapping[str, Sequence[str]]) -> FormattingOptions:
    try:
        return FormattingOptions(**read_values(given, FORMATTING))
    except ValueError as error:
        name = str(error).partition(" ")[0]
        raise BadField(name if name in FORMATTING else "replace", str(error)) from error
