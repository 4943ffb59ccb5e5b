"""Text that is pasted into real programs, each with the keys that it takes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamwhisper.dictation.clipboard import choose_clipboard
from streamwhisper.dictation.keyboards import Keyboard, PasteKeys, choose_keyboard
from tests.support.desktop import TextBox, need, screen, text_box, until

TEXT = "Fluß «déjà» 日本 zyv"
LAYOUTS = [["us"], ["ru"], ["us", "-variant", "dvorak"]]


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    need("xclip", "xterm")
    with screen() as name:
        yield name


@pytest.fixture
def here(display: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    yield display
    subprocess.run(["setxkbmap", "us"], check=True)


@pytest.fixture
def terminal(here: str, tmp_path: Path) -> Iterator[TextBox]:
    """An xterm that writes what it receives to a file."""
    file = tmp_path / "received"
    program = f"stty -icanon -echo; exec cat > {file}"
    utf8 = {**os.environ, "LC_ALL": "C.UTF-8"}
    with subprocess.Popen(["xterm", "-e", "sh", "-c", program], env=utf8) as xterm:
        box = TextBox(file, here)
        try:
            until(file.exists, "the terminal is open")
            search = ("search", "--onlyvisible", "--class", "xterm")
            box.window = until(lambda: box.x(*search, check=False), "it has a window")
            box.focus()
            yield box
        finally:
            xterm.terminate()


def pasting(keys: PasteKeys = "auto") -> Keyboard:
    return choose_keyboard(os.environ, paste=True, paste_keys=keys)


def assert_received(box: TextBox, text: str) -> None:
    until(lambda: box.text == text or None, f"pasted {text!r}")


@pytest.mark.parametrize("layout", LAYOUTS, ids=" ".join)
def test_text_is_pasted_into_a_terminal_and_a_text_box_whatever_the_layout(
    terminal, tmp_path, layout
):
    subprocess.run(["setxkbmap", *layout], check=True)
    clipboard = choose_clipboard(os.environ)
    before = clipboard.of("copied before")
    clipboard.put(before)
    keyboard = pasting()
    assert keyboard.window_class() == "XTerm"
    assert keyboard.type(TEXT, keyboard.focus()) == len(TEXT)
    assert_received(terminal, TEXT)
    with text_box(terminal.display, tmp_path / "box") as box:
        assert keyboard.window_class() not in ("", "XTerm")
        assert keyboard.type(TEXT, keyboard.focus()) == len(TEXT)
        assert_received(box, TEXT)
    assert clipboard.get() == before
    keyboard.close()


def test_keys_that_are_set_are_pressed_in_every_window(terminal):
    keyboard = pasting("ctrl+v")
    keyboard.type(TEXT, keyboard.focus())
    assert_received(terminal, "\x16")  # which a terminal takes for another command
    keyboard.close()
