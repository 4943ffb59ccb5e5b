"""The clipboard of a real screen."""

from __future__ import annotations

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
    assert clipboard.get() is None
    notices: list[str] = []
    sink = ClipboardSink(clipboard, notices.append)
    for text in ("First é.", "Second 日本語 “x”."):
        sink.edit(Edit(0, text))
        sink.end()
        assert clipboard.get() == clipboard.of(text)
    assert not notices


def test_it_is_restored_where_pasting_fails(clipboard):
    clipboard.put(clipboard.of("before"))

    def fail() -> None:
        assert clipboard.get() == clipboard.of("new")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        pasted(clipboard, "new", fail)
    assert clipboard.get() == clipboard.of("before")


def test_an_utterance_that_finds_no_clipboard_is_told():
    notices: list[str] = []
    sink = ClipboardSink(Clipboard(("/no/tool",), ("/no/tool",)), notices.append)
    sink.edit(Edit(0, "Hello."))
    sink.close()
    assert "/no/tool failed" in notices[0]
    assert notices[0].endswith("the text was: Hello.")


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "neither DISPLAY nor WAYLAND_DISPLAY"),
        ({"DISPLAY": ":1"}, "install xclip"),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "install wl-clipboard"),
    ],
)
def test_without_a_tool_it_is_said_what_to_install(environment, said, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClipboardError, match=said):
        choose_clipboard(environment)
