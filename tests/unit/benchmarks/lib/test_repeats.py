"""Repeated phrases of a text."""

from __future__ import annotations

import pytest

from benchmarks.lib.repeats import extra_repeats, repeats


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("he saw the old man", {}),
        ("he saw the the old man", {"the": 1}),
        ("he saw the man saw the man", {"saw the man": 1}),
        ("no no no", {"no": 2}),
        ("a b a b a b", {"a b": 2}),
        ("", {}),
    ],
)
def test_a_phrase_that_stands_twice_in_a_row_is_counted(text: str, found: dict[str, int]) -> None:
    assert {" ".join(phrase): count for phrase, count in repeats(text.split()).items()} == found


def test_what_the_speaker_or_the_offline_text_repeats_is_no_defect() -> None:
    live, spoken, offline = "no no it is is the the man", "no no it is the man", "it is is the man"
    extra = extra_repeats(live.split(), spoken.split(), offline.split())
    assert extra == {("the",): 1}
