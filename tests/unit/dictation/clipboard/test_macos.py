"""The clipboard of macOS, on a double of AppKit; it has not run on macOS itself."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from streamwhisper.dictation.clipboard import ClipboardError, choose_clipboard, pasted
from streamwhisper.dictation.clipboard.macos import MacClipboard


class Pasteboard:
    """The general pasteboard."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}

    def types(self) -> list[str] | None:
        return list(self.content) or None

    def dataForType_(self, type: str) -> bytes:
        return self.content[type]

    def setData_forType_(self, data: bytes, type: str) -> bool:
        self.content[type] = data
        return True

    def clearContents(self) -> None:
        self.content.clear()


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Pasteboard:
    double = Pasteboard()
    general = SimpleNamespace(generalPasteboard=lambda: double)
    monkeypatch.setitem(sys.modules, "AppKit", SimpleNamespace(NSPasteboard=general))
    monkeypatch.setattr(sys, "platform", "darwin")
    return double


@pytest.mark.parametrize("before", [{"public.html": b"<b>x</b>", "public.png": b"\x89PNG"}, {}])
def test_all_types_are_restored_and_managers_told_to_forget_the_text(board, before):
    clipboard = choose_clipboard({})
    clipboard.put(before)
    seen: list[dict[str, bytes]] = []
    pasted(clipboard, "é 日", lambda: seen.append(dict(board.content)))
    text = {"public.utf8-plain-text": "é 日".encode()}
    assert seen == [{**text, "org.nspasteboard.TransientType": b""}]
    assert board.content == before


def test_without_appkit_pbcopy_is_used_and_told_that_text_is_utf_8(monkeypatch):
    calls: list[tuple[list[str], bytes, dict[str, str]]] = []

    def run(command: list[str], *, input: bytes, env: dict[str, str], **_: Any) -> Any:
        calls.append((command, input, env))
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setitem(sys.modules, "AppKit", None)
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setattr("streamwhisper.dictation.tools.subprocess.run", run)
    with pytest.raises(ClipboardError, match="AppKit is not installed"):
        MacClipboard().probe()
    clipboard = choose_clipboard({})
    clipboard.put(clipboard.of("é 日"))
    assert [call[:2] for call in calls] == [(["pbpaste"], b""), (["pbcopy"], "é 日".encode())]
    for _, _, environment in calls:
        assert environment["LC_CTYPE"] == "UTF-8"
        assert "LC_ALL" not in environment  # it would override LC_CTYPE
