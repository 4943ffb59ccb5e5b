"""What stands, and what makes one page of another."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.phrasing.edits import Edit
from streamwhisper.phrasing.text_buffer import UTTERANCES, TextBuffer, capitalized, edit_between


@given(st.text(max_size=20), st.text(max_size=20), st.integers(0, 20))
def test_an_edit_makes_the_new_page_of_the_old(old: str, new: str, cut: int) -> None:
    """However much of either is remembered."""
    stood = "before " + old
    page = TextBuffer("before " + new).cut(len(new) + cut)
    text = stood
    for edit in edit_between(TextBuffer(stood), page):
        text = text[: len(text) - edit.erase] + edit.text
    assert text == "before " + new


def test_an_edit_leaves_what_both_have_in_common() -> None:
    assert edit_between(TextBuffer("one two"), TextBuffer("one three")) == (Edit(2, "hree"),)
    assert edit_between(TextBuffer("one"), TextBuffer("one")) == ()


def test_what_is_forgotten_is_put_out_again_when_it_is_taken_back() -> None:
    assert edit_between(TextBuffer("nine", start=100), TextBuffer("five", start=90)) == (
        Edit(14, "five"),
    )


def test_no_more_than_so_many_utterances_are_kept_and_each_in_brief() -> None:
    page = TextBuffer()
    for _ in range(2 * UTTERANCES):
        page = page.begin().write(" ", "word" * 100)
    assert len(page.earlier) == UTTERANCES
    assert all(len(before.text) <= 32 and not before.earlier for before in page.earlier)


def test_the_first_letter_is_found_behind_signs() -> None:
    assert capitalized("“über") == "“Über"
    assert capitalized("…") == "…"
