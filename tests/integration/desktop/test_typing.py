"""What is typed into the focused window, and what is not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.dictation.keyboards import choose_keyboard
from streamwhisper.dictation.typing import TypingSink, revision
from streamwhisper.phrasing.edits import Edit
from streamwhisper.phrasing.phrases import PhraseOptions, Phrases
from tests.support.desktop import TextBox, screen, text_box, until

on_x11 = pytest.mark.skipif(sys.platform != "linux", reason="X11 is tested on Linux")


class Rest:
    """A sink that keeps what comes."""

    def __init__(self) -> None:
        self.text = ""

    def edit(self, edit: Edit) -> None:
        self.text = self.text[: len(self.text) - edit.erase] + edit.text

    def guess(self, text: str) -> None: ...

    def end(self) -> None:
        self.text += "|"

    def close(self) -> None: ...


@given(st.text(max_size=20), st.text(max_size=20))
def test_a_revision_turns_one_text_into_the_other_and_keeps_what_they_begin_with(shown, wanted):
    change = revision(shown, wanted)
    kept = shown[: len(shown) - change.erase]
    assert kept + change.text == wanted
    assert not change.erase or shown[len(kept)] != change.text[:1]  # no more than is needed


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    with screen() as name:
        yield name


@pytest.fixture
def box(display: str, tmp_path: Path) -> Iterator[TextBox]:
    with text_box(display, tmp_path / "first") as window:
        yield window


class Typist:
    """A sink, and all that it says and leaves to the terminal."""

    def __init__(self, display: str, *, progressive: bool = False) -> None:
        self.rest = Rest()
        self.notices: list[str] = []
        keyboard = choose_keyboard({"DISPLAY": display})
        self.sink = TypingSink(keyboard, self.rest, self.notices.append, progressive=progressive)

    def __enter__(self) -> Typist:
        return self

    def __exit__(self, *_: object) -> None:
        self.sink.close()


@pytest.fixture
def typist(box: TextBox, display: str) -> Iterator[Typist]:
    with Typist(display) as it:
        yield it


def assert_typed(box: TextBox, text: str) -> None:
    until(lambda: box.text == text or None, f"typed {text!r}")


@on_x11
def test_committed_text_is_typed_and_guesses_are_not(box, typist):
    typist.sink.guess(" hello wold")
    typist.sink.edit(Edit(0, " hello"))
    typist.sink.edit(Edit(0, " world"))
    typist.sink.end()
    typist.sink.guess(" and then")
    typist.sink.edit(Edit(0, " again.\nBye."))
    assert_typed(box, "hello world again.\nBye.")
    assert not typist.notices


@on_x11
def test_what_is_taken_back_is_erased_but_never_more_than_was_typed(box, typist):
    box.x("type", "--delay", "20", "mine ")
    typist.sink.edit(Edit(0, "One two."))
    typist.sink.end()
    typist.sink.edit(Edit(4, "three."))
    assert_typed(box, "mine One three.")
    typist.sink.edit(Edit(500, "Anew."))
    assert_typed(box, "mine Anew.")
    assert typist.notices == ["cannot erase text that was not typed into this window"]


@on_x11
def test_spoken_commands_change_what_is_typed_as_it_was_committed(box, typist):
    phrases = Phrases(PhraseOptions())

    def say(*pieces: str) -> None:
        for piece in pieces:
            for edit in phrases.apply(piece):
                typist.sink.edit(edit)
        for edit in phrases.end():
            typist.sink.edit(edit)
        typist.sink.end()

    say(" Keep this,", " new", " line", " and this.")
    kept = "Keep this\nAnd this."
    assert_typed(box, kept)
    say(" Forget that one.")
    assert_typed(box, f"{kept} Forget that one.")
    say(" Scratch", " that.")
    assert_typed(box, kept)
    assert not typist.notices


@on_x11
def test_another_window_gets_nothing_of_an_utterance_that_is_under_way(box, typist, tmp_path):
    typist.sink.edit(Edit(0, "The first half"))
    with text_box(box.display, tmp_path / "other") as other:
        typist.sink.edit(Edit(0, " and the rest,"))
        typist.sink.edit(Edit(0, " all of it."))
        typist.sink.end()
        assert typist.rest.text == " and the rest, all of it.|"
        assert typist.notices == [
            "another window has the focus; the rest of this utterance is not typed"
        ]
        typist.sink.edit(Edit(0, " A new one."))  # belongs to the window it begins in
        typist.sink.end()
        assert_typed(other, "A new one.")
        typist.sink.edit(Edit(20, ""))  # and cannot reach back into the first
        assert_typed(other, "")
    assert_typed(box, "The first half")


@on_x11
def test_progressive_typing_corrects_what_it_guessed(box, display):
    with Typist(display, progressive=True) as typist:
        typist.sink.guess(" recognise beach")
        assert_typed(box, "recognise beach")
        typist.sink.guess(" wreck a nice speech")
        assert_typed(box, "wreck a nice speech")
        typist.sink.edit(Edit(0, " Recognize"))
        assert_typed(box, "Recognize")
        typist.sink.guess(" speech to")
        typist.sink.edit(Edit(0, " speech"))
        assert_typed(box, "Recognize speech to")
        typist.sink.end()
        assert_typed(box, "Recognize speech")


@on_x11
def test_a_guess_of_any_length_is_taken_back_in_bounds(box, display):
    with Typist(display, progressive=True) as typist:
        typist.sink.guess(" word" * 100)
        typist.sink.edit(Edit(0, " Short."))
        typist.sink.end()
        assert_typed(box, "Short.")


@on_x11
def test_text_goes_to_the_rest_when_the_desktop_ends(tmp_path):
    rest, notices = Rest(), []
    with screen() as display, text_box(display, tmp_path / "box") as box:
        sink = TypingSink(choose_keyboard({"DISPLAY": display}), rest, notices.append)
        sink.edit(Edit(0, "typed"))
        assert_typed(box, "typed")
    sink.edit(Edit(0, " and shown"))
    sink.end()
    sink.edit(Edit(0, " to the end"))
    sink.close()
    assert rest.text == " and shown| to the end|"
    assert all("closed the connection" in notice for notice in notices)
