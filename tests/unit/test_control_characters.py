"""Text of unknown origin presses no keys and controls no terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.control_characters import without_controls

anything = st.text(st.characters(categories=["L", "M", "N", "P", "Z", "C"]))


@given(anything)
def test_no_control_character_and_no_line_break_is_left(text):
    clean = without_controls(text)
    assert not any(unicodedata.category(each) in ("Cc", "Zl", "Zp", "Cs") for each in clean)
    assert len(clean.splitlines()) <= 1
    assert without_controls(clean) == clean


@given(anything)
def test_what_is_kept_stays_and_all_else_is_treated_alike(text):
    kept = without_controls(text, keep="\n")
    assert kept.count("\n") == text.count("\n")
    assert kept.replace("\n", " ") == without_controls(text)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("one\ntwo\tthree\r", "one two three "),
        ("\x1b[2Jclear\x9b0m\x07", "[2Jclear0m"),
        ("half \ud800 pair", "half \ufffd pair"),
        ("abc\u202edef\u2066", "abcdef"),
    ],
)
def test_white_space_becomes_a_space_and_the_rest_is_removed(text, clean):
    assert without_controls(text) == clean


@pytest.mark.parametrize(
    "text", ["\u0645\u06cc\u200c\u062e\u0648", "👩\u200d🔬", "é 日本語 ไทย", "\u00a0 «x» \u200f"]
)
def test_text_of_every_script_stays(text):
    assert without_controls(text) == text
