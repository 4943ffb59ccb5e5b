"""What the address of a Flux stream asks for, and what may change in its middle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from streamwhisper.server.dialect import Query
from streamwhisper.server.dialects.deepgram.audio import StreamAudioOptions
from streamwhisper.server.dialects.deepgram.formatting import FormattingOptions
from streamwhisper.server.dialects.deepgram.query import HEEDED, read_values
from streamwhisper.server.dialects.deepgram.turns import Thresholds
from streamwhisper.server.dialects.start import check_vocabulary
from streamwhisper.session.language import LanguageDetection
from streamwhisper.validation import FieldError, Reader, last_value, read

__all__ = ["FLUX", "Change", "FluxOptions", "read_change", "read_flux"]


FLUX: Mapping[str, Reader] = {
    **{name: HEEDED[name] for name in ("encoding", "sample_rate", "keyterm", "language_hint")},
    **{name: HEEDED[name] for name in ("numerals", "profanity_filter")},
    "eot_threshold": last_value(float),
    "eager_eot_threshold": last_value(float),
    "eot_timeout_ms": HEEDED["utterance_end_ms"],
    "model": last_value(str),
}
"""What a stream depends on, and how its values are read."""


@dataclass(frozen=True, slots=True)
class FluxOptions:
    """One stream's options; see `ListenOptions`."""

    sound: StreamAudioOptions = field(default_factory=StreamAudioOptions)
    language: str | LanguageDetection | None = None
    vocabulary: tuple[str, ...] = ()
    wording: FormattingOptions = field(default_factory=FormattingOptions)
    thresholds: Thresholds = field(default_factory=Thresholds)


def read_flux(query: Query) -> FluxOptions:
    """The options that an address asks for; what nobody knows is left out.

    Raises:
        ValueError: what was seen, and what was expected.
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
    """What is to change; None, and thresholds that are not named: nothing."""

    keyterms: tuple[str, ...] | None = None
    numerals: bool | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def applied(self, thresholds: Thresholds) -> Thresholds:
        """The thresholds then.

        Raises:
            ValueError: one that makes no sense, or cannot be changed any more.
        """
        changes: dict[str, Any] = dict(self.thresholds)
        new = replace(thresholds, **changes)
        fixed = thresholds.eot_threshold, thresholds.eot_timeout_ms
        if (new.eot_threshold, new.eot_timeout_ms) != fixed:
            raise ValueError(
                f"eot_threshold and eot_timeout_ms stay {fixed[0]:g} and {fixed[1]} in this "
                "stream; open another one to change them"
            )
        return new


def read_change(said: Mapping[str, Any]) -> Change:
    """Read a Configure message.

    Raises:
        ValueError: what was seen, and what was expected.
    """
    keyterms = said.get("keyterms")
    if isinstance(keyterms, str):
        keyterms = [keyterms]
    if keyterms is not None:
        keyterms = _read("keyterms", keyterms, tuple[str, ...])
        check_vocabulary(keyterms)
    numerals = {"true": True, "false": False}.get(str(said.get("numerals")).lower())
    thresholds = _read("thresholds", said.get("thresholds") or {}, dict[str, Any])
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
