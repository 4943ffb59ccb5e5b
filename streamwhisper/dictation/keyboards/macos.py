"""Typing on macOS, by Quartz events that carry the text itself (Core Graphics, CGEvent.h)."""

from __future__ import annotations

import ctypes
import ctypes.util
import time
from typing import Any

from streamwhisper.dictation.keyboards.keyboard import PASTE_SECONDS, KeyboardError
from streamwhisper.dictation.keyboards.paste_keys import Keys
from streamwhisper.dictation.tools import ToolError, run_tool

__all__ = ["MacKeyboard"]

_RETURN, _TAB, _BACKSPACE, _V = 36, 48, 51, 9  # keys of a US keyboard, Carbon Events.h
_COMMAND = 1 << 20  # kCGEventFlagMaskCommand
_TAP = 0  # kCGHIDEventTap
_BETWEEN = 0.004


class MacKeyboard:
    """Keyboard that posts key events; macOS asks the user for permission once."""

    name = "Quartz"

    def __init__(self) -> None:
        """Load the framework; raise `KeyboardError` if it is missing."""
        path = ctypes.util.find_library("ApplicationServices")
        if path is None:
            raise KeyboardError("the ApplicationServices framework is missing")
        self._api: Any = ctypes.CDLL(path)
        self._api.AXIsProcessTrusted.restype = ctypes.c_bool
        self._api.CGEventCreateKeyboardEvent.restype = ctypes.c_void_p
        self._api.CGEventCreateKeyboardEvent.argtypes = [
            ctypes.c_void_p,
            ctypes.c_uint16,
            ctypes.c_bool,
        ]
        self._api.CGEventKeyboardSetUnicodeString.argtypes = [
            ctypes.c_void_p,
            ctypes.c_ulong,
            ctypes.c_char_p,
        ]
        self._api.CGEventSetFlags.argtypes = [ctypes.c_void_p, ctypes.c_uint64]
        self._api.CGEventPost.argtypes = [ctypes.c_uint32, ctypes.c_void_p]
        self._api.CFRelease.argtypes = [ctypes.c_void_p]

    def probe(self) -> None:
        """Check the accessibility permission; raise `KeyboardError` if it is missing."""
        if not self._api.AXIsProcessTrusted():
            raise KeyboardError(
                "this terminal may not type; allow it under System Settings, Privacy & Security, "
                "Accessibility"
            )

    def focus(self) -> str | None:
        """Return an identifier of the front application."""
        try:
            done = run_tool(["lsappinfo", "front"], timeout=2)
        except ToolError:
            return None
        return done.out.decode(errors="replace").strip() or None

    def window_class(self) -> str | None:
        """Return nothing: every program pastes with Command+V."""
        return ""

    def type(self, text: str, window: str | None) -> int:
        """Type `text`."""
        if self.focus() != window:
            return 0
        named = {"\n": _RETURN, "\t": _TAB}
        for character in text:
            if character in named:
                self._press(named[character])
            else:
                self._press(0, text=character)
        return len(text)

    def erase(self, count: int, window: str | None) -> int:
        """Press Backspace."""
        if self.focus() != window:
            return 0
        for _ in range(count):
            self._press(_BACKSPACE)
        return count

    def paste(self, keys: Keys) -> None:
        """Press Command+V, on the key that has V in the current layout."""
        try:
            from pynput.keyboard import Controller, Key
        except ImportError:
            self._press(_V, flags=_COMMAND)
        else:
            controller = Controller()
            with controller.pressed(Key.cmd):
                controller.tap("v")
        time.sleep(PASTE_SECONDS)

    def close(self) -> None:
        """Do nothing: no state is left behind."""

    def _press(self, key: int, *, text: str = "", flags: int = 0) -> None:
        for down in (True, False):
            event = self._api.CGEventCreateKeyboardEvent(None, key, down)
            self._api.CGEventSetFlags(event, flags)
            if text:
                units = text.encode("utf-16-le")
                self._api.CGEventKeyboardSetUnicodeString(event, len(units) // 2, units)
            self._api.CGEventPost(_TAP, event)
            self._api.CFRelease(event)
        time.sleep(_BETWEEN)
