"""Options of Flux streams: query parameters, and Configure messages during the stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from streamwhisper.server.dialect import Query
from streamwhisper.server.dialects.deepgram.audio import StreamAudioOptions
from streamwhisper.server.dialects.deepgram.formatting import FormattingOptions
from streamwhisper.server.dialects.deepgram.query import SUPPORTED, read_values
from streamwhisper.server.dialects.deepgram.turns import Thresholds
from streamwhisper.server.dialects.start import check_vocabulary
from streamwhisper.session.language import LanguageDetection
from streamwhisper.validation import FieldError, Reader, last_value, read

__all__ = ["FLUX", "Change", "FluxOptions", "read_change", "read_flux"]


FLUX: Mapping[str, Reader] = {
    **{name: SUPPORTED[name] for name in ("encoding", "sample_rate", "keyterm", "language_hint")},
    **{name: SUPPORTED[name] for name in ("numerals", "profanity_filter")},
    "eot_threshold": last_value(float),
    "eager_eot_threshold": last_value(float),
    "eot_timeout_ms": SUPPORTED["utterance_end_ms"],
    "model": last_value(str),
}
"""Supported parameters and their readers."""


@dataclass(frozen=True, slots=True)
class FluxOptions:
    """Options of one stream; see `ListenOptions`."""

    audio: StreamAudioOptions = field(default_factory=StreamAudioOptions)
    language: str | LanguageDetection | None = None
    vocabulary: tuple[str, ...] = ()
    formatting: FormattingOptions = field(default_factory=FormattingOptions)
    thresholds: Thresholds = field(default_factory=Thresholds)


def read_flux(query: Query) -> FluxOptions:
    """Return the options of a query; unknown parameters are ignored.

    Raises:
        ValueError: a parameter is invalid.
    """
    read = read_values(query, FLUX)
    check_vocabulary(read.get("keyterm", ()))
    language: str | LanguageDetection | None = None
    if hints := read.get("language_hint"):
        language = LanguageDetection(candidates=hints)
    elif read.get("model", "").endswith("-en"):
        language = "en"
    return FluxOptions(
        StreamAudioOptions(read.get("encoding"), read.get("sample_rate")),
        language,
        read.get("keyterm", ()),
        FormattingOptions(**_named(FormattingOptions, read)),
        Thresholds(**_named(Thresholds, read)),
    )


def _named(kind: Any, read: Mapping[str, Any]) -> dict[str, Any]:
    return {f.name: read[f.name] for f in fields(kind) if f.name in read}


@dataclass(frozen=True, slots=True)
class Change:
    """Change of options during a stream.

    Attributes:
        keyterms: new vocabulary; None: unchanged.
        numerals: whether numbers are written in digits; None: unchanged.
        thresholds: new thresholds by name; others are unchanged.
    """

    keyterms: tuple[str, ...] | None = None
    numerals: bool | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def applied(self, thresholds: Thresholds) -> Thresholds:
        """Return the new thresholds.

        Raises:
            ValueError: a threshold is out of range, or fixed for the stream.
        """
        changes: dict[str, Any] = dict(self.thresholds)
        new = replace(thresholds, **changes)
        fixed = thresholds.eot_threshold, thresholds.eot_timeout_ms
        if (new.eot_threshold, new.eot_timeout_ms) != fixed:
            raise ValueError(
                f"eot_threshold and eot_timeout_ms are fixed for this stream at {fixed[0]:g} and "
                f"{fixed[1]}; open another stream to change them"
            )
        return new


def read_change(message: Mapping[str, Any]) -> Change:
    """Parse a Configure message.

    Raises:
        ValueError: a field is invalid.
    """
    keyterms = message.get("keyterms")
    if isinstance(keyterms, str):
        keyterms = [keyterms]
    if keyterms is not None:
        keyterms = _read("keyterms", keyterms, tuple[str, ...])
        check_vocabulary(keyterms)
    numerals = {"true": True, "false": False}.get(str(message.get("numerals")).lower())
    thresholds = _read("thresholds", message.get("thresholds") or {}, dict[str, Any])
    known = [f.name for f in fields(Thresholds)]
    if unknown := next((name for name in thresholds if name not in known), None):
        raise ValueError(f"thresholds has {unknown!r}; expected {', '.join(known)}")
    changes = {
        name: _read(name, value, int | float)
        for name, value in thresholds.items()
        if value is not None
    }
    return Change(keyterms, numerals, changes)


def _read(name: str, value: object, hint: Any) -> Any:
    try:
        return read(value, hint)
    except FieldError as error:
        raise ValueError(f"{name} {error}") from None
