"""Tools that are installed but do not work here are not chosen, and it is said why."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from streamwhisper.dictation import tools
from streamwhisper.dictation.clipboard import ClipboardError, choose_clipboard
from streamwhisper.dictation.doctor import Wanted, examine
from streamwhisper.dictation.keyboards import KeyboardError, choose_keyboard, find_keyboard

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="tools of Linux desktops")

KDE = {"WAYLAND_DISPLAY": "wayland-0", "XDG_CURRENT_DESKTOP": "KDE"}
GNOME = {"WAYLAND_DISPLAY": "wayland-0", "XDG_CURRENT_DESKTOP": "ubuntu:GNOME"}
OTHER = {"WAYLAND_DISPLAY": "wayland-0"}
NO_PROTOCOL = "echo 'Compositor does not support the virtual keyboard protocol' >&2; exit 1"
NO_DAEMON = """
echo "failed to connect socket \\`/run/.ydotool_socket': Connection refused"
echo "Please check if ydotoold is running."
exit 2
"""
OLD = 'case "$*" in *--help*) echo "Usage: key <key sequence> ..." >&2; exit 1;; esac; exit 0'
WORKS = "exit 0"

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Make these the only tools: shell scripts by name. Their calls are logged to a file."""
    log = tmp_path / "calls"

    def install(**scripts: str) -> Path:
        for name, script in scripts.items():
            tool = tmp_path / "bin" / name.replace("_", "-")
            tool.parent.mkdir(exist_ok=True)
            tool.write_text(f'#!/bin/sh\necho "{tool.name} $*" >> {log}\n{script}\n')
            tool.chmod(0o755)
        return log

    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return install


def test_the_next_tool_is_chosen_where_the_compositor_lacks_the_protocol(install):
    log = install(wtype=NO_PROTOCOL, ydotool=WORKS, wl_copy=WORKS, wl_paste=WORKS)
    found = find_keyboard(KDE)
    assert found.keyboard.name == "ydotool and wl-copy"
    assert found.rejected == [
        "wtype cannot type here (Compositor does not support the virtual keyboard protocol)"
    ]
    assert "ydotool key --help" in log.read_text()  # which presses nothing


@pytest.mark.parametrize(
    ("environment", "scripts", "advice"),
    [
        (
            KDE,
            {"wtype": NO_PROTOCOL, "ydotool": NO_DAEMON},
            "on KDE, install ydotool (with its daemon",
        ),
        (GNOME, {}, "on GNOME, install ydotool (with its daemon"),
        (OTHER, {"wtype": NO_PROTOCOL}, "on this desktop, install ydotool"),
        (OTHER, {}, "install wtype (Sway, Hyprland and others"),
    ],
)
def test_without_a_tool_that_works_every_reason_is_told(install, environment, scripts, advice):
    install(**scripts)
    with pytest.raises(KeyboardError) as error:
        choose_keyboard(environment)
    reasons, _, told = str(error.value).partition("; ")
    assert told.startswith(advice)
    assert "wtype" not in told or environment == OTHER
    for name in ("wtype", "ydotool"):
        script = scripts.get(name, "")
        expected = {NO_PROTOCOL: "does not support", NO_DAEMON: "check if ydotoold is running"}
        assert expected.get(script, f"{name} is not installed") in reasons


def test_a_keyboard_that_must_paste_needs_a_clipboard(install):
    install(ydotool=WORKS)
    with pytest.raises(KeyboardError, match="wl-copy is not installed; install wl-clipboard"):
        choose_keyboard(GNOME)


def test_the_doctor_shows_what_works_and_what_does_not(install):
    install(wtype=NO_PROTOCOL, ydotool=NO_DAEMON)
    found = {each.what: each for each in examine(Wanted(to="type"), None, KDE)}
    assert not found["typing"].fine
    assert "check if ydotoold is running" in found["typing"].seen
    assert found["typing"].advice.startswith("on KDE, install ydotool")
    install(ydotool=WORKS, wl_copy=WORKS, wl_paste=WORKS)
    found = {each.what: each for each in examine(Wanted(to="clipboard"), None, KDE)}
    assert found["typing"].fine
    assert found["typing"].seen.startswith("by ydotool and wl-copy (wtype cannot type here")
    assert (found["clipboard"].fine, found["clipboard"].seen) == (True, "by wl-copy")
    install(wl_paste="echo 'Failed to connect to a Wayland server' >&2; exit 1")
    found = {each.what: each for each in examine(Wanted(to="clipboard"), None, KDE)}
    assert not found["clipboard"].fine
    assert "Failed to connect" in found["clipboard"].seen
    assert not found["typing"].fine


