"""Field validation: one set of rules at every border of the program."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.dictation.settings import SettingsError, read_settings
from streamwhisper.errors import ProtocolError
from streamwhisper.events import Word
from streamwhisper.protocol import parse_client_message
from streamwhisper.server.access.keys import read_keys
from streamwhisper.server.access.limits import Quota
from streamwhisper.server.dialects.deepgram.flux_query import read_change, read_flux
from streamwhisper.server.dialects.deepgram.query import read_query
from streamwhisper.server.dialects.openai_realtime.client_events import InvalidRequest
from streamwhisper.server.dialects.openai_realtime.settings import changed, initial_session
from streamwhisper.server.dialects.wyoming.events import WyomingEvent
from streamwhisper.server.dialects.wyoming.requests import read_fields as read_wyoming_fields
from streamwhisper.server.rest.deepgram_parameters import PARAMETERS
from streamwhisper.server.rest.forms import read_fields
from streamwhisper.server.rest.openai import FIELDS
from streamwhisper.server.rest.request import BadField
from streamwhisper.validation import (
    FieldError,
    all_values,
    describe,
    did_you_mean,
    last_value,
    merge_lists,
    misspelt,
    read,
    shown,
)

Bounded = Annotated[int, msgspec.Meta(ge=1, le=16)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        (8, int, 8),
        (8, float, 8.0),
        (8, int | float, 8),
        (2**70, int, 2**70),
        (16, Bounded, 16),
        ("\U0001f600", str, "\U0001f600"),
        (None, str | None, None),
        (["a", "b"], tuple[str, ...], ("a", "b")),
        ("low", Literal["low", "high"], "low"),
        ([{"word": "a", "start": 0, "end": 1, "confidence": 1, "more": 2}], tuple[Word, ...], 0),
    ],
)
def test_values_that_fit_are_converted(value: object, hint: Any, expected: object) -> None:
    found = read(value, hint)
    if hint == tuple[Word, ...]:
        assert found == (Word("a", 0.0, 1.0, 1.0),)
    else:
        assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("value", "hint", "message"),
    [
        (True, int, "is true; expected a whole number"),
        (1.0, int, "is 1.0; expected a whole number"),
        ("8", int, 'is "8"; expected a whole number'),
        (True, float, "is true; expected a number"),
        (10**400, float, "; expected a number"),
        (float("inf"), int, "is Infinity; expected a whole number"),
        (float("nan"), Share, "is NaN; expected a number from 0 to 1"),
        (17, Bounded, "is 17; expected a whole number from 1 to 16"),
        (-1, Annotated[int, msgspec.Meta(ge=0)], "is -1; expected a whole number, 0 or more"),
        (9, Annotated[int, msgspec.Meta(le=8)], "is 9; expected a whole number, at most 8"),
        (1, bool, "is 1; expected true or false"),
        (None, str, "is null; expected a string"),
        (5, str | None, "is 5; expected a string or null"),
        ("x", int | float, 'is "x"; expected a number'),
        ("\ud800", Literal["a", "b"], r'is "\ud800"; expected one of "a", "b"'),
        ("a\ud800", str, r'is "a\ud800"; expected a string without half of a surrogate pair'),
        (
            ["\udfff"],
            tuple[str, ...],
            "a list of strings without half of a surrogate pair",
        ),
        ({"a": [{"\ud800": 1}]}, dict[str, Any], "an object without half of a surrogate pair"),
        ([], Literal["a"], 'is []; expected one of "a"'),
        (["a", 1], list[str], 'is ["a", 1]; expected a list of strings (see [1])'),
        ([{"word": "a"}], tuple[Word, ...], "expected a list of words (see [0])"),
        ([], dict[str, Any], "is []; expected an object"),
        ("x" * 99, int, f'is "{"x" * 59}…; expected a whole number'),
    ],
)
def test_values_that_do_not_fit_are_named(value: object, hint: Any, message: str) -> None:
    with pytest.raises(FieldError) as caught:
        read(value, hint)
    assert message in str(caught.value)


def test_values_too_large_to_show_are_described() -> None:
    nested: Any = []
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(FieldError, match="is a deeply nested value; expected a string"):
        read(nested, str)
    with pytest.raises(FieldError, match="is a very large number; expected a number"):
        read(10**5000, float)


@pytest.mark.parametrize(
    ("text", "hint", "expected"),
    [
        ("8", int, 8),
        (" 8 ", Bounded, 8),
        ("007", int, 7),
        ("0.5", Share, 0.5),
        ("1e-1", float, 0.1),
        ("True", bool, True),
        ("0", bool, False),
        ("8", str, "8"),
        ("true", Literal["true"], "true"),
    ],
)
def test_text_stands_for_numbers_and_truth_values(text: str, hint: Any, expected: object) -> None:
    assert read(text, hint, text=True) == expected
    assert last_value(hint)(["ignored", text]) == expected
    assert all_values(hint)([text, text]) == (expected, expected)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists))
def test_every_value_is_shown_in_few_characters_of_utf_8(value: object) -> None:
    assert len(shown(value).encode("ascii", "backslashreplace")) <= 61 * 10
    assert shown("\ud800").encode()


def test_the_nearest_name_is_suggested() -> None:
    assert did_you_mean("langage", ["language", "model"]) == "did you mean 'language'?"
    assert describe(tuple[float, ...]) == "a list of numbers"


# The borders: each reads one field of a kind from one value.

INPUT = initial_session("sess_1", "base")


def native(name: str, value: object) -> None:
    text = json.dumps({"type": "start", name: value})
    parse_client_message(text.replace("Infinity", "1e999"))


def openai(path: str, value: object) -> None:
    change: object = value
    for name in reversed(path.split(".")):
        change = {name: change}
    changed(INPUT, {"audio": {"input": change}})


def wyoming(kind: str, name: str, value: object) -> None:
    read_wyoming_fields(WyomingEvent(kind, {name: value}))


JSON_ERRORS = (ProtocolError, InvalidRequest, ValueError)
WHOLE_NUMBERS: dict[str, Callable[[object], None]] = {
    "native": lambda value: native("sample_rate", value),
    "openai": lambda value: openai("format.rate", value),
    "wyoming": lambda value: wyoming("audio-start", "rate", value),
}
STRINGS: dict[str, Callable[[object], None]] = {
    "native": lambda value: native("language", value),
    "openai": lambda value: openai("transcription.language", value),
    "wyoming": lambda value: wyoming("transcribe", "language", value),
}
LISTS: dict[str, Callable[[object], None]] = {
    "native": lambda value: native("vocabulary", value),
    "openai": lambda value: openai("transcription.keywords", value),
    "wyoming": lambda value: wyoming("transcribe", "transcript_terms", value),
    "flux": lambda value: read_change({"keyterms": value}) and None,
}


@pytest.mark.parametrize("border", WHOLE_NUMBERS)
@pytest.mark.parametrize("wrong", [True, 8000.5, "8000", [8000], {}, float("inf")])
def test_json_borders_reject_the_same_whole_numbers(border: str, wrong: object) -> None:
    WHOLE_NUMBERS[border](16000)
    with pytest.raises(JSON_ERRORS, match="expected a whole number"):
        WHOLE_NUMBERS[border](wrong)


@pytest.mark.parametrize("border", STRINGS)
@pytest.mark.parametrize("wrong", [True, 1, 1.5, ["en"], {"code": "en"}])
def test_json_borders_reject_the_same_strings(border: str, wrong: object) -> None:
    STRINGS[border]("en")
    with pytest.raises(JSON_ERRORS, match="expected a string"):
        STRINGS[border](wrong)


@pytest.mark.parametrize("border", LISTS)
@pytest.mark.parametrize("wrong", [True, 1, {"Ada": 1}, ["Ada", 1], [["Ada"]], [None]])
def test_json_borders_reject_the_same_lists(border: str, wrong: object) -> None:
    LISTS[border](["Ada"])
    with pytest.raises(JSON_ERRORS, match="expected a list of strings"):
        LISTS[border](wrong)


TEXT_NUMBERS: dict[str, tuple[str, Callable[[str], object]]] = {
    "listen": ("16000", lambda text: read_query({"sample_rate": [text], "encoding": ["linear16"]})),
    "flux": ("0.7", lambda text: read_flux({"eot_threshold": [text]})),
    "rest deepgram": ("8000", lambda text: read_fields(PARAMETERS, {"sample_rate": [text]})),
    "rest openai": ("0.5", lambda text: read_fields(FIELDS, {"temperature": [text]})),
}


@pytest.mark.parametrize("border", TEXT_NUMBERS)
@pytest.mark.parametrize("wrong", ["many", "true", "1,5", "0x10", "[1]", "nan", "inf", "9" * 5000])
def test_text_borders_reject_the_same_numbers(border: str, wrong: str) -> None:
    right, accept = TEXT_NUMBERS[border]
    accept(right)
    with pytest.raises((ValueError, BadField), match="expected"):
        accept(wrong)


FLAGS: dict[str, Callable[[str], object]] = {
    "listen": lambda text: read_query({"vad_events": [text]}),
    "flux": lambda text: read_flux({"numerals": [text]}),
    "rest deepgram": lambda text: read_fields(PARAMETERS, {"utterances": [text]}),
    "rest openai": lambda text: read_fields(FIELDS, {"stream": [text]}),
}


@pytest.mark.parametrize("border", FLAGS)
@pytest.mark.parametrize("wrong", ["yes", "2", "null", "[true]"])
def test_text_borders_reject_the_same_truth_values(border: str, wrong: str) -> None:
    for right in ("true", "False", "1", "0"):
        FLAGS[border](right)
    with pytest.raises((ValueError, BadField), match="expected true or false"):
        FLAGS[border](wrong)


@pytest.mark.parametrize("wrong", ["true", '"2"', "[2]"])
def test_key_files_reject_limits_that_are_no_numbers(tmp_path: Path, wrong: str) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(f'[[key]]\nname = "a"\nkey = "x"\nsessions = {wrong}\n', encoding="utf-8")
    with pytest.raises(ValueError, match=r"sessions is .*; expected a number"):
        read_keys(file, Quota())


def test_a_whole_limit_of_a_key_file_stays_a_whole_number(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.write_text('[[key]]\nname = "a"\nkey = "x"\nsessions = 2\n', encoding="utf-8")
    [key] = read_keys(file, Quota())
    assert type(key.quota.sessions) is int


@pytest.mark.parametrize("wrong", ["1", "1.5", '"yes"', "[true]"])
def test_settings_files_reject_truth_values_of_other_kinds(tmp_path: Path, wrong: str) -> None:
    file = tmp_path / "dictation.toml"
    file.write_text(f"[phrases]\nnumbers = {wrong}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="expected true or false"):
        read_settings(file)


@pytest.mark.parametrize(
    "sent",
    [
        {"include": ["a", "b"]},
        {"include[]": ["a", "b"]},
        {"include[0]": ["a"], "include[1]": ["b"]},
        {"include": ['["a", "b"]']},
        {"include[]": ['["a"]'], "include": ["b"]},
    ],
)
def test_every_spelling_of_a_list_field_is_that_field(sent: dict[str, list[str]]) -> None:
    assert merge_lists({**sent, "model": ["x"]}, ["include"]) == {
        "include": ["a", "b"],
        "model": ["x"],
    }


@pytest.mark.parametrize("value", ["[a]", "[1]", "[", '["a", 1]', '{"a": 1}'])
def test_text_that_only_looks_like_a_list_stays_text(value: str) -> None:
    assert merge_lists({"keyterm": [value]}, ["keyterm"]) == {"keyterm": [value]}


def test_brackets_mean_nothing_on_a_field_with_one_value() -> None:
    assert merge_lists({"model[]": ["x"]}, ["include"]) == {"model[]": ["x"]}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("langauge", "language"),
        ("language[]", "language"),
        ("promt", "prompt"),
        ("temperature_inc", None),
        ("vad_filter", None),
        ("lang", None),
        ("", None),
    ],
)
def test_a_name_is_misspelt_only_where_it_is_very_like_a_known_one(
    name: str, meant: str | None
) -> None:
    assert misspelt(name, ["language", "prompt", "temperature"]) == meant
