"""The clipboard of Windows (winuser.h)."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from streamwhisper.dictation.clipboard.clipboard import Clipboard, ClipboardError, Contents

__all__ = ["WindowsClipboard"]

_UNICODE_TEXT = 13  # CF_UNICODETEXT
_MOVEABLE = 2  # GMEM_MOVEABLE
_HANDLES = {2, 3, 9, 14, 0x80, 0x82, 0x83, 0x8E}
"""Formats that are no memory: bitmaps (the device-independent one stays), palettes, owner's."""
_OBJECTS = range(0x0300, 0x0400)  # CF_GDIOBJFIRST to CF_GDIOBJLAST
_HIDING = {
    "ExcludeClipboardContentFromMonitorProcessing": b"\0\0\0\0",
    "CanIncludeInClipboardHistory": b"\0\0\0\0",
    "CanUploadToCloudClipboard": b"\0\0\0\0",
}
"""Formats by which Windows and clipboard managers know what not to keep."""
_OPEN_SECONDS = 1.0  # that another program may hold the clipboard open


class WindowsClipboard:
    """Clipboard in all formats that are memory; a type is the number of a format."""

    name = "the Windows clipboard"
    primary: Clipboard | None = None

    def __init__(self) -> None:
        libraries: Any = getattr(ctypes, "windll")  # noqa: B009 (only Windows has it)
        self._user, self._memory = libraries.user32, libraries.kernel32
        handle, size = ctypes.c_void_p, ctypes.c_size_t
        self._user.CreateWindowExW.restype = handle
        for function, result, arguments in (
            (self._user.DestroyWindow, ctypes.c_int, [handle]),
            (self._user.OpenClipboard, ctypes.c_int, [handle]),
            (self._user.GetClipboardData, handle, [ctypes.c_uint]),
            (self._user.SetClipboardData, handle, [ctypes.c_uint, handle]),
            (self._user.RegisterClipboardFormatW, ctypes.c_uint, [ctypes.c_wchar_p]),
            (self._memory.GlobalAlloc, handle, [ctypes.c_uint, size]),
            (self._memory.GlobalLock, handle, [handle]),
            (self._memory.GlobalUnlock, ctypes.c_int, [handle]),
            (self._memory.GlobalSize, size, [handle]),
        ):
            function.restype, function.argtypes = result, arguments

    def probe(self) -> None:
        """Check that the clipboard opens; raise `ClipboardError` if not."""
        with self._open():
            pass

    def get(self) -> Contents:
        """Return the content in all its formats."""
        contents, format = {}, 0
        with self._open():
            while format := self._user.EnumClipboardFormats(format):
                data = None if _is_handle(format) else self._read(format)
                if data is not None:
                    contents[str(format)] = data
        return contents

    def of(self, text: str) -> Contents:
        """Return the content for a text."""
        return {str(_UNICODE_TEXT): text.replace("\n", "\r\n").encode("utf-16-le") + b"\0\0"}

    def put(self, contents: Contents, *, transient: bool = False) -> None:
        """Set or clear the clipboard."""
        # Without a window that owns the clipboard, Windows takes no content.
        window = self._user.CreateWindowExW(0, "STATIC", None, 0, 0, 0, 0, 0, *[None] * 4)
        try:
            with self._open(window):
                self._user.EmptyClipboard()
                for format, data in contents.items():
                    self._write(int(format), data)
                for name, data in _HIDING.items() if transient else ():
                    self._write(self._user.RegisterClipboardFormatW(name), data)
        finally:
            self._user.DestroyWindow(window)

    @contextmanager
    def _open(self, window: int | None = None) -> Iterator[None]:
        until = time.monotonic() + _OPEN_SECONDS
        while not self._user.OpenClipboard(window):
            if time.monotonic() > until:
                raise ClipboardError(f"another program keeps {self.name} open")
            time.sleep(0.02)
        try:
            yield
        finally:
            self._user.CloseClipboard()

    def _read(self, format: int) -> bytes | None:
        handle = self._user.GetClipboardData(format)
        if not handle or not (address := self._memory.GlobalLock(handle)):
            return None
        try:
            return ctypes.string_at(address, self._memory.GlobalSize(handle))
        finally:
            self._memory.GlobalUnlock(handle)

    def _write(self, format: int, data: bytes) -> None:
        """Hand memory with `data` over to the clipboard."""
        handle = self._memory.GlobalAlloc(_MOVEABLE, len(data))
        if not handle or not (address := self._memory.GlobalLock(handle)):
            raise ClipboardError("there is not enough memory for the clipboard")
        ctypes.memmove(address, data, len(data))
        self._memory.GlobalUnlock(handle)
        if not self._user.SetClipboardData(format, handle):
            raise ClipboardError(f"{self.name} did not take the content")


def _is_handle(format: int) -> bool:
    return format in _HANDLES or format in _OBJECTS
