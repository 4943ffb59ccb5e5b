"""Keys that are pressed on a real screen, read back from a real window."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamwhisper.dictation.clipboard import choose_clipboard
from streamwhisper.dictation.keyboards import KeyboardError, choose_keyboard
from tests.support.desktop import TextBox, need, screen, text_box, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="X11 is tested on Linux")
EVERY_SIGN = (
    "Der Fluß, «déjà vu» – naïve café, ÀÉÎÕÜ.\n"
    "“Quotes” 'single' \"double\" „x“ @#$%^&*(){}[]\\|~`<>?;:\n"
    "日本語のテキスト、漢字。한국어 中文，你好！Привет мир. Ω≈ç√ 😀 zZyY"
)
SIGNS = "Zyx «déjà» ÀÉ, “a” 'b' \"c\" @#^*({[\\|~`<?;:\n日本한你Жизнь 😀!"
LAYOUTS = [
    ["us"],
    ["de"],
    ["fr"],
    ["ru"],
    ["-layout", "us,ru", "-option", "grp:caps_toggle"],
]


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    with screen() as name:
        yield name


@pytest.fixture
def box(display: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TextBox]:
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with text_box(display, tmp_path / "typed") as window:
        yield window
        subprocess.run(["setxkbmap", "-option", "", "us"], check=True)


def assert_typed(box: TextBox, text: str) -> None:
    until(lambda: box.text == text or None, f"typed {text!r}, but there is {box.text!r}")


@pytest.mark.parametrize("layout", LAYOUTS, ids=" ".join)
def test_every_sign_is_typed_right_whatever_the_layout(box, layout):
    subprocess.run(["setxkbmap", *layout], check=True)
    if "-option" in layout:
        box.x("key", "ISO_Next_Group")
    keyboard = choose_keyboard(os.environ)
    keyboard.type(SIGNS, keyboard.focus())
    assert_typed(box, SIGNS)
    keyboard.erase(len(SIGNS) - 3, keyboard.focus())
    assert_typed(box, SIGNS[:3])
    keyboard.close()


def test_more_signs_than_there_are_free_keys_are_typed_right(box):
    keyboard = choose_keyboard(os.environ)
    keyboard.type(EVERY_SIGN, keyboard.focus())
    assert_typed(box, EVERY_SIGN)
    keyboard.close()


def test_caps_lock_changes_nothing_and_stays(box):
    keyboard = choose_keyboard(os.environ)
    box.x("key", "Caps_Lock")
    keyboard.type("Small and LARGE, é and É", keyboard.focus())
    box.x("type", "--delay", "20", "x")
    assert_typed(box, "Small and LARGE, é and ÉX")
    box.x("key", "Caps_Lock")
    keyboard.close()


def test_a_layout_that_changes_meanwhile_changes_nothing(box):
    keyboard = choose_keyboard(os.environ)
    keyboard.type("zyé", keyboard.focus())
    subprocess.run(["setxkbmap", "de"], check=True)
    keyboard.type("zyÉ", keyboard.focus())
    assert_typed(box, "zyézyÉ")
    keyboard.close()


def test_afterwards_the_layout_is_as_it_was(box):
    def layout() -> str:
        return subprocess.run(["xkbcomp", box.display, "-"], capture_output=True, text=True).stdout

    before = layout()
    keyboard = choose_keyboard(os.environ)
    keyboard.type("日本語É", keyboard.focus())
    assert_typed(box, "日本語É")
    keyboard.close()
    assert layout() == before


def test_while_a_key_is_held_nothing_is_typed(box):
    keyboard = choose_keyboard(os.environ)
    box.x("keydown", "Control_L")
    typing = threading.Thread(target=keyboard.type, args=("word", keyboard.focus()))
    typing.start()
    typing.join(0.5)
    assert (typing.is_alive(), box.text) == (True, "")
    box.x("keyup", "Control_L")
    typing.join(5)
    assert_typed(box, "word")
    keyboard.close()


def test_pasting_types_the_same_and_restores_the_clipboard(box):
    need("xclip")
    clipboard = choose_clipboard(os.environ)
    keyboard = choose_keyboard(os.environ, paste=True)
    for before in (clipboard.of("what was copied: é"), {"image/png": b"\x89PNG\r\n\x00"}, {}):
        clipboard.put(before)
        keyboard.type(EVERY_SIGN, keyboard.focus())
        assert_typed(box, EVERY_SIGN)
        assert clipboard.get() == before
        keyboard.erase(len(EVERY_SIGN), keyboard.focus())
        assert_typed(box, "")
    keyboard.close()


def test_the_focus_is_told(box, tmp_path):
    keyboard = choose_keyboard(os.environ)
    first = keyboard.focus()
    with text_box(box.display, tmp_path / "other"):
        assert keyboard.focus() != first
    box.focus()
    assert keyboard.focus() == first
    keyboard.close()


# python-xlib leaves sockets to the collector that could not connect.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "neither DISPLAY nor WAYLAND_DISPLAY"),
        ({"DISPLAY": ":987"}, "cannot connect to the X display"),
        ({"WAYLAND_DISPLAY": "wayland-9"}, "install wtype"),
    ],
)
def test_without_a_way_to_type_it_is_said_what_to_do(environment, said, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KeyboardError, match=said):
        choose_keyboard(environment)
