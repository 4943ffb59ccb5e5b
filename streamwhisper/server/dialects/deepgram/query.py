"""Query parameters of Deepgram streams."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any

import msgspec

from streamwhisper.audio.channels import MAX_CHANNELS
from streamwhisper.languages import normalize_language
from streamwhisper.server.dialect import Query
from streamwhisper.server.dialects.deepgram.audio import ENCODINGS, StreamAudioOptions
from streamwhisper.server.dialects.deepgram.formatting import FEATURES, FormattingOptions
from streamwhisper.server.dialects.start import check_vocabulary
from streamwhisper.session.language import LanguageDetection
from streamwhisper.session.options import SessionOptions
from streamwhisper.validation import FieldError, Reader, last_value, merge_lists

__all__ = [
    "ACCEPTED",
    "FORMATTING",
    "LISTS",
    "SUPPORTED",
    "UNSUPPORTED",
    "ListenOptions",
    "TurnOptions",
    "read_query",
    "read_values",
]

SHORTEST = 0.3
"""Minimum of `endpointing` in seconds; smaller values select the server's own rule."""
LONGEST = 10.0


@dataclass(frozen=True, slots=True)
class TurnOptions:
    """Options of the end of utterances; times in seconds.

    Attributes:
        endpointing: silence that ends an utterance; None: the server's own rule; infinity: never.
        utterance_end: silence after a word until `UtteranceEnd` is sent; None: never.
        vad_events: whether `SpeechStarted` is sent.
        interim_results: whether results are sent before they are final.
    """

    endpointing: float | None = None
    utterance_end: float | None = None
    vad_events: bool = False
    interim_results: bool = False

    @property
    def ends(self) -> bool:
        """True if results report the end of an utterance."""
        return self.endpointing != math.inf

    def applied(self, options: SessionOptions) -> SessionOptions:
        """Return a session's options with this silence."""
        silence = self.endpointing
        if silence is None or not self.ends:
            return options
        roll = min(options.gate.post_roll, silence)
        return replace(
            options,
            gate=replace(options.gate, silence=silence, post_roll=roll),
            endpoint=replace(options.endpoint, kind="fixed"),
        )


@dataclass(frozen=True, slots=True)
class ListenOptions:
    """Options of one stream.

    Attributes:
        audio: format of the audio.
        language: a language code, or options of its detection; None: the server's default.
        vocabulary: keyterms and keywords.
        formatting: options of the text.
        turns: options of the end of utterances.
    """

    audio: StreamAudioOptions = field(default_factory=StreamAudioOptions)
    language: str | LanguageDetection | None = None
    vocabulary: tuple[str, ...] = ()
    formatting: FormattingOptions = field(default_factory=FormattingOptions)
    turns: TurnOptions = field(default_factory=TurnOptions)


def _encoding(values: Sequence[str]) -> str:
    if values[-1] not in ENCODINGS:
        raise FieldError(
            values[-1],
            f"one of {', '.join(ENCODINGS)}; leave encoding out for a container, which declares "
            "its own",
        )
    return values[-1]


def _endpointing(values: Sequence[str]) -> float | None:
    value = values[-1].strip().lower()
    if value in ("true", "false"):
        return None if value == "true" else math.inf
    if not value.isdecimal():
        raise FieldError(values[-1], "milliseconds of silence, or false")
    seconds = int(value[:9]) / 1000
    return None if seconds < SHORTEST else min(seconds, LONGEST)


def _language(values: Sequence[str]) -> str | LanguageDetection:
    return normalize_language(values[-1]) or LanguageDetection()


def _detection(values: Sequence[str]) -> LanguageDetection | None:
    if [value.lower() for value in values] in (["true"], ["false"]):
        return LanguageDetection() if values[0].lower() == "true" else None
    return LanguageDetection(candidates=_hints(values))


def _hints(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, map(normalize_language, values))))


