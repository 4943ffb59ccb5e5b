"""What the address of a Deepgram stream asks for, and what of it is done here."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from streamwhisper.errors import RecognitionError
from streamwhisper.server.dialect import Query
from streamwhisper.server.dialects.deepgram.audio import ENCODINGS, StreamAudioOptions
from streamwhisper.server.dialects.deepgram.formatting import FEATURES, FormattingOptions
from streamwhisper.server.dialects.start import check_vocabulary
from streamwhisper.session.language import LanguageDetection
from streamwhisper.session.options import SessionOptions
from streamwhisper.whisper.languages import language_code

__all__ = [
    "ACCEPTED",
    "HEEDED",
    "UNSUPPORTED",
    "WORDING",
    "ListenOptions",
    "Reader",
    "TurnOptions",
    "read_query",
    "read_values",
]

SHORTEST = 0.3
"""Seconds of silence below which every breath would end an utterance; the server's rule holds."""
LONGEST = 10.0


@dataclass(frozen=True, slots=True)
class TurnOptions:
    """What is said of whose turn it is, and when; times in seconds.

    Attributes:
        endpointing: silence that ends an utterance; None: the server's own rule, infinity: none
            is said to end.
        utterance_end: silence after a word until that is said; None: it is not.
        vad_events: whether the beginnings of speech are told.
        interim_results: whether text is told before it stands.
    """

    endpointing: float | None = None
    utterance_end: float | None = None
    vad_events: bool = False
    interim_results: bool = False

    @property
    def ends(self) -> bool:
        """Whether it is told that an utterance ends."""
        return self.endpointing != math.inf

    def applied(self, options: SessionOptions) -> SessionOptions:
        """A session's options with this silence."""
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
    """One stream's options.

    Attributes:
        language: a code, or how it is found; None: as the server usually does it.
        vocabulary: keyterms and keywords.
    """

    sound: StreamAudioOptions = field(default_factory=StreamAudioOptions)
    language: str | LanguageDetection | None = None
    vocabulary: tuple[str, ...] = ()
    wording: FormattingOptions = field(default_factory=FormattingOptions)
    turns: TurnOptions = field(default_factory=TurnOptions)


Reader = Callable[[Sequence[str]], Any]
"""Reads the values of a name; raises ValueError with what was expected."""


def _flag(values: Sequence[str]) -> bool:
    said = values[-1].strip().lower()
    if said not in ("true", "false"):
        raise ValueError("true or false")
    return said == "true"


def _integer(low: int, high: int) -> Reader:
    def read(values: Sequence[str]) -> int:
        said = values[-1].strip()
        if not said.isdecimal() or not low <= int(said[:10]) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(said)

    return read


def _encoding(values: Sequence[str]) -> str:
    if values[-1] not in ENCODINGS:
        raise ValueError(
            f"one of {', '.join(ENCODINGS)}, or no encoding at all for a container, which says "
            "itself what is in it"
        )
    return values[-1]


def _endpointing(values: Sequence[str]) -> float | None:
    said = values[-1].strip().lower()
    if said in ("true", "false"):
        return None if said == "true" else math.inf
    if not said.isdecimal():
        raise ValueError("milliseconds of silence, or false")
    seconds = int(said[:9]) / 1000
    return None if seconds < SHORTEST else min(seconds, LONGEST)


def _language(values: Sequence[str]) -> str | LanguageDetection:
    if values[-1].strip().lower() == "multi":
        return LanguageDetection()
    try:
        return language_code(values[-1])
    except RecognitionError as error:
        raise ValueError(f"a tag such as en-US or de, or multi ({error})") from None


def _detection(values: Sequence[str]) -> LanguageDetection | None:
    if [value.lower() for value in values] in (["true"], ["false"]):
        return LanguageDetection() if values[0].lower() == "true" else None
    return LanguageDetection(candidates=_hints(values))


def _hints(values: Sequence[str]) -> tuple[str, ...]:
    try:
        return tuple(dict.fromkeys(map(language_code, values)))
    except RecognitionError as error:
        raise ValueError(f"tags such as en or de ({error})") from None


def _keyterms(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(value.strip() for value in values if value.strip())


def _keywords(values: Sequence[str]) -> tuple[str, ...]:
    """Without their boosts; those that are to be heard less have no place in a vocabulary."""
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
    if not all(said.strip() for said, _ in pairs):
        raise ValueError("SAID:WRITTEN")
    return {said.strip(): written.strip() for said, written in pairs}


WORDING: Mapping[str, Reader] = {**dict.fromkeys(FEATURES, _flag), "replace": _replacements}
"""How text is written, of streams and of recordings."""

HEEDED: Mapping[str, Reader] = {
    "encoding": _encoding,
    "sample_rate": _integer(4000, 192_000),
    "channels": _integer(1, 16),
    "multichannel": _flag,
    "language": _language,
    "detect_language": _detection,
    "language_hint": _hints,
    "keyterm": _keyterms,
    "keywords": _keywords,
    **WORDING,
    "endpointing": _endpointing,
    "utterance_end_ms": _integer(1, 60_000),
    "vad_events": _flag,
    "interim_results": _flag,
}
"""What a stream depends on, and how its values are read."""

ACCEPTED = frozenset({"extra", "mip_opt_out", "model", "no_delay", "tag", "tier", "version"})
"""What changes nothing here: there is one model, and nothing is kept of who asks."""

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
"""What Deepgram does and this server does not; the answer to the handshake names it."""


def read_query(query: Query) -> ListenOptions:
    """The options that an address asks for; what nobody knows is left out.

    Raises:
        ValueError: what was seen, and what was expected.
    """
    read = read_values(query, HEEDED)
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
    """What an address says, as each of its names is read.

    Raises:
        ValueError: what was seen, and what was expected.
    """
    read: dict[str, Any] = {}
    for name, reader in readers.items():
        if values := query.get(name):
            try:
                read[name] = reader(values)
            except ValueError as error:
                raise ValueError(f"{name} is {values[-1][:100]!r}; expected {error}") from None
    return read


def _chosen(read: Mapping[str, Any]) -> str | LanguageDetection | None:
    """The language, of all that may say it."""
    language = read.get("detect_language") or read.get("language")
    hints = read.get("language_hint", ())
    if hints and not isinstance(language, str):
        language = replace(language or LanguageDetection(), candidates=hints)
    return language
