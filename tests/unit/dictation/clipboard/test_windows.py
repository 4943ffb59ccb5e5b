"""The clipboard of Windows, on a double of its functions; it has not run on Windows itself."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import pytest

from streamwhisper.dictation.clipboard import ClipboardError, pasted, windows
from streamwhisper.dictation.clipboard.windows import WindowsClipboard

TEXT, DIB, BITMAP, HTML = 13, 8, 2, 0xC001
HIDING = {"ExcludeClipboardContentFromMonitorProcessing", "CanIncludeInClipboardHistory"}


class Windows:
    """user32 and kernel32 with a clipboard; handles are addresses of memory."""

    def __init__(self) -> None:
        self.content: dict[int, int] = {}
        self.names: dict[int, str] = {}
        self.memory: dict[int, Any] = {}
        self.open = False
        self.busy = False
        self.owner: int | None = None
        for name in [name for name in dir(self) if name[0].isupper()]:
            # As functions of a library, they take attributes for their types.
            setattr(self, name, self._function(getattr(self, name)))

    @staticmethod
    def _function(method: Any) -> Any:
        def call(*arguments: Any) -> Any:
            return method(*arguments)

        return call

    def CreateWindowExW(self, *_: Any) -> int:
        return 0x77

    def DestroyWindow(self, window: int) -> None:
        assert window == 0x77

    def OpenClipboard(self, window: int | None) -> bool:
        assert not self.open
        self.open, self.owner = not self.busy, window
        return self.open

    def CloseClipboard(self) -> None:
        self.open = False

    def EmptyClipboard(self) -> None:
        assert self.open
        self.content.clear()

    def EnumClipboardFormats(self, format: int) -> int:
        assert self.open
        formats = [0, *self.content, 0]
        return formats[formats.index(format) + 1]

    def GetClipboardData(self, format: int) -> int:
        assert format != BITMAP
        return self.content[format]

    def SetClipboardData(self, format: int, handle: int) -> int:
        assert self.open
        self.content[format] = handle
        return handle if self.owner else 0

    def RegisterClipboardFormatW(self, name: str) -> int:
        number = 0xC100 + len(self.names)
        self.names[number] = name
        return number

    def GlobalAlloc(self, flags: int, size: int) -> int:
        assert flags == 2  # GMEM_MOVEABLE, which the clipboard asks for
        block = ctypes.create_string_buffer(size)
        self.memory[ctypes.addressof(block)] = block
        return ctypes.addressof(block)

    def GlobalLock(self, handle: int) -> int:
        return handle

    def GlobalUnlock(self, handle: int) -> int:
        return 1

    def GlobalSize(self, handle: int) -> int:
        return len(self.memory[handle])


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Windows:
    double = Windows()
    library = SimpleNamespace(user32=double, kernel32=double)
    monkeypatch.setattr(ctypes, "windll", library, raising=False)
    return double


def test_text_is_unicode_and_ends_with_a_null(system):
    clipboard = WindowsClipboard()
    clipboard.put(clipboard.of("é – 日\n😀"))
    data = system.memory[system.content[TEXT]].raw
    assert data == "é – 日\r\n😀\0".encode("utf-16-le")


def test_all_formats_that_are_memory_are_restored_and_others_left_out(system):
    clipboard = WindowsClipboard()
    before = {str(HTML): b"<b>x</b>", str(TEXT): b"x\0\0\0", str(DIB): b"\x28\0\0\0pixels"}
    clipboard.put(before)
    system.content[BITMAP] = 0xBAD  # made by Windows of the device-independent one
    seen: list[set[str]] = []

    def paste() -> None:
        seen.append({system.names.get(format, str(format)) for format in system.content})

    pasted(clipboard, "dictated", paste)
    assert seen[0] >= {str(TEXT), *HIDING}
    assert clipboard.get() == before


def test_one_that_was_empty_is_empty_again(system):
    clipboard = WindowsClipboard()
    pasted(clipboard, "dictated", lambda: None)
    assert clipboard.get() == {}


def test_one_that_another_program_keeps_open_is_an_error(system, monkeypatch):
    monkeypatch.setattr(windows, "_OPEN_SECONDS", 0.0)
    clipboard = WindowsClipboard()
    clipboard.probe()
    system.busy = True
    with pytest.raises(ClipboardError, match="another program keeps the Windows clipboard open"):
        clipboard.probe()