def test_ydotool_before_1_0_is_told_keys_by_name(install):
    log = install(wtype=NO_PROTOCOL, ydotool=OLD, wl_copy=WORKS, wl_paste=WORKS)
    keyboard = choose_keyboard(GNOME)
    keyboard.paste("shift+insert")
    keyboard.erase(3, None)
    assert log.read_text().splitlines()[-2:] == [
        "ydotool key shift+insert",
        "ydotool key --repeat 3 backspace",
    ]


def test_ydotool_is_told_keys_by_code(install):
    log = install(wtype=NO_PROTOCOL, ydotool=WORKS, wl_copy=WORKS, wl_paste=WORKS)
    keyboard = choose_keyboard(GNOME)
    for keys in ("shift+insert", "ctrl+shift+v"):
        keyboard.paste(keys)
    keyboard.erase(2, None)
    assert log.read_text().splitlines()[-3:] == [
        "ydotool key 42:1 110:1 110:0 42:0",
        "ydotool key 29:1 42:1 47:1 47:0 42:0 29:0",
        "ydotool key 14:1 14:0 14:1 14:0",
    ]


@pytest.mark.parametrize("answer", [WORKS, "exit 1", "echo nonsense", "echo '[]'"])
def test_a_desktop_that_does_not_report_its_windows_is_typed_into(install, answer):
    install(wtype=WORKS, hyprctl=answer, swaymsg=answer)
    for name in ("SWAYSOCK", "HYPRLAND_INSTANCE_SIGNATURE"):
        keyboard = choose_keyboard({**OTHER, name: "there"})
        assert keyboard.focus() is None
        assert keyboard.type("text", None) == 4


def test_hyprland_tells_the_focused_window_and_its_class(install):
    window = '{"address": "0x55", "class": "kitty"}'
    install(wtype=WORKS, hyprctl=f"echo '{window}'")
    keyboard = choose_keyboard({**OTHER, "HYPRLAND_INSTANCE_SIGNATURE": "there"})
    assert (keyboard.focus(), keyboard.window_class()) == ("0x55", "kitty")


def test_the_clipboard_falls_back_to_the_next_tool(install):
    install(xclip='echo "Error: Can\'t open display" >&2; exit 1', xsel=WORKS)
    assert choose_clipboard({"DISPLAY": ":0"}).name == "xsel"
    install(xsel="exit 1")
    with pytest.raises(
        ClipboardError, match=r"xclip .*\(Error: Can't open display\), xsel .*1\); "
    ):
        choose_clipboard({"DISPLAY": ":0"})


def test_an_empty_clipboard_is_no_failure(install):
    install(xclip="echo 'Error: target TARGETS not available' >&2; exit 1")
    assert choose_clipboard({"DISPLAY": ":0"}).name == "xclip"


def test_a_tool_that_cannot_hide_text_from_clipboard_managers_sets_it_all_the_same(install):
    old = 'case "$*" in *--sensitive*) exit 1;; esac'
    log = install(wl_copy=old, wl_paste='case "$*" in *--list*) echo text/plain;; esac; printf new')
    clipboard = choose_clipboard(OTHER)
    clipboard.put({"text/plain": b"new"}, transient=True)
    calls = [line for line in log.read_text().splitlines() if "wl-copy --type" in line]
    assert calls == ["wl-copy --type text/plain --sensitive", "wl-copy --type text/plain"]
    install(wl_copy=WORKS)
    clipboard.put({"text/plain": b"new"}, transient=True)
    calls = [line for line in log.read_text().splitlines() if "wl-copy --type" in line]
    assert calls[2:] == ["wl-copy --type text/plain --sensitive"]


def test_a_tool_that_hangs_is_given_up(install, monkeypatch):
    install(wtype="/bin/sleep 60", ydotool="/bin/sleep 60")
    run = tools.run_tool
    monkeypatch.setattr(
        "streamwhisper.dictation.keyboards.wayland.run_tool",
        lambda command, data=b"", **_: run(command, data, timeout=0.3),
    )
    with pytest.raises(KeyboardError, match=r"wtype did not end within 0.3 s, ydotool did not"):
        choose_keyboard(OTHER)
