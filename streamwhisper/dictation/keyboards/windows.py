"""Typing on Windows, by SendInput with Unicode packets (winuser.h)."""

from __future__ import annotations

import ctypes
import time
from typing import Any

from streamwhisper.dictation.keyboards.keyboard import PASTE_SECONDS, KeyboardError

__all__ = ["WindowsKeyboard"]

_KEYBOARD = 1  # INPUT_KEYBOARD
_UP, _UNICODE = 2, 4  # KEYEVENTF_KEYUP, KEYEVENTF_UNICODE
_BACKSPACE, _TAB, _RETURN, _CONTROL, _V = 0x08, 0x09, 0x0D, 0x11, 0x56  # virtual keys


class _Key(ctypes.Structure):
    _fields_ = (
        ("key", ctypes.c_uint16),
        ("unit", ctypes.c_uint16),
        ("flags", ctypes.c_uint32),
        ("time", ctypes.c_uint32),
        ("extra", ctypes.c_size_t),
    )


class _Union(ctypes.Union):
    # The union's largest member is the mouse's: 32 bytes on 64-bit Windows, 24 on 32-bit.
    _fields_ = (("key", _Key), ("room", ctypes.c_byte * (16 + 2 * ctypes.sizeof(ctypes.c_size_t))))


class _Input(ctypes.Structure):
    _fields_ = (("type", ctypes.c_uint32), ("of", _Union))


class WindowsKeyboard:
    """Keyboard that sends input to the focused window."""

    name = "SendInput"

    def __init__(self) -> None:
        self._api: Any = getattr(ctypes, "windll").user32  # noqa: B009 (only Windows has it)
        self._api.GetForegroundWindow.restype = ctypes.c_void_p

    def focus(self) -> str | None:
        """Return the handle of the foreground window."""
        return str(self._api.GetForegroundWindow())

    def type(self, text: str, window: str | None) -> int:
        """Type `text`."""
        if self.focus() != window:
            return 0
        named = {"\n": _RETURN, "\t": _TAB}
        for character in text:
            if character in named:
                self._press(named[character])
                continue
            units = character.encode("utf-16-le")
            codes = [int.from_bytes(units[i : i + 2], "little") for i in range(0, len(units), 2)]
            downs = [_Key(0, code, _UNICODE) for code in codes]
            self._send(downs + [_Key(0, code, _UNICODE | _UP) for code in codes])
        return len(text)

    def erase(self, count: int, window: str | None) -> int:
        """Press Backspace."""
        if self.focus() != window:
            return 0
        for _ in range(count):
            self._press(_BACKSPACE)
        return count

    def paste(self) -> None:
        """Press Ctrl+V."""
        self._press(_CONTROL, _V)
        time.sleep(PASTE_SECONDS)

    def close(self) -> None:
        """Do nothing: no state is left behind."""

    def _press(self, *keys: int) -> None:
        """Press keys at the same time."""
        self._send([_Key(key) for key in keys] + [_Key(key, 0, _UP) for key in reversed(keys)])

    def _send(self, keys: list[_Key]) -> None:
        inputs = (_Input * len(keys))(*(_Input(_KEYBOARD, _Union(key=key)) for key in keys))
        sent = self._api.SendInput(len(keys), inputs, ctypes.sizeof(_Input))
        if sent != len(keys):
            raise KeyboardError(
                "Windows blocked the input: the focused window runs as administrator; run "
                "streamwhisper as administrator too"
            )
