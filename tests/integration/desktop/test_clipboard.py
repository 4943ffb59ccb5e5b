"""The clipboard of a real screen."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from streamwhisper.dictation.clipboard import (
    Clipboard,
    ClipboardError,
    ClipboardSink,
    choose_clipboard,
    pasted,
)
from streamwhisper.dictation.clipboard.tools import Commands, ToolClipboard
from streamwhisper.phrasing.edits import Edit
from tests.support.desktop import need, screen


@pytest.fixture
def clipboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clipboard]:
    if sys.platform != "linux":
        pytest.skip("X11 is tested on Linux")
    need("xclip")
    with screen() as display:
        monkeypatch.setenv("DISPLAY", display)
        yield choose_clipboard({"DISPLAY": display})


def test_it_holds_the_last_utterance_and_nothing_at_first(clipboard):
    assert clipboard.get() == {}
    notices: list[str] = []
    sink = ClipboardSink(clipboard, notices.append)
    for text in ("First é.", "Second 日本語 “x”."):
        sink.edit(Edit(0, text))
        sink.end()
        assert clipboard.get() == clipboard.of(text)
    assert not notices


RICH = {
    "text/html": b"<b>before</b>",
    "text/plain;charset=utf-8": b"before",
    "text/uri-list": b"file:///a%20file\r\n",
    "x-special/gnome-copied-files": b"copy\nfile:///a%20file",
    "image/png": bytes(range(256)) * 3000,  # more than fits into one X request
}


@pytest.mark.parametrize("primary", [False, True])
def test_all_types_are_restored_after_pasting_and_an_empty_one_is_empty_again(clipboard, primary):
    held = []
    for before in (RICH, {}):
        clipboard.put(before)
        pasted(clipboard, "new é", lambda: held.append(clipboard.get()), primary=primary)
        assert clipboard.get() == before
        assert clipboard.primary.get() == {}
    for contents in held:
        assert contents["UTF8_STRING"] == "new é".encode()
        assert contents["x-kde-passwordManagerHint"] == b"secret"


def test_both_selections_hold_the_text_for_a_terminal(clipboard):
    clipboard.primary.put(clipboard.of("selected"))
    seen = []
    pasted(clipboard, "new", lambda: seen.append(clipboard.primary.get()), primary=True)
    assert seen[0]["UTF8_STRING"] == b"new"
    assert clipboard.primary.get() == clipboard.of("selected")


def test_what_the_user_copies_while_text_is_pasted_stays(clipboard):
    clipboard.put(clipboard.of("before"))
    pasted(clipboard, "new", lambda: clipboard.put(clipboard.of("copied by the user")))
    assert clipboard.get() == clipboard.of("copied by the user")


def test_it_is_kept_after_the_program_that_set_it_has_ended(clipboard):
    command = "from streamwhisper.dictation.clipboard.tools import xclip; xclip().put({})"
    contents = {type: data for type, data in RICH.items() if len(data) < 1000}
    subprocess.run([sys.executable, "-c", command.format(contents)], check=True)
    assert clipboard.get() == contents


def test_without_a_program_that_owns_it_one_type_is_set_and_restored(clipboard):
    clipboard.owner = ()
    clipboard.put(clipboard.of("before"))
    pasted(clipboard, "new", lambda: None)
    assert set(clipboard.get().values()) == {b"before"}


def test_it_is_restored_where_pasting_fails(clipboard):
    clipboard.put(clipboard.of("before"))

    def fail() -> None:
        assert clipboard.get()["UTF8_STRING"] == b"new"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        pasted(clipboard, "new", fail)
    assert clipboard.get() == clipboard.of("before")


def test_an_utterance_that_finds_no_clipboard_is_told():
    notices: list[str] = []
    tool = ToolClipboard(Commands(("/no/tool",), ("/no/tool",)))
    sink = ClipboardSink(tool, notices.append)
    sink.edit(Edit(0, "Hello."))
    sink.close()
    assert "tool is not installed" in notices[0]
    assert notices[0].endswith("the text was: Hello.")


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "neither DISPLAY nor WAYLAND_DISPLAY"),
        ({"DISPLAY": ":1"}, "xclip is not installed, xsel is not installed; install xclip"),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "wl-copy is not installed; install wl-clipboard"),
    ],
)
def test_without_a_tool_it_is_said_what_to_install(environment, said, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClipboardError, match=said):
        choose_clipboard(environment)


def test_a_tool_that_cannot_reach_the_screen_is_not_chosen(monkeypatch):
    need("xclip")
    monkeypatch.setenv("DISPLAY", ":986")
    with pytest.raises(
        ClipboardError, match=r"xclip does not work here \(.*open display.*\), xsel "
    ):
        choose_clipboard({"DISPLAY": ":986"})
