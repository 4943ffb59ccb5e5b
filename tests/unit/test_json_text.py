"""JSON text of messages."""

from __future__ import annotations

import pytest

from streamwhisper.json_text import read_json, write_json


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("NaN", "NaN is not a JSON value"),
        ('{"a": -Infinity}', "-Infinity is not a JSON value"),
        ("[" * 100_000, "recursion depth"),
        ("{", "Expecting property name"),
        (b"\xff", "decode"),
    ],
)
def test_what_is_no_json_value_is_rejected(text: str | bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_json(text)


@pytest.mark.parametrize("value", ["Grüße", "\ud83d", {"a": [1, None]}])
def test_every_value_is_written_so_that_utf_8_can_encode_it(value: object) -> None:
    assert read_json(write_json(value).encode()) == value


def test_text_is_written_compactly_and_unescaped() -> None:
    assert write_json({"text": "ja, für dich", "seq": 1}) == '{"text":"ja, für dich","seq":1}'
