"""Which keys paste in which program, and the keyboards of Windows on a double."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import pytest

from streamwhisper.dictation.keyboards import KeyboardError, windows
from streamwhisper.dictation.keyboards.paste_keys import paste_keys_for
from streamwhisper.dictation.keyboards.windows import WindowsKeyboard

TERMINALS = [
    "XTerm", "UXTerm", "URxvt", "st-256color", "Alacritty", "kitty", "foot", "Gnome-terminal",
    "org.gnome.Console", "org.gnome.Ptyxis", "org.kde.konsole", "Xfce4-terminal", "Terminator",
    "org.wezfurlong.wezterm", "com.mitchellh.ghostty", "Tilix", "QTerminal", "mintty", "Emacs",
]  # fmt: skip


@pytest.mark.parametrize("name", TERMINALS)
def test_terminals_paste_with_shift_and_insert(name):
    assert paste_keys_for(name) == "shift+insert"


@pytest.mark.parametrize("name", ["firefox", "Gedit", "libreoffice-writer", "Code", "Slack", ""])
def test_other_programs_paste_with_control_and_v(name):
    assert paste_keys_for(name) == "ctrl+v"


def test_a_window_of_unknown_class_is_pasted_into_with_the_keys_that_most_programs_know():
    assert paste_keys_for(None) == "shift+insert"


class User32:
    """user32 with a foreground window."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, int]] = []
        self.desktop = 7
        for name, call in (
            ("GetForegroundWindow", lambda: 0x55),
            ("OpenInputDesktop", lambda *_: self.desktop),
            ("CloseDesktop", lambda _: 1),
            ("GetClassNameW", self._class),
            ("SendInput", self._send),
        ):
            setattr(self, name, self._function(call))

    @staticmethod
    def _function(call: Any) -> Any:
        def function(*arguments: Any) -> Any:
            return call(*arguments)

        return function

    def _class(self, _: int, name: Any, __: int) -> int:
        name.value = "mintty"
        return 6

    def _send(self, count: int, inputs: Any, _: int) -> int:
        self.sent += [(each.of.key.key, each.of.key.flags) for each in inputs[:count]]
        return count


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> User32:
    double = User32()
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(user32=double), raising=False)
    monkeypatch.setattr(windows, "PASTE_SECONDS", 0.0)
    return double


def test_windows_is_told_the_insert_key_and_not_that_of_the_number_pad(system):
    keyboard = WindowsKeyboard()
    assert keyboard.window_class() == "mintty"
    keyboard.paste("shift+insert")
    assert system.sent == [(0x10, 0), (0x2D, 1), (0x2D, 1 | 2), (0x10, 2)]
    system.sent.clear()
    keyboard.paste("ctrl+v")
    assert system.sent == [(0x11, 0), (0x56, 0), (0x56, 2), (0x11, 2)]


def test_windows_without_a_desktop_is_not_typed_into(system):
    keyboard = WindowsKeyboard()
    keyboard.probe()
    system.desktop = 0
    with pytest.raises(KeyboardError, match="no desktop to type into; run the command in the"):
        keyboard.probe()
