"""What the address of a Flux stream asks for, and what may change in its middle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from streamwhisper.server.dialect import Query
from streamwhisper.server.dialects.deepgram.audio import StreamAudioOptions
from streamwhisper.server.dialects.deepgram.formatting import FormattingOptions
from streamwhisper.server.dialects.deepgram.query import HEEDED, Reader, read_values
from streamwhisper.server.dialects.deepgram.turns import Thresholds
from streamwhisper.server.dialects.start import check_vocabulary
from streamwhisper.session.language import LanguageDetection

__all__ = ["FLUX", "Change", "FluxOptions", "read_change", "read_flux"]


def _number(values: Sequence[str]) -> float:
    try:
        return float(values[-1])
    except ValueError:
        raise ValueError("a number") from None


FLUX: Mapping[str, Reader] = {
    **{name: HEEDED[name] for name in ("encoding", "sample_rate", "keyterm", "language_hint")},
    **{name: HEEDED[name] for name in ("numerals", "profanity_filter")},
    "eot_threshold": _number,
    "eager_eot_threshold": _number,
    "eot_timeout_ms": HEEDED["utterance_end_ms"],
    "model": lambda values: values[-1],
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
        if not isinstance(keyterms, list) or not all(isinstance(term, str) for term in keyterms):
            raise ValueError("keyterms is no list of texts")
        check_vocabulary(keyterms)
    numerals = {"true": True, "false": False}.get(str(said.get("numerals")).lower())
    thresholds = said.get("thresholds") or {}
    known = [f.name for f in fields(Thresholds)]
    if not isinstance(thresholds, dict) or not all(
        name in known and (value is None or type(value) in (int, float))
        for name, value in thresholds.items()
    ):
        raise ValueError(f"thresholds are none; expected numbers for {', '.join(known)}")
    return Change(
        None if keyterms is None else tuple(keyterms),
        numerals,
        {name: value for name, value in thresholds.items() if value is not None},
    )
