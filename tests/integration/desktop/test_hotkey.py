"""Keys that are heard whichever window has the focus."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from streamwhisper.dictation.hotkeys import (
    Chord,
    Hotkey,
    HotkeyError,
    NoHotkeysError,
    listen_for,
)
from tests.support.desktop import TextBox, screen, text_box, until

on_x11 = pytest.mark.skipif(sys.platform != "linux", reason="X11 is tested on Linux")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("ctrl+alt+space", "ctrl+alt+space"),
        ("<Alt>+<Ctrl>+<Space>", "ctrl+alt+space"),
        ("Super+D", "cmd+d"),
        ("F9", "f9"),
    ],
)
def test_a_hotkey_is_read_and_written(text, written):
    assert str(Hotkey.parse(text)) == written


@pytest.mark.parametrize("text", ["", "ctrl+", "ctrl", "a+b", "hyper+a", "+"])
def test_what_is_no_hotkey_says_what_is(text):
    with pytest.raises(HotkeyError, match=r"e\.g\. ctrl\+alt\+space or f9"):
        Hotkey.parse(text)


def test_a_chord_is_down_while_all_its_keys_are():
    told: list[str] = []
    chord = Chord(frozenset("ab"), lambda: told.append("down"), lambda: told.append("up"))
    for key in "abbca":  # keys repeat while they are held
        chord.press(key)
    chord.release("c")
    assert told == ["down"]
    chord.release("a")
    chord.release("b")
    chord.press("b")
    assert told == ["down", "up"]
    chord.press("a")
    assert told == ["down", "up", "down"]


@pytest.mark.parametrize(
    ("environment", "said"),
    [({"WAYLAND_DISPLAY": "wayland-0"}, "streamwhisper mic toggle"), ({}, "DISPLAY is not set")],
)
def test_a_desktop_without_hotkeys_says_what_to_do(environment, said):
    with pytest.raises(NoHotkeysError, match=said):
        listen_for(Hotkey.parse("f9"), environment, print, print)


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TextBox]:
    folder = tmp_path_factory.mktemp("window")
    with screen() as display, text_box(display, folder / "text") as window:
        yield window


@on_x11
@pytest.mark.parametrize("keys", ["ctrl+alt+space", "f9", "é", "ctrl+1"])
def test_a_press_is_heard_once_however_long_it_lasts(box, keys):
    if keys == "é":
        with pytest.raises(HotkeyError, match="has no key 'é'"):
            listen_for(Hotkey.parse(keys), {"DISPLAY": box.display}, print, print)
        return
    told: list[str] = []
    listener = listen_for(
        Hotkey.parse(keys),
        {"DISPLAY": box.display},
        lambda: told.append("down"),
        lambda: told.append("up"),
    )
    names = [name.capitalize() if name[0] == "f" else name for name in keys.split("+")]
    for _ in range(2):
        told.clear()
        box.x("keydown", *names)
        until(lambda: told, "the press is heard")
        box.x("sleep", "0.9")  # it repeats
        assert told == ["down"]
        box.x("keyup", *names)
        until(lambda: told == ["down", "up"], "the release is heard")
    listener.close()
    assert box.text == ""  # the window heard nothing of it


@on_x11
def test_caps_lock_and_num_lock_do_not_matter(box):
    told: list[str] = []
    key = Hotkey.parse("f8")
    listener = listen_for(key, {"DISPLAY": box.display}, lambda: told.append("down"), lambda: None)
    box.x("key", "Caps_Lock", "Num_Lock", "F8")
    until(lambda: told == ["down"], "the press is heard")
    box.x("key", "Caps_Lock", "Num_Lock")
    listener.close()


@on_x11
def test_a_hotkey_that_another_program_has_is_refused(box):
    environment, key = {"DISPLAY": box.display}, Hotkey.parse("ctrl+f7")
    listener = listen_for(key, environment, print, print)
    with pytest.raises(HotkeyError, match=r"another program has the hotkey ctrl\+f7"):
        listen_for(key, environment, print, print)
    listener.close()
    listen_for(key, environment, print, print).close()