def _keyterms(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(value.strip() for value in values if value.strip())


def _keywords(values: Sequence[str]) -> tuple[str, ...]:
    """Return keywords without their boosts; those with a negative boost are dropped."""
    kept = []
    for value in values:
        word, _, boost = value.strip().rpartition(":")
        try:
            weight = float(boost)
        except ValueError:
            word, weight = value.strip(), 1.0
        if word and weight > 0:
            kept.append(word)
    return tuple(kept)


def _replacements(values: Sequence[str]) -> dict[str, str]:
    pairs = [value.partition(":")[::2] for value in values]
    if not all(spoken.strip() for spoken, _ in pairs):
        raise FieldError(values, "SPOKEN:WRITTEN")
    return {spoken.strip(): written.strip() for spoken, written in pairs}


_flag = last_value(bool)
FORMATTING: Mapping[str, Reader] = {**dict.fromkeys(FEATURES, _flag), "replace": _replacements}
"""Parameters of formatted text, for streams and recordings, and their readers."""

LISTS = ("detect_language", "keyterm", "keywords", "language_hint", "replace", "tag")
"""Parameters with several values; clients spell their names with and without ``[]``."""

SUPPORTED: Mapping[str, Reader] = {
    "encoding": _encoding,
    "sample_rate": last_value(Annotated[int, msgspec.Meta(ge=4000, le=192_000)]),
    "channels": last_value(Annotated[int, msgspec.Meta(ge=1, le=MAX_CHANNELS)]),
    "multichannel": _flag,
    "language": _language,
    "detect_language": _detection,
    "language_hint": _hints,
    "keyterm": _keyterms,
    "keywords": _keywords,
    **FORMATTING,
    "endpointing": _endpointing,
    "utterance_end_ms": last_value(Annotated[int, msgspec.Meta(ge=1, le=60_000)]),
    "vad_events": _flag,
    "interim_results": _flag,
}
"""Supported parameters and their readers."""

ACCEPTED = frozenset({"extra", "mip_opt_out", "model", "no_delay", "tag", "tier", "version"})
"""Parameters without effect: the server has one model and keeps no data."""

UNSUPPORTED = frozenset(
    {
        "alternatives",
        "callback",
        "callback_method",
        "detect_entities",
        "diarize",
        "diarize_model",
        "diarize_version",
        "intents",
        "measurements",
        "paragraphs",
        "redact",
        "search",
        "sentiment",
        "summarize",
        "topics",
        "translate",
        "utterances",
    }
)
"""Deepgram parameters that the server does not support; the handshake names them."""


def read_query(query: Query) -> ListenOptions:
    """Return the options of a query; unknown parameters are ignored.

    Raises:
        ValueError: a parameter is invalid.
    """
    read = read_values(query, SUPPORTED)
    features = {f.name: read[f.name] for f in fields(FormattingOptions) if f.name in read}
    wait = read.get("utterance_end_ms")
    vocabulary = (*read.get("keyterm", ()), *read.get("keywords", ()))
    check_vocabulary(vocabulary)
    return ListenOptions(
        StreamAudioOptions(
            read.get("encoding"),
            read.get("sample_rate"),
            read.get("channels", 1),
            read.get("multichannel", False),
        ),
        _chosen(read),
        vocabulary,
        FormattingOptions(**features),
        TurnOptions(
            read.get("endpointing"),
            None if wait is None else wait / 1000,
            read.get("vad_events", False),
            read.get("interim_results", False),
        ),
    )


def read_values(query: Query, readers: Mapping[str, Reader]) -> dict[str, Any]:
    """Return the values of the parameters that have a reader.

    Raises:
        ValueError: a parameter is invalid.
    """
    read: dict[str, Any] = {}
    query = merge_lists(query, LISTS)
    for name, reader in readers.items():
        if values := query.get(name):
            try:
                read[name] = reader(values)
            except FieldError as error:
                raise ValueError(f"{name} {error}") from None
    return read


def _chosen(read: Mapping[str, Any]) -> str | LanguageDetection | None:
    """Return the language that the parameters select."""
    language = read.get("detect_language") or read.get("language")
    hints = read.get("language_hint", ())
    if hints and not isinstance(language, str):
        language = replace(language or LanguageDetection(), candidates=hints)
    return language
