"""Typing on Windows, by SendInput with Unicode packets (winuser.h)."""

from __future__ import annotations

import ctypes
import time
from typing import Any

from streamwhisper.dictation.keyboards.keyboard import PASTE_SECONDS, KeyboardError
from streamwhisper.dictation.keyboards.paste_keys import Keys

__all__ = ["WindowsKeyboard"]

_KEYBOARD = 1  # INPUT_KEYBOARD
_EXTENDED, _UP, _UNICODE = 1, 2, 4  # KEYEVENTF_EXTENDEDKEY, _KEYUP, _UNICODE
_BACKSPACE, _TAB, _RETURN, _INSERT = 0x08, 0x09, 0x0D, 0x2D  # virtual keys
_VIRTUAL_KEYS = {"ctrl": 0x11, "shift": 0x10, "v": 0x56, "insert": _INSERT}
_WRITE_OBJECTS = 0x0080  # DESKTOP_WRITEOBJECTS


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
        self._api.OpenInputDesktop.restype = ctypes.c_void_p
        self._api.CloseDesktop.argtypes = [ctypes.c_void_p]
        self._api.GetClassNameW.argtypes = [ctypes.c_void_p, ctypes.c_wchar_p, ctypes.c_int]

    def probe(self) -> None:
        """Check that this process may send input; raise `KeyboardError` if not."""
        desktop = self._api.OpenInputDesktop(0, False, _WRITE_OBJECTS)
        if not desktop:
            raise KeyboardError(
                "this process has no desktop to type into; run the command in the session of the "
                "user, and unlock it"
            )
        self._api.CloseDesktop(desktop)

    def window_class(self) -> str | None:
        """Return the class of the foreground window."""
        name = ctypes.create_unicode_buffer(256)
        self._api.GetClassNameW(self._api.GetForegroundWindow(), name, len(name))
        return name.value

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

    def paste(self, keys: Keys) -> None:
        """Press the keys that paste."""
        self._press(*(_VIRTUAL_KEYS[name] for name in keys.split("+")))
        time.sleep(PASTE_SECONDS)

    def close(self) -> None:
        """Do nothing: no state is left behind."""

    def _press(self, *keys: int) -> None:
        """Press keys at the same time."""
        flags = {key: _EXTENDED if key == _INSERT else 0 for key in keys}  # else of the number pad
        downs = [_Key(key, 0, flags[key]) for key in keys]
        self._send(downs + [_Key(key, 0, flags[key] | _UP) for key in reversed(keys)])

    def _send(self, keys: list[_Key]) -> None:
        inputs = (_Input * len(keys))(*(_Input(_KEYBOARD, _Union(key=key)) for key in keys))
        sent = self._api.SendInput(len(keys), inputs, ctypes.sizeof(_Input))
        if sent != len(keys):
            raise KeyboardError(
                "Windows blocked the input: the focused window runs as administrator; run "
                "streamwhisper as administrator too"
            )
