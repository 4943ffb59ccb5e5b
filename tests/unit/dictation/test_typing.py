"""Typing into windows that take turns, and text that must press no keys."""

from __future__ import annotations

from streamwhisper.dictation import typing
from streamwhisper.dictation.keyboards import KeyboardError
from streamwhisper.dictation.typing import TypingSink
from streamwhisper.phrasing.edits import Edit


class Desk:
    """A keyboard with windows, and a sink for what is not typed."""

    name = "desk"

    def __init__(self) -> None:
        self.windows: dict[str, str] = {}
        self.focused = "A"
        self.room = 1000  # characters until the keyboard fails
        self.rest = ""
        self.notices: list[str] = []
        self.sink = TypingSink(self, self, self.notices.append)

    def say(self, window: str, *texts: str) -> None:
        self.focused = window
        for text in texts:
            self.sink.edit(Edit(0, text))
        self.sink.end()

    def focus(self) -> str:
        return self.focused

    def type(self, text: str, window: str | None) -> int:
        if self.focused != window:
            return 0
        typed, self.room = text[: self.room], self.room - len(text)
        self.windows[self.focused] = self.windows.get(self.focused, "") + typed
        return len(typed)

    def erase(self, count: int, window: str | None) -> int:
        held = self.windows[self.focused]
        self.windows[self.focused] = held[: len(held) - count]
        return count

    def probe(self) -> None: ...

    def paste(self) -> None: ...

    def close(self) -> None: ...

    def guess(self, text: str) -> None: ...

    def end(self) -> None: ...

    def edit(self, edit: Edit) -> None:
        self.rest += edit.text


def test_a_space_separates_dictations_into_a_window_that_was_left_meanwhile():
    desk = Desk()
    for window, text in (("A", " First."), ("B", " Second."), ("A", " Third."), ("B", " Last.")):
        desk.say(window, text)
    assert desk.windows == {"A": "First. Third.", "B": "Second. Last."}


def test_behind_a_new_line_and_in_a_window_that_was_emptied_there_is_no_space():
    desk = Desk()
    desk.say("A", " List:", "\n")
    desk.say("B", " Off.")
    desk.sink.edit(Edit(4, ""))
    desk.sink.end()
    desk.say("A", " item")
    desk.say("B", " Anew.")
    assert desk.windows == {"A": "List:\nitem", "B": "Anew."}


def test_what_was_typed_before_a_window_was_left_is_not_erased():
    desk = Desk()
    desk.say("A", " Keep.")
    desk.say("B", " Other.")
    desk.focused = "A"
    desk.sink.edit(Edit(7, ""))
    assert desk.windows["A"] == "Keep."
    assert desk.notices == ["cannot erase text that was not typed into this window"]


def test_a_window_that_lost_the_focus_amid_an_utterance_is_remembered():
    desk = Desk()
    desk.room = 3
    desk.say("A", " Stopped.")
    desk.room = 1000
    desk.say("A", " Again.")
    assert (desk.windows["A"], desk.rest) == ("Sto Again.", "pped.")


def test_so_many_windows_are_remembered_and_no_more(monkeypatch):
    monkeypatch.setattr(typing, "_WINDOWS", 3)
    desk = Desk()
    for window in "ABCDE":
        desk.say(window, " One.")
    for window in "EDA":
        desk.say(window, " Two.")
    assert [desk.windows[window] for window in "EDA"] == ["One. Two.", "One. Two.", "One.Two."]


def test_control_characters_press_no_keys_but_those_of_spoken_commands():
    desk = Desk()
    desk.say("A", " rm\x1b[A\x03\x08 -rf", "\n", "\tx\r")
    assert desk.windows["A"] == "rm[A -rf\n\tx "


def test_a_keyboard_that_tells_no_window_goes_on_after_a_failure():
    class Blind(Desk):
        failing = False

        def focus(self) -> str | None:  # type: ignore[override]
            return None

        def type(self, text: str, window: str | None) -> int:
            if self.failing:
                raise KeyboardError("no keyboard")
            self.windows["A"] = self.windows.get("A", "") + text
            return len(text)

    desk = Blind()
    desk.say("A", " One.")
    desk.failing = True
    desk.say("A", " Two.")
    desk.failing = False
    desk.say("A", " Three.")
    assert (desk.windows["A"], desk.rest) == ("One. Three.", " Two.")
