"""Keywords of `listen` and `LiveStream`: the common session options, flat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict, cast

from streamwhisper.keywords import check_known, merge
from streamwhisper.languages import normalize_language
from streamwhisper.recognition import Task
from streamwhisper.session.language import LanguageDetection
from streamwhisper.session.options import Latency, SessionOptions

__all__ = ["SessionKeywords", "session_options"]


class SessionKeywords(TypedDict, total=False):
    """Options of a live session as plain keywords.

    Attributes:
        language: code, tag or English name, e.g. ``"de"``, ``"zh-TW"`` or ``"German"``; the
            default detects it.
        task: "transcribe", or "translate" into English.
        partials: report text that may still change.
        update_interval: seconds of new audio between two updates.
        vocabulary: names and terms to prefer when the audio is ambiguous.
        latency: "low" commits text soonest, "accurate" waits for more audio; the default is
            "balanced".
    """

    language: str | LanguageDetection
    task: Task
    partials: bool
    update_interval: float
    vocabulary: Sequence[str]
    latency: Latency


_FIELDS = {name: name for name in ("language", "task", "partials", "update_interval", "vocabulary")}


def session_options(
    function: str, options: SessionOptions | None, keywords: SessionKeywords
) -> SessionOptions:
    """Return `options` with the keywords of a call of `function`.

    Raises:
        TypeError: a keyword is unknown.
        ValueError: a keyword contradicts `options`.
    """
    values: dict[str, object] = dict(keywords)
    check_known(function, values, [*_FIELDS, "latency"])
    latency = values.pop("latency", "balanced")
    if isinstance(language := values.get("language"), str):
        values["language"] = normalize_language(language) or LanguageDetection()
    if isinstance(vocabulary := values.get("vocabulary"), str):
        raise ValueError(f"vocabulary is {vocabulary!r}; expected a list of words")
    if vocabulary is not None:
        values["vocabulary"] = tuple(cast("Sequence[str]", vocabulary))
    if latency not in ("low", "balanced", "accurate"):
        raise ValueError(f"latency is {latency!r}; expected 'low', 'balanced' or 'accurate'")
    merged = merge(function, SessionOptions(), options, values, _FIELDS)
    return merged.tuned(latency)
