"""Renamed fields: the old names work as keywords and attributes, and warn."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pytest

from streamwhisper.deprecation import renamed_fields
from streamwhisper.events import Committed, SpeechEnded
from streamwhisper.recognition import LanguageOptions, RecognitionRequest, TextContext
from streamwhisper.server.options import FeatureOptions, ServerOptions
from streamwhisper.server.publishing.rooms import RoomOptions
from streamwhisper.server.rest.options import RestOptions
from streamwhisper.session.agreement import AgreementOptions
from streamwhisper.session.endpoint import EndpointOptions
from streamwhisper.session.language import LanguageDetection

COMMITTED = {
    "text": "so", "start": 0.0, "end": 1.0, "words": (), "language": "en", "utterance": 0,
    "final": True,
}  # fmt: skip
RENAMED: list[tuple[type[Any], dict[str, Any], str, str, Any]] = [
    (AgreementOptions, {}, "risk", "max_change_risk", 0.02),
    (AgreementOptions, {}, "patience", "risk_doubling_time", 0.4),
    (AgreementOptions, {}, "slack", "max_age", 1.5),
    (AgreementOptions, {}, "fresh", "short_window_factor", 3.0),
    (AgreementOptions, {}, "clear", "clear_logprob", -0.4),
    (AgreementOptions, {}, "shown", "max_shown_risk", 0.5),
    (AgreementOptions, {}, "disbelief", "min_mean_logprob", -2.0),
    (EndpointOptions, {}, "settle", "settle_time", 0.3),
    (EndpointOptions, {}, "sooner", "silence_after_sentence", 0.5),
    (EndpointOptions, {}, "later", "silence_mid_sentence", 1.5),
    (EndpointOptions, {}, "sure", "min_word_probability", 0.9),
    (LanguageDetection, {}, "among", "candidates", ("de", "fr")),
    (LanguageDetection, {}, "floor", "min_probability", 0.9),
    (LanguageDetection, {}, "shortest", "min_speech", 1.0),
    (LanguageDetection, {}, "agree", "confirmations", 3),
    (LanguageDetection, {}, "limit", "max_speech", 10.0),
    (LanguageDetection, {}, "gap", "recheck_after_silence", 4.0),
    (LanguageDetection, {}, "collapse", "recheck_below_logprob", -2.0),
    (Committed, COMMITTED, "heard", "covered_until", 1.5),
    (SpeechEnded, {"at": 1.0}, "decided", "detected_at", 1.5),
]


@pytest.mark.parametrize(("cls", "others", "old", "new", "value"), RENAMED)
def test_an_old_field_name_is_accepted_and_names_the_new_one(
    cls: type[Any], others: dict[str, Any], old: str, new: str, value: Any
) -> None:
    expected = cls(**others, **{new: value})
    says = rf"{cls.__name__}\.{old} is now {new};"
    with pytest.warns(DeprecationWarning, match=says) as caught:
        assert cls(**others, **{old: value}) == expected
    assert caught[0].filename == __file__
    with pytest.warns(DeprecationWarning, match=says):
        assert replace(cls(**others, **{new: value}), **{old: value}) == expected
    with pytest.warns(DeprecationWarning, match=says) as caught:
        assert getattr(expected, old) == value
    assert caught[0].filename == __file__


@pytest.mark.parametrize(("cls", "others", "old", "new", "value"), RENAMED)
def test_new_names_do_not_warn(
    cls: type[Any], others: dict[str, Any], old: str, new: str, value: Any
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = replace(cls(**others, **{new: value}))
        assert getattr(made, new) == value
        assert old not in {field.name for field in fields(cls)}


def test_an_unknown_keyword_is_still_an_error() -> None:
    @renamed_fields(old="new")
    @dataclass(frozen=True, slots=True)
    class Options:
        new: int = 0

    assert Options(1) == Options(new=1)
    with pytest.raises(TypeError, match="unexpected keyword argument 'newest'"):
        Options(newest=1)  # type: ignore[call-arg]


def test_features_of_a_server_are_accepted_as_plain_keywords_and_name_their_group() -> None:
    rooms, rest = RoomOptions(max_viewers=5), RestOptions(port=0)
    with pytest.warns(DeprecationWarning, match=r"ServerOptions\.rooms is now features\.rooms"):
        options = ServerOptions(port=0, rooms=rooms, rest=rest)  # type: ignore[call-arg]
    assert options == ServerOptions(port=0, features=FeatureOptions(rooms=rooms, rest=rest))
    with pytest.warns(DeprecationWarning, match=r"features\.rest"):
        assert options.rest is rest  # type: ignore[attr-defined]
    with pytest.warns(DeprecationWarning, match=r"features\.rooms"):
        other = replace(options, rooms=RoomOptions())  # type: ignore[call-arg]
    assert other.features.rest is rest


def test_fields_of_a_request_that_moved_into_groups_are_accepted_and_can_be_read() -> None:
    mel = np.zeros((80, 1), np.float32)
    with pytest.warns(DeprecationWarning, match=r"is now (context|language_options)\."):
        request = RecognitionRequest(mel, prompt=(1,), task="translate")  # type: ignore[call-arg]
    assert request.context == TextContext((1,))
    assert request.language_options == LanguageOptions(task="translate")
    with pytest.warns(DeprecationWarning, match=r"context\.prompt"):
        assert request.prompt == (1,)  # type: ignore[attr-defined]
